/** The script `/js/chat.js`: the element `<tocsin-chat>`. */

import { TocsinChat } from "./element.js";

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-chat": TocsinChat;
  }
}

// What `window.ws` is, the page may still decide while it is parsed.
function define(): void {
  if (customElements.get("tocsin-chat") === undefined) customElements.define("tocsin-chat", TocsinChat);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", define);
else define();
