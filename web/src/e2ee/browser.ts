/** The script `/js/e2ee.js`, which has the WebAssembly beside it. */

import { placeWasm } from "./wasm.js";

placeWasm(new URL("./e2ee.wasm", import.meta.url));

export * from "./index.js";
