/**
 * The client of a page: events in, messages out, on one connection.
 *
 * Puts the parts together and holds no rule of its own. Text that comes in is
 * handed on as it is; whoever shows it must show it as text (`textContent`).
 */

import { Connection, type ConnectionState, type StateEvent } from "./connection.js";
import { CursorStore, type KeyValueStorage } from "./cursor.js";
import { checkData } from "./data.js";
import type {
  AuthExpired,
  AuthExpiring,
  ControlEvents,
  Resync,
  ServerDraining,
  ServerEvents,
} from "./events.generated.js";
import { Feed, type GapEvent, type ResyncEvent, type SyncEvent } from "./feed.js";
import { newIdentifier } from "./identifier.js";
import { asListener, type Listener, Listeners } from "./listeners.js";
import { NAMESPACES, type NamespaceName, namespaceName, streamItem } from "./namespace.js";
import { Outbox, type OutgoingMessage, type SentMessage } from "./outbox.js";
import { watchPage } from "./page.js";
import { failure } from "./problem.js";
import { fetchSnapshot } from "./refetch.js";
import { findSubject, type GetToken, TokenSource } from "./token.js";
import { TypingIn, TypingOut, type UserId } from "./typing.js";

export interface ClientOptions {
  /** Origin of the server; that of the page by default. */
  url?: string;
  /** Path of the server's Socket.IO endpoint. */
  path?: string;
  /** A fixed token. Without it `getToken` is asked, or `auth_token` read from the storage. */
  token?: string;
  /** Asked for a token at the first connection and whenever the last one has ended. */
  getToken?: GetToken;
  /** Keeps the cursors; `localStorage` by default, null for memory only. */
  storage?: KeyValueStorage | null;
  /** Tried in this order. */
  transports?: ("websocket" | "polling")[];
}

/** What a client tells of itself, to `on("*", …)`. */
export interface ClientEvents {
  state: StateEvent;
  sync: SyncEvent;
  gap: GapEvent;
  resync: ResyncEvent;
}

/** Payloads by event of one namespace, or of `*`. */
export type EventsOf<N extends NamespaceName | "*"> = N extends NamespaceName
  ? ServerEvents[N] & ControlEvents
  : ClientEvents;

const MAX_WAITING_EMITS = 256;

/**
 * Receives each durable event once and in order, over reconnects and reloads.
 *
 * One instance serves one signed-in user at a time. Namespaces are named
 * `sns`, `orders`, `chat` and `notifications`. A callback that throws is
 * reported as an uncaught error and keeps nothing else from happening.
 */
export class WebSocketClient {
  /** Who hears what; the sharing of tabs listens in. */
  readonly listeners = new Listeners();
  private readonly tokens: TokenSource;
  private readonly cursors: CursorStore;
  private readonly feeds: ReadonlyMap<NamespaceName, Feed>;
  private readonly connection: Connection;
  private readonly outbox = new Outbox((message) => this.transmit(message));
  private readonly typingOut = new TypingOut((to, isTyping) => {
    if (this.sockets.chat.connected) this.sockets.chat.emit("typing", { to_user_id: to, is_typing: isTyping });
  });
  private readonly typingIn = new TypingIn((event) => this.listeners.dispatch("chat", "user_typing", event));
  /** Where the server is; empty for the page's own. */
  readonly origin: string;
  /** Who is signed in: the token's subject, or the token itself where that can't be read. */
  private user: string | null = null;
  private subject: string | null = null;
  private unwatch: (() => void) | undefined;

  constructor(options: ClientOptions = {}) {
    const storage = options.storage === undefined ? pageStorage() : options.storage;
    this.origin = (options.url ?? globalThis.location?.origin ?? "").replace(/\/$/, "");
    this.tokens = new TokenSource({ token: options.token, getToken: options.getToken, storage });
    this.cursors = new CursorStore(storage, options.url === undefined ? "" : this.origin);
    this.feeds = new Map(NAMESPACES.map((namespace) => [namespace, this.feed(namespace)]));
    this.connection = new Connection(
      {
        url: this.origin,
        path: options.path ?? "/socket.io/",
        transports: options.transports ?? ["websocket", "polling"],
      },
      this.tokens,
      {
        opening: (token) => this.signIn(token),
        credentials: (namespace) => this.credentials(namespace),
        joined: (namespace) => this.joined(namespace),
        received: (namespace, event, payload) => this.received(namespace, event, payload),
        closed: () => this.closed(),
        changed: (event) => this.listeners.dispatch("*", "state", event),
      },
    );
  }

