/**
 * `<tocsin-chat with="8" name="Mina">`: the conversation with one user.
 *
 * The class alone; `/js/chat.js` defines the element. Its style goes by parts (`head`, `name`, `presence`, `lock`, `block`,
 * `encryption`, `messages`, `message`, `own`, `notice`, `status`) and custom properties (`--tocsin-chat-…`), and is a constructed sheet: a page's policy
 * needs no `unsafe-inline`.
 */

import { Patience } from "../client/patience.js";
import { TocsinError } from "../client/problem.js";
import { fetchIsBlocked, fetchMessages, fetchPresence, isStill, ownerOf, setBlocked } from "./api.js";
import { takeEarly } from "./early.js";
import { Frame } from "./frame.js";
import type { ChatClient, Upload } from "./host.js";
import { drawList, NEAR_PX } from "./list.js";
import { Rows } from "./rows.js";
import { drawLock, Sealing } from "./sealing.js";
import type { Conversation, Message, Pending, UserId } from "./state.js";
import * as chat from "./state.js";
import { isKorean, type Texts, tellStatus, textsOf } from "./texts.js";

export type { ChatClient, Upload };

// A framework may import this where there is no page.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** Shows the conversation of `client`, or of `window.ws`, with the user named by the attribute `with`. */
export class TocsinChat extends Base {
  static readonly observedAttributes = ["with", "name", "lang"];

  private readonly frame = new Frame(this.attachShadow({ mode: "open" }));
  private readonly rows = new Rows();
  private readonly patience = new Patience();
  private own: ChatClient | undefined;
  private uploads: Upload | null = null;
  private sealing: Sealing | null = null;
  /** Resolves when it is known whether what is written is to be encrypted. */
  private ready = Promise.resolve();
  private isReady = () => {};
  private state: Conversation = chat.EMPTY;
  private editing: Message | null = null;
  private problem: keyof Texts | null = null;
  /** Counts beginnings: what was asked for before one is not taken after it. */
  private session = 0;
  /** Whose conversation it is, as the token says; null before it is known. */
  private owner: string | null = null;
  private isLoading = false;
  private isEarly = false;
  private isLoaded = false;
  private toldRead = "";
  private unbind: (() => void)[] = [];

  constructor() {
    super();
    const { frame } = this;
    frame.list.addEventListener("scroll", () => frame.list.scrollTop < NEAR_PX && void this.loadOlder());
    frame.input.addEventListener("input", () => this.client?.setTyping(this.peer, frame.input.value !== ""));
    frame.input.addEventListener("blur", () => this.client?.setTyping(this.peer, false));
    frame.input.addEventListener("keydown", (event) => this.onKey(event));
    frame.cancel.addEventListener("click", () => this.edit(null));
    frame.block.addEventListener("click", () => void this.toggleBlock());
    frame.lock.addEventListener("click", () => this.sealing?.press());
    frame.encrypt.addEventListener("click", () => void this.sealing?.turnOn());
    frame.writeClear.addEventListener("click", () => this.sealing?.turnOff());
    frame.picker.addEventListener("change", () => void this.sendFile());
    frame.form.addEventListener("submit", (event) => this.submit(event));
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
    const early = takeEarly<{ client: ChatClient; upload: Upload }>(this, ["client", "upload"]);
    this.own = early.client ?? this.own;
    this.uploads = early.upload ?? this.uploads;
    const { client } = this;
    this.state = chat.EMPTY;
    this.owner = null;
    this.isLoaded = false;
    this.toldRead = "";
    // What was begun for one is not sent to another.
    this.editing = null;
    this.problem = null;
    this.frame.input.value = "";
    if (client !== undefined && this.getAttribute("with")) {
      const tellRead = () => this.tellRead();
      const words = () => ({ name: this.getAttribute("name") ?? String(this.peer), lang: this.language });
      const sealing = new Sealing(client, this.peer, words, () => this.render());
      this.sealing = sealing;
      document.addEventListener("visibilitychange", tellRead);
      this.unbind = [
        ...chat.EVENTS.map((event) =>
          client.on("chat", event, (data) =>
            this.update(chat.apply(this.state, event, data as chat.Payload, this.peer)),
          ),
        ),
        client.on("*", "resync", ({ namespace }) => void (namespace === "chat" && this.reload())),
        client.on("*", "state", () => this.onState()),
        client.on("*", "sync", ({ namespace }) => void (namespace === "chat" && this.look())),
        () => document.removeEventListener("visibilitychange", tellRead),
        () => sealing.end(),
      ];
      this.ready = new Promise((resolve) => {
        this.isReady = resolve;
      });
      this.isEarly = false;
      void this.look();
      void this.load();
    }
    this.render();
  }

