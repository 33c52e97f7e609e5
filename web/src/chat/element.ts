/**
 * `<tocsin-chat with="8" name="Mina">`: the conversation with one user.
 *
 * The class alone; `/js/chat.js` defines the element. Its style goes by parts (`head`, `name`, `presence`, `block`, `messages`,
 * `message`, `own`, `status`) and custom properties (`--tocsin-chat-…`), and is a constructed sheet: a page's policy
 * needs no `unsafe-inline`.
 */

import type { WebSocketClient } from "../client/client.js";
import { TocsinError } from "../client/problem.js";
import { fetchIsBlocked, fetchMessages, setBlocked } from "./api.js";
import { drawMessage, drawPending } from "./message.js";
import { part, Rows } from "./rows.js";
import type { Attachment, Conversation, Message, Pending, UserId } from "./state.js";
import * as chat from "./state.js";
import { STYLE } from "./style.js";
import { isKorean, type Texts, tellPresence, tellStatus, textsOf } from "./texts.js";

export type ChatClient = Pick<
  WebSocketClient,
  "on" | "getToken" | "emitWithAck" | "sendMessage" | "setTyping" | "isConnected"
>;

// A framework may import this where there is no page.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);
const NEAR_PX = 48;

/** Keeps a file where the host keeps files, and returns the link to it. */
export type Upload = (file: File) => Promise<Attachment>;

/** Shows the conversation of `client`, or of `window.ws`, with the user named by the attribute `with`. */
export class TocsinChat extends Base {
  static readonly observedAttributes = ["with", "name", "lang"];

