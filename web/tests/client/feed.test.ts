import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cursor } from "../../src/client/cursor.js";
import { Feed } from "../../src/client/feed.js";
import { failure } from "../../src/client/problem.js";
import type { Snapshot } from "../../src/client/refetch.js";
import type { StreamItem } from "../../src/client/stream.js";

const item = (seq: number, epoch = "e"): StreamItem => ({ event: "order_updated", epoch, seq, payload: { seq } });

let isJoined: boolean;
let shown: number[];
let acks: number[];
let replays: number[];
let refetches: number[];
let told: [string, unknown][];
let saved: unknown[];
let replay: () => Promise<unknown>;
let refetch: () => Promise<Snapshot>;
let feed: Feed;

beforeEach(() => {
  vi.useFakeTimers();
  isJoined = true;
  [shown, acks, replays, refetches, told, saved] = [[], [], [], [], [], []];
  replay = async () => ({});
  refetch = async () => ({ epoch: "e", seq: 0, events: [] });
  feed = new Feed("orders", {
    isJoined: () => isJoined,
    send: (_event, { seq }) => acks.push(seq),
    request: (_event, { after }) => {
      replays.push(after);
      return replay();
    },
    refetch: ({ seq }) => {
      refetches.push(seq);
      return refetch();
    },
    deliver: ({ seq }) => shown.push(seq),
    announce: (...event) => told.push(event),
    save: (cursor) => saved.push(cursor),
  });
  feed.begin({ epoch: "e", seq: 0 });
  feed.join();
});
afterEach(() => vi.useRealTimers());

