/**
 * The bell: how many notifications are unread, and which.
 *
 * The count is worked out from the stream like every other reader does it, so it equals what
 * `GET /api/notifications` says for the same `seq`; nothing here asks the server for a number.
 */

import { el, renderList, setAttribute, setText } from "./element.js";
import { clock, type DemoEvent, type Payload, text } from "./events.js";
import { icon } from "./icons.js";

export interface Notification {
  id: string;
  type: string;
  title: string;
  message: string;
  priority: string;
  category: string | null;
  timestamp: string;
  read: boolean;
}

/** Newest first; `unread` counts over the whole inbox, and events up to `seq` are in it. */
export interface BellState {
  items: readonly Notification[];
  unread: number;
  seq: number;
}

export const EMPTY_BELL: BellState = { items: [], unread: 0, seq: 0 };

/** Read a notification out of a payload or a list answer. */
export function notification(data: Payload): Notification {
  return {
    id: text(data.id),
    type: text(data.type),
    title: text(data.title),
    message: text(data.message),
    priority: text(data.priority, "normal"),
    category: typeof data.category === "string" ? data.category : null,
    timestamp: text(data.timestamp),
    read: data.read === true,
  };
}

/** Return the state after an event of `/notifications`; one that it holds already changes nothing. */
export function applyToBell(state: BellState, { event, data }: DemoEvent): BellState {
  const seq = data.seq ?? 0;
  if (seq <= state.seq) return state;
  switch (event) {
    case "notification":
      return withItems([notification(data), ...state.items], seq);
    case "notification_read": {
      const meant = (item: Notification) =>
        data.all === true ? typeof data.category !== "string" || item.category === data.category : item.id === data.id;
      return withItems(
        state.items.map((item) => (meant(item) ? { ...item, read: true } : item)),
        seq,
      );
    }
    case "notification_deleted":
      return withItems(
        state.items.filter((item) => item.id !== data.id),
        seq,
      );
    default:
      return { ...state, seq };
  }
}

/** Return the state that holds exactly these notifications, newest first, as of `seq`. */
export function withItems(items: readonly Notification[], seq: number): BellState {
  return { items, unread: items.filter((item) => !item.read).length, seq };
}

/** What the bell asks of the outside. */
export interface BellActions {
  markRead: (id: string) => void;
  markAllRead: () => void;
  remove: (id: string) => void;
  opened: () => void;
}

const SHOWN = 30;

/** The bell's button and panel; `render` shows a state. */
export class BellView {
  readonly element: HTMLElement;
  private readonly badge = el("span", { class: "badge", hidden: true });
  private readonly spoken = el("span", { class: "visually-hidden", role: "status" });
  private readonly button: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private readonly list = el("ul", { class: "inbox", role: "list" });
  private readonly empty = el("p", { class: "empty" }, "Nothing here yet. Send something from the back end above.");
  private readonly older = el("p", { class: "hint", hidden: true });
  private readonly readAll: HTMLButtonElement;

  constructor(
    private readonly owner: string,
    private readonly actions: BellActions,
  ) {
    const panelId = `inbox-${crypto.randomUUID()}`;
    this.button = el(
      "button",
      {
        class: "button icon-only bell",
        type: "button",
        "aria-expanded": "false",
        "aria-controls": panelId,
        onclick: () => this.toggle(),
      },
      icon("bell"),
      this.badge,
    );
    this.readAll = el(
      "button",
      { class: "button small", type: "button", onclick: () => actions.markAllRead() },
      icon("checks"),
      "Mark all read",
    );
    this.panel = el(
      "div",
      {
        class: "panel",
        id: panelId,
        role: "dialog",
        "aria-label": `Notifications of ${owner}`,
        tabindex: -1,
        hidden: true,
      },
      el("div", { class: "panel-head" }, el("h3", {}, "Notifications"), this.readAll),
      this.empty,
      this.list,
      this.older,
    );
    this.element = el(
      "div",
      { class: "bell-box", onkeydown: (event: KeyboardEvent) => event.key === "Escape" && this.toggle(false) },
      this.button,
      this.spoken,
      this.panel,
    );
    document.addEventListener("pointerdown", (event) => {
      if (!this.panel.hidden && !event.composedPath().includes(this.element)) this.toggle(false, false);
    });
  }

  render(state: BellState): void {
    setText(this.badge, state.unread > 99 ? "99+" : String(state.unread));
    this.badge.hidden = state.unread === 0;
    const count = `${state.unread} unread`;
    setAttribute(this.button, "aria-label", `Notifications of ${this.owner}, ${count}`);
    setText(this.spoken, count);
    this.readAll.disabled = state.unread === 0;
    this.empty.hidden = state.items.length > 0;
    const rest = state.items.length - SHOWN;
    this.older.hidden = rest <= 0;
    setText(this.older, `and ${rest} older`);
    const focused = this.list.contains(document.activeElement);
    renderList(this.list, state.items.slice(0, SHOWN), {
      key: (item) => item.id,
      create: (item) => this.item(item),
      update: (element, item) => {
        element.classList.toggle("unread", !item.read);
        const mark = element.querySelector<HTMLButtonElement>(".mark-read");
        if (mark !== null) mark.hidden = item.read;
      },
    });
    // Deleting or reading an item takes the focused button away: keyboard users stay in the panel.
    if (focused && !this.list.contains(document.activeElement)) this.panel.focus();
  }

  private toggle(open = this.panel.hidden, takeFocus = true): void {
    if (open !== this.panel.hidden) return;
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.actions.opened();
    if (takeFocus) (open ? this.panel : this.button).focus();
  }

  private item(item: Notification): HTMLElement {
    return el(
      "li",
      { class: `inbox-item priority-${item.priority}` },
      el("span", { class: "dot", "aria-hidden": "true" }),
      el(
        "div",
        { class: "inbox-text" },
        el("strong", { dir: "auto" }, item.title),
        el("p", { dir: "auto" }, item.message),
        el("small", {}, `${clock(item.timestamp)} · ${item.type}`),
      ),
      el(
        "button",
        {
          class: "button icon-only quiet mark-read",
          type: "button",
          "aria-label": `Mark as read: ${item.title}`,
          title: "Mark as read",
          onclick: () => this.actions.markRead(item.id),
        },
        icon("check"),
      ),
      el(
        "button",
        {
          class: "button icon-only quiet delete",
          type: "button",
          "aria-label": `Delete: ${item.title}`,
          title: "Delete",
          onclick: () => this.actions.remove(item.id),
        },
        icon("trash"),
      ),
    );
  }
}
