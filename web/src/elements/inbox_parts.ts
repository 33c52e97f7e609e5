/** What stands around the rows of the inbox: its head, and what it says where there are none. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { TocsinError } from "../client/problem.js";
import type { Inbox } from "../inbox/state.js";
import type { Snapshot } from "../inbox/store.js";
import type { Tab, ViewName } from "../inbox/view.js";
import { type Icon, icon } from "./icons.js";
import { onKey } from "./menu.js";
import type { Texts } from "./texts.js";

export interface HeaderActs {
  readonly tab: (tab: Tab) => void;
  readonly category: (category: string | null) => void;
  readonly readAll: () => void;
  readonly archiveAll: () => void;
}

const TABS = ["all", "unread", "archived", "snoozed"] as const;
const LOOKS = { all: "bell", unread: "checks", archived: "archive", snoozed: "clock" } as const satisfies Record<
  Tab,
  Icon
>;

export function header(
  texts: Texts,
  { tab, category }: ViewName,
  { inbox }: Snapshot,
  acts: HeaderActs,
): TemplateResult {
  const found = categoriesOf(inbox.items);
  if (category !== null) found.add(category);
  const choose = (event: Event) => acts.category((event.target as HTMLSelectElement).value || null);
  return html`<header part="header">
    <h2>${texts.notifications}</h2>
    <div class="tools">
      ${
        found.size === 0
          ? nothing
          : html`<select part="category" aria-label=${texts.category} @change=${choose} .value=${category ?? ""}>
            <option value="" ?selected=${category === null}>${texts.everyCategory}</option>
            ${[...found].sort().map((name) => html`<option value=${name} ?selected=${name === category}>${name}</option>`)}
          </select>`
      }
      ${tool("checks", texts.readAll, inbox.unread === 0, acts.readAll)}
      ${tool("archive", texts.archiveAll, tab === "archived" || tab === "snoozed", acts.archiveAll)}
      <slot name="tools"></slot>
    </div>
    <div class="tabs" part="tabs" role="tablist" @keydown=${onTabKey}>
      ${TABS.map(
        (name) => html`<button type="button" role="tab" part="tab" aria-controls="list" aria-selected=${name === tab}
          tabindex=${name === tab ? 0 : -1} @click=${() => acts.tab(name)} @focus=${() => acts.tab(name)}>${texts[name]}${
            name === "unread" && inbox.unread > 0
              ? html` <span class="count">${inbox.unread > 99 ? "99+" : inbox.unread}</span>`
              : nothing
          }</button>`,
      )}
    </div>
  </header>`;
}

let counted: readonly [Inbox["items"], ReadonlySet<string>] | undefined;

/** The categories of what is known; found once for each state. */
function categoriesOf(items: Inbox["items"]): Set<string> {
  if (counted?.[0] !== items) {
    const names = [...items.values()].map((one) => one.category);
    counted = [items, new Set(names.filter((name) => name !== null))];
  }
  return new Set(counted[1]);
}

/** Right and left are the tabs'; down leads into the list. */
function onTabKey(event: KeyboardEvent): void {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") onKey(event);
}

function tool(look: Icon, name: string, isOff: boolean, act: () => void): TemplateResult {
  return html`<button class="quiet" type="button" title=${name} aria-label=${name} ?disabled=${isOff} @click=${act}>${icon(look)}</button>`;
}

export function empty(texts: Texts, tab: Tab): TemplateResult {
  return html`<div class="empty" part="empty">
    <span>${icon(LOOKS[tab])}</span>
    <p>${texts[`empty_${tab}`]}</p>
    ${tab === "all" ? html`<small>${texts.emptyHint}</small>` : nothing}
  </div>`;
}

export function failure(texts: Texts, again: () => void): TemplateResult {
  return html`<div class="empty" part="empty" role="alert">
    <p>${texts.failed}</p>
    <button class="plain" type="button" @click=${again}>${texts.again}</button>
  </div>`;
}

/** Where rows are about to be. */
export function skeleton(texts: Texts): TemplateResult {
  return html`<p class="unseen">${texts.loading}</p>
    ${[0, 1, 2, 3].map(() => html`<div class="bone" aria-hidden="true"><i></i><b></b><b></b></div>`)}`;
}

export function problemText(texts: Texts, problem: TocsinError | null): string {
  if (problem === null) return "";
  return problem.code === "already_claimed" ? texts.taken : texts.refused;
}
