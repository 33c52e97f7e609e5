/** The body of a push, as the server writes it. Everything in it is data: text to show, never markup or code. */

export interface ShowPush {
  readonly kind: "show";
  readonly title: string;
  readonly body: string;
  readonly tag: string | null;
  readonly icon: string | null;
  readonly lang: string | null;
  /** Milliseconds since 1970; null when the push does not say. */
  readonly timestamp: number | null;
  /** How many are unread. */
  readonly badge: number | null;
  /** What a click needs to know: kept with the notification, because the worker itself is stopped meanwhile. */
  readonly kept: Kept;
}

export interface ClosePush {
  readonly kind: "close";
  readonly tags: readonly string[];
}

export interface Kept {
  readonly notification_id: string | null;
  readonly link: string | null;
  readonly receipt: string | null;
  readonly data: Record<string, unknown>;
}

/** Read a push; null when it is none that this worker understands. */
export function readPush(body: string | undefined): ShowPush | ClosePush | null {
  const push = parse(body);
  if (push.v !== 1) return null;
  if (Array.isArray(push.close)) return { kind: "close", tags: push.close.filter((tag) => typeof tag === "string") };
  const title = text(push.title);
  if (title === null) return null;
  const timestamp = Date.parse(String(push.timestamp));
  return {
    kind: "show",
    title,
    body: text(push.body) ?? "",
    tag: text(push.tag) ?? text(push.notification_id),
    icon: text(push.icon),
    lang: text(push.lang),
    timestamp: Number.isNaN(timestamp) ? null : timestamp,
    badge: Number.isSafeInteger(push.badge) && (push.badge as number) >= 0 ? (push.badge as number) : null,
    kept: readKept(push),
  };
}

/** Read what was kept with a notification; all null for one that we did not show. */
export function readKept(value: unknown): Kept {
  const { notification_id, link, receipt, data } = record(value);
  return { notification_id: text(notification_id), link: text(link), receipt: text(receipt), data: record(data) };
}

function parse(body: string | undefined): Record<string, unknown> {
  try {
    return record(JSON.parse(body ?? ""));
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