  /** True while all four namespaces are connected. */
  get isConnected(): boolean {
    return this.state === "connected";
  }

  /** What the connection is doing; changes are told to `on("*", "state", …)`. */
  get state(): ConnectionState {
    return this.connection.state;
  }

  /** The Socket.IO sockets by namespace: `sockets.chat.connected`, for example. */
  get sockets() {
    return this.connection.sockets;
  }

  /** The token of who is signed in, connected or not, for requests of the page's own; null when nobody is. */
  getToken(): Promise<string | null> {
    return this.tokens.find();
  }

  /** Messages that the server has not acknowledged yet. */
  get unsent(): number {
    return this.outbox.size;
  }

  /** Connect, and come back after every loss; harmless when that is under way. */
  connect(): void {
    this.unwatch ??= watchPage({ leave: () => this.flush(), comeBack: () => this.connection.hurry() });
    this.connection.start();
  }

  /** Leave until `connect`; cursors and unsent messages are kept. */
  disconnect(): void {
    this.flush();
    this.connection.stop();
    // A client that was left for good must not be kept alive by the page.
    this.unwatch?.();
    this.unwatch = undefined;
  }

  /**
   * Call back on each event of a namespace, or on the client's own with `*`.
   *
   * Works before connecting too. The same callback is called once per event
   * however often it was added. Returns a function that removes it.
   */
  on<N extends NamespaceName | "*", E extends keyof EventsOf<N> & string>(
    namespace: N,
    event: E,
    callback: (data: EventsOf<N>[E]) => void,
  ): () => void {
    return this.listeners.add(listenerName(namespace), event, asListener(callback));
  }

  /** Remove one callback, or with null every callback of the event. */
  off<N extends NamespaceName | "*", E extends keyof EventsOf<N> & string>(
    namespace: N,
    event: E,
    callback: ((data: EventsOf<N>[E]) => void) | null = null,
  ): void {
    this.listeners.remove(listenerName(namespace), event, callback as Listener | null);
  }

  /**
   * Send an event, at most once; while disconnected up to 256 wait for the connection.
   *
   * Returns false when that many wait already. `send_message` of `chat` takes
   * the way of `sendMessage` and is not lost; false when 200 of them wait.
   */
  emit(namespace: NamespaceName, event: string, data?: object): boolean {
    const name = namespaceName(namespace);
    if (isMessage(name, event)) {
      const isAccepted = !this.outbox.isFull;
      void this.queue(data);
      return isAccepted;
    }
    const socket = this.sockets[name];
    if (!socket.connected && socket.sendBuffer.length >= MAX_WAITING_EMITS) return false;
    checkData(data);
    socket.emit(event, ...(data === undefined ? [] : [data]));
    return true;
  }

