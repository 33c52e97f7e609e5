/** The package `@tocsin/client/push`: notifications while the page is closed. Nothing here acts by being imported. */

export { TocsinPushButton } from "./button.js";
export type { ClickMessage } from "./messages.js";
export { type PushClient, type PushEvents, type PushOptions, type PushState, PushSubscriber } from "./subscriber.js";
