/**
 * One user of the demo: a client with a token of its own, and the state of what is on the card. The inbox is not:
 * its elements have their own.
 *
 * Data flows one way: client or log → `receive` → each part's `apply` → `onChange` → the views.
 */

import { Sealing } from "../src/chat/sealing.js";
import type { WebSocketClient } from "../src/client/client.js";
import { acknowledge, applyToChat, type ChatState, EMPTY_CHAT, withdraw, write } from "./chat.js";
import { type DemoEvent, EVENTS, NAMESPACES, type Namespace, type Payload, type Source, text } from "./events.js";
import { type LinkState, NO_LINK, withConnection, withSync } from "./link.js";
import { applyToLog, EMPTY_LOG, forget, type LogState } from "./log.js";
import { type Arrived, applyToArrived } from "./newsroom.js";
import { applyToOrder, type OrderState } from "./orders.js";
import { applyToPosts, type PostState } from "./publish.js";
import { Rest, type TokenSource } from "./rest.js";
import type { DemoUser } from "./session.js";

export interface PersonState {
  arrived: Arrived;
  order: OrderState;
  posts: PostState;
  chat: ChatState;
  log: LogState;
  link: LinkState;
}

interface StreamPage {
  events: { seq: number; event: string; created_at: string; data: Payload }[];
  seq: number;
}

/** The client's `on` for names that are known at run time only; `EVENTS` is checked against its types. */
type Listen = (namespace: Namespace, event: string, callback: (data: Payload) => void) => void;

const NOTHING: Record<Namespace, Partial<PersonState>> = {
  notifications: { arrived: [] },
  orders: { order: null },
  sns: { posts: [] },
  chat: { chat: EMPTY_CHAT },
};

const PAGE = 200;
const READ_AFTER_MS = 900;

/** A user's model; the views read `state` and call the methods. */
export class Person {
  state: PersonState = {
    arrived: [],
    order: null,
    posts: [],
    chat: EMPTY_CHAT,
    log: EMPTY_LOG,
    link: NO_LINK,
  };
  readonly rest: Rest;
  readonly sealing: Sealing;
  onChange: () => void = () => {};
  /** Hears of every event that the client hands over, repeats included: the witness of the plug's sum. */
  onDelivery: (namespace: Namespace, seq: number) => void = () => {};
  private readonly toldRead = new Set<string>();
  private loading = new Map<Namespace, Promise<void>>();

  constructor(
    readonly user: DemoUser,
    readonly other: DemoUser,
    readonly client: WebSocketClient,
    token: TokenSource,
  ) {
    this.rest = new Rest(token);
    const words = { name: other.name, lang: "en" };
    this.sealing = new Sealing(
      client,
      other.id,
      () => words,
      () => this.onChange(),
    );
    this.sealing.begin(token.current());
  }

  /** Show what the log holds, then connect; events that came in between are fetched as well. */
  async start(): Promise<void> {
    this.listen();
    await Promise.all(NAMESPACES.map((namespace) => this.load(namespace)));
    this.client.connect();
  }

  /** The post that people like and comment on. */
  get latestPostId(): string {
    return this.state.posts[0]?.postId ?? "p1";
  }

  /** The notification that came last, and is there still. */
  get newest(): string | undefined {
    return this.state.arrived.at(-1);
  }

  /** Send a chat message; it keeps its place on the screen until the server has it, however long that takes. */
  async say(body: string): Promise<void> {
    const { sealing } = this;
    if (!sealing.isChosen && this.state.chat.messages.some(({ sealed }) => sealed !== undefined))
      throw new Error("This chat is encrypted: turn encryption on here, too.");
    const clientId = crypto.randomUUID();
    this.change({ chat: write(this.state.chat, clientId, body, new Date().toISOString()) });
    if (sealing.isOn) {
      await sealing.send(clientId, body).catch((error: unknown) => {
        this.change({ chat: withdraw(this.state.chat, clientId) });
        throw error;
      });
      return;
    }
    const draft = { to_user_id: this.other.id, message: body, client_msg_id: clientId };
    const sent = await this.client.emitWithAck("chat", "send_message", draft);
    this.change({ chat: acknowledge(this.state.chat, clientId, text(sent.id)) });
  }

  /** Tell the sender that the messages on the screen are read. */
  seeChat(): void {
    if (!this.state.link.synced.has("chat")) return;
    for (const { id, mine, state } of this.state.chat.messages) {
      if (mine || id === null || state === "read" || this.toldRead.has(id)) continue;
      this.toldRead.add(id);
      // A person takes a moment to read, and a visitor one to see the first tick.
      setTimeout(() => {
        this.client.emitWithAck("chat", "mark_read", { message_id: id }).catch(() => this.toldRead.delete(id));
      }, READ_AFTER_MS);
    }
  }

