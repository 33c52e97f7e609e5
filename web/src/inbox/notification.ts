/** A notification as an inbox holds it, and what may be said about one. */

import type { NotificationPayload } from "../client/events.generated.js";

export type UserId = number | string;

/** A card that stands for several of one key; `actors` are the newest, at most five of `count`. */
export interface Group {
  readonly key: string;
  readonly count: number;
  readonly actors: readonly { readonly id: UserId; readonly name: string }[];
}

/** Work that one person takes; both fields are null while it is free. */
export interface Claim {
  readonly claimed_by: UserId | null;
  readonly claimed_at: string | null;
}

/** As REST lists it; instants are ISO 8601. What an older server does not send is null. */
export interface Notification extends NotificationPayload {
  readonly archived_at: string | null;
  readonly snoozed_until: string | null;
  readonly group: Group | null;
  readonly claim: Claim | null;
  /** Stands for `count` others, which `GET /api/notifications?digest=<id>` lists. */
  readonly digest: { readonly count: number } | null;
}

const ABSENT = { archived_at: null, snoozed_until: null, group: null, claim: null, digest: null };

/** Read a notification out of an answer or an event; what belongs to the event alone is left out. */
export function toNotification(data: object): Notification {
  const {
    seq: _,
    epoch: __,
    event_id: ___,
    unread_count: ____,
    toast: _____,
    ...rest
  } = data as Record<string, unknown>;
  return { ...ABSENT, ...rest } as unknown as Notification;
}

export function isUnread(one: Notification): boolean {
  return one.read_at === null && isCurrent(one);
}

/** Neither put away nor asleep. */
export function isCurrent(one: Notification): boolean {
  return one.archived_at === null && one.snoozed_until === null;
}

/** Over by this clock; it is shown nowhere then. */
export function isExpired(one: Notification, now: number): boolean {
  return one.expires_at !== null && Date.parse(one.expires_at) <= now;
}

/** Where a notification leads: a page of http(s) or a path of this site, else null. Never a script. */
export function linkOf(one: Notification): string | null {
  const { url } = one.data ?? {};
  if (typeof url !== "string") return null;
  if (/^\/(?![/\\])/.test(url)) return url;
  try {
    return /^https?:$/.test(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}
