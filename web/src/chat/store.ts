/** One conversation of a client for a page of one's own: its state, kept by events, and what may be done in it. */

import type { TocsinError } from "../client/problem.js";
import { fetchIsBlocked, fetchMessages, setBlocked } from "./api.js";
import type { ChatClient } from "./element.js";
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
  private unbind: (() => void)[] = [];
  private isFetching = false;

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
    const key = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.change(chat.write(this.current.conversation, key, text));
    try {
      await this.client.sendMessage(this.peer, text);
    } catch (error) {
      this.change(chat.fail(this.current.conversation, key), error);
    }
  }

  /** Send again what had failed. */
  async sendAgain({ key, text }: chat.Pending): Promise<void> {
    this.change(chat.settle(this.current.conversation, key));
    await this.send(text);
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
      await setBlocked(this.peer, isBlocked, (await this.client.getToken()) ?? "");
      return { ...this.current.conversation, isBlocked };
    });
  }

  private bind(): void {
    const { client, peer } = this;
    this.current = NOTHING_SAID;
    const isChat = ({ namespace }: { namespace: string }) => namespace === "chat";
    this.unbind = [
      ...chat.EVENTS.map((event) =>
        client.on("chat", event, (data) =>
          this.change(chat.apply(this.current.conversation, event, data as chat.Payload, peer)),
        ),
      ),
      client.on("*", "resync", (event) => {
        if (!isChat(event)) return;
        this.current = NOTHING_SAID;
        void this.fetch();
      }),
      client.on("*", "sync", (event) => void (isChat(event) && this.look())),
      client.on("*", "state", ({ state }) => {
        if (state !== "connected") this.change({ ...this.current.conversation, isOnline: null });
        else if (!this.current.isLoaded) void this.fetch();
      }),
    ];
    void this.fetch();
    void this.look();
  }

  private async fetch(before?: string): Promise<void> {
    if (this.isFetching) return;
    this.isFetching = true;
    await this.attempt(async () => {
      const token = (await this.client.getToken()) ?? "";
      const isFirst = !this.current.isLoaded;
      const [page, isBlocked] = await Promise.all([
        fetchMessages(this.peer, token, before),
        isFirst ? fetchIsBlocked(this.peer, token) : this.current.conversation.isBlocked,
      ]);
      this.current = { ...this.current, isLoaded: true };
      const { conversation } = this.current;
      const hasBefore = isFirst || before !== undefined ? page.has_before : conversation.hasBefore;
      return { ...chat.merge(conversation, page.messages), hasBefore, isBlocked };
    });
    this.isFetching = false;
  }

  /** Whoever comes later than the connection has missed who was there. */
  private async look(): Promise<void> {
    const answer = await this.client.emitWithAck("chat", "watch", { user_ids: [this.peer] }).catch(() => null);
    const [seen] =
      (answer as { presence?: { is_online: boolean; last_seen_at: string | null }[] } | null)?.presence ?? [];
    if (seen !== undefined)
      this.change({ ...this.current.conversation, isOnline: seen.is_online, lastSeenAt: seen.last_seen_at });
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
