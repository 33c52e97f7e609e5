/** The package `@tocsin/client`: everything that a page or a framework's binding needs. */

export { type ClientEvents, type ClientOptions, type EventsOf, WebSocketClient } from "./client.js";
export type { ConnectionState, StateEvent } from "./connection.js";
export type { Cursor, KeyValueStorage } from "./cursor.js";
export type * from "./events.generated.js";
export type { GapEvent, ResyncEvent, SyncEvent } from "./feed.js";
export { NAMESPACES, type NamespaceName } from "./namespace.js";
export type { SentMessage } from "./outbox.js";
export { type Problem, TocsinError } from "./problem.js";
export type { InboxSnapshot, LogSnapshot, Snapshot, StreamRecord } from "./refetch.js";
export type { ResyncReason } from "./stream.js";
export type { GetToken } from "./token.js";
export type { UserId } from "./typing.js";
