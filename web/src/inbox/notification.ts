/** A notification as an inbox holds it, and what may be said about one. */

import type { NotificationPayload } from "../client/events.generated.js";

export type UserId = number | string;

/** As REST lists it; instants are ISO 8601. */
export type Notification = NotificationPayload;

/** Read a notification out of an answer or an event; what belongs to the event alone is left out. */
export function toNotification(data: object): Notification {
  const { seq: _, epoch: __, event_id: ___, unread_count: ____, toast: _____, silent: ______, ...rest } = data as Event;
  return rest as Notification;
}

type Event = Notification & { seq?: number; epoch?: string; event_id?: string };

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
