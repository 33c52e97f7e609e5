/**
 * `<tocsin-inbox>`: the notifications of the client's user.
 *
 * Attributes `tab` (all, unread, archived, snoozed) and `category`. Says `tocsin-open` with the notification before it
 * leads anywhere; `preventDefault` keeps the page where it is.
 */

import { html, nothing, type TemplateResult } from "lit-html";
import { isExpired, type Notification } from "../inbox/notification.js";
import { select } from "../inbox/state.js";
import { ALL, type InboxStore, NOTHING, type Snapshot } from "../inbox/store.js";
import { keyOf, type Tab, type ViewName } from "../inbox/view.js";
import { empty, failure, type HeaderActs, header, problemText, skeleton } from "./inbox_parts.js";
import { STYLE as OWN } from "./inbox_style.js";
import { Keyed } from "./keyed.js";
import { SnoozeMenu } from "./menu.js";
import { type Action, row } from "./row.js";
import { type Range, RowHeights } from "./rows.js";
import { STYLE } from "./style.js";
import { type Texts, textsOf } from "./texts.js";
import { dayOf } from "./time.js";
import { everyHalfMinute, View } from "./view.js";

const TABS = ["all", "unread", "archived", "snoozed"] as const;
const NEAR_PX = 900;
const KEYS: Readonly<Record<string, Action | "next" | "previous" | "first" | "last">> = {
  ...({ j: "next", ArrowDown: "next", k: "previous", ArrowUp: "previous", Home: "first", End: "last" } as const),
  ...({ Enter: "open", e: "archive", s: "snooze", u: "read", c: "claim", Delete: "remove" } as const),
};

export class TocsinInbox extends View {
  static readonly observedAttributes = ["tab", "category", "lang"];

  /** Tells a person's name from an id, for who has taken a notification. */
  nameOf: (id: string) => string = (id) => id;

  private shown: readonly Notification[] = [];
  private readonly heights = new RowHeights();
  private readonly rows = new Keyed();
  private range: Range = { from: 0, to: 0, before: 0, after: 0 };
  private readonly unfolded = new Set<string>();
  private readonly menu = new SnoozeMenu();
  private active: string | null = null;
  /** The row to focus once it is drawn. */
  private wanted: string | null = null;
  private resized: ResizeObserver | undefined;
  private width = 0;

  constructor() {
    super(STYLE, OWN);
    this.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** The list that is shown. */
  get name(): ViewName {
    const tab = this.getAttribute("tab") as Tab;
    return { tab: TABS.includes(tab) ? tab : "all", category: this.getAttribute("category") };
  }

  protected override follow(): (() => void)[] {
    this.upgrade("nameOf");
    this.resized = new ResizeObserver(() => this.onResize());
    this.resized.observe(this);
    const unsubscribe = this.store?.subscribe(this.changed) ?? (() => {});
    return [unsubscribe, everyHalfMinute(this.changed), () => this.resized?.disconnect()];
  }

  override attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (name !== "lang" && before !== after && this.list !== null) this.list.scrollTop = 0;
    super.attributeChangedCallback(name, before, after);
  }

  private get list(): HTMLElement | null {
    return this.root.querySelector<HTMLElement>("[part=list]");
  }

  private rowOf(id: string | null): HTMLElement | null {
    return id === null ? null : this.root.querySelector<HTMLElement>(`article[data-id="${CSS.escape(id)}"]`);
  }

  protected override draw(): void {
    const { store, list, name } = this;
    const inbox = store?.snapshot.inbox;
    const where = this.heights.hold(list?.scrollTop ?? 0);
    const loaded = inbox && select(inbox, name);
    const now = Date.now();
    const before = this.shown;
    const hadFocus = list?.contains(this.root.activeElement) ?? false;
    this.shown = (loaded ?? []).filter((one) => !isExpired(one, now));
    this.heights.list(this.shown.map((one) => one.id));
    this.keepActive(before, hadFocus);
    this.paint(where, hadFocus, loaded === undefined);
  }

  /** Draw the rows that are near what is looked at; `where` tells how far down that is by then. */
  private paint(where: () => number, hadFocus: boolean, isFirst = false): void {
    const scrolled = this.list?.scrollTop ?? 0;
    this.drawRange();
    if (this.measure()) this.drawRange();
    const { list } = this;
    // What is looked at stays where it is, whatever comes above it; who is at the top looks at what is new.
    if (list !== null && scrolled > 0 && Math.abs(where() - scrolled) >= 1) list.scrollTop = where();
    this.putFocus(hadFocus);
    this.loadMore(isFirst);
  }

