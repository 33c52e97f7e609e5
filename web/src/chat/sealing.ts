/**
 * Whether one conversation is encrypted, and its encryption, which is loaded when it is on and not before.
 *
 * Nothing is sent in clear by itself: not while it is on and can't work, nor before somebody was asked where
 * encrypted messages stand in the conversation.
 */

import { findSubject } from "../client/token.js";
import type { ChatClient } from "../e2ee/encryption.js";
import type { SealedChat } from "../e2ee/sealed_chat.js";
import type { StoredMessage } from "../e2ee/server.js";
import { type Choice, findChoice, saveChoice } from "./choice.js";
import type { Frame } from "./frame.js";
import { type Attachment, type Message, SEAL, type UserId } from "./state.js";
import { type Texts, textsOf } from "./texts.js";

/** The build puts the address of the script that is loaded in its place. */
const load = () => import("../e2ee/index.js");
type Module = Awaited<ReturnType<typeof load>>;

export interface Words {
  readonly name: string;
  readonly lang: string;
}

export class Sealing {
  /** Why it does not work, in words; empty while it does, or is not wanted. */
  problem = "";
  /** What somebody can do about it, if there is something. */
  remedy: HTMLElement | null = null;
  /** Others have encrypted here. */
  private isFound = false;
  private choice: Choice = null;
  private own = "";
  private module: Module | null = null;
  private chat: SealedChat | null = null;
  private opening: Promise<SealedChat> | null = null;
  private isOver = false;
  private spoken = "";
  private views = new WeakMap<Message, { key: string; view: Message }>();

  constructor(
    private readonly client: ChatClient & { readonly origin?: string },
    private readonly peer: UserId,
    private readonly words: () => Words,
    private readonly onChange: () => void,
  ) {}

  /** Find out what the token's user has chosen here before; what was on is loaded again. */
  begin(token: string): void {
    if (this.own !== "" || this.isOver) return;
    this.own = findSubject(token) ?? "";
    this.choice ??= findChoice(this.own, this.peer);
    if (this.choice === "on" || this.choice === "read") this.open().catch(() => {});
  }

  /** Nothing more is told, shown or sent. */
  end(): void {
    this.isOver = true;
    this.chat?.close();
  }

  /** What is written is encrypted, or not sent. */
  get isOn(): boolean {
    return this.choice === "on";
  }

  /** Whether somebody has chosen, here and in this conversation. */
  get isChosen(): boolean {
    return this.choice !== null;
  }

  /** Others have encrypted here, and nobody has said how this browser goes on: nothing is sent in clear by itself. */
  get mustChoose(): boolean {
    return this.isFound && this.choice === null;
  }

  /** Look whether there is anything encrypted among what was said here. */
  find(messages: readonly Message[]): void {
    this.isFound ||= messages.some((one) => one.ciphertext !== undefined);
  }

  get isOpening(): boolean {
    return this.opening !== null && this.chat === null;
  }

  /** The element of devices and warnings; null until it is loaded. */
  get panel(): SealedChat["panel"] | null {
    return this.chat?.panel ?? null;
  }

  /** A device is new: nothing is sent before somebody has looked. */
  get isHeld(): boolean {
    return this.isOn && this.chat?.isHeld === true;
  }

  /** Encrypt from now on; remembered once it works here. */
  async turnOn(): Promise<void> {
    const before = this.choice;
    this.choice = "on";
    try {
      await this.open();
      saveChoice(this.own, this.peer, "on");
    } catch {
      this.choice = before;
    }
    this.onChange();
  }

  /** The lock: turn it on, or show what there is to know. */
  press(): void {
    if (!this.isOn) void this.turnOn();
    else if (this.panel === null) this.comeBack();
    else this.panel.isOpen = !this.panel.isOpen;
    this.onChange();
  }

  /** Write in clear from now on: somebody was asked. */
  turnOff(): void {
    this.choice = this.chat === null ? "off" : "read";
    saveChoice(this.own, this.peer, this.choice);
    this.problem = "";
    this.remedy = null;
    if (this.panel !== null) this.panel.isOpen = false;
    this.onChange();
  }

  /** The connection is back: what could not be loaded is tried again. */
  comeBack(): void {
    if (this.isOn && this.opening === null) this.open().catch(() => {});
  }

  /**
   * Send it encrypted; false where it may be sent in clear.
   *
   * Rejects with what `SealedChat.send` rejects with, with what keeps encryption from working, or before anybody has
   * said how to go on.
   */
  async send(id: string, text: string, attachments: readonly Attachment[] = []): Promise<boolean> {
    const { isOn } = this;
    if (this.mustChoose) throw new Error();
    if (isOn)
      await this.perform(async (chat) => {
        const links = attachments.map(({ url, name }) => (name === undefined ? { url } : { url, name }));
        await chat.send(text, { id, attachments: links });
      });
    return isOn;
  }

