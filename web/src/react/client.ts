/** The client that a page has by `/js/websocket.js`. */

import type { WebSocketClient } from "../client/client.js";

/** `window.ws`; undefined where there is none, as on a server. */
export function pageClient(): WebSocketClient | undefined {
  return (globalThis as { ws?: WebSocketClient }).ws;
}