  /** Read every event that the log holds after each cursor. */
  async readLog(after: Readonly<Record<Namespace, number>>): Promise<Record<Namespace, number[]>> {
    const seqs = await Promise.all(
      NAMESPACES.map(async (namespace) => {
        const events = await this.readStream(namespace, after[namespace]);
        return [namespace, events.map((event) => event.seq)] as const;
      }),
    );
    return Object.fromEntries(seqs) as Record<Namespace, number[]>;
  }

  private listen(): void {
    const listen = this.client.on.bind(this.client) as Listen;
    for (const namespace of NAMESPACES) {
      for (const event of EVENTS[namespace]) {
        listen(namespace, event, (data) => this.deliver(namespace, event, data));
      }
    }
    this.client.on("*", "state", ({ state }) => {
      if (state === "connected") this.sealing.comeBack();
      this.linkChanged(withConnection(this.state.link, state === "connected"));
    });
    this.client.on("*", "sync", ({ namespace, seq }) => this.synced(namespace, seq));
    this.client.on("*", "resync", ({ namespace }) => void this.load(namespace));
  }

  private deliver(namespace: Namespace, event: string, data: Payload): void {
    if (data.seq !== undefined) this.onDelivery(namespace, data.seq);
    // What no stream keeps can't be caught up with.
    const isLive = this.state.link.synced.has(namespace) || data.seq === undefined;
    const source: Source = isLive ? "live" : "replay";
    this.receive({ namespace, event, data, source, at: Date.now() });
  }

  private receive(event: DemoEvent): void {
    const { seq } = event.data;
    const cursor = this.state.log.cursors[event.namespace];
    // A browser without a cursor is sent what is live from now on. What was committed between reading
    // the log and that moment is in the log.
    if (seq === undefined || seq <= cursor + 1) this.take(event);
    // The log may have been read before it was in there.
    else void this.fill(event.namespace).then(() => this.take(event));
  }

  private take(event: DemoEvent): void {
    const { seq } = event.data;
    // The page may have read the log further than the client's stored cursor.
    if (seq !== undefined && seq <= this.state.log.cursors[event.namespace]) return;
    this.change(this.apply(event));
  }

  private apply(event: DemoEvent): Partial<PersonState> {
    const log = applyToLog(this.state.log, event);
    switch (event.namespace) {
      case "notifications":
        return { log, arrived: applyToArrived(this.state.arrived, event) };
      case "orders":
        return { log, order: applyToOrder(this.state.order, event) };
      case "sns":
        return { log, posts: applyToPosts(this.state.posts, event) };
      case "chat":
        return { log, chat: applyToChat(this.state.chat, event, this.other.id) };
    }
  }

  private change(changed: Partial<PersonState>): void {
    this.state = { ...this.state, ...changed };
    this.onChange();
  }

  private linkChanged(link: LinkState): void {
    // Whether the other one is online is not known after a cut.
    const chat = link.isConnected ? this.state.chat : { ...this.state.chat, online: null };
    this.change({ link, chat });
  }

  private synced(namespace: Namespace, seq: number): void {
    this.linkChanged(withSync(this.state.link, namespace, seq));
    if (seq > this.state.log.cursors[namespace]) void this.fill(namespace);
  }

  /** Show a namespace as the server has it, from the beginning. */
  private async load(namespace: Namespace): Promise<void> {
    this.change({ ...NOTHING[namespace], log: forget(this.state.log, namespace) });
    await this.fill(namespace);
  }

  private fill(namespace: Namespace): Promise<void> {
    const running = this.loading.get(namespace);
    if (running !== undefined) return running;
    const filling = this.readStream(namespace, this.state.log.cursors[namespace])
      .then((events) => {
        for (const { event, created_at, data } of events) {
          this.take({ namespace, event, data, source: "history", at: Date.parse(created_at) });
        }
      })
      .finally(() => this.loading.delete(namespace));
    this.loading.set(namespace, filling);
    return filling;
  }

  private async readStream(namespace: Namespace, after: number): Promise<StreamPage["events"]> {
    const events: StreamPage["events"] = [];
    let last = after;
    for (;;) {
      const path = `/api/stream/${namespace}?after=${last}&limit=${PAGE}`;
      const page = await this.rest.read<StreamPage>(path);
      events.push(...page.events);
      last = page.events.at(-1)?.seq ?? page.seq;
      if (last >= page.seq) return events;
    }
  }
}
