/**
 * The element that tells of devices: a warning while somebody has to look, and, opened, the devices of both
 * sides and the safety number. All that users and servers name is shown as text.
 */

import { TocsinError } from "../client/problem.js";
import type { KeyChange } from "./contacts.js";
import type { Conversation, ConversationDevices } from "./conversation.js";
import type { Encryption } from "./encryption.js";
import type { DeviceIdentity } from "./machine.js";
import { PANEL_STYLE } from "./panel_style.js";
import { type PanelTexts, panelTexts } from "./panel_texts.js";
import { button, element } from "./parts.js";

export interface PanelOptions {
  readonly name?: string;
  readonly lang?: string;
  readonly onTurnOff?: () => void;
  /** It was opened or closed. */
  readonly onToggle?: () => void;
}

/** What is asked before it is done: `turn off`, or the id of a device that is to be removed. */
type Question = string | null;

export class Panel {
  readonly element = document.createElement("section");
  private readonly root = this.element.attachShadow({ mode: "open" });
  private readonly warning = element("div", { className: "warning" });
  private readonly details = element("div", { className: "details" });
  private texts: PanelTexts = panelTexts("en");
  private name = "";
  private isShown = false;
  private found: (ConversationDevices & { number: string }) | null = null;
  private question: Question = null;
  private problem: "changed" | "unreachable" | null = null;

