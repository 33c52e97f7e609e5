import { afterEach, describe, expect, it, vi } from "vitest";
import { newIdentifier } from "../../src/client/identifier.js";

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("newIdentifier", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is a new version 4 UUID each time", () => {
    const made = new Set(Array.from({ length: 100 }, newIdentifier));

    expect(made.size).toBe(100);
    for (const identifier of made) expect(identifier).toMatch(UUID4);
  });

  it("is one on a page without a secure context too", () => {
    vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes.fill(255) });

    expect(newIdentifier()).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff");
  });
});
