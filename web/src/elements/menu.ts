/** The menu that asks until when to snooze; the browser closes it. */

import { html, type TemplateResult } from "lit-html";
import type { Texts } from "./texts.js";
import { moment, snoozeTimes } from "./time.js";

const EDGE_PX = 8;

export class SnoozeMenu {
  private choose: (until: Date) => void = () => {};
  private row: HTMLElement | null = null;

  view(texts: Texts, lang: string, now: number): TemplateResult {
    return html`<div class="menu" part="menu" role="menu" popover aria-label=${texts.snooze} @keydown=${onKey} @toggle=${(event: ToggleEvent) => this.onToggle(event)}>
      ${snoozeTimes(new Date(now)).map(
        ({
          name,
          at,
        }) => html`<button type="button" role="menuitem" tabindex="-1" @click=${(event: Event) => this.chosen(event, at)}>
          <span>${texts[name]}</span><small>${moment(at, now, lang)}</small></button>`,
      )}
    </div>`;
  }

  /** Ask beside an element of the same root. */
  open(anchor: HTMLElement, choose: (until: Date) => void): void {
    const menu = (anchor.getRootNode() as ShadowRoot).querySelector<HTMLElement>(".menu");
    if (menu === null) return;
    this.choose = choose;
    this.row = anchor.closest("article");
    menu.showPopover();
    place(menu, anchor.getBoundingClientRect());
    menu.querySelector("button")?.focus();
  }

  private chosen(event: Event, at: Date): void {
    (event.currentTarget as HTMLElement).closest<HTMLElement>(".menu")?.hidePopover();
    this.row?.focus();
    this.choose(at);
  }

  /** In another popover the browser does not give the focus back. */
  private onToggle({ newState, target }: ToggleEvent): void {
    const menu = target as HTMLElement;
    const { activeElement: focused } = menu.getRootNode() as ShadowRoot;
    if (newState === "closed" && (focused === null || menu.contains(focused))) this.row?.focus();
  }
}

/** Put a box below something, or above it where there is more room, and never out of the window. */
export function place(box: HTMLElement, anchor: DOMRect): void {
  const { width, height } = box.getBoundingClientRect();
  const left = Math.max(EDGE_PX, Math.min(anchor.right - width, innerWidth - width - EDGE_PX));
  const isBelow = anchor.bottom + height + EDGE_PX <= innerHeight || anchor.top < height;
  const top = isBelow
    ? Math.min(anchor.bottom + EDGE_PX, innerHeight - height - EDGE_PX)
    : anchor.top - height - EDGE_PX;
  box.style.left = `${left}px`;
  box.style.top = `${Math.max(EDGE_PX, top)}px`;
}

/** Move among the items of a menu or the tabs of a list by the arrow keys. */
export function onKey(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  event.stopPropagation();
  if (step === undefined) return;
  event.preventDefault();
  const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button")];
  const at = items.indexOf(event.target as HTMLElement);
  items[(at + step + items.length) % items.length]?.focus();
}
