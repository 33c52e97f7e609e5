/**
 * The script `/js/websocket.js`: `window.WebSocketClient` and one client as `window.ws`.
 *
 * Connects by itself once the page is parsed, when somebody is signed in
 * (`localStorage.auth_token`). Brings its own Socket.IO and leaves a global `io` alone.
 */

import { WebSocketClient } from "./client.js";
import { TOKEN_KEY } from "./token.js";

declare global {
  interface Window {
    ws: WebSocketClient;
    WebSocketClient: typeof WebSocketClient;
  }
}

let current = new WebSocketClient();
let isReady = false;

// A page may put a client of its own in place; the one before must not stay connected beside it.
Object.defineProperty(window, "ws", {
  configurable: true,
  enumerable: true,
  get: () => current,
  set: (next: WebSocketClient) => {
    if (next === current) return;
    current.disconnect();
    current = next;
    connectIfSignedIn();
  },
});
window.WebSocketClient = WebSocketClient;

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
else ready();

function ready(): void {
  isReady = true;
  connectIfSignedIn();
}

function connectIfSignedIn(): void {
  if (isReady && isSignedIn() && current instanceof WebSocketClient) current.connect();
}

function isSignedIn(): boolean {
  try {
    return Boolean(localStorage.getItem(TOKEN_KEY));
  } catch {
    return false;
  }
}