  private drawRange(): void {
    const { list } = this;
    this.range = this.heights.range(list?.scrollTop ?? 0, list?.clientHeight ?? 0);
    super.draw();
    const feed = this.root.querySelector("[role=feed]");
    this.rows.draw(
      feed,
      feed?.firstElementChild ?? null,
      this.shown.slice(this.range.from, this.range.to),
      this.rowView(),
    );
  }

  /** Take the heights of the rows as they are; returns whether any was not known. */
  private measure(): boolean {
    const rows = [...this.root.querySelectorAll<HTMLElement>("article")];
    return this.heights.measure(new Map(rows.map((each) => [each.dataset.id as string, each.offsetHeight])));
  }

  private onScroll(): void {
    const { list, range } = this;
    if (list === null) return;
    const next = this.heights.range(list.scrollTop, list.clientHeight);
    const isFar = Math.abs(next.from - range.from) > 2 || Math.abs(next.to - range.to) > 2;
    const isAtEnd = next.from === 0 || next.to === this.shown.length;
    if ((isFar || isAtEnd) && (next.from !== range.from || next.to !== range.to))
      this.paint(this.heights.hold(list.scrollTop), list.contains(this.root.activeElement));
  }

  private onResize(): void {
    if (this.clientWidth === this.width) return;
    this.width = this.clientWidth;
    this.heights.forget();
    this.changed();
  }

  private loadMore(isFirst: boolean): void {
    const { store, list, name } = this;
    if (store === undefined || list === null) return;
    const { inbox, failed, loading, owner } = store.snapshot;
    const key = keyOf(name);
    const isAtEnd = list.scrollTop + list.clientHeight + NEAR_PX >= this.heights.total;
    if (owner === null || failed.has(key) || loading.has(key)) return;
    if (isFirst || (isAtEnd && inbox.views.get(key)?.cursor !== null)) void store.load(name);
  }

  /** Where the active row has gone, the one in its place is active. */
  private keepActive(before: readonly Notification[], hadFocus: boolean): void {
    if (this.shown.some((one) => one.id === this.active)) return;
    const at = before.findIndex((one) => one.id === this.active);
    this.active = this.shown[Math.min(Math.max(0, at), this.shown.length - 1)]?.id ?? null;
    if (hadFocus && at >= 0) this.wanted = this.active;
  }

  private putFocus(hadFocus: boolean): void {
    const wanted = this.rowOf(this.wanted);
    if (wanted !== null) {
      this.wanted = null;
      wanted.focus({ preventScroll: true });
      wanted.scrollIntoView({ block: "nearest" });
    } else if (hadFocus && !this.list?.contains(this.root.activeElement)) this.list?.focus({ preventScroll: true });
  }

