import { describe, expect, it } from "vitest";
import { safetyNumber } from "../../src/e2ee/safety.js";

const device = (device_id: string, fingerprint: string) => ({ device_id, fingerprint });
const MINA = { user: "7", devices: [device("A", "key a"), device("B", "key b")] };
const JUNHO = { user: "8", devices: [device("A", "key c")] };

describe("the safety number", () => {
  it("is twelve groups of five digits, the same in whatever order its parts come", async () => {
    const number = await safetyNumber([MINA, JUNHO]);

    expect(number).toMatch(/^\d{5}( \d{5}){11}$/);
    expect(await safetyNumber([JUNHO, { ...MINA, devices: [...MINA.devices].reverse() }])).toBe(number);
  });

  it.each([
    ["a device more", { ...JUNHO, devices: [...JUNHO.devices, device("B", "key d")] }],
    ["a device less", { ...JUNHO, devices: [] }],
    ["another key", { ...JUNHO, devices: [device("A", "key x")] }],
    ["another id", { ...JUNHO, devices: [device("X", "key c")] }],
    ["another user", { ...JUNHO, user: "9" }],
    ["an id that runs into a key", { ...JUNHO, devices: [device("A key", "c")] }],
  ])("is another one with %s", async (_, changed) => {
    expect(await safetyNumber([MINA, changed])).not.toBe(await safetyNumber([MINA, JUNHO]));
  });
});
