/** The hook of a conversation. */

import { useMemo, useSyncExternalStore } from "react";
import type { ChatClient } from "../chat/element.js";
import type { Conversation, UserId } from "../chat/state.js";
import { type ConversationSnapshot, ConversationStore, NOTHING_SAID } from "../chat/store.js";
import { pageClient } from "./client.js";

export interface Chat extends Conversation, Omit<ConversationSnapshot, "conversation"> {
  /** Send, edit, take back, page back; null while there is no client. */
  readonly actions: ConversationStore | null;
}

const noClient = () => () => {};

/** The conversation with a user, kept by events: messages, what waits, presence, and who is writing. */
export function useChat(peer: UserId, client: ChatClient | undefined = pageClient()): Chat {
  const store = useMemo(() => (client === undefined ? null : new ConversationStore(client, peer)), [client, peer]);
  const read = () => store?.snapshot ?? NOTHING_SAID;
  const snapshot = useSyncExternalStore(store?.subscribe ?? noClient, read, () => NOTHING_SAID);
  const { conversation, isLoaded, problem } = snapshot;
  return { ...conversation, isLoaded, problem, actions: store };
}
