/** The lists of an inbox: a tab, perhaps of one category, or what a digest stands for. */

import { isCurrent, isUnread, type Notification } from "./notification.js";

export type Tab = "all" | "unread" | "archived" | "snoozed";

export interface ViewName {
  readonly tab: Tab;
  readonly category: string | null;
  /** The id of a digest, whose notifications are listed whatever the tab. */
  readonly digest?: string;
}

/** What has been loaded of a list, in its order. */
export interface View extends ViewName {
  readonly ids: readonly string[];
  /** Where the next page begins; null at the end. */
  readonly cursor: string | null;
  /** The time of the last one that came with a page; what is older comes with the next. */
  readonly floor: string;
}

export function keyOf({ tab, category, digest }: ViewName): string {
  return digest === undefined ? `${tab} ${category ?? ""}` : `digest ${digest}`;
}

/** The query of `GET /api/notifications` for one page. */
export function queryOf({ tab, category, digest }: ViewName, limit: number, cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (digest !== undefined) query.set("digest", digest);
  else {
    if (tab === "unread") query.set("unread", "true");
    if (tab === "archived") query.set("archived", "true");
    if (tab === "snoozed") query.set("snoozed", "true");
    if (category !== null) query.set("category", category);
  }
  if (cursor !== null) query.set("cursor", cursor);
  return String(query);
}

/** Whether a list shows a notification. What a digest's list shows does not change. */
export function belongs({ tab, category }: ViewName, one: Notification): boolean {
  if (category !== null && one.category !== category) return false;
  switch (tab) {
    case "all":
      return isCurrent(one);
    case "unread":
      return isUnread(one);
    case "archived":
      return one.archived_at !== null;
    case "snoozed":
      return one.archived_at === null && one.snoozed_until !== null;
  }
}

/**
 * Return the list with these notifications where they belong now, or without them.
 *
 * What comes back into a list goes where its time puts it; below the loaded part it comes with its page.
 */
export function settle(
  view: View,
  changed: readonly string[],
  items: ReadonlyMap<string, Notification>,
  isOnTop: boolean,
): View {
  const shown = new Set(view.ids);
  const wants = (id: string) => {
    const one = items.get(id);
    return one !== undefined && (view.digest === undefined ? belongs(view, one) : shown.has(id));
  };
  const moved = new Set(changed.filter((id) => wants(id) !== shown.has(id) || (isOnTop && view.digest === undefined)));
  if (moved.size === 0) return view;
  const stay = view.ids.filter((id) => !moved.has(id));
  const enter = [...moved].filter(wants);
  if (isOnTop) return { ...view, ids: [...enter, ...stay] };
  const time = (id: string) => items.get(id)?.timestamp ?? "";
  const fit = enter.filter((id) => view.cursor === null || time(id) >= view.floor);
  fit.sort((one, other) => (time(one) > time(other) ? -1 : 1));
  const ids: string[] = [];
  for (const id of stay) {
    while (fit.length > 0 && time(fit[0] as string) > time(id)) ids.push(fit.shift() as string);
    ids.push(id);
  }
  return { ...view, ids: [...ids, ...fit] };
}
