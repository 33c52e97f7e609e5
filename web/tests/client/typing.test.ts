import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TypingIn, TypingOut } from "../../src/client/typing.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("TypingOut", () => {
  let sent: [number | string, boolean][];
  let typing: TypingOut;

  beforeEach(() => {
    sent = [];
    typing = new TypingOut((to, isTyping) => sent.push([to, isTyping]));
  });

  it("sends once for many keystrokes and repeats every three seconds", () => {
    for (let stroke = 0; stroke < 40; stroke += 1) {
      typing.set(456, true);
      vi.advanceTimersByTime(100);
    }

    expect(sent).toEqual([
      [456, true],
      [456, true],
    ]);
  });

  it("sends a stop at once, and only after a start", () => {
    typing.set(456, false);
    typing.set(456, true);
    typing.set(456, false);
    typing.set(456, false);

    expect(sent).toEqual([
      [456, true],
      [456, false],
    ]);
  });

  it("stops by itself five seconds after the last keystroke", () => {
    typing.set(456, true);
    vi.advanceTimersByTime(4_999);
    expect(sent.length).toBe(1);

    vi.advanceTimersByTime(1);
    expect(sent).toEqual([
      [456, true],
      [456, false],
    ]);
  });

  it("takes 456 and '456' for one user and others apart", () => {
    typing.set(456, true);
    typing.set("456", true);
    typing.set("anna", true);

    expect(sent).toEqual([
      [456, true],
      ["anna", true],
    ]);
  });

  it("sends nothing after a lost connection and starts anew", () => {
    typing.set(456, true);
    typing.clear();
    vi.advanceTimersByTime(10_000);
    typing.set(456, true);

    expect(sent).toEqual([
      [456, true],
      [456, true],
    ]);
  });
});

describe("TypingIn", () => {
  let seen: [number | string, boolean][];
  let typing: TypingIn;
  const announce = (user_id: number | string, is_typing: boolean) => typing.receive({ user_id, is_typing });

  beforeEach(() => {
    seen = [];
    typing = new TypingIn((event) => seen.push([event.user_id, event.is_typing]));
  });

  it("shows a typist once, however often the start is announced", () => {
    announce(7, true);
    announce(7, true);
    announce(8, true);
    announce(7, false);
    announce(7, false);

    expect(seen).toEqual([
      [7, true],
      [8, true],
      [7, false],
    ]);
  });

  it("ends a typing whose stop was lost", () => {
    announce(7, true);
    vi.advanceTimersByTime(7_000);
    announce(7, true);
    vi.advanceTimersByTime(7_999);
    expect(seen).toEqual([[7, true]]);

    vi.advanceTimersByTime(1);
    expect(seen).toEqual([
      [7, true],
      [7, false],
    ]);
  });

  it("ends everybody's typing at once", () => {
    announce(7, true);
    announce(8, true);
    typing.clear();

    expect(seen.slice(2)).toEqual([
      [7, false],
      [8, false],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
