/** What a page knows of one conversation, and what each event does to it: pure, see docs/how-to/chat.md. */

export type UserId = number | string;

/** No text that comes over the network can name it: a server can't say that it has not read a message. */
export const SEAL = Symbol();

export interface Attachment {
  url: string;
  name?: string;
  type?: string;
  size?: number;
}

export interface Message {
  id: string;
  from_user_id: UserId;
  to_user_id: UserId;
  message: string;
  client_msg_id?: string | null;
  timestamp: string;
  read_at: string | null;
  delivered_at?: string;
  edited_at?: string;
  deleted_at?: string;
  attachments?: readonly Attachment[];
  /** What only the users' devices can read; the text is empty then. */
  ciphertext?: object;
  /** What this page made of a ciphertext. */
  [SEAL]?: Seal;
  /** The server can read it, in a conversation that is encrypted; this page's word. */
  isClear?: boolean;
}

export interface Seal {
  /** `message` and `attachments` are what was sealed; else the note says why there are none. */
  isOpen: boolean;
  note: string;
  /** False: it comes from a device that nobody has looked at. */
  isFromKnownDevice: boolean;
}

export interface Pending {
  key: string;
  text: string;
  isFailed: boolean;
  /** What the server has stored it as; it waits for that message only. */
  id?: string;
}

export interface Conversation {
  messages: readonly Message[];
  /** What was written here and has not come back yet. */
  pending: readonly Pending[];
  hasBefore: boolean;
  isBlocked: boolean;
  isTyping: boolean;
  /** Null: not known. */
  isOnline: boolean | null;
  lastSeenAt: string | null;
}

export const EMPTY: Conversation = {
  messages: [],
  pending: [],
  hasBefore: false,
  isBlocked: false,
  isTyping: false,
  isOnline: null,
  lastSeenAt: null,
};

/** The events that change a conversation. */
export const EVENTS = [
  "message_received",
  "message_sent",
  "message_delivered",
  "message_read",
  "message_edited",
  "message_deleted",
  "block_changed",
  "user_typing",
  "user_online",
  "user_offline",
] as const;

export type ChatEvent = (typeof EVENTS)[number];

/** An event's payload, whichever it is; what is missing in one is undefined. */
export interface Payload extends Partial<Message> {
  message_id?: string;
  user_id?: UserId;
  is_blocked?: boolean;
  is_typing?: boolean;
}

/** Ids are numbers or strings, and `7` and `"7"` are one user. */
export function isSame(one: UserId | undefined, other: UserId): boolean {
  return one !== undefined && String(one) === String(other);
}

export function isMine(message: Pick<Message, "from_user_id">, peer: UserId): boolean {
  return !isSame(message.from_user_id, peer);
}

/** Return the state after an event, for the user who talks to `peer`; the same state where it is none of theirs. */
export function apply(state: Conversation, event: ChatEvent, data: Payload, peer: UserId): Conversation {
  switch (event) {
    case "message_received":
      return isSame(data.from_user_id, peer) ? { ...merge(state, [data as Message]), isTyping: false } : state;
    case "message_sent":
      return isSame(data.to_user_id, peer) ? arrive(state, data as Message) : state;
    case "message_edited":
      return state.messages.some((one) => one.id === data.id) ? merge(state, [data as Message]) : state;
    case "message_delivered":
      return markUpTo(state, data, "delivered_at");
    case "message_read":
      return markUpTo(state, data, "read_at");
    case "message_deleted":
      return change(state, (one) => (one.id === data.message_id ? emptied(one, data.deleted_at ?? "") : one));
    case "block_changed":
      return isSame(data.user_id, peer) ? { ...state, isBlocked: data.is_blocked === true } : state;
    case "user_typing":
      return isSame(data.user_id, peer) ? { ...state, isTyping: data.is_typing === true } : state;
    case "user_online":
      return isSame(data.user_id, peer) ? { ...state, isOnline: true } : state;
    case "user_offline":
      return isSame(data.user_id, peer) ? { ...state, isOnline: false, lastSeenAt: data.timestamp ?? null } : state;
  }
}

/**
 * Return the state with messages of a history, which may be older than what events have told, and without what
 * waited for one of them.
 */
export function merge(state: Conversation, some: readonly Message[]): Conversation {
  const byId = new Map(state.messages.map((one) => [one.id, one]));
  for (const one of some) byId.set(one.id, later(byId.get(one.id), one));
  // Ids sort in the order of the conversation.
  const messages = [...byId.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  // What was encrypted here comes back under the id that it was given.
  const known = new Set(messages.flatMap((one) => [one.id, one.client_msg_id]));
  const pending = state.pending.filter(({ id, key }) => !known.has(key) && (id === undefined || !known.has(id)));
  return { ...state, messages, pending };
}

/** The sender's own id of a message. */
export function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

export function write(state: Conversation, key: string, text: string): Conversation {
  return { ...state, pending: [...state.pending, { key, text, isFailed: false }] };
}

/** Return the state after the server has stored what waited; whichever comes last, this or the message, lets it go. */
export function store(state: Conversation, key: string, id: string): Conversation {
  return merge({ ...state, pending: state.pending.map((one) => (one.key === key ? { ...one, id } : one)) }, []);
}

export function fail(state: Conversation, key: string): Conversation {
  return { ...state, pending: state.pending.map((one) => (one.key === key ? { ...one, isFailed: true } : one)) };
}

/** Return the state without something that waited: it has come, or is given up. */
export function settle(state: Conversation, key: string): Conversation {
  return { ...state, pending: state.pending.filter((one) => one.key !== key) };
}

/** The latest message that the other one has written and this user has not read. */
export function latestUnread(state: Conversation, peer: UserId): Message | undefined {
  const unread = state.messages.filter((one) => !isMine(one, peer) && one.read_at === null && !one.deleted_at);
  return unread.at(-1);
}

function arrive(before: Conversation, message: Message): Conversation {
  const state = merge(before, [message]);
  const isKnown = before.messages.some((one) => one.id === message.id) || state.pending.length < before.pending.length;
  if (isKnown || message.ciphertext !== undefined) return state;
  const isSame = (one: Pending) => one.text === message.message && !one.isFailed && one.id === undefined;
  const waiting = state.pending.find(isSame);
  return waiting === undefined ? state : settle(state, waiting.key);
}

function markUpTo(state: Conversation, data: Payload, mark: "delivered_at" | "read_at"): Conversation {
  const at = data[mark];
  const upTo = data.message_id;
  if (!at || upTo === undefined || data.from_user_id === undefined) return state;
  const { from_user_id: sender } = data;
  return change(state, (one) => {
    if (!isSame(one.from_user_id, sender) || one.id > upTo || one[mark]) return one;
    return { ...one, [mark]: at, delivered_at: one.delivered_at ?? at };
  });
}

function change(state: Conversation, each: (one: Message) => Message): Conversation {
  return { ...state, messages: state.messages.map(each) };
}

function emptied(one: Message, deletedAt: string): Message {
  const { attachments: _, ciphertext: __, ...rest } = one;
  return { ...rest, message: "", deleted_at: deletedAt };
}

function later(known: Message | undefined, one: Message): Message {
  if (known === undefined) return one;
  if (known.deleted_at !== undefined) return known;
  const isOlder = (known.edited_at ?? "") > (one.edited_at ?? "");
  const delivered_at = one.delivered_at ?? known.delivered_at;
  const marks = { read_at: one.read_at ?? known.read_at, ...(delivered_at === undefined ? {} : { delivered_at }) };
  return { ...(isOlder ? known : one), ...marks };
}