  /**
   * Send an event and resolve with the server's answer, without its `ok`.
   *
   * Rejects with a TocsinError: the server's problem, or `timeout` or
   * `disconnected`, after which nobody knows whether it was carried out.
   */
  emitWithAck(
    namespace: NamespaceName,
    event: string,
    data?: object,
    { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
  ): Promise<Record<string, unknown>> {
    const name = namespaceName(namespace);
    if (isMessage(name, event)) return this.queue(data) as Promise<SentMessage & Record<string, unknown>>;
    return this.connection.request(name, event, data, timeoutMs);
  }

  /**
   * Send a chat message; resolves when the server has stored it.
   *
   * Sent again after every loss of the connection, and stored once. Rejects
   * with a TocsinError when the server refuses it, 200 others wait, or
   * somebody else signs in; a caller may ignore that.
   */
  sendMessage(to: UserId, text: string): Promise<SentMessage> {
    this.typingOut.set(to, false);
    return this.queue({ to_user_id: to, message: text });
  }

  /** Say whether this user is writing to another; may be called at every keystroke. */
  setTyping(to: UserId, isTyping: boolean): void {
    if (this.sockets.chat.connected) this.typingOut.set(to, isTyping);
  }

  /** The `seq` of the last event of a namespace that was handed over; 0 before any. */
  lastSeq(namespace: NamespaceName): number {
    return this.feedOf(namespaceName(namespace)).cursor?.seq ?? 0;
  }

  private feed(namespace: NamespaceName): Feed {
    return new Feed(namespace, {
      isJoined: () => this.sockets[namespace].connected,
      send: (event, data) => void this.sockets[namespace].emit(event, data),
      request: (event, data) => this.connection.request(namespace, event, data),
      refetch: (from, signal) => fetchSnapshot(this.origin, this.tokens.current ?? "", namespace, from, signal),
      deliver: (item) => {
        // A message ends its writer's typing, whether or not that was announced.
        if (item.event === "message_received")
          this.typingIn.stop((item.payload as { from_user_id: UserId }).from_user_id);
        this.listeners.dispatch(namespace, item.event, item.payload);
      },
      announce: (event, detail) => this.listeners.dispatch("*", event, detail),
      save: (cursor) => {
        if (this.subject !== null) this.cursors.save(this.subject, namespace, cursor);
      },
    });
  }

  private feedOf(namespace: NamespaceName): Feed {
    return this.feeds.get(namespace) as Feed;
  }

  private signIn(token: string): void {
    this.subject = findSubject(token);
    const user = this.subject ?? token;
    if (user === this.user) return;
    if (this.user !== null) {
      // What waits is somebody else's; what waits for the first sign-in is this user's own.
      this.outbox.abandon(failure("user_changed", "another user has signed in"));
      for (const namespace of NAMESPACES) this.sockets[namespace].sendBuffer = [];
    }
    this.user = user;
    for (const [namespace, feed] of this.feeds) {
      feed.begin(this.subject === null ? null : this.cursors.load(this.subject, namespace));
    }
  }

  private credentials(namespace: NamespaceName): object {
    const cursor = this.feedOf(namespace).cursor;
    const place = cursor === null ? {} : { epoch: cursor.epoch, last_seq: cursor.seq };
    return { token: this.tokens.current, ...place };
  }

  private joined(namespace: NamespaceName): void {
    this.feedOf(namespace).join();
    if (namespace === "chat") this.outbox.open();
  }

  private received(namespace: NamespaceName, event: string, payload: unknown): void {
    const item = streamItem(event, payload);
    if (item !== null) this.feedOf(namespace).receive(item);
    else if (namespace === "chat" && event === "user_typing") {
      this.typingIn.receive(payload as ServerEvents["chat"]["user_typing"]);
    } else {
      this.obey(namespace, event, payload);
      this.listeners.dispatch(namespace, event, payload);
    }
  }

  private obey(namespace: NamespaceName, event: string, payload: unknown): void {
    switch (event) {
      case "synced":
        this.feedOf(namespace).synced(payload as ControlEvents["synced"]);
        break;
      case "resync":
        this.feedOf(namespace).resync(payload as Resync);
        break;
      case "auth_expiring":
        void this.connection.renew(namespace, (payload as AuthExpiring).expires_at);
        break;
      case "auth_expired":
        this.connection.expire({
          code: "unauthenticated",
          detail: `The token ended at ${(payload as AuthExpired).expires_at}`,
          retryable: false,
        });
        break;
      case "server_draining":
        this.connection.drain((payload as ServerDraining).retry_in * 1_000);
    }
  }

  private closed(): void {
    this.outbox.close();
    this.typingOut.clear();
    this.typingIn.clear();
    for (const feed of this.feeds.values()) feed.interrupt();
  }

  private flush(): void {
    for (const feed of this.feeds.values()) feed.flush();
    this.cursors.flush();
  }

  private queue(data: object | undefined): Promise<SentMessage> {
    const message = { ...data } as OutgoingMessage;
    return this.outbox.send({ ...message, client_msg_id: message.client_msg_id ?? newIdentifier() });
  }

  private async transmit(message: OutgoingMessage): Promise<SentMessage> {
    return (await this.connection.request("chat", "send_message", message)) as unknown as SentMessage;
  }
}

function listenerName(namespace: string): string {
  return namespace === "*" ? namespace : namespaceName(namespace);
}

function isMessage(namespace: NamespaceName, event: string): boolean {
  return namespace === "chat" && event === "send_message";
}

function pageStorage(): KeyValueStorage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    // Reading the property itself throws where the page may not store anything.
    return null;
  }
}
