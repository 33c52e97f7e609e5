/** The notifications that this page has: what the worker need not show, and what it shall take back. */

import type { NotificationDeleted, NotificationRead } from "../client/events.generated.js";
import type { CloseMessage } from "./messages.js";

const MAX_SEEN = 500;

interface Waiting {
  readonly id: string;
  readonly resolve: (has: boolean) => void;
}

/** Remembers the newest 500. */
export class SeenNotifications {
  private readonly categories = new Map<string, string | null>();
  private waiting: Waiting[] = [];

  /** The socket has brought this one. */
  add(id: string, category: string | null): void {
    this.categories.delete(id);
    this.categories.set(id, category);
    if (this.categories.size > MAX_SEEN) this.categories.delete(this.categories.keys().next().value as string);
    const found = this.waiting.filter((each) => each.id === id);
    this.waiting = this.waiting.filter((each) => each.id !== id);
    for (const { resolve } of found) resolve(true);
  }

  /** Whether it is here, or comes within the time: a push may overtake the socket. */
  async has(id: string, waitMs: number): Promise<boolean> {
    if (this.categories.has(id)) return true;
    return await new Promise((resolve) => {
      const waiting = { id, resolve };
      this.waiting.push(waiting);
      setTimeout(() => {
        this.waiting = this.waiting.filter((each) => each !== waiting);
        resolve(false);
      }, waitMs);
    });
  }

  /** What is to be closed when this was read. */
  closedBy(read: NotificationRead): CloseMessage {
    if (read.all !== true) return closing(read.id);
    if (typeof read.category !== "string") return { type: "tocsin-close", before: read.read_at };
    // A push does not say its category: those that this page has never seen stay.
    const ids = [...this.categories].filter(([, category]) => category === read.category).map(([id]) => id);
    return { type: "tocsin-close", tags: ids };
  }

  /** Forget everything: another user is here. */
  clear(): void {
    this.categories.clear();
  }
}

/** What is to be closed when one was deleted. */
export function closing(id: NotificationDeleted["id"] | undefined): CloseMessage {
  return { type: "tocsin-close", tags: id === undefined ? [] : [id] };
}