  private readonly head = part("header", "head");
  private readonly nameLine = part("span", "name");
  private readonly presence = part("span", "presence");
  private readonly block = part("button", "block") as HTMLButtonElement;
  private readonly attach = document.createElement("button");
  private readonly picker = document.createElement("input");
  private readonly list = part("div", "messages");
  private readonly top = document.createElement("div");
  private readonly empty = document.createElement("p");
  private readonly status = part("p", "status");
  private readonly form = document.createElement("form");
  private readonly input = document.createElement("textarea");
  private readonly send = document.createElement("button");
  private readonly cancel = document.createElement("button");
  private readonly rows = new Rows();
  private own: ChatClient | undefined;
  private uploads: Upload | null = null;
  private state: Conversation = chat.EMPTY;
  private editing: Message | null = null;
  private problem: keyof Texts | null = null;
  private isLoading = false;
  private isLoaded = false;
  private toldRead = "";
  private unbind: (() => void)[] = [];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.presence.setAttribute("role", "status");
    this.status.setAttribute("role", "status");
    this.list.setAttribute("role", "log");
    // Whoever has no mouse scrolls it by the arrow keys.
    this.list.tabIndex = 0;
    this.top.className = "top";
    this.empty.className = "empty";
    this.list.append(this.top, this.empty);
    this.list.addEventListener("scroll", () => this.list.scrollTop < NEAR_PX && void this.loadOlder());
    this.input.rows = 1;
    this.input.maxLength = 8000;
    this.input.dir = "auto";
    this.input.addEventListener("input", () => this.client?.setTyping(this.peer, this.input.value !== ""));
    this.input.addEventListener("blur", () => this.client?.setTyping(this.peer, false));
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.cancel.type = "button";
    this.cancel.className = "plain";
    this.cancel.addEventListener("click", () => this.stopEditing());
    this.block.type = this.attach.type = "button";
    this.block.addEventListener("click", () => void this.toggleBlock());
    this.attach.className = "plain";
    this.attach.textContent = "＋";
    this.attach.addEventListener("click", () => this.picker.click());
    this.picker.type = "file";
    this.picker.hidden = true;
    this.picker.addEventListener("change", () => void this.sendFile());
    this.form.append(this.picker, this.attach, this.input, this.cancel, this.send);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.head.append(this.nameLine, this.presence, this.block);
    root.append(this.head, this.list, this.status, this.form);
  }

  /** Set by a host that keeps files: a button to attach one is shown then. */
  get upload(): Upload | null {
    return this.uploads;
  }

  set upload(upload: Upload | null) {
    this.uploads = upload;
    this.render();
  }

  get client(): ChatClient | undefined {
    return this.own ?? (globalThis as { ws?: ChatClient }).ws;
  }

  set client(client: ChatClient | undefined) {
    this.own = client;
    if (this.isConnected) this.connectedCallback();
  }

  connectedCallback(): void {
    this.disconnectedCallback();
    // What a page has set before the script came hides our accessors.
    for (const name of ["client", "upload"] as const) {
      const early = Object.getOwnPropertyDescriptor(this, name)?.value;
      if (early === undefined) continue;
      delete (this as Partial<TocsinChat>)[name];
      if (name === "client") this.own = early;
      else this.uploads = early;
    }
    const { client } = this;
    this.state = chat.EMPTY;
    this.isLoaded = false;
    this.toldRead = "";
    // What was begun for one is not sent to another.
    this.editing = null;
    this.problem = null;
    this.input.value = "";
    if (client !== undefined && this.getAttribute("with")) {
      for (const event of chat.EVENTS)
        this.unbind.push(
          client.on("chat", event, (data) =>
            this.update(chat.apply(this.state, event, data as chat.Payload, this.peer)),
          ),
        );
      this.unbind.push(
        client.on("*", "resync", ({ namespace }) => void (namespace === "chat" && this.reload())),
        client.on("*", "state", () => this.onState()),
        client.on("*", "sync", ({ namespace }) => void (namespace === "chat" && this.look())),
      );
      const tellRead = () => this.tellRead();
      document.addEventListener("visibilitychange", tellRead);
      this.unbind.push(() => document.removeEventListener("visibilitychange", tellRead));
      void this.load();
      void this.look();
    }
    this.render();
  }

  disconnectedCallback(): void {
    for (const unbind of this.unbind) unbind();
    this.unbind = [];
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.isConnected || before === after) return;
    if (name === "with") this.connectedCallback();
    else this.render();
  }

  private get peer(): UserId {
    const id = this.getAttribute("with") ?? "";
    return /^(0|[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
  }

  private get language(): string {
    const lang = this.closest<HTMLElement>("[lang]")?.lang || navigator.language;
    return isKorean(lang) ? "ko" : lang || "en";
  }

  private onState(): void {
    if (!this.client?.isConnected) {
      this.update({ ...this.state, isOnline: null });
      return;
    }
    if (!this.isLoaded) void this.load();
  }

  private async load(): Promise<void> {
    await this.fetch();
    this.list.scrollTop = this.list.scrollHeight;
  }

  /** What came meanwhile may be more than a page: begin anew. */
  private async reload(): Promise<void> {
    this.isLoaded = false;
    this.state = { ...this.state, messages: [] };
    await this.load();
  }

  private async loadOlder(): Promise<void> {
    const first = this.state.messages[0];
    if (this.isLoading || !this.state.hasBefore || first === undefined) return;
    const fromEnd = this.list.scrollHeight - this.list.scrollTop;
    await this.fetch(first.id);
    // What was looked at stays where it was.
    this.list.scrollTop = this.list.scrollHeight - fromEnd;
  }

  private async fetch(before?: string): Promise<void> {
    const { peer } = this;
    this.isLoading = true;
    try {
      const token = await this.client?.getToken();
      if (!token) throw new Error("signed out");
      const isFirst = !this.isLoaded;
      const [page, isBlocked] = await Promise.all([
        fetchMessages(peer, token, before),
        isFirst ? fetchIsBlocked(peer, token) : null,
      ]);
      if (peer !== this.peer) return;
      this.isLoaded = true;
      this.problem = null;
      // Events have gone on meanwhile: only what they don't tell is taken from the answers.
      const more = isFirst || before !== undefined ? { hasBefore: page.has_before } : {};
      this.update({ ...chat.merge(this.state, page.messages), ...more, ...(isBlocked === null ? {} : { isBlocked }) });
    } catch (error) {
      this.tell(peer, error instanceof TocsinError && error.code !== "unauthenticated" ? "unreachable" : "signIn");
    } finally {
      this.isLoading = false;
    }
  }

  /** Whoever comes later than the connection has missed who was there. */
  private async look(): Promise<void> {
    const { peer } = this;
    const answer = await this.client?.emitWithAck("chat", "watch", { user_ids: [peer] }).catch(() => null);
    const [seen] =
      (answer as { presence?: { is_online: boolean; last_seen_at: string | null }[] } | null)?.presence ?? [];
    if (seen !== undefined && peer === this.peer)
      this.update({ ...this.state, isOnline: seen.is_online, lastSeenAt: seen.last_seen_at });
  }

  private onKey(event: KeyboardEvent): void {
    // Enter ends what an input method composes; it sends nothing then.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.editing !== null) this.stopEditing();
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (text === "") return;
    const { editing } = this;
    this.input.value = "";
    this.client?.setTyping(this.peer, false);
    if (editing === null) void this.write(text);
    else {
      this.stopEditing();
      void this.ask("edit_message", { message_id: editing.id, message: text });
    }
  }

  private async write(text: string): Promise<void> {
    const { peer } = this;
    const key = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.update(chat.write(this.state, key, text));
    this.list.scrollTop = this.list.scrollHeight;
    try {
      await this.client?.sendMessage(peer, text);
      this.tell(peer, null);
    } catch (error) {
      if (peer !== this.peer) return;
      this.state = chat.fail(this.state, key);
      // By its code: the class of another script is another class.
      this.tell(peer, (error as { code?: string }).code === "forbidden" ? "refused" : null);
    }
  }

  private async sendFile(): Promise<void> {
    const { peer, client } = this;
    const [file] = this.picker.files ?? [];
    if (file === undefined || this.uploads === null) return;
    this.picker.value = "";
    try {
      const attachments = [await this.uploads(file)];
      const client_msg_id = crypto.getRandomValues(new Uint32Array(4)).join("-");
      await client?.emitWithAck("chat", "send_message", { to_user_id: peer, client_msg_id, attachments });
      this.tell(peer, null);
    } catch {
      this.tell(peer, "notAttached");
    }
  }

  private async toggleBlock(): Promise<void> {
    const { peer } = this;
    const isBlocked = !this.state.isBlocked;
    try {
      const token = await this.client?.getToken();
      if (token) await setBlocked(peer, isBlocked, token);
      if (peer !== this.peer) return;
      this.problem = null;
      this.update({ ...this.state, isBlocked });
    } catch {
      this.tell(peer, "unreachable");
    }
  }

  private async ask(event: string, data: object): Promise<void> {
    const { peer } = this;
    try {
      await this.client?.emitWithAck("chat", event, data);
      this.tell(peer, null);
    } catch {
      this.tell(peer, "unreachable");
    }
  }

  /** Say how something ended, unless another conversation is shown by then. */
  private tell(peer: UserId, problem: typeof this.problem): void {
    if (peer !== this.peer) return;
    this.problem = problem;
    this.render();
  }

  private startEditing(message: Message): void {
    this.editing = message;
    this.input.value = message.message;
    this.input.focus();
    this.render();
  }

  private stopEditing(): void {
    this.editing = null;
    this.input.value = "";
    this.input.focus();
    this.render();
  }

  private tellRead(): void {
    const unread = chat.latestUnread(this.state, this.peer);
    if (unread === undefined || unread.id === this.toldRead || document.visibilityState !== "visible") return;
    this.toldRead = unread.id;
    this.client?.emitWithAck("chat", "mark_read", { message_id: unread.id }).catch(() => {
      this.toldRead = "";
    });
  }

  private update(state: Conversation): void {
    if (state === this.state) return;
    this.state = state;
    this.render();
    this.tellRead();
  }

  private render(): void {
    const { state, language: lang } = this;
    const texts = textsOf(lang);
    const name = this.getAttribute("name") ?? String(this.peer);
    this.nameLine.textContent = name;
    this.list.setAttribute("aria-label", texts.chatWith(name));
    this.presence.classList.toggle("online", state.isOnline === true);
    this.presence.textContent = tellPresence(state, texts, lang);
    this.empty.textContent = this.isLoaded ? texts.empty : "";
    this.empty.hidden = state.messages.length + state.pending.length > 0;
    const told = this.problem ?? (this.editing === null ? null : "editing");
    this.status.textContent = tellStatus(state, told, texts, name);
    this.input.placeholder = texts.messageTo(name);
    this.input.setAttribute("aria-label", texts.messageTo(name));
    this.send.textContent = this.editing === null ? texts.send : texts.save;
    this.cancel.textContent = texts.cancel;
    this.block.textContent = state.isBlocked ? texts.unblock : texts.block;
    this.block.hidden = !this.isLoaded;
    this.attach.hidden = this.uploads === null || this.editing !== null;
    this.attach.title = texts.attach;
    this.attach.setAttribute("aria-label", texts.attach);
    this.cancel.hidden = this.editing === null;
    this.renderList(texts);
  }

  private renderList(texts: Texts): void {
    const { state, list, language: lang, peer } = this;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
    const actions = {
      edit: (one: Message) => this.startEditing(one),
      takeBack: (one: Message) => void this.ask("delete_message", { message_id: one.id }),
      again: (one: Pending) => {
        this.state = chat.settle(this.state, one.key);
        void this.write(one.text);
      },
    };
    const drawing = this.rows.begin(this.empty, lang);
    for (const one of state.messages)
      drawing.place(one.id, one, (row) => drawMessage(row, one, { peer, texts, lang, actions }));
    for (const one of state.pending) drawing.place(`… ${one.key}`, one, (row) => drawPending(row, one, texts, actions));
    drawing.end();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
}
