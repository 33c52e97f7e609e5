/**
 * `<tocsin-toasts>`: what has just come, for a few seconds, and its sound.
 *
 * At most three at a time; they wait while pointed at or focused, an urgent one until it is closed. A toast goes when its
 * notification is read, put away or taken back, here or on another device. Attribute `seconds`; property `sounds` maps
 * names to URLs. Says `tocsin-open` as the inbox does.
 */

import { html, nothing, type TemplateResult } from "lit-html";
import { isExpired, isUnread, linkOf, type Notification } from "../inbox/notification.js";
import type { Arrival } from "../inbox/store.js";
import { avatar } from "./card.js";
import { icon } from "./icons.js";
import { Keyed } from "./keyed.js";
import { ring } from "./sound.js";
import { STYLE } from "./style.js";
import { type Texts, textsOf } from "./texts.js";
import { STYLE as OWN } from "./toasts_style.js";
import { View } from "./view.js";

interface Toast {
  one: Notification;
  /** The store has had it: where it is no more, it was taken back. */
  isKnown: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const MOST = 3;
const SECONDS = 6;

export class TocsinToasts extends View {
  static readonly observedAttributes = ["lang", "seconds"];

  /** URLs of the sounds that a notification may name; `default` replaces the chime. */
  sounds: Readonly<Record<string, string>> = {};

  /** Newest last. */
  private toasts: Toast[] = [];
  private isHeld = false;
  /** What interrupts, and what waits until a screen reader has time. */
  private readonly regions = [new Keyed(), new Keyed()] as const;

  constructor() {
    super(STYLE, OWN);
    for (const begin of ["pointerenter", "focusin"]) this.addEventListener(begin, () => this.hold(true));
    for (const end of ["pointerleave", "focusout"])
      this.addEventListener(end, () => this.hold(this.matches(":focus-within")));
  }

  protected override follow(): (() => void)[] {
    this.upgrade("sounds");
    const { store } = this;
    if (store === undefined) return [];
    return [
      store.subscribe(() => this.look()),
      store.onArrival((arrival) => this.arrive(arrival)),
      () => {
        for (const toast of this.toasts) clearTimeout(toast.timer);
        this.toasts = [];
      },
    ];
  }

  private arrive({ notification: one, seq, toast, sound }: Arrival): void {
    if (sound !== null) void ring(`${one.id} ${seq}`, sound, this.sounds);
    if (!toast) return;
    this.close(one.id);
    const isKnown = this.store?.snapshot.inbox.items.has(one.id) ?? false;
    const shown: Toast = { one, isKnown, timer: undefined };
    this.toasts.push(shown);
    this.wait(shown);
    for (const old of this.toasts.slice(0, -MOST)) this.close(old.one.id);
    this.changed();
  }

  /** Take away what is not news any more. */
  private look(): void {
    const { items } = this.store?.snapshot.inbox ?? { items: new Map<string, Notification>() };
    for (const toast of [...this.toasts]) {
      const one = items.get(toast.one.id);
      if (one === undefined ? toast.isKnown : !isUnread(one) || isExpired(one, Date.now())) this.close(toast.one.id);
      toast.isKnown ||= one !== undefined;
      toast.one = one ?? toast.one;
    }
    this.changed();
  }

  private close(id: string): void {
    const toast = this.toasts.find(({ one }) => one.id === id);
    if (toast === undefined) return;
    clearTimeout(toast.timer);
    this.toasts = this.toasts.filter((each) => each !== toast);
    this.changed();
  }

  private wait(toast: Toast): void {
    clearTimeout(toast.timer);
    const seconds = Number(this.getAttribute("seconds")) || SECONDS;
    if (this.isHeld || toast.one.priority === "urgent") return;
    toast.timer = setTimeout(() => this.close(toast.one.id), seconds * 1_000);
  }

  private hold(isHeld: boolean): void {
    if (isHeld === this.isHeld) return;
    this.isHeld = isHeld;
    for (const toast of this.toasts) {
      if (isHeld) clearTimeout(toast.timer);
      else this.wait(toast);
    }
  }

  private open(one: Notification, event: MouseEvent): void {
    this.lead(one, event);
    this.close(one.id);
  }

  protected override view(texts: Texts): TemplateResult {
    // Both regions are there before what they tell.
    return html`<section part="toasts" aria-label=${texts.newOnes}>
      <div aria-live="assertive"></div>
      <div aria-live="polite"></div>
    </section>`;
  }

  protected override draw(): void {
    super.draw();
    const texts = textsOf(this.language);
    const all = this.toasts.map(({ one }) => one);
    for (const [index, rows] of this.regions.entries()) {
      const region = this.root.querySelectorAll("[aria-live]")[index] ?? null;
      const shown = all.filter((one) => (one.priority === "urgent") === (index === 0));
      rows.draw(region, null, shown, (one) => this.toastView(texts, one));
    }
  }

  private toastView(texts: Texts, one: Notification): TemplateResult {
    return html`<div class="toast" part="toast" data-id=${one.id}>
      ${avatar(one)}
      <div class="body">
        <div class="title" dir="auto">${one.priority === "urgent" ? html`<span class="unseen">${texts.urgent}: </span>` : nothing}
          <a href=${linkOf(one) ?? "#"} @click=${(event: MouseEvent) => this.open(one, event)}>${one.title}</a></div>
        <p dir="auto">${one.message}</p>
      </div>
      <button class="quiet" type="button" aria-label="${texts.dismiss}: ${one.title}" title=${texts.dismiss}
        @click=${() => this.close(one.id)}>${icon("close")}</button>
    </div>`;
  }
}
