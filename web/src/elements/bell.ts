/**
 * `<tocsin-bell>`: how many notifications are unread, and the inbox behind a press.
 *
 * What opens is a popover: the browser closes it with Escape or a press elsewhere and gives the focus back. Opening
 * tells the server that all has been seen.
 */

import { html, nothing, type TemplateResult } from "lit-html";
import { STYLE as OWN } from "./bell_style.js";
import { icon } from "./icons.js";
import type { TocsinInbox } from "./inbox.js";
import { place } from "./menu.js";
import { STYLE } from "./style.js";
import type { Texts } from "./texts.js";
import { View } from "./view.js";

export class TocsinBell extends View {
  static readonly observedAttributes = ["lang", "category"];

  /** Tells a person's name from an id, for who has taken a notification. */
  nameOf: (id: string) => string = (id) => id;

  private isOpen = false;

  constructor() {
    super(STYLE, OWN);
  }

  /** Open or close the panel. */
  toggle(open = !this.isOpen): void {
    this.panel?.togglePopover(open);
  }

  protected override follow(): (() => void)[] {
    this.upgrade("nameOf");
    const move = () => this.isOpen && this.settle();
    addEventListener("resize", move);
    addEventListener("scroll", move, { capture: true, passive: true });
    return [
      this.store?.subscribe(this.changed) ?? (() => {}),
      () => removeEventListener("resize", move),
      () => removeEventListener("scroll", move, { capture: true }),
    ];
  }

  private get panel(): HTMLElement | null {
    return this.root.querySelector<HTMLElement>("[part=panel]");
  }

  private get button(): HTMLElement | null {
    return this.root.querySelector<HTMLElement>("[part=button]");
  }

  private settle(): void {
    if (this.panel !== null && this.button !== null) place(this.panel, this.button.getBoundingClientRect());
  }

  private onToggle(event: ToggleEvent): void {
    if (event.target !== this.panel) return;
    this.isOpen = event.newState === "open";
    const { panel } = this;
    if (this.isOpen) this.store?.markSeen();
    // What had the focus goes with the panel; a press elsewhere has taken it elsewhere.
    else if (panel?.contains(this.root.activeElement) || document.activeElement === document.body) this.button?.focus();
    this.draw();
    if (!this.isOpen) return;
    this.settle();
    panel?.focus();
  }

  protected override view(texts: Texts): TemplateResult {
    const count = this.store?.snapshot.inbox.unread ?? 0;
    const unread = count > 99 ? "99+" : String(count);
    const category = this.getAttribute("category");
    return html`<button part="button" type="button" popovertarget="panel" aria-haspopup="dialog" aria-expanded=${this.isOpen}
        aria-label="${texts.notifications}, ${texts.unreadCount(unread)}">
        ${icon("bell")}${count === 0 ? nothing : html`<span part="badge" aria-hidden="true">${unread}</span>`}
      </button>
      <span class="unseen" role="status">${texts.unreadCount(unread)}</span>
      <div id="panel" part="panel" popover role="dialog" tabindex="-1" aria-label=${texts.notifications}
        @toggle=${(event: ToggleEvent) => this.onToggle(event)}>
        ${
          this.isOpen
            ? html`<tocsin-inbox part="inbox" exportparts="header, tabs, tab, list, item, day, message, actions" .client=${this.client} .nameOf=${this.nameOf}
                category=${category ?? nothing} @tocsin-open=${(event: Event) => this.onOpen(event)}></tocsin-inbox>`
            : nothing
        }
      </div>`;
  }

  /** Where the page goes on by itself, the panel is in its way. */
  private onOpen(event: Event): void {
    queueMicrotask(() => event.defaultPrevented && this.toggle(false));
  }

  /** The inbox of the open panel. */
  get inbox(): TocsinInbox | null {
    return this.root.querySelector("tocsin-inbox") as TocsinInbox | null;
  }
}
