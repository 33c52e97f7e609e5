/**
 * A client for every tab of one user, over the connection of one of them.
 *
 * The tab that holds the lock has the connection and passes on what comes. Each tab keeps its own place in the streams:
 * it drops what it has had, and reads in the log what it has missed. When the tab with the connection goes, the next one
 * connects from its own place, so nothing is lost or doubled in any.
 */

import type { EventsOf, WebSocketClient } from "../client/client.js";
import type { ConnectionState, StateEvent } from "../client/connection.js";
import type { Cursor, KeyValueStorage } from "../client/cursor.js";
import { checkData } from "../client/data.js";
import { Feed, type SyncEvent } from "../client/feed.js";
import { newIdentifier } from "../client/identifier.js";
import { asListener, type Listener, Listeners } from "../client/listeners.js";
import { NAMESPACES, type NamespaceName, namespaceName, streamItem } from "../client/namespace.js";
import type { SentMessage } from "../client/outbox.js";
import { failure, type TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import type { UserId } from "../client/typing.js";
import { Calls, isMessage, isRepeatable } from "./calls.js";
import { type Call, type Channel, type Cursors, type Message, openChannel } from "./channel.js";
import { readLog } from "./log.js";

/** A tab that does not answer for so long sleeps: browsers freeze what nobody looks at, lock and all. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 30_000;

/** Makes a client that keeps its cursors in this storage. */
export type MakeClient = (storage: KeyValueStorage | null) => WebSocketClient;

/** As `WebSocketClient`, but for `sockets`: they are in one tab alone. */
export class SharedClient {
  private readonly listeners = new Listeners();
  private readonly feeds: ReadonlyMap<NamespaceName, Feed>;
  private readonly client: WebSocketClient;
  private readonly name = newIdentifier();
  private channel: Channel | null = null;
  private isLeader = false;
  /** Another tab has said that it has the connection. */
  private hasLeader = false;
  /** It has said so since it was asked last. */
  private isAnswered = false;
  private current: ConnectionState = "disconnected";
  /** Whose place the feeds hold; null before anybody's. */
  private user: string | null = null;
  private readonly calls = new Calls((id, call) => this.forward(id, call));
  private stop: (() => void) | null = null;

  constructor(make: MakeClient, storage: KeyValueStorage | null = pageStorage()) {
    this.feeds = new Map(NAMESPACES.map((namespace) => [namespace, this.feed(namespace)]));
    this.client = make(this.withOwnPlace(storage));
    const { listeners } = this.client;
    const dispatch = listeners.dispatch.bind(listeners);
    // All that the connection brings comes by here, whatever its name.
    listeners.dispatch = (namespace, event, data) => {
      dispatch(namespace, event, data);
      this.channel?.say({ kind: "event", namespace, event, data });
      this.receive(namespace, event, data);
    };
  }

  get isConnected(): boolean {
    return this.current === "connected";
  }

  get state(): ConnectionState {
    return this.current;
  }

  get origin(): string {
    return this.client.origin;
  }

  /** Whether this tab has the connection. */
  get hasConnection(): boolean {
    return this.isLeader;
  }

  getToken(): Promise<string | null> {
    return this.client.getToken();
  }

  lastSeq(namespace: NamespaceName): number {
    return this.feeds.get(namespaceName(namespace))?.cursor?.seq ?? 0;
  }

  on<N extends NamespaceName | "*", E extends keyof EventsOf<N> & string>(
    namespace: N,
    event: E,
    callback: (data: EventsOf<N>[E]) => void,
  ): () => void {
    return this.listeners.add(named(namespace), event, asListener(callback));
  }

  off<N extends NamespaceName | "*", E extends keyof EventsOf<N> & string>(
    namespace: N,
    event: E,
    callback: ((data: EventsOf<N>[E]) => void) | null = null,
  ): void {
    this.listeners.remove(named(namespace), event, callback as Listener | null);
  }

  /** Share the connection of the user's other tabs, or make one; harmless when that is under way. */
  connect(): void {
    if (this.stop !== null) {
      // Whichever tab has it: somebody may have signed in again in this one.
      void this.ask({ method: "connect", args: [] }).catch(() => {});
      return;
    }
    const { locks } = navigator;
    const controller = new AbortController();
    this.stop = () => controller.abort();
    // The other tabs of an older browser have their own.
    if (locks === undefined || globalThis.BroadcastChannel === undefined) void this.lead(controller.signal);
    else void this.share(locks, controller.signal);
  }

  /** Leave until `connect`. Where another tab is open, it goes on. */
  disconnect(): void {
    const { stop } = this;
    this.stop = null;
    // The other tabs wait for the one that follows, and are not told that this one leaves.
    this.channel?.close();
    this.channel = null;
    this.hasLeader = false;
    for (const feed of this.feeds.values()) feed.interrupt();
    // What this tab itself has sent goes on where it connects again.
    if (!this.isLeader) this.calls.settle(() => false);
    stop?.();
    // Who was told of it may have connected again.
    if (this.stop === null) this.changed({ state: "disconnected", problem: null, retryInMs: null });
  }

  emit(namespace: NamespaceName, event: string, data?: object): boolean {
    const isKept = isMessage(namespace, event);
    if (!isKept && this.isLeader) return this.client.emit(namespace, event, data);
    if (!isKept) checkData(data);
    // A message is not lost with the tab that was asked.
    const asked = isKept
      ? this.emitWithAck(namespace, event, data)
      : this.ask({ method: "emit", args: [namespace, event, data] });
    void asked.catch(() => {});
    return true;
  }

  emitWithAck(
    namespace: NamespaceName,
    event: string,
    data?: object,
    options?: { timeoutMs?: number },
  ): Promise<Record<string, unknown>> {
    const given = isMessage(namespace, event) ? { client_msg_id: newIdentifier(), ...data } : data;
    const args = [namespace, event, given, options];
    return this.ask({ method: "emitWithAck", args }) as Promise<Record<string, unknown>>;
  }

  sendMessage(to: UserId, text: string): Promise<SentMessage> {
    const sent: Promise<unknown> = this.emitWithAck("chat", "send_message", { to_user_id: to, message: text });
    return sent as Promise<SentMessage>;
  }

  setTyping(to: UserId, isTyping: boolean): void {
    void this.ask({ method: "setTyping", args: [to, isTyping] }).catch(() => {});
  }

  private async share(locks: LockManager, signal: AbortSignal): Promise<void> {
    const token = await this.getToken().catch(() => null);
    if (signal.aborted) return;
    const user = token === null ? "" : (findSubject(token) ?? token);
    this.signIn(user);
    const name = `tocsin:tabs:${this.origin}:${user}`;
    this.channel = openChannel(name, (message) => this.hear(message));
    this.changed({ state: "connecting", problem: null, retryInMs: null });
    const take = (options: LockOptions) =>
      locks
        .request(name, options, () => this.lead(signal))
        .catch(() => {
          if (signal.aborted) return;
          // Another tab has taken it, or no tab may have it: then each has its own connection.
          if (this.isLeader) this.moveOver();
          else void this.lead(signal);
        });
    let patience: ReturnType<typeof setTimeout> | undefined;
    const hello = () => {
      if (this.isLeader) return;
      this.isAnswered = false;
      this.channel?.say({ kind: "hello", from: this.name });
      // The last question alone is waited for: who takes the connection twice takes it from himself.
      clearTimeout(patience);
      patience = setTimeout(() => {
        if (!signal.aborted && isSeen() && !this.isAnswered && !this.isLeader) void take({ steal: true });
      }, PATIENCE_MS);
    };
    hello();
    // A tab that slept has missed what was said, and one that sleeps does not say it.
    const wake = () => isSeen() && hello();
    document.addEventListener("visibilitychange", wake, { signal });
    addEventListener("pageshow", wake, { signal });
    const timer = setInterval(wake, LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    await take({ signal });
  }

  /** Another user's place begins anew. */
  private signIn(user: string): void {
    if (user === this.user) return;
    this.user = user;
    if (!this.isLeader) this.calls.settle(() => false);
    for (const feed of this.feeds.values()) feed.begin(null);
    // The connection is in the middle of opening: it is left when that is done.
    if (this.channel !== null) queueMicrotask(() => this.moveOver());
  }

  /** Another tab has taken the connection; or the tabs of the user before must not hear what is another's. */
  private moveOver(): void {
    if (this.stop === null) return;
    this.disconnect();
    this.connect();
  }

  /** Hold the connection until this tab leaves. */
  private async lead(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.isLeader = true;
    this.client.connect();
    this.channel?.say({ kind: "leads", to: null, state: this.client.state, cursors: this.cursors() });
    // The last one may have done what it was asked.
    this.calls.settle((call) => !this.hasLeader || isRepeatable(call));
    await new Promise<void>((resolve) => {
      // At once: the page may connect again in the same breath.
      const leave = () => {
        this.isLeader = false;
        this.client.disconnect();
        resolve();
      };
      signal.addEventListener("abort", leave);
    });
  }

  private hear(message: Message): void {
    // Who had it before, and has slept, speaks as if it had it still.
    if (this.isLeader && (message.kind === "leads" || message.kind === "event")) return;
    switch (message.kind) {
      case "hello":
        if (this.isLeader)
          this.channel?.say({ kind: "leads", to: message.from, state: this.current, cursors: this.cursors() });
        break;
      case "leads":
        if (message.to === null || message.to === this.name)
          this.follow(message.state, message.cursors, message.to === null);
        break;
      case "event":
        this.receive(message.namespace, message.event, message.data);
        break;
      case "ask":
        if (this.isLeader) void this.answer(message.from, message.id, message.call);
        break;
      case "answer":
        if (message.to === this.name) this.calls.answered(message.id, message.value, message.problem);
    }
  }

  /** Another tab has the connection; where it stands, this one stands too, or catches up. */
  private follow(state: ConnectionState, cursors: Cursors, isNew: boolean): void {
    const isFirst = !this.hasLeader;
    this.hasLeader = this.isAnswered = true;
    // What the last one was asked it may have done; only messages are known by their id, and are asked again.
    if (isFirst || isNew) this.calls.settle((call) => isFirst || isRepeatable(call));
    this.changed({ state, problem: null, retryInMs: null });
    for (const [namespace, cursor] of Object.entries(cursors)) this.synced(namespace as NamespaceName, cursor);
  }

  private synced(namespace: NamespaceName, head: Cursor): void {
    const feed = this.feeds.get(namespace) as Feed;
    const { cursor } = feed;
    // One that has just begun to lead may stand behind this one; and while the log is read, that tells how far it is.
    if (!feed.isWaiting && (cursor?.epoch !== head.epoch || head.seq >= cursor.seq)) feed.synced(head);
  }

  private receive(namespace: string, event: string, data: unknown): void {
    if (namespace === "*") this.receiveOwn(event, data);
    else {
      const item = streamItem(event, data);
      if (item !== null) this.feeds.get(namespace as NamespaceName)?.receive(item);
      else this.listeners.dispatch(namespace, event, data);
    }
  }

  private receiveOwn(event: string, data: unknown): void {
    const { namespace, epoch, seq } = data as SyncEvent;
    if (event === "state") this.changed(data as StateEvent);
    else if (event === "sync") this.synced(namespace, { epoch, seq });
    else if (event === "resync") {
      this.feeds.get(namespace)?.begin({ epoch, seq });
      this.listeners.dispatch("*", event, data);
    }
  }

  private changed(event: StateEvent): void {
    if (event.state === this.current && event.problem === null && event.retryInMs === null) return;
    this.current = event.state;
    this.listeners.dispatch("*", "state", event);
  }

  private async ask(call: Call): Promise<unknown> {
    if (this.stop === null && !this.isLeader) throw failure("disconnected", "the client is not connected");
    return await this.calls.ask(call);
  }

  private forward(id: number, call: Call): void {
    if (this.isLeader) void this.answer(this.name, id, call);
    else if (this.hasLeader) this.channel?.say({ kind: "ask", from: this.name, id, call });
  }

  private async perform({ method, args }: Call): Promise<unknown> {
    return await (this.client[method] as (...given: readonly unknown[]) => unknown).apply(
      this.client,
      args as unknown[],
    );
  }

  private async answer(to: string, id: number, call: Call): Promise<void> {
    let [value, problem]: [unknown, TocsinError["problem"] | null] = [null, null];
    try {
      value = (await this.perform(call)) ?? null;
    } catch (error) {
      // By its problem: the class of another script is another class.
      problem = ((error as Partial<TocsinError>).problem ? (error as TocsinError) : failure("disconnected", `${error}`))
        .problem;
    }
    if (to === this.name) this.calls.answered(id, value, problem);
    else this.channel?.say({ kind: "answer", to, id, value, problem });
  }

  private cursors(): Cursors {
    const known = [...this.feeds].map(([namespace, { cursor }]) => [namespace, cursor] as const);
    return Object.fromEntries(known.filter(([, cursor]) => cursor !== null)) as Cursors;
  }

  private feed(namespace: NamespaceName): Feed {
    const feed: Feed = new Feed(namespace, {
      // The tab with the connection tells the server for all.
      isJoined: () => false,
      send: () => {},
      request: async (_, { after }, session) => {
        const { epoch, seq, items } = await readLog(this.origin, (await this.getToken()) ?? "", namespace, after);
        if (session.aborted) return;
        for (const item of items) feed.receive(item);
        feed.synced({ epoch, seq });
      },
      refetch: () => Promise.reject(failure("not_here", "the page fetches by itself")),
      deliver: ({ event, payload }) => this.listeners.dispatch(namespace, event, payload),
      announce: (event, detail) => this.listeners.dispatch("*", event, detail),
      save: () => {},
    });
    return feed;
  }

  /** What this tab has had of a user is where that user's connection begins, wherever the storage is. */
  private withOwnPlace(storage: KeyValueStorage | null): KeyValueStorage {
    return {
      getItem: (key) => {
        const [, user, namespace] = /^tocsin:cursor:.*:([^:]*):(\w+)$/.exec(key) ?? [];
        // The connection may find another user's token when it comes back.
        if (user !== undefined) this.signIn(decodeURIComponent(user));
        const cursor = this.feeds.get(namespace as NamespaceName)?.cursor ?? null;
        return cursor === null ? (storage?.getItem(key) ?? null) : JSON.stringify(cursor);
      },
      setItem: (key, value) => storage?.setItem(key, value),
      removeItem: (key) => storage?.removeItem(key),
    };
  }
}

function isSeen(): boolean {
  return document.visibilityState === "visible";
}

function named(namespace: string): string {
  return namespace === "*" ? namespace : namespaceName(namespace);
}

function pageStorage(): KeyValueStorage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    // Reading the property itself throws where the page may not store anything.
    return null;
  }
}
