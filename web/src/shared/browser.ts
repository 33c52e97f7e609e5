/** The script `/js/shared.js`, after `/js/websocket.js`: `window.ws` is one connection for all tabs of the user. */

import type { WebSocketClient } from "../client/client.js";
import { SharedClient } from "./client.js";

const { WebSocketClient: Client } = window;
const shared = new SharedClient((storage) => new Client({ storage }));
// The page's own client has not connected yet: it waits until the page is parsed.
window.ws = shared as unknown as WebSocketClient;

function connect(): void {
  void shared.getToken().then((token) => token !== null && shared.connect());
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", connect);
else connect();