  disconnectedCallback(): void {
    for (const unbind of this.unbind) unbind();
    this.unbind = [];
    this.session += 1;
    this.patience.end();
    this.isLoading = false;
    this.sealing = null;
    this.frame.encryption.replaceChildren();
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
    if (this.client?.isConnected) void this.identify();
    else this.update({ ...this.state, isOnline: null });
  }

  /** Begin anew where somebody else has signed in, and load what could not be loaded. */
  private async identify(): Promise<void> {
    const { session } = this;
    const isSame = await isStill(this.client, this.owner);
    if (session !== this.session) return;
    if (!isSame) return this.connectedCallback();
    if (!this.isLoaded) void this.load();
    this.sealing?.comeBack();
  }

  private async load(): Promise<void> {
    await this.fetch();
    this.frame.list.scrollTop = this.frame.list.scrollHeight;
  }

  /** What came meanwhile may be more than a page: begin anew. */
  private async reload(): Promise<void> {
    this.session += 1;
    this.isLoaded = false;
    this.state = { ...this.state, messages: [] };
    await this.load();
  }

  private async loadOlder(): Promise<void> {
    const first = this.state.messages[0];
    if (this.isLoading || !this.state.hasBefore || first === undefined) return;
    const fromEnd = this.frame.list.scrollHeight - this.frame.list.scrollTop;
    await this.fetch(first.id);
    this.frame.list.scrollTop = this.frame.list.scrollHeight - fromEnd;
  }

  private async fetch(before?: string): Promise<void> {
    const { peer, client, sealing, isReady, session } = this;
    this.isLoading = true;
    this.isEarly ||= !client?.isConnected;
    try {
      const token = await client?.getToken();
      if (session !== this.session) return;
      if (!token) throw new Error();
      this.owner ??= ownerOf(token);
      if (ownerOf(token) !== this.owner) return this.connectedCallback();
      sealing?.begin(token);
      if (sealing?.isChosen) isReady();
      const isFirst = !this.isLoaded;
      const { isBlocked: known } = this.state;
      const server = { origin: client?.origin, token };
      const [page, isBlocked] = await Promise.all([
        fetchMessages(server, peer, before),
        isFirst ? fetchIsBlocked(server, peer) : known,
      ]);
      sealing?.find(page.messages);
      if (session !== this.session) {
        // What was written here waits for this, and goes though another conversation is shown by now.
        if (await isStill(client, ownerOf(token))) isReady();
        return;
      }
      this.isLoaded = true;
      this.patience.end();
      this.problem = null;
      // Events have gone on meanwhile: only what they don't tell is taken from the answers.
      const more = isFirst || before !== undefined ? { hasBefore: page.has_before } : {};
      const block = this.state.isBlocked === known ? { isBlocked } : {};
      this.update({ ...chat.merge(this.state, page.messages), ...more, ...block });
      isReady();
    } catch (error) {
      if (session !== this.session) return;
      this.tell(peer, error instanceof TocsinError && error.code !== "unauthenticated" ? "unreachable" : "signIn");
      this.patience.wait(error, () => void (this.isLoaded ? this.loadOlder() : this.load()));
    } finally {
      if (session === this.session) this.isLoading = false;
    }
  }

  /** Whoever comes later than the connection has missed who was there; earlier, what was said before it. */
  private async look(): Promise<void> {
    const { peer, isEarly } = this;
    this.isEarly = false;
    if (isEarly) void this.load();
    const seen = this.client ? await fetchPresence(this.client, peer) : null;
    if (seen !== null && peer === this.peer) this.update({ ...this.state, ...seen });
  }

  private onKey(event: KeyboardEvent): void {
    // Enter ends what an input method composes; it sends nothing then.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) this.submit(event);
    else if (event.key === "Escape" && this.editing !== null) this.edit(null);
  }

  private submit(event: Event): void {
    event.preventDefault();
    const text = this.frame.input.value.trim();
    if (text === "") return;
    if (this.sealing?.mustChoose) {
      this.frame.encrypt.focus();
      return;
    }
    if (this.sealing?.isHeld) {
      this.sealing.panel?.focus();
      this.tell(this.peer, "held");
      return;
    }
    const { editing } = this;
    this.frame.input.value = "";
    this.client?.setTyping(this.peer, false);
    if (editing === null) void this.write(text);
    else {
      this.edit(null);
      void this.change(editing, text);
    }
  }

