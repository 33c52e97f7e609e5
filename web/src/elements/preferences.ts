/** `<tocsin-preferences>`: which notifications reach their user how and when; saved as it is changed. */

import { html, nothing, type TemplateResult } from "lit-html";
import { type CategoryPreferences, type Preferences, PreferencesStore, type QuietHours } from "../inbox/preferences.js";
import type { InboxClient } from "../inbox/store.js";
import { type Icon, icon } from "./icons.js";
import { failure } from "./inbox_parts.js";
import { STYLE as OWN } from "./preferences_style.js";
import { STYLE } from "./style.js";
import type { Texts } from "./texts.js";
import { moment } from "./time.js";
import { everyHalfMinute, View } from "./view.js";

const COLUMNS = ["toast", "sound", "push", "channels"] as const;
type Column = (typeof COLUMNS)[number];
const LOOKS: Readonly<Record<Column, Icon>> = { toast: "screen", sound: "sound", push: "phone", channels: "mail" };
const DIGESTS = ["off", "hourly", "daily"] as const;
const HOUR_MS = 3_600_000;
const OWN_ZONE = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export class TocsinPreferences extends View {
  static readonly observedAttributes = ["lang"];

  private preferences: PreferencesStore | undefined;

  constructor() {
    super(STYLE, OWN);
  }

  protected override follow(client: InboxClient): (() => void)[] {
    this.preferences = new PreferencesStore(client, this.changed);
    return [this.preferences.follow(), everyHalfMinute(this.changed)];
  }

  protected override view(texts: Texts): TemplateResult {
    const { answer, problem, hasSaved } = this.preferences?.snapshot ?? {
      answer: null,
      problem: null,
      hasSaved: false,
    };
    if (answer === null)
      return problem === null
        ? html`<p class="status">${texts.loading}</p>`
        : failure(texts, () => this.connectedCallback());
    const { effective } = answer;
    return html`<section part="preferences" aria-label=${texts.preferences}>
      <h2>${texts.preferences}</h2>
      ${this.table(texts, answer.categories, effective)}
      <div class="cards">
        ${this.quietHours(texts, effective.quiet_hours ?? null)} ${this.mute(texts, effective.mute_until ?? null)}
        ${this.locale(texts, effective.locale ?? null)}
      </div>
      <p class="status" part="status" role="status">${problem === null ? (hasSaved ? texts.saved : "") : texts.refused}</p>
    </section>`;
  }

  private table(texts: Texts, categories: readonly string[], { categories: held = {} }: Preferences): TemplateResult {
    const names = [...categories.filter((name) => name !== "*"), "*"];
    return html`<table part="table">
      <thead>
        <tr>
          <th scope="col"><span class="unseen">${texts.category}</span></th>
          ${COLUMNS.map((column) => html`<th scope="col">${icon(LOOKS[column])}<span class="word">${texts[column]}</span></th>`)}
          <th scope="col">${icon("stack")}<span class="word">${texts.digest}</span></th>
        </tr>
      </thead>
      <tbody>
        ${names.map((name) => this.row(texts, name, held[name] ?? {}))}
      </tbody>
    </table>`;
  }

  private row(texts: Texts, name: string, held: CategoryPreferences): TemplateResult {
    const label = name === "*" ? texts.everything : name;
    const digest = (event: Event) =>
      this.set(name, { digest: (event.target as HTMLSelectElement).value as (typeof DIGESTS)[number] });
    return html`<tr>
      <th scope="row" dir="auto">${label}</th>
      ${COLUMNS.map(
        (
          column,
        ) => html`<td><input type="checkbox" role="switch" aria-label="${label}: ${texts[column]}" .checked=${isOn(held, column)}
          @change=${(event: Event) => this.set(name, made(column, (event.target as HTMLInputElement).checked))} /></td>`,
      )}
      <td><select aria-label="${label}: ${texts.digest}" @change=${digest}>
        ${DIGESTS.map((each) => html`<option value=${each} .selected=${(held.digest ?? "off") === each}>${texts[each]}</option>`)}
      </select></td>
    </tr>`;
  }

  private quietHours(texts: Texts, held: QuietHours | null): TemplateResult {
    const now = held ?? { from: "22:00", until: "07:00", time_zone: OWN_ZONE() };
    const field = (name: "from" | "until", label: string) =>
      html`<label>${label}<input type="time" required .value=${now[name]} @change=${(event: Event) => {
        const { value } = event.target as HTMLInputElement;
        if (value !== "") this.change({ quiet_hours: { ...now, [name]: value } });
      }} /></label>`;
    const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), OWN_ZONE(), now.time_zone])].sort();
    return html`<fieldset>
      <legend>${texts.quietHours}</legend>
      <input type="checkbox" role="switch" aria-label=${texts.quietHours} .checked=${held !== null}
        @change=${() => this.change({ quiet_hours: held === null ? now : null })} />
      ${
        held === null
          ? nothing
          : html`<div class="fields">${field("from", texts.from)}${field("until", texts.to)}
            <label>${texts.timeZone}<select @change=${(event: Event) =>
              this.change({ quiet_hours: { ...now, time_zone: (event.target as HTMLSelectElement).value } })}>
              ${zones.map((zone) => html`<option value=${zone} .selected=${zone === now.time_zone}>${zone.replaceAll("_", " ")}</option>`)}
            </select></label></div>`
      }
    </fieldset>`;
  }

  private mute(texts: Texts, until: string | null): TemplateResult {
    const isMuted = until !== null && Date.parse(until) > Date.now();
    const tomorrow = new Date();
    tomorrow.setHours(32, 0, 0, 0);
    const press = (label: string, at: number | null) => html`<button class="plain" type="button"
      @click=${() => this.change({ mute_until: at === null ? null : new Date(at).toISOString() })}>${label}</button>`;
    return html`<fieldset>
      <legend>${texts.mute}</legend>
      <div class="buttons">
        ${
          isMuted
            ? html`<span>${texts.muted(moment(new Date(until), Date.now(), this.language))}</span>${press(texts.unmute, null)}`
            : html`${press(texts.oneHour, Date.now() + HOUR_MS)}${press(texts.eightHours, Date.now() + 8 * HOUR_MS)}${press(texts.untilTomorrow, tomorrow.getTime())}`
        }
      </div>
    </fieldset>`;
  }

  private locale(texts: Texts, locale: "en" | "ko" | null): TemplateResult {
    const names = { "": texts.automatic, en: "English", ko: "한국어" };
    const choose = (event: Event) =>
      this.change({ locale: ((event.target as HTMLSelectElement).value || null) as "en" | "ko" | null });
    return html`<fieldset>
      <legend>${texts.language}</legend>
      <select aria-label=${texts.language} @change=${choose}>
        ${Object.entries(names).map(([value, name]) => html`<option value=${value} .selected=${value === (locale ?? "")}>${name}</option>`)}
      </select>
    </fieldset>`;
  }

  private set(category: string, fields: CategoryPreferences): void {
    this.preferences?.change((own) => ({
      ...own,
      categories: { ...own.categories, [category]: { ...own.categories?.[category], ...fields } },
    }));
  }

  private change(fields: Preferences): void {
    this.preferences?.change((own) => ({ ...own, ...fields }));
  }
}

function isOn(held: CategoryPreferences, column: Column): boolean {
  if (column === "push") return held.fcm !== false || held.webpush !== false;
  return held[column] !== false;
}

function made(column: Column, isWanted: boolean): CategoryPreferences {
  if (column === "push") return { fcm: isWanted, webpush: isWanted };
  if (column === "sound") return { sound: isWanted ? "default" : false };
  return { [column]: isWanted };
}