  private onKey(event: KeyboardEvent): void {
    const { list } = this;
    const target = event.composedPath()[0] as HTMLElement;
    // Where a keyboard writes Hangul, the place of the key counts.
    const isLatin = /^[ -~]/.test(event.key);
    const deed = KEYS[isLatin ? event.key : event.code.replace("Key", "").toLowerCase()];
    if (deed === undefined || list === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const isInList = list.contains(target);
    if (/^(SELECT|INPUT|TEXTAREA)$/.test(target.tagName) || (deed === "open" && target.tagName !== "ARTICLE")) return;
    if (!isInList && event.key !== "ArrowDown" && event.key !== "j") return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.shown.findIndex((one) => one.id === this.active);
    const last = this.shown.length - 1;
    const to = { next: isInList ? at + 1 : at, previous: at - 1, first: 0, last }[deed as "next"];
    if (to !== undefined) this.focusRow(Math.max(0, Math.min(last, to)));
    else if (at >= 0) this.act(deed as Action, this.shown[at] as Notification, event);
  }

  private focusRow(index: number): void {
    const id = this.shown[index]?.id ?? null;
    this.active = this.wanted = id;
    const top = id === null ? undefined : this.heights.top(id);
    if (this.rowOf(id) === null && top !== undefined && this.list !== null) this.list.scrollTop = top;
    this.changed();
  }

  private readonly act = (action: Action, one: Notification, event: Event): void => {
    const { store } = this;
    if (store === undefined) return;
    this.active = one.id;
    event.stopPropagation();
    if (action === "open") {
      if ((event.target as HTMLElement).closest("button") === null) this.lead(one, event);
    } else if (action === "unfold") this.unfold(one);
    else if (action === "snooze") this.snooze(one);
    else void this.carryOut(action, one).catch(() => {});
    this.changed();
  };

  private carryOut(action: Action, one: Notification): Promise<void> {
    const store = this.store as InboxStore;
    switch (action) {
      case "archive":
        return one.archived_at === null ? store.archive(one.id) : store.unarchive(one.id);
      case "remove":
        return store.remove(one.id);
      case "claim":
        return one.claim === undefined || one.claim.claimed_by !== null ? Promise.resolve() : store.claim(one.id);
      default:
        return one.read_at === null ? store.markRead(one.id) : store.markUnread(one.id);
    }
  }

  private unfold(one: Notification): void {
    if (!this.unfolded.delete(one.id)) {
      this.unfolded.add(one.id);
      void this.store?.load({ ...ALL, digest: one.id });
    }
    this.wanted = one.id;
  }

  private snooze(one: Notification): void {
    const { store } = this;
    const anchor = this.rowOf(one.id)?.querySelector<HTMLElement>(".snooze");
    if (one.snoozed_until !== null) void store?.snooze(one.id, null).catch(() => {});
    else if (anchor && store) this.menu.open(anchor, (until) => void store.snooze(one.id, until).catch(() => {}));
  }

  protected override view(texts: Texts): TemplateResult {
    const snapshot = this.store?.snapshot;
    const { name, language: lang } = this;
    const now = Date.now();
    return html`<section part="inbox" aria-label=${texts.notifications}>
      ${this.store && snapshot ? header(texts, name, snapshot, this.headerActs) : nothing}
      <div id="list" part="list" role="tabpanel" aria-label=${texts[name.tab]} tabindex="-1" @scroll=${() => this.onScroll()}>
        ${this.feedView(texts)} ${snapshot === undefined ? nothing : this.stateView(texts, snapshot)}
      </div>
      <p class="problem" part="problem" role="status">${problemText(texts, snapshot?.problem ?? null)}</p>
      ${this.menu.view(texts, lang, now)}
      <p id="keys" class="unseen">${texts.keys}</p>
    </section>`;
  }

  /** Where the rows are drawn, with the room of those that are not. */
  private feedView(texts: Texts): TemplateResult | typeof nothing {
    const { range, store } = this;
    if (this.shown.length === 0) return nothing;
    const isBusy = store?.snapshot.loading.has(keyOf(this.name));
    return html`<div role="feed" aria-label=${texts.notifications} aria-busy=${isBusy} aria-describedby="keys">
      <div .style="height: ${range.before}px"></div>
      <div .style="height: ${range.after}px"></div>
    </div>`;
  }

  private rowView(): (one: Notification, index: number) => TemplateResult {
    const { shown, range, store, language: lang } = this;
    const { inbox, owner } = store?.snapshot ?? NOTHING;
    const now = Date.now();
    const size = inbox.views.get(keyOf(this.name))?.cursor === null ? shown.length : -1;
    const drawn = shown.slice(range.from, range.to);
    const active = drawn.some((one) => one.id === this.active) ? this.active : (drawn[0]?.id ?? null);
    const unfolded = new Map([...this.unfolded].map((id) => [id, select(inbox, { ...ALL, digest: id })]));
    const context = {
      texts: textsOf(lang),
      lang,
      now,
      owner,
      active,
      unfolded,
      size,
      nameOf: this.nameOf,
      act: this.act,
    };
    const dayAt = (index: number) => {
      const one = shown[index];
      return one === undefined ? null : dayOf(new Date(one.timestamp), now, lang);
    };
    return (one, index) => {
      const place = range.from + index;
      const day = dayAt(place) === dayAt(place - 1) ? null : dayAt(place);
      return row(one, { ...context, day, place: place + 1 });
    };
  }

  private stateView(texts: Texts, { loading, failed, inbox, owner }: Snapshot): TemplateResult | typeof nothing {
    const { name, shown } = this;
    const key = keyOf(name);
    if (failed.has(key)) return failure(texts, () => void this.store?.load(name));
    if (shown.length > 0) return loading.has(key) ? html`<p class="more">${texts.loading}</p>` : nothing;
    if (owner === null) return nothing;
    return inbox.views.has(key) ? empty(texts, name.tab) : skeleton(texts);
  }

  private readonly headerActs: HeaderActs = {
    tab: (tab) => this.setAttribute("tab", tab),
    category: (category) =>
      category === null ? this.removeAttribute("category") : this.setAttribute("category", category),
    readAll: () => void this.store?.markAllRead(this.name.category).catch(() => {}),
    archiveAll: () => void this.store?.archiveAll(this.name.category).catch(() => {}),
  };
}
