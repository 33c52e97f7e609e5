/**
 * One stream's order, gaps and repeats: which events to show, and what to ask for.
 *
 * Pure: no timers, no sockets. Each method takes what came in and returns what
 * has to be done about it; `feed.ts` does it.
 */

import type { Cursor } from "./cursor.js";

/** A durable event as it came in. */
export interface StreamItem {
  readonly event: string;
  readonly epoch: string;
  readonly seq: number;
  readonly payload: unknown;
}

/** Why the cursor can't be resumed: the server's reasons, and `unrepaired` for replays that don't help. */
export type ResyncReason = "epoch_changed" | "ahead_of_head" | "pruned" | "too_far_behind" | "unrepaired";

/** The views must refetch; `epoch` and `seq` are where the stream goes on if nobody knows better. */
export interface Reset extends Cursor {
  readonly reason: ResyncReason;
}

/** What one input leads to; every field may be absent. */
export interface Step {
  /** Events to show, in order; the cursor stands behind them already. */
  readonly deliver?: readonly StreamItem[];
  /** A hole was found just now: nothing after `after` until `seen`. */
  readonly gap?: { readonly after: number; readonly seen: number };
  /** Ask the server for what follows this seq. */
  readonly replayAfter?: number;
  /** Nothing is missing up to here. */
  readonly synced?: Cursor;
  /** Refetch, then call `restart`. */
  readonly reset?: Reset;
}

const MAX_HELD = 1_000;
const MAX_FRUITLESS_REPLAYS = 3;
const NOTHING: Step = {};

/**
 * Shows each seq once and in order.
 *
 * An event beyond a hole is held until a replay has filled it. At most 1,000
 * are held; what does not fit comes with a later replay.
 */
export class Stream {
  private readonly held = new Map<number, StreamItem>();
  private isRepairing = false;
  private isSuspended = false;
  private hasDropped = false;
  private fruitlessReplays = 0;

  constructor(private position: Cursor | null = null) {}

  /** The last event shown; null until the first word from the server. */
  get cursor(): Cursor | null {
    return this.position;
  }

  /** True while events beyond a hole wait for a replay. */
  get isWaiting(): boolean {
    return this.isRepairing;
  }

  /** A durable event came. */
  receive(item: StreamItem): Step {
    if (this.isSuspended) return this.hold(item);
    // Without a cursor the server sends what is live from now on: the first event is the beginning.
    this.position ??= { epoch: item.epoch, seq: item.seq - 1 };
    if (item.epoch !== this.position.epoch) {
      this.hold(item);
      return this.suspend({ reason: "epoch_changed", epoch: item.epoch, seq: item.seq - 1 });
    }
    if (item.seq <= this.position.seq) return NOTHING;
    this.hold(item);
    const deliver = this.takeHeld();
    if (deliver.length > 0) {
      this.fruitlessReplays = 0;
      return { deliver };
    }
    if (this.isRepairing) return NOTHING;
    return this.repair(item.seq);
  }

  /** The server says that everything up to `head` has been sent. */
  synced(head: Cursor): Step {
    if (this.isSuspended) return NOTHING;
    this.position ??= { epoch: head.epoch, seq: head.seq, isTold: true };
    if (head.epoch !== this.position.epoch) return this.suspend({ reason: "epoch_changed", ...head });
    this.isRepairing = false;
    const missing = Math.max(head.seq, ...this.held.keys());
    if (missing <= this.position.seq) return { synced: this.position };
    this.fruitlessReplays += 1;
    if (this.fruitlessReplays > MAX_FRUITLESS_REPLAYS) {
      return this.suspend({ reason: "unrepaired", epoch: head.epoch, seq: missing });
    }
    return this.repair(missing);
  }

  /** The server says that the cursor can't be resumed. */
  resync(reset: Reset): Step {
    return this.suspend(reset);
  }

  /** The views show the state as of `cursor`: go on from there. */
  restart(cursor: Cursor): Step {
    const hasDropped = this.hasDropped;
    this.begin();
    this.position = cursor;
    for (const [seq, item] of this.held) {
      if (item.epoch !== cursor.epoch || seq <= cursor.seq) this.held.delete(seq);
    }
    const deliver = this.takeHeld();
    if (this.held.size > 0 || hasDropped) {
      return { deliver, ...this.repair(Math.min(...this.held.keys(), this.nextSeq + 1)) };
    }
    return { deliver, synced: this.position };
  }

  /** The connection is gone: the next one resumes from the cursor, so nothing that was held is needed. */
  interrupt(): void {
    this.held.clear();
    this.begin();
  }

  private begin(): void {
    this.isSuspended = false;
    this.isRepairing = false;
    this.hasDropped = false;
    this.fruitlessReplays = 0;
  }

  private hold(item: StreamItem): Step {
    if (this.held.size < MAX_HELD || item.seq === this.nextSeq) this.held.set(item.seq, item);
    else this.hasDropped = true;
    return NOTHING;
  }

  private repair(seen: number): Step {
    const after = this.nextSeq - 1;
    this.isRepairing = true;
    return { gap: { after, seen }, replayAfter: after };
  }

  private suspend(reset: Reset): Step {
    this.isSuspended = true;
    this.isRepairing = false;
    return { reset };
  }

  private takeHeld(): StreamItem[] {
    const taken: StreamItem[] = [];
    for (let item = this.held.get(this.nextSeq); item !== undefined; item = this.held.get(this.nextSeq)) {
      this.held.delete(item.seq);
      this.position = { epoch: item.epoch, seq: item.seq };
      taken.push(item);
    }
    return taken;
  }

  private get nextSeq(): number {
    return (this.position?.seq ?? 0) + 1;
  }
}
