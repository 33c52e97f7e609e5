/**
 * What a page knows of an inbox, and what each event does to it: pure.
 *
 * Holds: any state with the events after its `seq` equals what a fresh page would load. The badge is the server's
 * number: that of the newest event, or of the newest page.
 */

import { isCurrent, isUnread, type Notification, toNotification } from "./notification.js";
import { belongs, keyOf, settle, type View, type ViewName } from "./view.js";

export const EVENTS = ["notification", "notification_read", "notification_updated", "notification_deleted"] as const;
export type InboxEvent = (typeof EVENTS)[number];

/** Fields of an event; which ones are there, docs/reference/events.md tells. */
export interface EventData {
  readonly seq?: number;
  readonly epoch?: string;
  readonly unread_count?: number;
  readonly id?: string;
  readonly ids?: readonly string[];
  readonly all?: boolean;
  readonly category?: string | null;
  readonly read_only?: boolean;
  readonly digest?: { readonly id: string | null; readonly count: number | null };
  readonly [field: string]: unknown;
}

export interface Change {
  readonly event: InboxEvent;
  readonly data: EventData;
}

/** One answer of `GET /api/notifications`. */
export interface Page {
  readonly notifications: readonly object[];
  readonly next_cursor: string | null;
  readonly unread_count: number;
  readonly epoch: string;
  readonly seq: number;
}

export interface Inbox {
  readonly items: ReadonlyMap<string, Notification>;
  readonly views: ReadonlyMap<string, View>;
  /** Unread ones of the whole inbox, as the server counts. */
  readonly unread: number;
  /** The seq as of which that was counted. */
  readonly countedAt: number;
  /** Events up to here are in it; -1 before the first page. */
  readonly seq: number;
  readonly epoch: string;
}

export const EMPTY: Inbox = { items: new Map(), views: new Map(), unread: 0, countedAt: -1, seq: -1, epoch: "" };

/** Return the state after an event; one that it holds already changes nothing. */
export function apply(state: Inbox, change: Change): Inbox {
  const { seq = 0, unread_count } = change.data;
  if (seq <= state.seq) return state;
  const next = { ...transform(state, change), seq };
  return unread_count === undefined ? next : count(next, unread_count, seq);
}

/** Return the state with a count of the server, unless it has a later one. */
export function count(state: Inbox, unread: number, seq: number): Inbox {
  return seq < state.countedAt ? state : { ...state, unread, countedAt: seq };
}

/** Return the state with a change made, whenever that was: the seq and the badge stay. */
export function transform(state: Inbox, change: Change): Inbox {
  const { id = "" } = change.data;
  const items = new Map(state.items);
  if (isWhole(change) && !items.has(id)) items.set(id, toNotification(change.data));
  const touched = namesIn(state, change.data);
  for (const name of touched) {
    const before = items.get(name);
    const after = before && affect(before, change);
    if (after === null) items.delete(name);
    else if (after !== undefined) items.set(name, after);
  }
  const views = new Map(state.views);
  for (const [key, view] of views) {
    // Many were put away, and not all of them are known: that list is loaded again.
    if (isForMany(change.data) && view.tab === "archived") views.delete(key);
    else views.set(key, settle(view, touched, items, change.event === "notification"));
  }
  return { ...state, items, views };
}

/** Return the state with a page put at the end of its list; `since` are the events that came while it was fetched. */
export function merge(state: Inbox, name: ViewName, page: Page, since: readonly Change[] = []): Inbox {
  const key = keyOf(name);
  const known = state.views.get(key);
  const later = since.filter(({ data }) => (data.seq ?? 0) > page.seq);
  const items = new Map(state.items);
  const ids = new Set(known?.ids);
  for (const data of page.notifications) {
    const one = later.reduce<Notification | null>((item, change) => item && affect(item, change), toNotification(data));
    if (one === null) continue;
    items.set(one.id, one);
    ids.add(one.id);
  }
  const floor = toNotification(page.notifications.at(-1) ?? {}).timestamp ?? known?.floor ?? "";
  const isOfView = (id: string) => name.digest !== undefined || belongs(name, items.get(id) as Notification);
  let view: View = { ...name, ids: [...ids].filter(isOfView), cursor: page.next_cursor, floor };
  const views = new Map(state.views).set(key, view);
  const next = count({ ...state, items, views }, page.unread_count, page.seq);
  // The first page of all says where the events go on.
  if (state.seq < 0) return later.reduce(apply, { ...next, seq: page.seq, epoch: page.epoch });
  for (const change of later) view = settle(view, namesIn(next, change.data), items, change.event === "notification");
  views.set(key, view);
  return next;
}

/** The loaded notifications of a list, in its order; undefined before its first page. */
export function select(state: Inbox, name: ViewName): readonly Notification[] | undefined {
  return state.views.get(keyOf(name))?.ids.map((id) => state.items.get(id) as Notification);
}

/** What a change makes of one notification; null when it is gone. */
export function affect(one: Notification, { event, data }: Change): Notification | null {
  if (!isMeant(one, event, data)) return one;
  switch (event) {
    case "notification":
      return toNotification(data);
    case "notification_read":
      return withFields(one, { read_at: data.read_at, seen_at: one.seen_at ?? data.read_at });
    case "notification_updated": {
      const { id: _, ids: __, all: ___, category, read_only: ____, ...fields } = data;
      return withFields(one, data.all === true || category === undefined ? fields : { ...fields, category });
    }
    case "notification_deleted":
      return null;
  }
}

function isMeant(one: Notification, event: InboxEvent, data: EventData): boolean {
  if (data.all !== true)
    return isForDigest(data) ? one.digest?.id === data.digest?.id : (data.ids ?? [data.id]).includes(one.id);
  if (typeof data.category === "string" && one.category !== data.category) return false;
  if (event === "notification_read") return isUnread(one);
  if (data.archived_at !== undefined) return isCurrent(one) && (data.read_only !== true || one.read_at !== null);
  return isUnread(one) && one.seen_at === null;
}

function withFields(one: Notification, fields: object): Notification {
  const next = toNotification({ ...one, ...fields });
  return { ...next, read: next.read_at !== null };
}

function namesIn({ items }: Pick<Inbox, "items">, data: EventData): readonly string[] {
  const { all, ids, id } = data;
  if (all === true || isForDigest(data)) return [...items.keys()];
  return ids ?? (id === undefined ? [] : [id]);
}

/** Those that wait for a digest have gone into its card. */
function isForDigest({ all, ids, id, digest }: EventData): boolean {
  return (all ?? ids ?? id) === undefined && digest !== undefined;
}

function isForMany({ id, archived_at }: EventData): boolean {
  return id === undefined && typeof archived_at === "string";
}

/** Whether an event may change a notification, as far as its ids tell. */
export function touches({ all, id, ids }: EventData, one: string): boolean {
  return all === true || id === one || ids?.includes(one) === true;
}

/** Whether an event brings a notification as a whole. */
export function isWhole({ event, data }: Change): boolean {
  return event === "notification" || (event === "notification_updated" && data.id !== undefined && "timestamp" in data);
}
