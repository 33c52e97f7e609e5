/** One conversation of a client for a page of one's own: its state, kept by events, and what may be done in it. */

import { Patience } from "../client/patience.js";
import type { TocsinError } from "../client/problem.js";
import { fetchIsBlocked, fetchMessages, fetchPresence, isStill, ownerOf, type Server, setBlocked } from "./api.js";
import type { ChatClient } from "./host.js";
import * as chat from "./state.js";

/** What is shown; another object after every change. */
export interface ConversationSnapshot {
  readonly conversation: chat.Conversation;
  readonly isLoaded: boolean;
  /** Why the last thing could not be done; null after the next one that could. */
  readonly problem: TocsinError | null;
}

export const NOTHING_SAID: ConversationSnapshot = { conversation: chat.EMPTY, isLoaded: false, problem: null };

/** Bound to the client while anybody listens; begins anew when it is bound again. */
export class ConversationStore {
  private current = NOTHING_SAID;
  private readonly listeners = new Set<() => void>();
  private readonly patience = new Patience();
  private unbind: (() => void)[] = [];
  private isFetching = false;
  private isEarly = false;
  /** Counts beginnings: what was asked for before one is not taken after it. */
  private session = 0;
  /** Whose conversation it is, as the token says; null before it is known. */
  private owner: string | null = null;

  constructor(
    private readonly client: ChatClient,
    readonly peer: chat.UserId,
  ) {}

  get snapshot(): ConversationSnapshot {
    return this.current;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.listeners.size === 0) this.bind();
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      this.session += 1;
      this.patience.end();
      for (const unbind of this.unbind) unbind();
      this.unbind = [];
    };
  };

  /** Fetch the page before the oldest message; nothing where there is none. */
  async loadOlder(): Promise<void> {
    const { hasBefore, messages } = this.current.conversation;
    if (hasBefore && messages[0] !== undefined) await this.fetch(messages[0].id);
  }

  /** Send a text; it waits in `pending` until it comes back, and stays there as failed where it is refused. */
  async send(text: string): Promise<void> {
    const key = chat.newKey();
    this.change(chat.write(this.current.conversation, key, text));
    try {
      const { id } = await this.client.sendMessage(this.peer, text);
      this.change(chat.store(this.current.conversation, key, id));
    } catch (error) {
      // What one user wrote is not for another to send again.
      const end = (error as TocsinError).code === "user_changed" ? chat.settle : chat.fail;
      this.change(end(this.current.conversation, key), error);
    }
  }

  /** Send again what had failed. */
  async sendAgain(failed: chat.Pending): Promise<void> {
    if (!(await isStill(this.client, this.owner)) || !this.current.conversation.pending.includes(failed)) return;
    this.change(chat.settle(this.current.conversation, failed.key));
    await this.send(failed.text);
  }

  edit(message: chat.Message, text: string): Promise<void> {
    return this.ask("edit_message", { message_id: message.id, message: text });
  }

  takeBack(message: chat.Message): Promise<void> {
    return this.ask("delete_message", { message_id: message.id });
  }

  /** Tell the other that everything up to the latest message is read. */
  async markRead(): Promise<void> {
    const unread = chat.latestUnread(this.current.conversation, this.peer);
    if (unread !== undefined) await this.ask("mark_read", { message_id: unread.id });
  }

  setTyping(isTyping: boolean): void {
    this.client.setTyping(this.peer, isTyping);
  }

  async setBlocked(isBlocked: boolean): Promise<void> {
    await this.attempt(async () => {
      await setBlocked(await this.server(), this.peer, isBlocked);
      return { ...this.current.conversation, isBlocked };
    });
  }

  private bind(): void {
    const { client, peer } = this;
    const isChat = ({ namespace }: { namespace: string }) => namespace === "chat";
    this.unbind = [
      ...chat.EVENTS.map((event) =>
        client.on("chat", event, (data) =>
          this.change(chat.apply(this.current.conversation, event, data as chat.Payload, peer)),
        ),
      ),
      client.on("*", "resync", (event) => {
        if (isChat(event)) this.begin({ ...this.current.conversation, messages: [] });
      }),
      client.on("*", "sync", (event) => void (isChat(event) && this.catchUp())),
      client.on("*", "state", ({ state }) => {
        if (state !== "connected") this.change({ ...this.current.conversation, isOnline: null });
        else void this.identify();
      }),
    ];
    this.owner = null;
    this.begin(chat.EMPTY);
    void this.look();
  }

  private begin(conversation: chat.Conversation): void {
    this.session += 1;
    this.patience.end();
    this.isFetching = false;
    this.current = { ...NOTHING_SAID, conversation };
    void this.fetch();
  }

  /** Begin anew where somebody else has signed in, and load what could not be loaded. */
  private async identify(): Promise<void> {
    const { session } = this;
    const isSame = await isStill(this.client, this.owner);
    if (session !== this.session) return;
    if (!isSame) {
      this.owner = null;
      this.begin(chat.EMPTY);
      void this.look();
    } else if (!this.current.isLoaded) void this.fetch();
  }

  private async server(): Promise<Server> {
    return { origin: this.client.origin, token: (await this.client.getToken()) ?? "" };
  }

  private async fetch(before?: string): Promise<void> {
    if (this.isFetching) return;
    this.isFetching = true;
    this.isEarly ||= !this.client.isConnected;
    const { session } = this;
    const isFirst = !this.current.isLoaded;
    const { isBlocked: known } = this.current.conversation;
    try {
      const server = await this.server();
      if (session === this.session && server.token !== "") this.owner ??= ownerOf(server.token);
      const [page, isBlocked] = await Promise.all([
        fetchMessages(server, this.peer, before),
        isFirst ? fetchIsBlocked(server, this.peer) : known,
      ]);
      if (session !== this.session) return;
      this.patience.end();
      this.current = { ...this.current, isLoaded: true };
      const { conversation } = this.current;
      const hasBefore = isFirst || before !== undefined ? page.has_before : conversation.hasBefore;
      const merged = chat.merge(conversation, page.messages);
      // What an event has told meanwhile is newer.
      this.change({ ...merged, hasBefore, ...(conversation.isBlocked === known && { isBlocked }) }, null);
    } catch (error) {
      if (session !== this.session) return;
      this.patience.wait(error, () => void (this.current.isLoaded ? this.loadOlder() : this.fetch()));
      this.change(this.current.conversation, error);
    } finally {
      if (session === this.session) this.isFetching = false;
    }
  }

  /** Nobody has told of what was said between a history that was loaded early and the connection. */
  private catchUp(): void {
    void this.look();
    if (!this.isEarly) return;
    this.isEarly = false;
    this.session += 1;
    this.isFetching = false;
    void this.fetch();
  }

  /** Whoever comes later than the connection has missed who was there. */
  private async look(): Promise<void> {
    const seen = await fetchPresence(this.client, this.peer);
    if (seen !== null) this.change({ ...this.current.conversation, ...seen });
  }

  private ask(event: string, data: object): Promise<void> {
    return this.attempt(async () => {
      await this.client.emitWithAck("chat", event, data);
      return this.current.conversation;
    });
  }

  private async attempt(act: () => Promise<chat.Conversation>): Promise<void> {
    try {
      this.change(await act(), null);
    } catch (error) {
      this.change(this.current.conversation, error);
    }
  }

  private change(conversation: chat.Conversation, error?: unknown): void {
    const problem = error === undefined ? this.current.problem : (error as TocsinError | null);
    this.current = { ...this.current, conversation, problem };
    for (const listener of [...this.listeners]) listener();
  }
}