  private async change(message: Message, text: string): Promise<void> {
    const { sealing, session } = this;
    const isDone = await (message.ciphertext === undefined
      ? this.ask("edit_message", { message_id: message.id, message: text })
      : // The unchanged message holds what it was made of; why it failed is told by the lock.
        this.attempt(null, async () => sealing?.edit(message, text)));
    // What was written is not lost.
    if (!isDone && session === this.session && this.frame.input.value === "") this.edit(message, text);
  }

  private async write(text: string): Promise<void> {
    const { peer, client, sealing, ready } = this;
    const key = chat.newKey();
    this.update(chat.write(this.state, key, text));
    this.frame.list.scrollTop = this.frame.list.scrollHeight;
    try {
      await ready;
      if (!(await sealing?.send(key, text))) {
        const sent = await client?.sendMessage(peer, text);
        if (sent) this.update(chat.store(this.state, key, sent.id));
      }
      this.tell(peer, null);
    } catch (error) {
      if (peer !== this.peer) return;
      const { code } = error as { code?: string };
      // What one user wrote is not for another to send again.
      this.state = (code === "user_changed" ? chat.settle : chat.fail)(this.state, key);
      this.tell(peer, code === "forbidden" ? "refused" : null);
    }
  }

  private async sendFile(): Promise<void> {
    const { peer, client, sealing, ready, owner } = this;
    const [file] = this.frame.picker.files ?? [];
    const { uploads } = this;
    if (file === undefined || uploads === null) return;
    this.frame.picker.value = "";
    await this.attempt("notAttached", async () => {
      const attachments = [await uploads(file)];
      const client_msg_id = chat.newKey();
      await ready;
      if (!(await isStill(client, owner))) return;
      if (!(await sealing?.send(client_msg_id, "", attachments)))
        await client?.emitWithAck("chat", "send_message", { to_user_id: peer, client_msg_id, attachments });
    });
  }

  private async toggleBlock(): Promise<void> {
    const { peer } = this;
    const isBlocked = !this.state.isBlocked;
    await this.attempt("notDone", async () => {
      const token = (await this.client?.getToken()) ?? "";
      await setBlocked({ origin: this.client?.origin, token }, peer, isBlocked);
      if (peer === this.peer) this.update({ ...this.state, isBlocked });
    });
  }

  private ask(event: string, data: object): Promise<boolean> {
    return this.attempt("notDone", async () => this.client?.emitWithAck("chat", event, data));
  }

  private async attempt(problem: typeof this.problem, work: () => Promise<unknown>): Promise<boolean> {
    const { peer } = this;
    try {
      await work();
      this.tell(peer, null);
      return true;
    } catch {
      this.tell(peer, problem);
      return false;
    }
  }

  /** Say how something ended, unless another conversation is shown by then. */
  private tell(peer: UserId, problem: typeof this.problem): void {
    if (peer !== this.peer) return;
    this.problem = problem;
    this.render();
  }

  /** Begin to change a message, or end it. */
  private edit(message: Message | null, text = message?.message ?? ""): void {
    this.editing = message;
    this.frame.input.value = text;
    this.frame.input.focus();
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
    const told = this.problem ?? (this.editing && "editing");
    const sealed = this.sealing === null ? "" : drawLock(this.frame, this.sealing, state.messages, texts);
    const problem = sealed || (told ? String(texts[told]) : "");
    this.frame.status.textContent = tellStatus(state, problem, texts, name);
    const { isLoaded, uploads, editing } = this;
    this.frame.show(state, { texts, lang, name, isLoaded, isEditing: editing !== null, takesFiles: uploads !== null });
    const actions = {
      edit: (one: Message) => this.edit(one),
      takeBack: (one: Message) => void this.ask("delete_message", { message_id: one.id }),
      again: async (one: Pending) => {
        // Somebody else may have signed in, and this is about to go; or it has gone.
        if (!(await isStill(this.client, this.owner)) || !this.state.pending.includes(one)) return;
        this.state = chat.settle(this.state, one.key);
        void this.write(one.text);
      },
    };
    drawList(this.frame, this.rows, state, this.sealing, { peer: this.peer, texts, lang, actions });
  }
}
