/** One row of the inbox: a card, and what can be done with it. */

import { html, nothing, type TemplateResult } from "lit-html";
import { isUnread, type Notification } from "../inbox/notification.js";
import { avatar, type CardContext, chips, title } from "./card.js";
import { type Icon, icon } from "./icons.js";
import { ago, moment, whole } from "./time.js";

export type Action = "open" | "read" | "archive" | "snooze" | "remove" | "claim" | "unfold";

export interface RowContext extends CardContext {
  /** Of the row that the keyboard is on: its buttons can be reached. */
  readonly active: string | null;
  readonly act: (action: Action, one: Notification, event: Event) => void;
  /** What a digest stands for, where it is unfolded; undefined while that is on its way. */
  readonly unfolded: ReadonlyMap<string, readonly Notification[] | undefined>;
  readonly day: string | null;
  /** Counted from 1; of `size`, or -1 where nobody knows how many there are. */
  readonly place: number;
  readonly size: number;
}

export function row(one: Notification, context: RowContext): TemplateResult {
  const { texts, day } = context;
  const isActive = one.id === context.active;
  const unread = isUnread(one);
  const at = new Date(one.timestamp);
  return html`<article
      id="row-${one.id}"
      data-id=${one.id}
      part="item${unread ? " unread" : ""}"
      class=${unread ? "unread" : ""}
      tabindex=${isActive ? 0 : -1}
      aria-labelledby="title-${one.id}"
      aria-describedby="message-${one.id}"
      aria-posinset=${context.place}
      aria-setsize=${context.size}
    >
      ${day === null ? nothing : html`<div class="day" part="day">${day}</div>`}
      <div class="card" @click=${(event: Event) => context.act("open", one, event)}>
        ${avatar(one)}
        <div class="body">
          <div class="head">
            ${title(one, `title-${one.id}`)}
            <time datetime=${one.timestamp} title=${whole(at, context.lang)}>${ago(at, context.now, context.lang)}</time>
            ${unread ? html`<span class="dot" part="dot"><span class="unseen">${texts.unread}</span></span>` : nothing}
          </div>
          <p id="message-${one.id}" class="message" part="message" dir="auto">${one.message}</p>
          <div class="foot">${foot(one, context, isActive)}</div>
          ${nested(one, context)}
        </div>
        <div class="actions" part="actions">${actions(one, context, isActive)}</div>
      </div>
    </article>`;
}

function foot(one: Notification, context: RowContext, isActive: boolean): TemplateResult {
  const { texts, act } = context;
  const { snoozed_until: until } = one;
  const count = one.digest?.count ?? null;
  const isOpen = context.unfolded.has(one.id);
  return html`${chips(one, context, () => act("claim", one, new Event("claim")), isActive)}
    ${until === null ? nothing : html`<span class="chip">${texts.until(moment(new Date(until), context.now, context.lang))}</span>`}
    ${
      count === null
        ? nothing
        : html`<button class="unfold" type="button" tabindex=${isActive ? 0 : -1} aria-expanded=${isOpen}
            @click=${(event: Event) => act("unfold", one, event)}>${isOpen ? texts.fold : texts.unfold(count)}</button>`
    }`;
}

function nested(one: Notification, { unfolded, texts, lang, now }: RowContext): TemplateResult | typeof nothing {
  if (!unfolded.has(one.id)) return nothing;
  const inside = unfolded.get(one.id);
  if (inside === undefined) return html`<p class="message">${texts.loading}</p>`;
  return html`<ul class="digest" part="digest" role="list">
    ${inside.map((each) => {
      const at = ago(new Date(each.timestamp), now, lang);
      return html`<li><b dir="auto">${each.title}</b> <span dir="auto">${each.message}</span> <time>${at}</time></li>`;
    })}
  </ul>`;
}

function actions(one: Notification, context: RowContext, isActive: boolean): TemplateResult {
  const { texts } = context;
  const button = (action: Action, look: Icon, name: string) =>
    html`<button class="quiet ${action}" type="button" tabindex=${isActive ? 0 : -1} title=${name} aria-label="${name}: ${one.title}"
      aria-haspopup=${action === "snooze" && one.snoozed_until === null ? "menu" : nothing}
      @click=${(event: Event) => context.act(action, one, event)}>${icon(look)}</button>`;
  const isRead = one.read_at !== null;
  const isArchived = one.archived_at !== null;
  const isAsleep = one.snoozed_until !== null;
  return html`${button("read", isRead ? "dot" : "check", isRead ? texts.markUnread : texts.read)}
    ${button("archive", isArchived ? "inbox" : "archive", isArchived ? texts.unarchive : texts.archive)}
    ${isArchived ? nothing : button("snooze", isAsleep ? "bell" : "clock", isAsleep ? texts.wake : texts.snooze)}
    ${button("remove", "trash", texts.remove)}`;
}
