/** The script `/js/elements.js`: defines `<tocsin-bell>`, `<tocsin-inbox>`, `<tocsin-toasts>` and `<tocsin-preferences>`. */

import { defineElements } from "./index.js";

// What `window.ws` is, the page may still decide while it is parsed.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", defineElements);
else defineElements();
