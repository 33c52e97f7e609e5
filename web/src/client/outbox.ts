/**
 * Messages on their way to the server: never lost while the page lives, never twice.
 *
 * Each keeps its `client_msg_id` over every retry, and the server answers a
 * repeat with the first result. One at a time, so that retries keep the order.
 */

import { Backoff } from "./backoff.js";
import { failure, TocsinError } from "./problem.js";

export interface OutgoingMessage {
  readonly to_user_id: number | string;
  readonly message: string;
  readonly client_msg_id: string;
}

/** The server's answer: the message is stored. */
export interface SentMessage {
  readonly id: string;
  readonly seq: number;
  readonly created_at: string;
}

interface Entry {
  readonly message: OutgoingMessage;
  readonly resolve: (sent: SentMessage) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_LIMIT = 200;

/** A bounded queue that drains while it is open. */
export class Outbox {
  private readonly entries: Entry[] = [];
  private readonly backoff = new Backoff();
  private isOpen = false;
  private isDraining = false;
  private wake: () => void = () => {};

  /**
   * @param transmit Sends one message and resolves with the server's answer; rejects with a
   *   TocsinError. A retryable one, or none, means that the message may be sent again.
   */
  constructor(
    private readonly transmit: (message: OutgoingMessage) => Promise<SentMessage>,
    private readonly limit = DEFAULT_LIMIT,
  ) {}

  /** Messages that are not acknowledged yet. */
  get size(): number {
    return this.entries.length;
  }

  /** True when one more would be refused. */
  get isFull(): boolean {
    return this.entries.length >= this.limit;
  }

  /**
   * Queue a message; resolves when the server has stored it.
   *
   * A caller may ignore the promise: a rejection is never "unhandled".
   */
  send(message: OutgoingMessage): Promise<SentMessage> {
    const sent = new Promise<SentMessage>((resolve, reject) => {
      if (this.isFull) {
        reject(failure("outbox_full", `${this.limit} messages are waiting already`));
        return;
      }
      this.entries.push({ message, resolve, reject });
    });
    sent.catch(() => {});
    void this.drain();
    return sent;
  }

  /** The connection is there: send what waits. */
  open(): void {
    this.isOpen = true;
    this.backoff.reset();
    this.wake();
    void this.drain();
  }

  /** The connection is gone: keep everything. */
  close(): void {
    this.isOpen = false;
    this.wake();
  }

  /** Give up on all messages: they belong to a user who is no longer signed in. */
  abandon(error: TocsinError): void {
    for (const entry of this.entries.splice(0)) entry.reject(error);
  }

  private async drain(): Promise<void> {
    if (this.isDraining) return;
    this.isDraining = true;
    for (let entry = this.entries[0]; this.isOpen && entry !== undefined; entry = this.entries[0]) {
      try {
        const sent = await this.transmit(entry.message);
        this.remove(entry);
        entry.resolve(sent);
        this.backoff.reset();
      } catch (error) {
        if (error instanceof TocsinError && !error.problem.retryable) {
          this.remove(entry);
          entry.reject(error);
        } else if (this.isOpen) {
          await this.pause(error);
        }
      }
    }
    this.isDraining = false;
  }

  private remove(entry: Entry): void {
    const index = this.entries.indexOf(entry);
    if (index >= 0) this.entries.splice(index, 1);
  }

  private pause(error: unknown): Promise<void> {
    const asked = error instanceof TocsinError ? (error.problem.retry_after_s ?? 0) * 1_000 : 0;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(asked, this.backoff.next()));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
