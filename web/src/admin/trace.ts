/** "Why didn't Alice get it?": one notification's way, found by its id or by its user, time and title. */

import { html, nothing, type TemplateResult } from "lit-html";
import { call, type Found, query, type Step, type Trace } from "./api.js";
import { day, exact, local, time } from "./format.js";
import { attempt, look, type Page, traceLink, userLink, type View } from "./view.js";

const MARKS: Record<string, string> = { read: "✓", seen: "✓", acked: "✓", arrived: "✓", planned: "…", not_acked: "?" };
const CHANNELS: Record<string, string> = { fcm: "Firebase", webpush: "Web Push", channels: "other channels" };

export class TraceView implements View {
  readonly title = "Why didn't Alice get it?";
  readonly isLive = false;
  private trace: Trace | undefined;
  private found: Found[] | undefined;
  private user: string;

  constructor(
    private readonly page: Page,
    private readonly id: string,
    user: string,
  ) {
    this.user = user;
  }

  readonly look = async (): Promise<void> => {
    if (this.id === "") return;
    await look(this.page, async () => {
      const path = `/api/notifications/${encodeURIComponent(this.id)}/trace`;
      this.trace = await call<Trace>("GET", path + query({ user_id: this.user }));
      this.user = String(this.trace.user_id);
      this.page.say("");
    });
  };

  readonly draw = (): TemplateResult => html`
    <h2>${this.title}</h2>
    <form class="card search" @submit=${this.search}>
      <label>User <input id="who" name="user_id" required maxlength="128" autocomplete="off" .value=${this.user} /></label>
      <label>Title or type <input name="text" maxlength="200" autocomplete="off" /></label>
      <label>From <input name="since" type="datetime-local" /></label>
      <label>To <input name="until" type="datetime-local" /></label>
      <button class="button accent">Find</button>
    </form>
    <form class="card search" @submit=${this.open}>
      <label class="long">Notification id <input name="id" required maxlength="64" autocomplete="off" .value=${this.id} /></label>
      <button class="button">Trace</button>
    </form>
    ${this.found === undefined ? nothing : this.list(this.found)} ${this.trace === undefined ? nothing : way(this.trace)}
  `;

  private list(found: readonly Found[]): TemplateResult {
    if (found.length === 0) return html`<p class="empty" role="status">Nothing of ${this.user} was found.</p>`;
    return html`<ul class="card found" aria-label="Found">
      ${found.map(
        (one) =>
          html`<li>
            <a href=${traceLink(one.id, this.user)} aria-current=${one.id === this.id ? "true" : nothing}
              ><b dir="auto">${one.title}</b><span class="hint">${one.type}</span></a
            >
            <time datetime=${one.created_at}>${day(one.created_at)} ${time(one.created_at)}</time>
            <span class="tag">${one.state}</span>
          </li>`,
      )}
    </ul>`;
  }

  private readonly open = (event: SubmitEvent): void => {
    event.preventDefault();
    const id = String(new FormData(event.target as HTMLFormElement).get("id")).trim();
    const next = traceLink(id);
    if (location.hash === next) void this.look();
    else location.hash = next;
  };

  private readonly search = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const field = (name: string) => String(given.get(name) ?? "");
    this.user = field("user_id");
    const wanted = { user_id: this.user, text: field("text"), since: utc(field("since")), until: utc(field("until")) };
    await attempt(this.page, async () => {
      const answer = await call<{ notifications: Found[] }>("GET", `/api/admin/notifications${query(wanted)}`);
      this.found = answer.notifications;
      this.trace = undefined;
      this.page.say("");
    });
    this.page.changed();
  };
}

const utc = (local: string): string => (local === "" ? "" : new Date(local).toISOString());

/** The whole way: the verdict, the steps, and what nobody knows. */
function way(trace: Trace): TemplateResult {
  const about = [trace.type, trace.category, trace.priority, trace.state].filter((one) => one !== null);
  return html`<article class="card way" aria-labelledby="way-title">
    <header>
      <h3 id="way-title" dir="auto">${trace.title ?? trace.notification_id}</h3>
      <p class="hint">
        to <a href=${userLink(trace.user_id)}>${trace.user_id}</a> · ${about.join(" · ")}
        ${trace.created_at === null ? nothing : html` · ${day(trace.created_at)} ${exact(trace.created_at)}`}
      </p>
      <p class="hint"><code>${trace.notification_id}</code></p>
      <p class=${`verdict ${tone(trace.verdict)}`} role="status">${local(trace.verdict)}</p>
    </header>
    <ol class="timeline">
      ${trace.timeline.map((step, index) => line(step, trace.timeline[index - 1]))}
    </ol>
    ${
      trace.unknown.length === 0
        ? nothing
        : html`<h4>Not known</h4>
            <ul class="unknown">
              ${trace.unknown.map((sentence) => html`<li>${local(sentence)}</li>`)}
            </ul>`
    }
  </article>`;
}

function line(step: Step, before: Step | undefined): TemplateResult {
  const isNewDay = step.at !== null && (!before?.at || day(step.at) !== day(before.at));
  const where = [step.label, step.node].filter((one) => one !== null && one !== "").join(" · ");
  return html`<li class=${`step ${step.is_bad ? "bad" : ""} ${step.kind}`}>
    <span class="mark" aria-hidden="true">${step.is_bad ? "✕" : (MARKS[step.kind] ?? "•")}</span>
    <span class="when"
      >${step.at === null ? "" : html`<time datetime=${step.at} title=${day(step.at)}>${exact(step.at)}</time>`}
      ${isNewDay && step.at !== null ? html`<small>${day(step.at)}</small>` : nothing}</span
    >
    <span class="channel">${CHANNELS[step.channel] ?? step.channel}</span>
    <span class="what">${step.is_bad ? html`<span class="visually-hidden">Not this way: </span>` : nothing}${local(step.text)}${
      where === "" ? nothing : html`<small>${where}</small>`
    }</span>
  </li>`;
}

function tone(verdict: string): string {
  if (verdict.startsWith("Yes")) return "good";
  return verdict.startsWith("No:") ? "bad" : "warn";
}
