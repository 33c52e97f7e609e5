/** Where the library's WebAssembly lies. */

let place: URL | undefined;

/** Undefined: where the library has it itself, which bundlers know. */
export function findWasm(): URL | undefined {
  return place;
}

/** Called by the script that has it beside itself. */
export function placeWasm(url: URL): void {
  place = url;
}
