import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Throttle } from "../../src/client/throttle.js";

describe("Throttle", () => {
  let runs = 0;
  let throttle: Throttle;

  beforeEach(() => {
    vi.useFakeTimers();
    runs = 0;
    throttle = new Throttle(() => {
      runs += 1;
    }, 1_000);
  });
  afterEach(() => vi.useRealTimers());

  it("runs once for many requests in one interval", () => {
    for (let request = 0; request < 5; request += 1) throttle.request();
    vi.advanceTimersByTime(999);
    expect(runs).toBe(0);

    vi.advanceTimersByTime(1);
    expect(runs).toBe(1);
  });

  it("runs at once on a flush, and not again at the end of the interval", () => {
    throttle.request();
    throttle.flush();
    vi.advanceTimersByTime(5_000);

    expect(runs).toBe(1);
  });

  it("does nothing on a flush that nobody asked for", () => {
    throttle.flush();

    expect(runs).toBe(0);
  });

  it("forgets a request that is cancelled", () => {
    throttle.request();
    throttle.cancel();
    vi.advanceTimersByTime(5_000);

    expect(runs).toBe(0);
  });
});