  async edit(message: Message, text: string): Promise<void> {
    await this.perform((chat) => chat.edit(stored(message), text));
  }

  /** A message as it is shown; the same object while it is shown alike. */
  view(one: Message): Message {
    if (one.deleted_at !== undefined) return one;
    if (one.ciphertext === undefined)
      return this.isOn ? this.keep(one, "clear", () => ({ ...one, isClear: true })) : one;
    const shown = this.chat?.find(stored(one)) ?? null;
    if (shown === null || this.module === null) return one;
    const { state, text, reason, attachments, isFromKnownDevice } = shown;
    const note = reason === null ? "" : this.module.explain(reason, this.words().lang);
    const seal = { isOpen: state === "encrypted", note, isFromKnownDevice };
    const key = JSON.stringify([seal, text, attachments]);
    return this.keep(one, key, () => ({ ...one, message: text ?? "", attachments, [SEAL]: seal }));
  }

  private keep(one: Message, key: string, make: () => Message): Message {
    const known = this.views.get(one);
    if (known?.key === key) return known.view;
    const view = make();
    this.views.set(one, { key, view });
    return view;
  }

  /** Take another language, or another name. */
  speak(): void {
    const words = this.words();
    const spoken = JSON.stringify(words);
    if (spoken === this.spoken || this.chat === null) return;
    this.spoken = spoken;
    this.chat.panel.speak(words);
  }

  private async perform(work: (chat: SealedChat) => Promise<void>): Promise<void> {
    try {
      await work(await this.open());
      this.problem = "";
    } catch (error) {
      this.explain(error);
      throw error;
    } finally {
      if (!this.isOver) this.onChange();
    }
  }

  private open(): Promise<SealedChat> {
    if (this.opening !== null) return this.opening;
    const opening = this.make();
    this.opening = opening;
    opening
      .then(
        (chat) => {
          this.chat = chat;
          this.problem = "";
          if (this.isOver) chat.close();
        },
        (error) => {
          this.opening = null;
          this.explain(error);
        },
      )
      .finally(() => this.isOver || this.onChange());
    return opening;
  }

  private async make(): Promise<SealedChat> {
    this.problem = "";
    this.remedy = null;
    this.onChange();
    this.module = await load();
    return await this.module.openSealedChat(this.client, this.peer, {
      url: this.client.origin,
      ...this.words(),
      onChange: () => this.changed(),
      onTurnOff: () => this.turnOff(),
      onWait: () => {
        this.explain({ code: "in_use" });
        this.onChange();
      },
    });
  }

  private changed(): void {
    if (this.chat?.problem) this.explain(null);
    this.onChange();
  }

  private explain(error: unknown): void {
    const code = this.chat?.problem ?? (error as { code?: string } | null)?.code ?? "";
    const onDone = () => void this.turnOn();
    this.remedy =
      this.module?.remedyFor(code, this.client, { url: this.client.origin, lang: this.words().lang, onDone }) ?? null;
    // What blocks or rules of the chat refuse, the chat has words for.
    const { lang } = this.words();
    this.problem = code === "forbidden" ? "" : (this.module?.explainFailure(code, lang) ?? textsOf(lang).notLoaded);
  }
}

/** Show how the conversation stands to encryption; returns what the status line has to say of it. */
export function drawLock(frame: Frame, sealing: Sealing, messages: readonly Message[], texts: Texts): string {
  sealing.find(messages);
  const { panel, isOn, isOpening, mustChoose } = sealing;
  const { lock, notice, encryption } = frame;
  lock.textContent = isOn ? texts.lockOn : texts.lockOff;
  lock.title = isOn ? texts.lockOnName : texts.lockOffName;
  lock.hidden = mustChoose;
  if (isOn && panel !== null) lock.setAttribute("aria-expanded", String(panel.isOpen));
  else lock.removeAttribute("aria-expanded");
  const isStuck = isOn && !isOpening && panel === null;
  notice.hidden = !mustChoose && !isStuck;
  const shown = sealing.remedy ?? (isOn ? (panel?.element ?? null) : null);
  encryption.hidden = shown === null;
  encryption.classList.toggle("open", isOn && panel?.isOpen === true);
  if (shown !== null && shown.parentNode !== encryption) encryption.replaceChildren(shown);
  sealing.speak();
  if (sealing.problem !== "") return sealing.problem;
  return isOn && isOpening ? texts.opening : "";
}

function stored(message: Message): StoredMessage {
  return message as unknown as StoredMessage;
}
