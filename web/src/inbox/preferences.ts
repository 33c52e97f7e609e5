/** What a user wants to be told, and how: kept by the server, shown here, saved as it is changed. */

import { failure, type TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import { type Call, request } from "./rest.js";
import type { InboxClient } from "./store.js";

export interface CategoryPreferences {
  readonly inbox?: boolean;
  readonly toast?: boolean;
  /** A name or URL that the page knows, "default", or false for silence. */
  readonly sound?: string | false;
  readonly fcm?: boolean;
  readonly webpush?: boolean;
  readonly channels?: boolean;
  readonly digest?: "off" | "hourly" | "daily";
}

/** Times of day as `22:00`. */
export interface QuietHours {
  readonly from: string;
  readonly until: string;
  readonly time_zone: string;
}

export interface Preferences {
  /** By category; `*` stands for each that has no own. */
  readonly categories?: Readonly<Record<string, CategoryPreferences>>;
  readonly quiet_hours?: QuietHours | null;
  readonly mute_until?: string | null;
  readonly digest_hour?: number;
  readonly locale?: "en" | "ko" | null;
  readonly time_zone?: string;
}

export interface PreferencesAnswer {
  /** The user's own, over the host's defaults. */
  readonly preferences: Preferences;
  readonly defaults: Preferences;
  readonly effective: Preferences;
  readonly categories: readonly string[];
}

export interface PreferencesSnapshot {
  readonly answer: PreferencesAnswer | null;
  readonly problem: TocsinError | null;
  readonly hasSaved: boolean;
}

/** The preferences of a client's user; changes are shown at once and taken back when they are refused. */
export class PreferencesStore {
  snapshot: PreferencesSnapshot = { answer: null, problem: null, hasSaved: false };
  /** As the server has them. */
  private saved: PreferencesAnswer | null = null;
  /** Whose they are, as the token says; null before it is known. */
  private owner: string | null = null;
  private saving: Promise<void> = Promise.resolve();
  private waiting = 0;
  /** Counts what happened here: changes, and their answers. */
  private turn = 0;
  /** Counts how often they were asked for: an earlier answer that comes later is not taken. */
  private asked = 0;

  constructor(
    private readonly client: InboxClient,
    private readonly changed: () => void,
  ) {}

  /** Load them, and again whenever another device changes them or the client comes back. Returns what ends it. */
  follow(): () => void {
    const load = () => void this.load();
    const listen = this.client.on as (namespace: string, event: string, callback: (data: never) => void) => () => void;
    const unbind = [
      listen.call(this.client, "notifications", "preferences_changed", load),
      this.client.on("*", "state", ({ state }) => state === "connected" && load()),
    ];
    load();
    return () => {
      for (const each of unbind) each();
    };
  }

  /** Save what a change makes of the user's own preferences; one after the other. */
  change(make: (own: Preferences) => Preferences): void {
    const { answer } = this.snapshot;
    if (answer === null) return;
    const preferences = make(answer.preferences);
    this.show({ ...answer, preferences, effective: laidOver(answer.effective, preferences) }, null, false);
    this.waiting += 1;
    this.turn += 1;
    const { owner } = this;
    this.saving = this.saving.then(() => this.save(preferences, owner));
  }

  private async save(preferences: Preferences, owner: string | null): Promise<void> {
    let problem: TocsinError | null = null;
    try {
      const token = await this.token();
      if (ownerOf(token) !== owner) throw failure("user_changed", "Somebody else has signed in");
      this.saved = await this.call(token, { method: "PUT", path: "preferences", body: preferences });
      this.turn += 1;
    } catch (error) {
      problem = error as TocsinError;
    }
    this.waiting -= 1;
    // What was changed meanwhile is newer than this answer.
    if (this.waiting > 0) return;
    if (owner !== this.owner || problem?.code === "user_changed") await this.load();
    else this.show(this.saved, problem, problem === null);
  }

  private async load(): Promise<void> {
    this.asked += 1;
    const { turn, asked } = this;
    try {
      const token = await this.token();
      if (asked !== this.asked) return;
      const owner = ownerOf(token);
      if (owner !== this.owner) {
        this.owner = owner;
        this.show(null, null, false);
      }
      const found = await this.call(token, { method: "GET", path: "preferences" });
      // What was asked before or during a change may be older than it; the answer to a change is the newest there is.
      if (this.waiting > 0 || asked !== this.asked) return;
      if (turn !== this.turn) return await this.load();
      this.saved = found;
      this.show(found, null, this.snapshot.hasSaved);
    } catch (error) {
      if (this.snapshot.answer === null) this.show(null, error as TocsinError, false);
    }
  }

  private show(answer: PreferencesAnswer | null, problem: TocsinError | null, hasSaved: boolean): void {
    this.snapshot = { answer, problem, hasSaved };
    this.changed();
  }

  private async token(): Promise<string> {
    return (await this.client.getToken()) ?? "";
  }

  private async call(token: string, call: Call): Promise<PreferencesAnswer> {
    return (await request(this.client.origin ?? "", token, call)) as PreferencesAnswer;
  }
}

function ownerOf(token: string): string {
  return findSubject(token) ?? token;
}

/** What holds until the server has said so: the user's own over what held before. */
function laidOver(effective: Preferences, own: Preferences): Preferences {
  const categories = { ...effective.categories };
  for (const [name, each] of Object.entries(own.categories ?? {})) categories[name] = { ...categories[name], ...each };
  return { ...effective, ...own, categories };
}
