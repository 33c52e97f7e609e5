/** Who is connected: a line a connection, searched and paged; a session can be cut. */

import { html, nothing, type TemplateResult } from "lit-html";
import { call, query, type Session } from "./api.js";
import { ago, day, exact, short, time } from "./format.js";
import { attempt, look, type Page, userLink, type View } from "./view.js";

const PATH = "/api/admin/sessions";
const LIMIT = "50";
const NOBODY = "Nobody is connected.";
const TRANSPORTS: Record<string, string> = { sse: "server-sent events" };

interface SessionPage {
  sessions: Session[];
  next_cursor: string | null;
}

export class SessionsView implements View {
  readonly title = "Sessions";
  readonly isLive = false;
  private find = "";
  private pages: (string | null)[] = [null];
  private page_: SessionPage | undefined;
  private asked = 0;

  constructor(private readonly page: Page) {}

  readonly look = (): Promise<void> => {
    const mine = ++this.asked;
    const cursor = this.pages.at(-1) ?? "";
    return look(this.page, async () => {
      const found = await call<SessionPage>("GET", PATH + query({ find: this.find, cursor, limit: LIMIT }));
      if (mine !== this.asked) return; // a later letter has been typed
      this.page_ = found;
      this.page.say("");
    });
  };

  readonly draw = (): TemplateResult => {
    const { page_, pages } = this;
    return html`
      <h2 class="visually-hidden">Sessions</h2>
      <div class="bar">
        <label>User <input id="find" type="search" placeholder="part of a user id" .value=${this.find} @input=${this.search} /></label>
        <button class="button" @click=${this.look}>Look again</button>
      </div>
      <section class="card wide">
        ${
          page_ === undefined
            ? html`<p class="empty">Looking…</p>`
            : sessionTable(
                page_.sessions,
                this.cut,
                true,
                this.find === "" ? NOBODY : "Nobody with such a user id is connected.",
              )
        }
        <div class="bar end">
          <button class="button" ?disabled=${pages.length < 2} @click=${this.back}>Before</button>
          <button class="button" ?disabled=${!page_?.next_cursor} @click=${this.next}>Next</button>
        </div>
      </section>
    `;
  };

  private readonly search = (event: Event): void => {
    this.find = (event.target as HTMLInputElement).value;
    this.pages = [null];
    void this.look();
  };

  private readonly next = (): void => {
    this.pages.push(this.page_?.next_cursor ?? null);
    void this.look();
  };

  private readonly back = (): void => {
    this.pages.pop();
    void this.look();
  };

  private readonly cut = (session: Session): void => void cut(this.page, session, this.look);
}

/** Cut a session and look again. */
export async function cut(page: Page, session: Session, look: () => Promise<void>): Promise<void> {
  const path = `${PATH}/${encodeURIComponent(session.id)}${query({ user_id: String(session.user_id) })}`;
  const isDone = await attempt(page, async () => {
    await call("DELETE", path);
  });
  if (!isDone) return;
  await look();
  page.say(`The session of ${session.user_id} was cut. Its client comes back by itself.`);
}

/** The table of some sessions; `nobody` is said where there are none. */
export function sessionTable(
  sessions: readonly Session[],
  onCut: (session: Session) => void,
  withUser: boolean,
  nobody = "This user is not connected.",
): TemplateResult {
  if (sessions.length === 0) return html`<p class="empty">${nobody}</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Sessions">
    <table class="sessions">
      <thead>
        <tr>
          ${withUser ? html`<th>User</th>` : nothing}
          <th>Namespaces</th>
          <th>Transport</th>
          <th>Address</th>
          <th>Since</th>
          <th>Token ends</th>
          <th class="number">Queued</th>
          <th>Node</th>
          <th><span class="visually-hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${sessions.map(
          (session) =>
            html`<tr>
              ${withUser ? html`<td><a href=${userLink(session.user_id)}>${session.user_id}</a></td>` : nothing}
              <td>${Object.keys(session.sockets).join(" ") || "–"}</td>
              <td>${TRANSPORTS[session.transport] ?? session.transport}</td>
              <td>${session.address ?? "–"}</td>
              <td title=${`${day(session.since)} ${exact(session.since)}`}>${ago(session.since)}</td>
              <td>${day(session.expires_at)} ${time(session.expires_at)}</td>
              <td class="number">${short(session.queued_bytes, "B")}</td>
              <td>${session.node}</td>
              <td>
                <button class="button small" aria-label=${`Cut the session of ${session.user_id} since ${exact(session.since)}`} @click=${() => onCut(session)}>
                  Cut
                </button>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
