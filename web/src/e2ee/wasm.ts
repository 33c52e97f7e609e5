/** Where the library's WebAssembly lies, and its loading. */

import { initAsync } from "@matrix-org/matrix-sdk-crypto-wasm";
import { failure } from "../client/problem.js";

let place: URL | undefined;
let isReached = false;

/** Undefined: where the library has it itself, which bundlers know. */
export function findWasm(): URL | undefined {
  return place;
}

/** Called by the script that has it beside itself. */
export function placeWasm(url: URL): void {
  place = url;
}

/** Load it, once a page; rejects with `unreachable`, after which it may be tried again. */
export async function loadWasm(url: URL | string | undefined): Promise<void> {
  // The library tries once: what fails there fails until the page is loaded anew.
  if (url !== undefined && !isReached) await reach(url);
  isReached = true;
  await initAsync(url);
}

async function reach(url: URL | string): Promise<void> {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(String(answer.status));
    // Read to its end it is in the browser's cache.
    await answer.arrayBuffer();
  } catch (error) {
    throw failure("unreachable", `The WebAssembly of encryption can't be loaded: ${error}`, true);
  }
}
