/** Fetches over REST what a view needs when a stream can't be resumed. */

import type { Cursor } from "./cursor.js";
import type { NotificationPayload } from "./events.generated.js";
import type { NamespaceName } from "./namespace.js";
import { failure, findProblem, TocsinError } from "./problem.js";

/** One event as `GET /api/stream/{namespace}` lists it. */
export interface StreamRecord {
  readonly seq: number;
  readonly event_id: string;
  readonly event: string;
  readonly created_at: string;
  readonly data: Record<string, unknown>;
}

/** The newest part of the inbox, for `notifications`. */
export interface InboxSnapshot {
  readonly notifications: readonly NotificationPayload[];
  readonly unread_count: number;
  readonly next_cursor: string | null;
}

/** What the stream still holds, for the other namespaces. */
export interface LogSnapshot {
  readonly events: readonly StreamRecord[];
}

/** The state of a namespace as of `epoch` and `seq`. */
export type Snapshot = Cursor & (InboxSnapshot | LogSnapshot);

interface StreamPage extends Cursor {
  readonly events: readonly StreamRecord[];
}

const INBOX_LIMIT = 100;
const PAGE_LIMIT = 200;
const TIMEOUT_MS = 20_000;

/**
 * The inbox for `notifications`, else the events after `from` that are still kept:
 * all of the log where its epoch is another one by now.
 *
 * Rejects with a TocsinError (the server refused), an AbortError, or what `fetch` throws.
 */
export async function fetchSnapshot(
  url: string,
  token: string,
  namespace: NamespaceName,
  from: Cursor,
  signal: AbortSignal,
): Promise<Snapshot> {
  if (namespace === "notifications") {
    return (await get(`${url}/api/notifications?limit=${INBOX_LIMIT}`, token, signal)) as Snapshot;
  }
  let { epoch, seq } = from;
  let events: StreamRecord[] = [];
  for (;;) {
    const query = `after=${seq}&limit=${PAGE_LIMIT}`;
    const page = (await get(`${url}/api/stream/${namespace}?${query}`, token, signal)) as StreamPage;
    if (page.epoch !== epoch) {
      [epoch, seq, events] = [page.epoch, 0, []];
      continue;
    }
    events.push(...page.events);
    const last = page.events[page.events.length - 1]?.seq ?? page.seq;
    // New events may arrive between two pages: what counts is where the last page ended.
    if (last >= page.seq) return { epoch, seq: last, events };
    seq = last;
  }
}

async function get(address: string, token: string, signal: AbortSignal): Promise<unknown> {
  const limit = new AbortController();
  const cancel = () => limit.abort();
  const timer = setTimeout(cancel, TIMEOUT_MS);
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  try {
    const response = await fetch(address, {
      headers: { Accept: "application/json", Authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: limit.signal,
    });
    const body: unknown = await response.json();
    if (response.ok) return body;
    const problem = findProblem(body);
    throw problem === null
      ? failure("http", `GET answered ${response.status}`, response.status >= 500)
      : new TocsinError(problem);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
  }
}
