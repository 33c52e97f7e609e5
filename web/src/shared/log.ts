/** What a tab has missed, read in the log over REST. */

import type { Cursor } from "../client/cursor.js";
import type { NamespaceName } from "../client/namespace.js";
import type { StreamRecord } from "../client/refetch.js";
import type { StreamItem } from "../client/stream.js";
import { request } from "../inbox/rest.js";

const PAGE = 200;

/** The events after a seq, as they would have come, and how far they reach; rejects with a TocsinError. */
export async function readLog(
  origin: string,
  token: string,
  namespace: NamespaceName,
  after: number,
): Promise<Cursor & { items: readonly StreamItem[] }> {
  const path = `stream/${namespace}?after=${after}&limit=${PAGE}`;
  const page = (await request(origin, token, { method: "GET", path })) as Cursor & { events: readonly StreamRecord[] };
  const { epoch } = page;
  const items = page.events.map(({ event, seq, data }) => ({ event, epoch, seq, payload: data }));
  return { epoch, seq: page.seq, items };
}
