import { describe, expect, it } from "vitest";
import { applyToBell, type BellState, EMPTY_BELL, notification, withItems } from "../../demo/bell.js";
import type { DemoEvent, Payload } from "../../demo/events.js";

function event(seq: number, name: string, data: Payload): DemoEvent {
  return { namespace: "notifications", event: name, data: { ...data, seq }, source: "live", at: 0 };
}

function arrival(seq: number, id: string, category: string | null = null): DemoEvent {
  return event(seq, "notification", { id, type: "t", title: id, message: "", category, read: false });
}

function stateAfter(events: DemoEvent[], start: BellState = EMPTY_BELL): BellState {
  return events.reduce(applyToBell, start);
}

/** A small, repeatable source of chance (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomEvents(seed: number, count: number): DemoEvent[] {
  const random = chance(seed);
  return Array.from({ length: count }, (_, index) => {
    const seq = index + 1;
    const kind = random();
    const id = `n${Math.floor(random() * seq)}`;
    if (kind < 0.6) return arrival(seq, `n${seq}`, random() < 0.5 ? "work" : null);
    if (kind < 0.8) return event(seq, "notification_read", { id, read_at: "2026-01-01T00:00:00Z" });
    if (kind < 0.9) return event(seq, "notification_deleted", { id });
    if (kind < 0.95) return event(seq, "notification_read", { all: true, category: "work" });
    return event(seq, "notification_updated", { all: true, seen_at: "2026-01-01T00:00:00Z" });
  });
}

describe("the bell", () => {
  it("shows the newest notification first and counts the unread ones", () => {
    const state = stateAfter([arrival(1, "a"), arrival(2, "b"), event(3, "notification_read", { id: "a" })]);

    expect(state.items.map((item) => item.id)).toEqual(["b", "a"]);
    expect(state.unread).toBe(1);
  });

  it("ignores an event that its state holds already", () => {
    const fetched = withItems([notification(arrival(5, "a").data)], 5);

    expect(stateAfter([arrival(5, "a")], fetched)).toBe(fetched);
  });

  it("reads only the category that a mark names", () => {
    const state = stateAfter([
      arrival(1, "a", "work"),
      arrival(2, "b"),
      event(3, "notification_read", { all: true, category: "work" }),
    ]);

    expect(state.items.map((item) => [item.id, item.read])).toEqual([
      ["b", false],
      ["a", true],
    ]);
  });

  it("is the same from a stale state and the events since as from the whole log", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const events = randomEvents(seed, 40);
      const cut = seed % 40;
      const stale = stateAfter(events.slice(0, cut));

      expect(stateAfter(events, stale)).toEqual(stateAfter(events));
    }
  });
});
