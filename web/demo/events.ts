/** What crosses the socket, as the page sees it; the rules of each payload are the server's. */

import type { ServerEvents } from "../src/client/events.generated.js";

export const NAMESPACES = ["notifications", "orders", "sns", "chat"] as const;
export type Namespace = (typeof NAMESPACES)[number];

/** Every server event of each namespace that the page draws. */
export const EVENTS = {
  notifications: ["notification", "notification_read", "notification_deleted", "notification_updated"],
  orders: ["order_updated", "shipment_update", "delivery_confirmed"],
  sns: ["publish_started", "publish_success", "publish_failed", "post_liked", "post_commented"],
  chat: [
    "message_received",
    "message_sent",
    "message_delivered",
    "message_read",
    "user_typing",
    "user_online",
    "user_offline",
  ],
} as const satisfies { [Name in Namespace]: readonly (keyof ServerEvents[Name])[] };

export type UserId = number | string;

/** A payload; durable ones have `seq`, `event_id` and `epoch`. */
export interface Payload {
  seq?: number;
  event_id?: string;
  epoch?: string;
  timestamp?: string;
  [field: string]: unknown;
}

/**
 * Where an event came from: `history` was read over REST when the page loaded, `replay` arrived
 * between a reconnect and `synced`, `live` as it happened.
 */
export type Source = "history" | "replay" | "live";

export interface DemoEvent {
  namespace: Namespace;
  event: string;
  data: Payload;
  source: Source;
  at: number;
}

/** Return a text field, or the fallback when it is missing or something else. */
export function text(value: unknown, fallback = ""): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : fallback;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const CLOCK_SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Return the local time of an ISO 8601 instant, or nothing when it is none. */
export function clock(timestamp: unknown): string {
  const instant = typeof timestamp === "string" ? new Date(timestamp) : null;
  return instant === null || Number.isNaN(instant.getTime()) ? "" : CLOCK_SHORT.format(instant);
}

/** Return the local time to the second of an instant in milliseconds. */
export function clockSeconds(at: number): string {
  return CLOCK.format(at);
}
