/**
 * One inbox for all that a page shows of it: the state, kept by the events of a client, and what a user does to it.
 *
 * Loads a list when it is asked for, loads anew what can't be kept by events, and forgets everything when somebody else
 * signs in. The rules stand in state.ts and optimism.ts.
 */

import type { WebSocketClient } from "../client/client.js";
import type { Cursor } from "../client/cursor.js";
import { newIdentifier } from "../client/identifier.js";
import { Patience } from "../client/patience.js";
import { failure, type TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import { isUnread, type Notification, type UserId } from "./notification.js";
import { Overlays } from "./optimism.js";
import { type Call, inBulk, patiently, Refused, request } from "./rest.js";
import {
  apply,
  type Change,
  EMPTY,
  EVENTS,
  type EventData,
  type Inbox,
  isWhole,
  merge,
  type Page,
  touches,
  transform,
} from "./state.js";
import { keyOf, queryOf, type ViewName } from "./view.js";

export type InboxClient = Pick<WebSocketClient, "on" | "emit" | "getToken" | "isConnected"> & {
  readonly origin?: string;
};

/** What is shown; another object after every change. */
export interface Snapshot {
  readonly inbox: Inbox;
  /** Lists, by `keyOf`, of which a page is on its way. */
  readonly loading: ReadonlySet<string>;
  /** Lists whose last page could not be fetched. */
  readonly failed: ReadonlySet<string>;
  /** Why the last thing that was done was taken back; null after the next one. */
  readonly problem: TocsinError | null;
  /** Whose inbox it is, as the token says. */
  readonly owner: string | null;
}

/** A notification that has just come, or come back. */
export interface Arrival {
  readonly notification: Notification;
  readonly seq: number;
  /** False where the user's preferences want none. */
  readonly toast: boolean;
  /** A name or a URL; null for silence. */
  readonly sound: string | null;
}

export const ALL: ViewName = { tab: "all", category: null };
const PAGE = 50;
const MOST = 200;
type Loudness = { toast?: boolean; silent?: boolean; sound?: string | null; seq?: number };
/** What is known before anything is. */
export const NOTHING: Snapshot = { inbox: EMPTY, loading: new Set(), failed: new Set(), problem: null, owner: null };

export class InboxStore {
  private current = NOTHING;
  private base = EMPTY;
  private readonly overlays = new Overlays();
  private readonly listeners = new Set<() => void>();
  private readonly arrivals = new Set<(arrival: Arrival) => void>();
  private readonly loading = new Set<string>();
  private readonly failed = new Map<string, ViewName>();
  private readonly patience = new Patience();
  private readonly loadFailed = () => [...this.failed.values()].map((name) => this.load(name));
  /** Events since the first page that is on its way was asked for. */
  private recent: Change[] = [];
  private readonly learning = new Map<string, object>();
  private session = 0;
  /** Counts how often it was asked who is signed in. */
  private asked = 0;
  private owner: string | null = null;
  private problem: TocsinError | null = null;
  /** The base can't be kept by events any more, or never could. */
  private isStale = true;
  private isLive = false;
  /** How far the client is: nothing before it will come any more. */
  private head: Cursor = { epoch: "", seq: 0 };
  /** A log that the client did not know when it was last loaded: asked once more, and then believed. */
  private distrusted = "";
  private unbind: (() => void)[] = [];

  constructor(readonly client: InboxClient) {}

  get snapshot(): Snapshot {
    return this.current;
  }

  /** Follow the inbox; it is bound to the client while anybody does. Returns a function that ends it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.listeners.size === 0) this.bind();
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.release();
    };
  };

  /** Hear of each notification that comes while somebody follows the inbox; not of those that a page begins with. */
  onArrival(listener: (arrival: Arrival) => void): () => void {
    this.arrivals.add(listener);
    return () => this.arrivals.delete(listener);
  }

  /** Load the first page of a list, or the next one; harmless while that is under way, and at the end. */
  async load(name: ViewName): Promise<void> {
    const key = keyOf(name);
    const view = this.base.views.get(key);
    if (this.loading.has(key) || (!this.isStale && view?.cursor === null)) return;
    const { session } = this;
    const { taken } = this.overlays;
    const cursor = this.isStale ? null : (view?.cursor ?? null);
    const limit = this.isStale ? Math.min(MOST, Math.max(PAGE, view?.ids.length ?? 0)) : PAGE;
    this.loading.add(key);
    this.failed.delete(key);
    this.changed();
    try {
      const page = (await this.call({ method: "GET", path: `notifications?${queryOf(name, limit, cursor)}` })) as Page;
      if (session !== this.session) return;
      this.take(name, page, taken);
      if (this.failed.size === 0) this.patience.end();
    } catch (error) {
      if (session !== this.session) return;
      this.failed.set(key, name);
      this.patience.wait(error, this.loadFailed);
    }
    if (session !== this.session) return;
    this.loading.delete(key);
    if (this.loading.size === 0) this.recent = [];
    this.changed();
  }

  /** Tell the server that the user has looked at the list. */
  markSeen(): void {
    this.client.emit("notifications", "mark_seen", {});
  }

  markRead(id: string): Promise<void> {
    const at = now();
    return this.change(id, { read_at: at, seen_at: at }, { method: "PUT", path: `notifications/${id}/read` });
  }

  markUnread(id: string): Promise<void> {
    return this.patch(id, { read_at: null }, { read: false });
  }

  archive(id: string): Promise<void> {
    return this.patch(id, { archived_at: now() }, { archived: true });
  }

  unarchive(id: string): Promise<void> {
    return this.patch(id, { archived_at: null }, { archived: false });
  }

  /** Put it away until then; null brings it back now. */
  snooze(id: string, until: Date | null): Promise<void> {
    const snoozed_until = until?.toISOString() ?? null;
    return this.patch(id, { snoozed_until }, { snoozed_until });
  }

  async remove(id: string): Promise<void> {
    await this.perform("notification_deleted", { ids: [id] }, { method: "DELETE", path: `notifications/${id}` });
  }

  /** Mark all unread ones as read, or those of a category. */
  async markAllRead(category: string | null = null): Promise<void> {
    const ids = this.idsWhere((one) => isUnread(one), category);
    const at = now();
    await this.perform("notification_updated", { ids, read_at: at, seen_at: at }, inBulk("read-all", category));
  }

  async archiveAll(category: string | null = null): Promise<void> {
    const ids = this.idsWhere((one) => one.archived_at === null && one.snoozed_until === null, category);
    await this.perform("notification_updated", { ids, archived_at: now() }, inBulk("archive-all", category));
  }

  /** Take what is claimable; whoever was first has it. Rejects with `already_claimed` for everybody else. */
  async claim(id: string): Promise<void> {
    const claim = { claimed_by: this.owner, claimed_at: now() };
    try {
      await this.change(id, { claim }, { method: "POST", path: `notifications/${id}/claim` });
    } catch (error) {
      if (error instanceof Refused && "claimed_by" in error.answer) {
        const { claimed_by, claimed_at } = error.answer as { claimed_by: UserId; claimed_at: string };
        this.base = transform(this.base, update({ id, claim: { claimed_by, claimed_at } }));
        this.changed();
      }
      throw error;
    }
  }

  private patch(id: string, fields: object, body: object): Promise<void> {
    return this.change(id, fields, { method: "PATCH", path: `notifications/${id}`, body });
  }

  private async change(id: string, fields: object, call: Call): Promise<void> {
    await this.perform("notification_updated", { ids: [id], ...fields }, call);
  }

  /** Show a change, ask for it, and take it back if it is refused: rejects with a TocsinError then. */
  private async perform(
    event: "notification_updated" | "notification_deleted",
    data: EventData & { readonly ids: readonly string[] },
    call: Call,
  ): Promise<void> {
    const { session, owner } = this;
    const once = newIdentifier();
    const ask = () => patiently(() => this.call({ ...call, once }, owner));
    const overlay = this.overlays.add({ event, data }, this.base, ask);
    this.problem = null;
    this.changed();
    try {
      await overlay.answer;
      this.overlays.answered(overlay);
    } catch (error) {
      this.overlays.drop(overlay);
      if (session === this.session) this.problem = error as TocsinError;
      throw error;
    } finally {
      this.changed();
    }
  }

  private idsWhere(isMeant: (one: Notification) => boolean, category: string | null): string[] {
    const all = [...this.current.inbox.items.values()];
    return all.filter((one) => isMeant(one) && (category ?? one.category) === one.category).map((one) => one.id);
  }

  private bind(): void {
    const { client } = this;
    this.isLive = client.isConnected;
    for (const event of EVENTS)
      this.unbind.push(client.on("notifications", event, (data) => this.receive({ event, data: data as EventData })));
    this.unbind.push(
      client.on("*", "resync", ({ namespace }) => namespace === "notifications" && this.reload()),
      client.on("*", "sync", ({ namespace, epoch, seq }) => {
        if (namespace !== "notifications") return;
        this.isLive = true;
        this.head = { epoch, seq };
        if (!this.isStale && (epoch !== this.base.epoch || seq > this.base.seq)) this.reload();
      }),
      client.on("*", "state", ({ state }) => void (state === "connected" && this.identify())),
    );
    this.isStale = true;
    void this.identify();
  }

  private release(): void {
    for (const unbind of this.unbind) unbind();
    this.unbind = [];
    this.session += 1;
    this.asked += 1;
    this.patience.end();
    this.loading.clear();
    this.recent = [];
    // Whoever follows it next may be somebody else, with another log.
    this.head = { epoch: "", seq: 0 };
  }

  /** Begin anew where somebody else has signed in, and load what could not be loaded. */
  private async identify(): Promise<void> {
    this.asked += 1;
    const { asked } = this;
    const token = await this.client.getToken().catch(() => null);
    // It was asked again since, or nobody looks any more.
    if (asked !== this.asked) return;
    const owner = token ? ownerOf(token) : null;
    if (owner !== this.owner) {
      this.base = EMPTY;
      this.overlays.clear();
      this.owner = owner;
      this.problem = null;
      this.failed.clear();
      this.reload();
    } else {
      this.loadFailed();
      if (this.isStale) void this.load(ALL);
    }
    this.changed();
  }

  /** Fetch what is shown again, and go on from there. */
  private reload(): void {
    this.session += 1;
    this.loading.clear();
    this.recent = [];
    this.isStale = true;
    if (this.owner !== null && this.unbind.length > 0) void this.load(ALL);
  }

  private take(name: ViewName, page: Page, taken: Overlays["taken"]): void {
    if (this.isStale) {
      this.base = merge(EMPTY, name, page, this.recent);
      this.isStale = false;
      this.overlays.rebase(taken, this.base);
      if (this.isBehind()) this.reload();
    } else if (page.epoch === this.base.epoch) this.base = merge(this.base, name, page, this.recent);
    else this.reload();
  }

  /** Events are missing that the client, which began after them, was never sent; or the page is of another log. */
  private isBehind(): boolean {
    const { head, base } = this;
    if (head.epoch === base.epoch) return head.seq > base.seq;
    const isNews = head.epoch !== "" && this.distrusted !== base.epoch;
    this.distrusted = base.epoch;
    return isNews;
  }

  private receive(change: Change): void {
    const { seq = 0, epoch = this.base.epoch, id } = change.data;
    if (this.loading.size > 0) this.recent.push(change);
    if (!this.isStale) {
      if (epoch === this.base.epoch && seq <= this.base.seq) return;
      // A client without a cursor is sent what is live: what came between our page and that is missing.
      if (epoch !== this.base.epoch || seq > this.base.seq + 1) this.reload();
      else {
        const isPart = change.event === "notification_updated" && id !== undefined && !isWhole(change);
        if (isPart && !this.base.items.has(id)) this.learning.set(id, {});
        this.base = apply(this.base, change);
        this.overlays.heard(change, this.base);
        // What is asked for may be older than this.
        for (const each of this.learning.keys()) if (touches(change.data, each)) void this.learn(each);
      }
    }
    this.changed();
    if (change.event === "notification" && this.isLive) this.announce(change.data);
  }

  private announce(data: EventData): void {
    const { toast = true, silent = false, sound, seq = 0 } = data as Loudness;
    const notification = apply(EMPTY, { event: "notification", data }).items.get(data.id as string) as Notification;
    for (const listener of [...this.arrivals])
      listener({ notification, seq, toast, sound: silent ? null : (sound ?? "default") });
  }

  /** Something changed in a part that is not loaded; it may belong now to a list that is. */
  private async learn(id: string): Promise<void> {
    const { session } = this;
    const turn = {};
    this.learning.set(id, turn);
    const found = await this.call({ method: "GET", path: `notifications/${id}` }).catch(() => null);
    // What came meanwhile asks again.
    if (this.learning.get(id) !== turn) return;
    this.learning.delete(id);
    if (found === null || session !== this.session || this.base.items.has(id)) return;
    this.base = transform(this.base, update(found as EventData));
    this.changed();
  }

  /** Where an owner is given, only while that one is signed in. */
  private async call(call: Call, owner?: string | null): Promise<unknown> {
    const token = await this.client.getToken();
    if (!token) throw failure("unauthenticated", "Nobody is signed in");
    if (owner !== undefined && owner !== ownerOf(token)) throw failure("user_changed", "Somebody else has signed in");
    return await request(this.client.origin ?? "", token, call);
  }

  private changed(): void {
    const { problem, owner } = this;
    const inbox = this.overlays.over(this.base);
    this.current = { inbox, loading: new Set(this.loading), failed: new Set(this.failed.keys()), problem, owner };
    for (const listener of [...this.listeners]) listener();
  }
}

const stores = new WeakMap<InboxClient, InboxStore>();

/** The store of a client: all that asks for it shares one. */
export function storeOf(client: InboxClient): InboxStore {
  const known = stores.get(client) ?? new InboxStore(client);
  stores.set(client, known);
  return known;
}

function update(data: EventData): Change {
  return { event: "notification_updated", data };
}

function ownerOf(token: string): string {
  return findSubject(token) ?? token;
}

function now(): string {
  return new Date().toISOString();
}
