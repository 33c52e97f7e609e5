/** Hooks of the inbox; all of one client share one store with the elements of the page. */

import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { Notification } from "../inbox/notification.js";
import { select } from "../inbox/state.js";
import { type InboxClient, type InboxStore, NOTHING, type Snapshot, storeOf } from "../inbox/store.js";
import { keyOf, type Tab, type ViewName } from "../inbox/view.js";
import { pageClient } from "./client.js";

export interface NotificationsOptions {
  /** `window.ws` by default. */
  readonly client?: InboxClient | undefined;
  readonly tab?: Tab;
  readonly category?: string | null;
}

/** What can be done; each shows at once and is taken back, with a TocsinError, when it is refused. */
export type InboxActions = Pick<
  InboxStore,
  "markRead" | "markUnread" | "archive" | "unarchive" | "snooze" | "remove" | "claim" | "markAllRead" | "archiveAll"
>;

export interface Notifications {
  /** What is loaded, newest first. */
  readonly notifications: readonly Notification[];
  /** Unread ones of the whole inbox. */
  readonly unread: number;
  readonly isLoading: boolean;
  readonly hasFailed: boolean;
  readonly hasMore: boolean;
  readonly problem: Snapshot["problem"];
  /** Load the next page. */
  readonly loadMore: () => void;
  /** Tell the server that all have been looked at. */
  readonly markSeen: () => void;
  readonly actions: InboxActions | null;
}

const NONE: readonly Notification[] = [];
const noClient = () => () => {};

/** A list of the inbox, kept by events; `actions` is null while there is no client, as on a server. */
export function useNotifications(options: NotificationsOptions = {}): Notifications {
  const { client = pageClient(), tab = "all", category = null } = options;
  const [store, { inbox, loading, failed, problem, owner }] = useInbox(client);
  const name = useMemo<ViewName>(() => ({ tab, category }), [tab, category]);
  const key = keyOf(name);
  const view = inbox.views.get(key);
  const isMissing = owner !== null && view === undefined && !loading.has(key) && !failed.has(key);
  useEffect(() => {
    if (isMissing) void store?.load(name);
  }, [store, name, isMissing]);
  const notifications = useMemo(() => select(inbox, name) ?? NONE, [inbox, name]);
  return {
    notifications,
    unread: inbox.unread,
    isLoading: loading.has(key) || (view === undefined && !failed.has(key)),
    hasFailed: failed.has(key),
    hasMore: view !== undefined && view.cursor !== null,
    problem,
    loadMore: () => void store?.load(name),
    markSeen: () => store?.markSeen(),
    actions: store,
  };
}

/** How many are unread, as the server counts. */
export function useUnread(client: InboxClient | undefined = pageClient()): number {
  return useInbox(client)[1].inbox.unread;
}

function useInbox(client: InboxClient | undefined): [InboxStore | null, Snapshot] {
  const store = client === undefined ? null : storeOf(client);
  const read = () => store?.snapshot ?? NOTHING;
  return [store, useSyncExternalStore(store?.subscribe ?? noClient, read, () => NOTHING)];
}
