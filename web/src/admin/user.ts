/** One user: who is there, where it could be pushed to, how far each stream is, and a test notification. */

import { html, nothing, type TemplateResult } from "lit-html";
import { call, query, type Session, type StreamState, type User } from "./api.js";
import { day, exact, time } from "./format.js";
import { cut, sessionTable } from "./sessions.js";
import { attempt, look, type Page, traceLink, type View } from "./view.js";

export class UserView implements View {
  readonly title: string;
  readonly isLive = true;
  private user: User | undefined;
  private isSending = false;

  constructor(
    private readonly page: Page,
    private readonly userId: string,
  ) {
    this.title = userId === "" ? "User" : `User ${userId}`;
  }

  readonly look = async (): Promise<void> => {
    if (this.userId === "") return;
    await look(this.page, async () => {
      this.user = await call<User>("GET", `/api/admin/user${query({ user_id: this.userId })}`);
    });
  };

  readonly draw = (): TemplateResult => html`
    <form class="bar" @submit=${this.open}>
      <label>User <input id="user" name="user" required maxlength="128" autocomplete="off" .value=${this.userId} /></label>
      <button class="button accent">Open</button>
    </form>
    ${this.user === undefined ? this.waiting() : this.body(this.user)}
  `;

  private waiting(): TemplateResult {
    return this.userId === "" ? html`<p class="empty">Whom do you look for?</p>` : html`<p class="empty">Looking…</p>`;
  }

  private body(user: User): TemplateResult {
    const { inbox } = user;
    const lastSeen =
      user.last_seen_at === null ? "" : `, last seen ${day(user.last_seen_at)} ${time(user.last_seen_at)}`;
    const categories = Object.entries(inbox.by_category).filter(([name, count]) => name !== "" && count > 0);
    return html`
      <section class="card wide">
        <div class="bar">
          <h2 dir="auto">${user.user_id}</h2>
          <span class=${`tag ${user.is_online ? "good" : ""}`}>${user.is_online ? "online" : `offline${lastSeen}`}</span>
          <span class="hint"
            >${inbox.unread} unread of ${inbox.total}${categories.map(([name, count]) => html` · <bdi>${name}</bdi> ${count}`)}</span
          >
        </div>
        <form class="bar" @submit=${this.send}>
          <label>Title <input name="title" required maxlength="200" value="Test" /></label>
          <label>Message <input name="message" maxlength="4000" value="Sent from the dashboard." /></label>
          <button class="button" ?disabled=${this.isSending}>Send a test notification</button>
        </form>
      </section>
      <section class="card wide"><h2>Sessions</h2>${sessionTable(user.sessions, this.cut, false)}
        ${user.has_more_sessions ? html`<p class="hint">There are more: the page <a href="#/sessions">Sessions</a> lists all.</p>` : nothing}</section>
      <section class="card wide"><h2>Devices</h2>${devices(user)}</section>
      <div class="streams">${user.streams.map((stream) => streamCard(stream, user.user_id))}</div>
    `;
  }

  private readonly open = (event: SubmitEvent): void => {
    event.preventDefault();
    const wanted = String(new FormData(event.target as HTMLFormElement).get("user"));
    location.hash = `#/user/${encodeURIComponent(wanted)}`;
  };

  private readonly send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    this.isSending = true;
    this.page.changed();
    await attempt(this.page, async () => {
      const body = { user_id: this.userId, title: given.get("title"), message: given.get("message") };
      const made = await call<{ id: string }>("POST", "/api/admin/test", body);
      this.page.say(`Sent. Its id is ${made.id}.`);
    });
    this.isSending = false;
    await this.look();
  };

  private readonly cut = (session: Session): void => void cut(this.page, session, this.look);
}

function devices(user: User): TemplateResult {
  if (user.devices.length + user.browsers.length === 0)
    return html`<p class="empty">Nothing is registered: nothing can be pushed to this user.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Devices">
      <table>
        <thead>
          <tr>
            <th>Device</th>
            <th>Kind</th>
            <th>Token</th>
            <th>Registered</th>
            <th>Last seen</th>
          </tr>
        </thead>
        <tbody>
          ${user.devices.map(
            (device) =>
              html`<tr>
                <td>${device.device_name ?? "–"}</td>
                <td>${device.platform}</td>
                <td><code>${device.token}</code></td>
                <td>${day(device.created_at)} ${time(device.created_at)}</td>
                <td>${day(device.last_seen_at)} ${time(device.last_seen_at)}</td>
              </tr>`,
          )}
          ${user.browsers.map(
            (browser) =>
              html`<tr>
                <td>${browser.host}</td>
                <td>browser</td>
                <td>–</td>
                <td>${day(browser.created_at)} ${time(browser.created_at)}</td>
                <td>–</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${user.topics.length === 0 ? nothing : html`<p class="hint">Topics: ${user.topics.join(", ")}</p>`}`;
}

function streamCard(stream: StreamState, userId: number | string): TemplateResult {
  const behind = stream.seq - stream.acked;
  return html`<section class="card wide" aria-label=${`Stream ${stream.namespace}`}>
    <h2>${stream.namespace}</h2>
    <p class="hint">
      head ${stream.seq} · acknowledged ${stream.acked}${behind > 0 ? html` · <b>${behind} behind</b>` : nothing}
      ${stream.pruned > 0 ? html` · kept from ${stream.pruned + 1}` : nothing}
    </p>
    <ol class="events">
      ${stream.events.map(
        (event) =>
          html`<li>
            <span class="seq">${event.seq}</span>
            <span
              >${
                stream.namespace === "/notifications" && event.about !== null
                  ? html`<a href=${traceLink(event.about, userId)}>${event.event}</a>`
                  : event.event
              }</span
            >
            <time datetime=${event.created_at} title=${day(event.created_at)}>${exact(event.created_at)}</time>
          </li>`,
      )}
    </ol>
    ${stream.events.length === 0 ? html`<p class="empty">No events.</p>` : nothing}
  </section>`;
}
