/** The package `@tocsin/client/chat`: the conversation as an element, and its state for pages of one's own. */

export { type ChatClient, TocsinChat } from "./element.js";
export * as state from "./state.js";
export { type ConversationSnapshot, ConversationStore } from "./store.js";
