/** One notification as the inbox and the toasts show it. All that users wrote is shown as text. */

import { html, nothing, type TemplateResult } from "lit-html";
import { linkOf, type Notification } from "../inbox/notification.js";
import { icon } from "./icons.js";
import type { Texts } from "./texts.js";

/** What a card needs of the element around it. */
export interface CardContext {
  readonly texts: Texts;
  readonly lang: string;
  readonly now: number;
  /** Who looks at it. */
  readonly owner: string | null;
  readonly nameOf: (id: string) => string;
}

/** A colour for a word, the same each time. */
function hueOf(word: string): number {
  let sum = 0;
  for (const char of word) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360;
  // Far from that of its neighbour.
  return (sum * 137) % 360;
}

function initial(word: string): string {
  return (/\p{L}|\p{N}/u.exec(word)?.[0] ?? "•").toLocaleUpperCase();
}

/** The people of a grouped card, else the initial of its category. */
export function avatar(one: Notification): TemplateResult {
  const actors = one.group?.actors.slice(0, 2) ?? [];
  if (actors.length > 0) {
    return html`<div class="avatar actors" part="avatar" aria-hidden="true">
      ${actors.map(({ id, name }) => html`<span .style="--hue: ${hueOf(String(id))}">${initial(name ?? "")}</span>`)}
    </div>`;
  }
  if (one.priority === "urgent") return html`<div class="avatar urgent" part="avatar" aria-hidden="true">!</div>`;
  const word = one.category ?? one.type;
  return html`<div class="avatar" part="avatar" aria-hidden="true" .style="--hue: ${hueOf(word)}">
    ${(one.digest?.count ?? null) === null ? initial(word) : icon("stack")}
  </div>`;
}

/** The title, a link where the notification leads somewhere. */
export function title(one: Notification, id: string): TemplateResult {
  const link = linkOf(one);
  const urgent = one.priority === "urgent";
  return html`<h3 id=${id} dir="auto" class=${urgent ? "urgent" : ""}>${
    link === null ? one.title : html`<a href=${link} tabindex="-1">${one.title}</a>`
  }</h3>`;
}

/** Who else is meant by a grouped card, who has taken it, and its category. */
export function chips(one: Notification, context: CardContext, claim: () => void, isActive: boolean): TemplateResult {
  const { texts } = context;
  const more = (one.group?.count ?? 0) - (one.group?.actors.length ?? 0);
  const taker = one.claim?.claimed_by ?? null;
  const isOwn = String(taker) === context.owner;
  return html`${one.category === null ? nothing : html`<span class="chip" dir="auto">${one.category}</span>`}
    ${more > 0 ? html`<span class="chip">${texts.others(more)}</span>` : nothing}
    ${
      one.claim === undefined
        ? nothing
        : taker === null
          ? html`<button class="claim" part="claim" type="button" tabindex=${isActive ? 0 : -1} @click=${claim}>${icon("hand")}${texts.claim}</button>`
          : html`<span class="chip taken">${isOwn ? texts.claimedByYou : texts.claimedBy(context.nameOf(String(taker)))}</span>`
    }`;
}