  constructor(
    private readonly encryption: Encryption,
    private readonly talk: Conversation,
    private readonly options: PanelOptions,
  ) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(PANEL_STYLE);
    this.root.adoptedStyleSheets = [sheet];
    // It is there before it says something: a reader tells what changes in it.
    this.warning.setAttribute("role", "alert");
    this.root.append(this.warning, this.details);
    this.speak(options);
  }

  /** Show devices and the safety number, which are asked for anew then. */
  get isOpen(): boolean {
    return this.isShown;
  }

  set isOpen(isOpen: boolean) {
    this.isShown = isOpen;
    this.question = this.problem = null;
    this.refresh();
    this.options.onToggle?.();
  }

  /** Take another language, or another name of whom it is with. */
  speak({ name, lang }: Pick<PanelOptions, "name" | "lang">): void {
    this.name = name ?? String(this.talk.user_id);
    this.texts = panelTexts(lang ?? "en");
    this.element.setAttribute("aria-label", this.texts.title);
    this.render();
  }

  /** Tell of the devices as they are now. */
  refresh(): void {
    this.render();
    if (this.isShown) void this.look();
  }

  /** Put the focus where somebody has to decide. */
  focus(): void {
    (this.root.querySelector<HTMLElement>(".warning .main") ?? this.root.querySelector("button"))?.focus();
  }

  close(): void {
    this.element.remove();
  }

  private async look(): Promise<void> {
    const [devices, number] = await Promise.all([this.talk.devices(), this.talk.safetyNumber()]).catch(() => []);
    if (devices === undefined || number === undefined) this.problem = "unreachable";
    else this.found = { ...devices, number };
    this.render();
  }

  private async perform(work: () => Promise<unknown>): Promise<void> {
    this.question = null;
    try {
      await work();
      this.problem = null;
    } catch (error) {
      this.problem = error instanceof TocsinError && error.code === "key_changed" ? "changed" : "unreachable";
    }
    this.refresh();
  }

  private render(): void {
    const focused = (this.root.activeElement as HTMLElement | null)?.dataset.key;
    const changes = this.talk.keyChanges;
    this.warning.hidden = changes.length === 0;
    this.warning.replaceChildren(...(changes.length === 0 ? [] : this.tellChanges(changes)));
    this.details.hidden = !this.isShown;
    this.details.replaceChildren(...(this.isShown ? this.tellAll() : []));
    if (focused === undefined) return;
    const buttons = [...this.root.querySelectorAll<HTMLElement>("button")];
    const again = buttons.find((each) => each.dataset.key === focused);
    (again ?? buttons.find((each) => each.dataset.asks !== undefined) ?? buttons[0])?.focus();
  }

  private tellChanges(changes: readonly KeyChange[]): Node[] {
    const { texts } = this;
    const told = changes.flatMap((change) => {
      const isOwn = change.user_id !== String(this.talk.user_id);
      return [
        element("p", { className: "title" }, `⚠ ${isOwn ? texts.newOwn : texts.newTheirs(this.name)}`),
        element("p", {}, isOwn ? texts.heldOwn : texts.held),
        ...(change.wasVerified ? [element("p", { className: "title" }, texts.numberChanged)] : []),
        element("ul", {}, ...change.added.map((each) => this.device(each, isOwn))),
      ];
    });
    const look = button("look", texts.look, () => {
      this.isOpen = true;
    });
    look.hidden = this.isShown;
    const accept = button("accept", texts.accept, () => void this.perform(() => this.talk.accept()), "main");
    return [...told, element("div", { className: "row" }, accept, look)];
  }

  private tellAll(): Node[] {
    const { texts, found, name } = this;
    const isVerified = this.talk.isVerified;
    const problem = element("p", { className: "title" }, this.problem === null ? "" : texts[this.problem]);
    problem.setAttribute("role", "status");
    const state = isVerified
      ? element("p", { className: "good" }, `✓ ${texts.verified}`)
      : element("p", {}, texts.unverified);
    if (found === null) return [element("p", { className: "title" }, `🔒 ${texts.title}`), problem];
    const number =
      found.theirs.length === 0
        ? [element("p", {}, texts.alone(name))]
        : [state, ...this.tellNumber(found.number, isVerified)];
    return [
      element("p", { className: "title" }, `🔒 ${texts.title}`),
      problem,
      ...number,
      ...this.list(texts.yours, found.own, true),
      ...this.list(texts.theirs(name), found.theirs, false),
      ...(this.options.onTurnOff === undefined ? [] : this.tellOff(this.options.onTurnOff)),
    ];
  }

  private tellNumber(number: string, isVerified: boolean): Node[] {
    const { texts } = this;
    const groups = number.split(" ").flatMap((group) => [element("span", {}, group), " "]);
    const digits = element("p", { className: "number" }, ...groups);
    const match = button("match", texts.match, () => void this.perform(() => this.talk.verify(number)), "main");
    return [
      element("p", { className: "title" }, texts.number),
      element("p", { className: "muted" }, texts.compare(this.name)),
      digits,
      ...(isVerified ? [] : [element("p", { className: "row" }, match)]),
    ];
  }

  private list(title: string, devices: readonly DeviceIdentity[], isOwn: boolean): Node[] {
    if (devices.length === 0) return [];
    const list = element("ul", {}, ...devices.map((each) => this.device(each, isOwn)));
    list.setAttribute("aria-label", title);
    return [element("p", { className: "title" }, title), list];
  }

  private device(one: DeviceIdentity, isOwn: boolean): Node {
    const { texts, encryption } = this;
    const { device_id: id, device_name, fingerprint } = one;
    const isHere = isOwn && id === encryption.deviceId && fingerprint === encryption.fingerprint;
    const isNew = this.talk.keyChanges.some(({ added }) => added.some((each) => each.device_id === id));
    const mark = isHere ? texts.here : isNew ? texts.unseen : one.isVerified ? texts.compared : "";
    const key = element("span", { className: "key" }, `${texts.key} ${fingerprint.match(/.{1,4}/g)?.join(" ") ?? ""}`);
    const row = element(
      "li",
      {},
      device_name ?? "",
      element("span", { className: "muted" }, ` ${id}`),
      element("span", { className: mark === texts.compared ? "mark good" : "mark" }, mark),
      key,
    );
    if (isOwn && !isHere) row.append(...this.removal(id, device_name ?? id));
    return row;
  }

  private removal(id: string, name: string): Node[] {
    const { texts } = this;
    if (this.question !== id) return [this.asks(id, texts.remove, `${texts.remove}: ${name}`)];
    return this.ask(texts.removeAsk(name), texts.remove, texts.keep, () =>
      this.perform(() => this.encryption.removeDevice(id)),
    );
  }

  private tellOff(turnOff: () => void): Node[] {
    const { texts } = this;
    if (this.question !== "turn off") return [this.asks("turn off", texts.turnOff, texts.turnOff)];
    return this.ask(texts.turnOffAsk, texts.turnOffYes, texts.turnOffNo, async () => turnOff());
  }

  private asks(question: string, label: string, name: string): Node {
    const made = button(question, label, () => this.put(question), "link");
    made.setAttribute("aria-label", name);
    return made;
  }

  private ask(text: string, yes: string, no: string, perform: () => Promise<void>): Node[] {
    const refuse = button("no", no, () => this.put(null));
    refuse.dataset.asks = "";
    const agree = button("yes", yes, () => void perform());
    const question = element("p", { className: "title" }, text);
    question.setAttribute("role", "alert");
    return [question, element("p", { className: "row" }, refuse, agree)];
  }

  private put(question: Question): void {
    this.question = question;
    this.render();
  }
}
