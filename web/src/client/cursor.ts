/**
 * The place that a client has reached in each stream, kept over reloads.
 *
 * What is stored may lag behind by a second, never run ahead: after a crash
 * the server repeats a few events to a page that has forgotten them anyway.
 * The tabs of one user share it: a new one goes on from where another stands.
 */

import type { NamespaceName } from "./namespace.js";
import { Throttle } from "./throttle.js";

/** Everything up to `seq` of the stream's life named `epoch` has been handled. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
  /** The server has said so, and nothing was shown since: there is nothing to acknowledge. */
  readonly isTold?: boolean;
}

/** The part of the Web Storage API that the client uses; any method may throw. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const WRITE_INTERVAL_MS = 1_000;

/** Cursors by user and namespace; works from memory alone where storage is refused. */
export class CursorStore {
  private readonly changed = new Map<string, Cursor>();
  private readonly writes = new Throttle(() => this.write(), WRITE_INTERVAL_MS);

  /**
   * @param scope Tells apart servers that are used from one origin.
   */
  constructor(
    private readonly storage: KeyValueStorage | null,
    private readonly scope: string,
  ) {}

  /** The stored cursor, or null when there is none or it can't be read. */
  load(user: string, namespace: NamespaceName): Cursor | null {
    return this.read(this.key(user, namespace));
  }

  /** Note where a stream has got to; written within a second. */
  save(user: string, namespace: NamespaceName, cursor: Cursor): void {
    if (this.storage === null) return;
    this.changed.set(this.key(user, namespace), cursor);
    this.writes.request();
  }

  /** Write what is noted now: the page may be about to go. */
  flush(): void {
    this.writes.flush();
  }

  private write(): void {
    for (const [key, cursor] of this.changed) {
      try {
        this.storage?.setItem(key, JSON.stringify(cursor));
      } catch {
        // Full or forbidden storage costs the memory over a reload and nothing else.
      }
    }
    this.changed.clear();
  }

  private read(key: string): Cursor | null {
    try {
      return parseCursor(this.storage?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  private key(user: string, namespace: NamespaceName): string {
    return `tocsin:cursor:${this.scope}:${encodeURIComponent(user)}:${namespace}`;
  }
}

function parseCursor(text: string): Cursor | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return null;
  const { epoch, seq, isTold } = value as Record<string, unknown>;
  if (typeof epoch !== "string" || !Number.isSafeInteger(seq) || (seq as number) < 0) return null;
  return { epoch, seq: seq as number, ...(isTold === true && { isTold }) };
}
