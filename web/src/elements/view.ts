/** What the elements have in common: a client, a language, a style, and one drawing for all that a burst brings. */

import { render, type TemplateResult } from "lit-html";
import { isUnread, linkOf, type Notification } from "../inbox/notification.js";
import { type InboxClient, type InboxStore, storeOf } from "../inbox/store.js";
import { type Texts, textsOf } from "./texts.js";

// A framework may import this where there is no page.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** An element that shows what a client brings: `client`, or `window.ws`. */
export abstract class View extends Base {
  protected readonly root: ShadowRoot;
  private own: InboxClient | undefined;
  private isScheduled = false;
  private unbind: (() => void)[] = [];

  constructor(...styles: readonly string[]) {
    super();
    this.root = this.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = styles.map((style) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      return sheet;
    });
  }

  get client(): InboxClient | undefined {
    return this.own ?? (globalThis as { ws?: InboxClient }).ws;
  }

  set client(client: InboxClient | undefined) {
    this.own = client;
    if (this.isConnected) this.connectedCallback();
  }

  connectedCallback(): void {
    this.disconnectedCallback();
    this.upgrade("client");
    const { client } = this;
    if (client !== undefined) this.unbind.push(...this.follow(client));
    this.draw();
  }

  disconnectedCallback(): void {
    for (const unbind of this.unbind) unbind();
    this.unbind = [];
  }

  attributeChangedCallback(_: string, before: string | null, after: string | null): void {
    if (before !== after) this.changed();
  }

  /** Draw soon. */
  readonly changed = (): void => {
    if (this.isScheduled || !this.isConnected) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      if (this.isConnected) this.draw();
    });
  };

  /** Listen to a client; returns what ends it. */
  protected abstract follow(client: InboxClient): (() => void)[];

  protected abstract view(texts: Texts): TemplateResult;

  protected draw(): void {
    render(this.view(textsOf(this.language)), this.root, { host: this });
  }

  protected get store(): InboxStore | undefined {
    return this.client && storeOf(this.client);
  }

  /** The nearest `lang` up to the page's, over the bounds of other elements. */
  protected get language(): string {
    for (let at: Element | null = this; at !== null; ) {
      const found = at.closest<HTMLElement>("[lang]")?.lang;
      if (found) return found;
      at = (at.getRootNode() as Partial<ShadowRoot>).host ?? null;
    }
    return navigator.language || "en";
  }

  /** Read a notification and go where it leads, unless the page says otherwise. */
  protected lead(one: Notification, event: Event): void {
    if (isUnread(one)) void this.store?.markRead(one.id).catch(() => {});
    const { ctrlKey, metaKey, shiftKey, target } = event as MouseEvent;
    // The browser opens it beside the page then.
    if ((ctrlKey || metaKey || shiftKey) && (target as Element).closest("a")) return;
    event.preventDefault();
    const asked = { detail: one, bubbles: true, composed: true, cancelable: true };
    const link = linkOf(one);
    if (this.dispatchEvent(new CustomEvent("tocsin-open", asked)) && link !== null) location.assign(link);
  }

  /** What a page has set before the script came hides our accessors. */
  protected upgrade(name: string): void {
    const early = Object.getOwnPropertyDescriptor(this, name)?.value;
    if (early === undefined) return;
    delete (this as Record<string, unknown>)[name];
    (this as Record<string, unknown>)[name] = early;
  }
}

const HALF_MINUTE_MS = 30_000;
const waiting = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Call back every half minute, with one timer for all: relative times go on. Returns a function that ends it. */
export function everyHalfMinute(callback: () => void): () => void {
  waiting.add(callback);
  timer ??= setInterval(() => {
    for (const each of waiting) each();
  }, HALF_MINUTE_MS);
  return () => {
    waiting.delete(callback);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
