/** The package `@tocsin/client/inbox`: the store that elements and hooks share, for pages of one's own. */

export * from "./notification.js";
export * from "./preferences.js";
export { apply, type Change, EMPTY, type Inbox, select } from "./state.js";
export { ALL, type Arrival, type InboxClient, InboxStore, type Snapshot, storeOf } from "./store.js";
export type { Tab, ViewName } from "./view.js";
