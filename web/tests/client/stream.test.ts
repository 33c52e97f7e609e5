import { describe, expect, it } from "vitest";
import { type Step, Stream, type StreamItem } from "../../src/client/stream.js";

const item = (seq: number, epoch = "e"): StreamItem => ({ event: "order_updated", epoch, seq, payload: { seq } });
const at = (seq: number, epoch = "e") => ({ epoch, seq });
const shown = (step: Step) => (step.deliver ?? []).map((each) => each.seq);

describe("Stream", () => {
  it("begins with the first live event when there is no cursor", () => {
    const stream = new Stream();

    expect(shown(stream.receive(item(41)))).toEqual([41]);
    expect(stream.cursor).toEqual(at(41));
  });

  it("takes the server's word for where it is when there is no cursor", () => {
    const stream = new Stream();

    expect(stream.synced(at(41))).toEqual({ synced: { ...at(41), isTold: true } });
    expect(shown(stream.receive(item(42)))).toEqual([42]);
  });

  it("shows what follows the cursor", () => {
    const stream = new Stream(at(3));

    expect([shown(stream.receive(item(4))), shown(stream.receive(item(5)))]).toEqual([[4], [5]]);
  });

  it("drops what it has shown", () => {
    const stream = new Stream(at(3));

    expect(stream.receive(item(3))).toEqual({});
    expect(stream.receive(item(1))).toEqual({});
    expect(stream.cursor).toEqual(at(3));
  });

  it("asks for a replay at a gap and shows nothing from beyond it", () => {
    const stream = new Stream(at(3));

    expect(stream.receive(item(6))).toEqual({ gap: { after: 3, seen: 6 }, replayAfter: 3 });
    expect(stream.receive(item(7))).toEqual({});
    expect(stream.isWaiting).toBe(true);
  });

  it("shows what was held as soon as the gap is filled, once and in order", () => {
    const stream = new Stream(at(3));
    stream.receive(item(7));
    stream.receive(item(6));

    expect(shown(stream.receive(item(4)))).toEqual([4]);
    expect(shown(stream.receive(item(5)))).toEqual([5, 6, 7]);
    expect(stream.receive(item(6))).toEqual({});
    expect(stream.synced(at(7))).toEqual({ synced: at(7) });
    expect(stream.isWaiting).toBe(false);
  });

  it("asks again when a replay ends before the gap is filled", () => {
    const stream = new Stream(at(3));
    stream.receive(item(6));
    stream.receive(item(4));

    expect(stream.synced(at(6))).toEqual({ gap: { after: 4, seen: 6 }, replayAfter: 4 });
  });

  it("notices from synced alone that the end of the log is missing", () => {
    const stream = new Stream(at(3));

    expect(stream.synced(at(5)).replayAfter).toBe(3);
  });

  it("refetches after three replays that bring nothing", () => {
    const stream = new Stream(at(3));
    const steps = Array.from({ length: 4 }, () => stream.synced(at(5)));

    expect(steps.map((step) => step.replayAfter)).toEqual([3, 3, 3, undefined]);
    expect(steps[3]?.reset).toEqual({ reason: "unrepaired", ...at(5) });
  });

  it("is not set back by a synced that live events have overtaken", () => {
    const stream = new Stream(at(3));
    stream.receive(item(4));

    expect(stream.synced(at(3))).toEqual({ synced: at(4) });
  });

  it("holds everything while the views refetch, and goes on from the snapshot", () => {
    const stream = new Stream(at(3, "old"));
    expect(stream.resync({ reason: "epoch_changed", ...at(10) })).toEqual({
      reset: { reason: "epoch_changed", ...at(10) },
    });
    expect(stream.receive(item(11))).toEqual({});
    expect(stream.receive(item(12))).toEqual({});
    expect(stream.synced(at(12))).toEqual({});

    const step = stream.restart(at(11));
    expect(shown(step)).toEqual([12]);
    expect(step.synced).toEqual(at(12));
  });

  it("asks for what lies between a snapshot and the events held", () => {
    const stream = new Stream(at(3));
    stream.resync({ reason: "pruned", ...at(10) });
    stream.receive(item(15));

    expect(stream.restart(at(10)).replayAfter).toBe(10);
  });

  it("refetches when events of another life of the database come", () => {
    const stream = new Stream(at(3));

    expect(stream.receive(item(1, "new"))).toEqual({ reset: { reason: "epoch_changed", ...at(0, "new") } });
    expect(shown(stream.restart(at(0, "new")))).toEqual([1]);
  });

  it("refetches when the end of the log is of another life", () => {
    const stream = new Stream(at(3));

    expect(stream.synced(at(9, "new")).reset).toEqual({ reason: "epoch_changed", ...at(9, "new") });
  });

  it("can go back to a lower seq when the server says so", () => {
    const stream = new Stream(at(30));
    stream.resync({ reason: "ahead_of_head", ...at(10) });
    stream.restart(at(10));

    expect(shown(stream.receive(item(11)))).toEqual([11]);
  });

  it("forgets what was held when the connection is lost", () => {
    const stream = new Stream(at(3));
    stream.receive(item(6));
    stream.interrupt();

    expect(stream.isWaiting).toBe(false);
    expect([4, 5, 6].map((seq) => shown(stream.receive(item(seq))))).toEqual([[4], [5], [6]]);
  });

  it("holds a bounded number of events and asks for the others later", () => {
    const stream = new Stream(at(0));
    for (let seq = 2; seq <= 1_500; seq += 1) stream.receive(item(seq));

    expect(shown(stream.receive(item(1))).length).toBe(1_001);
    expect(stream.synced(at(1_500)).replayAfter).toBe(1_001);
  });

  it("asks for what did not fit while the views refetched", () => {
    const stream = new Stream(at(0, "old"));
    stream.resync({ reason: "epoch_changed", ...at(0) });
    for (let seq = 1; seq <= 1_500; seq += 1) stream.receive(item(seq));

    const step = stream.restart(at(0));
    expect(shown(step).length).toBe(1_000);
    expect(step.replayAfter).toBe(1_000);
  });

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "shows each event once and in order, whatever the link loses, repeats or swaps (seed %i)",
    (seed) => {
      const random = generator(seed);
      const stream = new Stream(at(0));
      const log: number[] = [];
      let head = 0;
      let replayAfter: number | undefined;
      const take = (step: Step) => {
        expect(step.reset).toBeUndefined();
        log.push(...shown(step));
        replayAfter = step.replayAfter ?? replayAfter;
      };
      const deliver = (seq: number) => {
        const times = random() < 0.2 ? 0 : random() < 0.2 ? 2 : 1;
        for (let time = 0; time < times; time += 1) take(stream.receive(item(seq)));
      };
      for (let turn = 0; turn < 300; turn += 1) {
        head += 1;
        deliver(random() < 0.1 ? Math.max(1, head - 1) : head);
        if (replayAfter !== undefined && random() < 0.3) {
          const from = replayAfter;
          replayAfter = undefined;
          for (let seq = from + 1; seq <= head; seq += 1) take(stream.receive(item(seq)));
          take(stream.synced(at(head)));
        }
        if (random() < 0.02) {
          stream.interrupt();
          replayAfter = stream.cursor?.seq;
        }
      }
      for (let seq = (stream.cursor?.seq ?? 0) + 1; seq <= head; seq += 1) take(stream.receive(item(seq)));

      expect(log).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    },
  );
});

/** Numbers in [0, 1) that a seed fixes (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
