import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/client/backoff.js";

describe("Backoff", () => {
  it("doubles the bound from 0.5 s to 30 s and stays there", () => {
    const backoff = new Backoff({ random: () => 1 });
    const delays = Array.from({ length: 9 }, () => backoff.next());

    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("takes the whole range from nothing to the bound", () => {
    const draws = [0, 0.25, 0.999];
    const backoff = new Backoff({ random: () => draws.shift() ?? 0 });

    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([0, 250, 1_998]);
  });

  it("starts over after a success", () => {
    const backoff = new Backoff({ random: () => 1 });
    backoff.next();
    backoff.next();
    backoff.reset();

    expect(backoff.next()).toBe(500);
  });
});
