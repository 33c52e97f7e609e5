/** The script `/js/push.js`: one subscriber as `window.tocsinPush`, and the element `<tocsin-push-button>`. */

import { TocsinPushButton } from "./button.js";
import { PushSubscriber } from "./subscriber.js";

declare global {
  interface Window {
    tocsinPush?: PushSubscriber;
  }
  interface HTMLElementTagNameMap {
    "tocsin-push-button": TocsinPushButton;
  }
}

window.tocsinPush ??= new PushSubscriber();
if (customElements.get("tocsin-push-button") === undefined)
  customElements.define("tocsin-push-button", TocsinPushButton);

// A page that puts a client of its own in place of window.ws does so while it is parsed.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();

function start(): void {
  window.tocsinPush?.start();
}
