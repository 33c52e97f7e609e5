/** What the service worker and the pages of its origin say to each other, by `postMessage`. */

/** To the worker: close what is shown of these notifications, or all that is not younger than `before`. */
export interface CloseMessage {
  type: "tocsin-close";
  /** Tags, or ids of notifications. */
  tags?: readonly string[];
  /** An instant, ISO 8601. */
  before?: string;
}

/** To a page that is being looked at: has it this notification? It answers `{has: boolean}` on the port. */
export interface HasMessage {
  type: "tocsin-has";
  id: string;
}

/** To a page: the user has clicked a notification. */
export interface ClickMessage {
  type: "tocsin-click";
  notification_id: string | null;
  /** Where the notification leads, as an absolute URL. */
  link: string | null;
  data: Record<string, unknown>;
}

/** To the pages: the browser has given the subscription up, and the worker has asked for another. */
export interface SubscriptionMessage {
  type: "tocsin-subscription";
}

export type WorkerMessage = HasMessage | ClickMessage | SubscriptionMessage;

/** How long a page waits for a notification that the socket has not brought yet. */
export const HAS_WAIT_MS = 500;
