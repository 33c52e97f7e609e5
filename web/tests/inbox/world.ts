/** An inbox as the server keeps it, in memory: what it stores, pages and tells. */

import { isCurrent, isUnread, type Notification, toNotification } from "../../src/inbox/notification.js";
import type { Change, EventData, Page } from "../../src/inbox/state.js";
import { belongs, type ViewName } from "../../src/inbox/view.js";

/** A generator that gives the same numbers for the same seed (mulberry32). */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function made(id: string, more: object = {}): Notification {
  return toNotification({
    ...{ id, user_id: 7, type: "system", title: id, message: "", data: {}, category: null, priority: "normal" },
    ...{
      sound: null,
      timestamp: "",
      seen_at: null,
      read: false,
      read_at: null,
      expires_at: null,
      archived_at: null,
      snoozed_until: null,
      ...more,
    },
  });
}

const CATEGORIES = [null, "orders", "social"];

export class World {
  readonly log: Change[] = [];
  /** In order, the newest last. */
  private items: Notification[] = [];
  private made = 0;

  constructor(private readonly roll: (below: number) => number) {}

  get seq(): number {
    return this.log.length;
  }

  get unread(): number {
    return this.items.filter(isUnread).length;
  }

  /** Do something that a user, a device or a publisher may do. */
  step(): void {
    const one = this.items[this.roll(this.items.length || 1)];
    const category = CATEGORIES[this.roll(3)] as string | null;
    const at = `t${String(this.seq).padStart(6, "0")}`;
    const kind = one === undefined ? 0 : this.roll(13);
    if (kind <= 3 || one === undefined) this.create(at, category);
    else if (kind === 4)
      this.replace(one, { read: true, read_at: at, seen_at: one.seen_at ?? at }, "notification_read");
    else if (kind === 5) this.replace(one, { read: false, read_at: null });
    else if (kind === 6) this.replace(one, { archived_at: one.archived_at === null ? at : null });
    else if (kind === 7) this.replace(one, { snoozed_until: one.snoozed_until === null ? at : null });
    else if (kind === 8) this.remove(one);
    else if (kind === 9)
      this.all("notification_read", (each) => isUnread(each) && fits(each, category), { read_at: at, category });
    else if (kind === 10)
      this.all("notification_updated", (each) => isUnread(each) && each.seen_at === null, { seen_at: at });
    else if (kind === 11) {
      const read_only = this.roll(2) === 0;
      const isMeant = (each: Notification) =>
        isCurrent(each) && fits(each, category) && (!read_only || each.read_at !== null);
      this.all("notification_updated", isMeant, { archived_at: at, category, read_only });
    } else this.comeBack(one, at);
  }

  page(name: ViewName, limit: number, cursor: string | null): Page {
    const listed = [...this.items].reverse().filter((one) => belongs(name, one));
    const from = cursor === null ? 0 : listed.findIndex((one) => (one.place as number) < Number(cursor));
    const notifications = from < 0 ? [] : listed.slice(from, from + limit);
    const hasMore = from >= 0 && from + limit < listed.length;
    const next_cursor = hasMore ? String(notifications.at(-1)?.place) : null;
    return { notifications, next_cursor, unread_count: this.unread, epoch: "e", seq: this.seq };
  }

  find(id: string): Notification | undefined {
    return this.items.find((one) => one.id === id);
  }

  private create(timestamp: string, category: string | null): void {
    const one = made(`n${this.made++}`, { timestamp, category, place: this.seq });
    this.items.push(one);
    this.tell("notification", one);
  }

  /** A snoozed one rings again: the same, unread, on top. */
  private comeBack(one: Notification, timestamp: string): void {
    const again = {
      ...one,
      timestamp,
      snoozed_until: null,
      archived_at: null,
      read_at: null,
      read: false,
      place: this.seq,
    };
    this.items = [...this.items.filter((each) => each !== one), again];
    this.tell("notification", again);
  }

  private replace(one: Notification, fields: object, event: Change["event"] = "notification_updated"): void {
    this.items = this.items.map((each) => (each === one ? { ...each, ...fields } : each));
    const { read: _, seen_at: __, ...told } = fields as Record<string, unknown>;
    this.tell(event, { id: one.id, ...told });
  }

  private remove(one: Notification): void {
    this.items = this.items.filter((each) => each !== one);
    this.tell("notification_deleted", { id: one.id, reason: "deleted" });
  }

  private all(event: Change["event"], isMeant: (one: Notification) => boolean, data: Record<string, unknown>): void {
    const { category: _, read_only: __, ...fields } = data;
    const at = data.read_at;
    const change = (one: Notification) =>
      at === undefined
        ? { ...one, ...fields }
        : { ...one, read: true, read_at: at as string, seen_at: one.seen_at ?? (at as string) };
    this.items = this.items.map((one) => (isMeant(one) ? change(one) : one));
    this.tell(event, { all: true, ...data });
  }

  private tell(event: Change["event"], data: object): void {
    this.log.push({ event, data: { ...data, seq: this.seq + 1, unread_count: this.unread } as EventData });
  }
}

function fits(one: Notification, category: string | null): boolean {
  return category === null || one.category === category;
}