describe("Feed", () => {
  it("shows, then saves where it is, then acknowledges within a second", () => {
    for (const seq of [1, 2, 3]) feed.receive(item(seq));
    expect([shown, saved[saved.length - 1], acks]).toEqual([[1, 2, 3], { epoch: "e", seq: 3 }, []]);

    vi.advanceTimersByTime(1_000);
    expect(acks).toEqual([3]);
  });

  it("acknowledges again on a new connection, as the last ack may be lost", () => {
    feed.receive(item(1));
    vi.advanceTimersByTime(1_000);
    feed.interrupt();
    feed.join();
    feed.synced({ epoch: "e", seq: 1 });
    vi.advanceTimersByTime(1_000);

    expect(acks).toEqual([1, 1]);
  });

  it("acknowledges nothing while it is not connected", () => {
    feed.receive(item(1));
    isJoined = false;
    vi.advanceTimersByTime(1_000);

    expect(acks).toEqual([]);
  });

  it("asks for a replay again until the gap is filled", async () => {
    replay = async () => {
      throw failure("rate_limited", "slowly", true);
    };
    feed.receive(item(3));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(replays.length).toBeGreaterThan(3);

    for (const seq of [1, 2]) feed.receive(item(seq));
    feed.synced({ epoch: "e", seq: 3 });
    const asked = replays.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(replays.length).toBe(asked);
    expect(shown).toEqual([1, 2, 3]);
  });

  it("asks for the rest where a replay failed that had brought a part", async () => {
    replay = async () => {
      throw failure("unavailable", "no", true);
    };
    feed.receive(item(4));
    feed.receive(item(1));
    replay = async () => {
      for (const seq of [2, 3]) feed.receive(item(seq));
      feed.synced({ epoch: "e", seq: 4 });
    };
    await vi.advanceTimersByTimeAsync(5_000);

    expect([replays, shown]).toEqual([
      [0, 1],
      [1, 2, 3, 4],
    ]);
  });

  it("stops asking for a replay when the connection is lost", async () => {
    replay = async () => {
      throw failure("disconnected", "gone", true);
    };
    feed.receive(item(3));
    feed.interrupt();
    await vi.advanceTimersByTimeAsync(60_000);

    expect(replays).toEqual([0]);
  });

  it("tells the views what it fetched before it shows what came meanwhile", async () => {
    const snapshot = { epoch: "e", seq: 9, events: [] };
    refetch = async () => snapshot;
    feed.resync({ reason: "pruned", epoch: "e", seq: 8 });
    for (const seq of [9, 10]) feed.receive(item(seq));
    await vi.advanceTimersByTimeAsync(0);

    expect(told).toEqual([
      ["resync", { namespace: "orders", reason: "pruned", epoch: "e", seq: 9, snapshot }],
      ["sync", { namespace: "orders", epoch: "e", seq: 10 }],
    ]);
    expect(shown).toEqual([10]);
    expect(saved[saved.length - 1]).toEqual({ epoch: "e", seq: 10 });
  });

  it.each([
    ["pruned", "e", 5],
    ["too_far_behind", "e", 5],
    ["ahead_of_head", "e", 0],
    ["epoch_changed", "new", 0],
  ] as const)("fetches what is left of the log after %s", (reason, epoch, after) => {
    feed.begin({ epoch: "e", seq: 5 });
    feed.resync({ reason, epoch, seq: 8 });

    expect(refetches).toEqual([after]);
  });

  it("tries a fetch that fails again", async () => {
    let failures = 2;
    refetch = async () => {
      if (failures-- > 0) throw new TypeError("network");
      return { epoch: "e", seq: 9, events: [] };
    };
    feed.resync({ reason: "pruned", epoch: "e", seq: 8 });
    await vi.advanceTimersByTimeAsync(60_000);

    expect(refetches.length).toBe(3);
    expect(told[0]).toMatchObject(["resync", { seq: 9 }]);
  });

  it("goes on from the server's word when nothing can be fetched", async () => {
    refetch = async () => {
      throw failure("forbidden", "no");
    };
    feed.resync({ reason: "pruned", epoch: "e", seq: 8 });
    await vi.advanceTimersByTimeAsync(0);
    feed.receive(item(9));

    expect(told[0]).toMatchObject(["resync", { seq: 8, snapshot: null }]);
    expect(shown).toEqual([9]);
  });

  it("keeps the old cursor when the connection is lost in the middle of a fetch", async () => {
    feed.begin({ epoch: "e", seq: 5 });
    feed.resync({ reason: "pruned", epoch: "e", seq: 8 });
    feed.interrupt();
    await vi.advanceTimersByTimeAsync(60_000);

    expect(feed.cursor).toEqual({ epoch: "e", seq: 5 });
    expect(told).toEqual([]);
  });

  it("acknowledges nothing that it was told of and never sent, on a new connection and after a reload neither", () => {
    feed.begin(null);
    feed.synced({ epoch: "e", seq: 8 });
    vi.advanceTimersByTime(1_000);
    feed.interrupt();
    feed.join();
    feed.synced({ epoch: "e", seq: 8 });
    vi.advanceTimersByTime(1_000);
    feed.begin(saved.at(-1) as Cursor);
    feed.synced({ epoch: "e", seq: 8 });
    vi.advanceTimersByTime(1_000);
    expect(acks).toEqual([]);

    feed.receive(item(9));
    vi.advanceTimersByTime(1_000);
    expect(acks).toEqual([9]);
    expect(saved.at(-1)).toEqual({ epoch: "e", seq: 9 });
  });

  it("acknowledges what it has fetched, in a log with smaller numbers too, and nothing that it could not", async () => {
    feed.begin({ epoch: "e", seq: 5 });
    feed.synced({ epoch: "e", seq: 5 });
    vi.advanceTimersByTime(1_000);
    refetch = async () => ({ epoch: "new", seq: 2, events: [] });
    feed.resync({ reason: "epoch_changed", epoch: "new", seq: 2 });
    await vi.advanceTimersByTimeAsync(1_000);
    refetch = async () => {
      throw failure("forbidden", "no");
    };
    feed.resync({ reason: "pruned", epoch: "new", seq: 8 });
    await vi.advanceTimersByTimeAsync(1_000);

    expect(acks).toEqual([5, 2]);
  });

  it("does not acknowledge one user's place in another's stream", () => {
    feed.receive(item(1));
    feed.begin(null);
    vi.advanceTimersByTime(1_000);

    expect(acks).toEqual([]);
  });
});
