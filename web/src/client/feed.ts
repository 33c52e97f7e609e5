/** One namespace's stream and what it causes: replays, refetches, acks, the stored cursor. */

import { Backoff } from "./backoff.js";
import type { Cursor } from "./cursor.js";
import type { NamespaceName } from "./namespace.js";
import { TocsinError } from "./problem.js";
import type { Snapshot } from "./refetch.js";
import { type Reset, type ResyncReason, type Step, Stream, type StreamItem } from "./stream.js";
import { Throttle } from "./throttle.js";

/** The stream is complete up to here. */
export interface SyncEvent extends Cursor {
  readonly namespace: NamespaceName;
}

/** Events between `after` and `seen` are missing; a replay of them is on its way. */
export interface GapEvent {
  readonly namespace: NamespaceName;
  readonly after: number;
  readonly seen: number;
}

/**
 * Events were skipped: a view has to show the snapshot instead of what it has.
 *
 * `snapshot` is null when it could not be fetched; then the view fetches by itself.
 */
export interface ResyncEvent extends Cursor {
  readonly namespace: NamespaceName;
  readonly reason: ResyncReason;
  readonly snapshot: Snapshot | null;
}

/** What a feed needs from the client around it. */
export interface FeedLink {
  readonly isJoined: () => boolean;
  readonly send: (event: "ack", data: { seq: number }) => void;
  /** What comes after the session has ended is of another time. */
  readonly request: (event: "replay", data: { after: number }, session: AbortSignal) => Promise<unknown>;
  readonly refetch: (from: Cursor, signal: AbortSignal) => Promise<Snapshot>;
  readonly deliver: (item: StreamItem) => void;
  readonly announce: (...event: ["sync", SyncEvent] | ["gap", GapEvent] | ["resync", ResyncEvent]) => void;
  readonly save: (cursor: Cursor) => void;
}

const ACK_INTERVAL_MS = 1_000;
const REFETCH_ATTEMPTS = 5;

export class Feed {
  private stream = new Stream();
  private acked = 0;
  private readonly acks = new Throttle(() => this.ack(), ACK_INTERVAL_MS);
  private readonly backoff = new Backoff();
  private session = new AbortController();

  constructor(
    readonly namespace: NamespaceName,
    private readonly link: FeedLink,
  ) {}

  get cursor(): Cursor | null {
    return this.stream.cursor;
  }

  /** A replay is on its way, and ends with "synced". */
  get isWaiting(): boolean {
    return this.stream.isWaiting;
  }

  /** Follow a user's stream from this cursor, or from what comes first. */
  begin(cursor: Cursor | null): void {
    this.interrupt();
    this.acks.cancel();
    this.stream = new Stream(cursor);
  }

  /** The namespace is joined; the server repeats what came after the cursor. */
  join(): void {
    // The connection that carried the last ack may have died with it.
    this.acked = 0;
    this.backoff.reset();
  }

  /** The connection is gone. */
  interrupt(): void {
    this.session.abort();
    this.session = new AbortController();
    this.stream.interrupt();
  }

  receive(item: StreamItem): void {
    this.perform(this.stream.receive(item));
  }

  synced(head: Cursor): void {
    this.perform(this.stream.synced(head));
  }

  resync(reset: Reset): void {
    this.perform(this.stream.resync(reset));
  }

  /** Tell the server now what has been shown: the page may be about to go. */
  flush(): void {
    this.acks.flush();
  }

  private perform(step: Step): void {
    if (step.deliver?.length || step.synced) {
      for (const item of step.deliver ?? []) this.link.deliver(item);
      if (this.stream.cursor) this.link.save(this.stream.cursor);
      this.acks.request();
    }
    if (step.gap) this.link.announce("gap", { namespace: this.namespace, ...step.gap });
    if (step.synced) {
      const { epoch, seq } = step.synced;
      this.link.announce("sync", { namespace: this.namespace, epoch, seq });
    }
    if (step.replayAfter !== undefined) void this.replay(step.replayAfter, this.session.signal);
    if (step.reset) void this.refetch(step.reset);
  }

  private ack(): void {
    const { seq, isTold } = this.stream.cursor ?? { seq: 0 };
    if (isTold || seq <= this.acked || !this.link.isJoined()) return;
    this.link.send("ack", { seq });
    this.acked = seq;
  }

  private async replay(after: number, session: AbortSignal): Promise<void> {
    try {
      await this.link.request("replay", { after }, session);
    } catch (error) {
      await pause(this.backoff.next(), error);
      if (!session.aborted && this.isWaiting) await this.replay(this.cursor?.seq ?? after, session);
    }
  }

  private async refetch(reset: Reset): Promise<void> {
    this.session.abort();
    this.session = new AbortController();
    const { signal } = this.session;
    const isSameLog = reset.epoch === this.stream.cursor?.epoch && reset.reason !== "ahead_of_head";
    const after = isSameLog ? (this.stream.cursor?.seq ?? 0) : 0;
    const snapshot = await this.fetchPatiently({ epoch: reset.epoch, seq: after }, signal);
    if (signal.aborted) return;
    const { epoch, seq } = snapshot ?? reset;
    this.link.announce("resync", { namespace: this.namespace, reason: reset.reason, epoch, seq, snapshot });
    // Seqs of before may be those of another log.
    this.acked = 0;
    this.perform(this.stream.restart(snapshot === null ? { epoch, seq, isTold: true } : { epoch, seq }));
    if (this.stream.cursor) this.link.save(this.stream.cursor);
  }

  private async fetchPatiently(from: Cursor, signal: AbortSignal): Promise<Snapshot | null> {
    for (let attempt = 0; attempt < REFETCH_ATTEMPTS && !signal.aborted; attempt += 1) {
      try {
        return await this.link.refetch(from, signal);
      } catch (error) {
        if (error instanceof TocsinError && !error.problem.retryable) return null;
        await pause(this.backoff.next(), error);
      }
    }
    return null;
  }
}

function pause(leastMs: number, cause: unknown): Promise<void> {
  const asked = cause instanceof TocsinError ? (cause.problem.retry_after_s ?? 0) * 1_000 : 0;
  return new Promise((resolve) => setTimeout(resolve, Math.max(leastMs, asked)));
}
