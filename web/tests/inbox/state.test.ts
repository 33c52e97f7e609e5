import { describe, expect, it } from "vitest";
import * as inbox from "../../src/inbox/state.js";
import { keyOf, type ViewName } from "../../src/inbox/view.js";
import { dice, made, World } from "./world.js";

const ALL: ViewName = { tab: "all", category: null };
const VIEWS: readonly ViewName[] = [
  ALL,
  { tab: "unread", category: null },
  { tab: "archived", category: null },
  { tab: "snoozed", category: null },
  { tab: "all", category: "orders" },
];

/** Apply an event as the store does: what is changed and not known is asked for. */
function hear(state: inbox.Inbox, world: World, change: inbox.Change): inbox.Inbox {
  const { id } = change.data;
  const isUnknown = id !== undefined && change.event === "notification_updated" && !state.items.has(id);
  const next = inbox.apply(state, change);
  const found = isUnknown ? world.find(id) : undefined;
  return found === undefined ? next : inbox.transform(next, { event: "notification_updated", data: { ...found } });
}

function load(state: inbox.Inbox, world: World, name: ViewName, limit: number, since: readonly inbox.Change[] = []) {
  const cursor = state.views.get(keyOf(name))?.cursor ?? null;
  return inbox.merge(state, name, world.page(name, limit, cursor), since);
}

describe("an inbox", { timeout: 60_000 }, () => {
  it("that is stale equals, with the events since, one that is fresh", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const roll = dice(seed);
      const world = new World(roll);
      for (let step = roll(40); step > 0; step -= 1) world.step();
      let state = load(inbox.EMPTY, world, ALL, 1 + roll(30));
      for (const name of VIEWS.slice(1)) if (roll(2) === 0) state = load(state, world, name, 1 + roll(30));

      for (let step = roll(30); step > 0; step -= 1) {
        world.step();
        state = hear(state, world, world.log.at(-1) as inbox.Change);
        const name = VIEWS[roll(VIEWS.length)] as ViewName;
        if (roll(3) === 0 && state.views.get(keyOf(name))?.cursor !== null)
          state = load(state, world, name, 1 + roll(5));
      }

      expect(state.unread).toBe(world.unread);
      for (const name of VIEWS) {
        const shown = inbox.select(state, name);
        if (shown === undefined) continue;
        const fresh = world.page(name, 1_000, null).notifications.slice(0, shown.length);
        expect(shown, `seed ${seed}, ${keyOf(name)}`).toEqual(fresh);
        const isWhole = state.views.get(keyOf(name))?.cursor === null;
        if (isWhole) expect(shown).toHaveLength(world.page(name, 1_000, null).notifications.length);
      }
    }
  });

  it("takes a page that is older than the events, and one that is newer", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const roll = dice(seed);
      const world = new World(roll);
      for (let step = 10 + roll(20); step > 0; step -= 1) world.step();
      let state = load(inbox.EMPTY, world, ALL, 50);
      const name = VIEWS[roll(VIEWS.length)] as ViewName;
      const from = world.seq;
      for (let step = roll(8); step > 0; step -= 1) world.step();
      // Read here, it arrives when more has happened, or before what has.
      const page = world.page(name, 50, null);
      for (let step = roll(8); step > 0; step -= 1) world.step();
      const events = world.log.slice(from);
      const until = roll(events.length + 1);

      for (const change of events.slice(0, until)) state = hear(state, world, change);
      if (!state.views.has(keyOf(name))) state = inbox.merge(state, name, page, events.slice(0, until));
      for (const change of events.slice(until)) state = hear(state, world, change);

      const shown = inbox.select(state, name);
      // One that many were put away into is loaded again.
      if (name.tab !== "archived" || shown !== undefined)
        expect(shown, `seed ${seed}`).toEqual(world.page(name, 50, null).notifications);
      expect(state.unread).toBe(world.unread);
    }
  });

  it("takes each event once, and a first page with what came while it was fetched", () => {
    const page = { notifications: [made("a")], next_cursor: null, unread_count: 1, epoch: "e", seq: 5 };
    const late = { event: "notification", data: { ...made("b"), seq: 6, unread_count: 2 } } as const;
    const early = { event: "notification_deleted", data: { id: "a", seq: 5, unread_count: 0 } } as const;

    const state = inbox.merge(inbox.EMPTY, ALL, page, [early, late]);

    expect(inbox.select(state, ALL)?.map((one) => one.id)).toEqual(["b", "a"]);
    expect(state.unread).toBe(2);
    expect(inbox.apply(state, late)).toBe(state);
  });

  it("counts what the newest of events and pages says, and nothing else", () => {
    const page = { notifications: [made("a")], next_cursor: null, unread_count: 9, epoch: "e", seq: 5 };
    const state = inbox.merge(inbox.EMPTY, ALL, page);
    const newer = inbox.merge(state, VIEWS[1] as ViewName, { ...page, seq: 8, unread_count: 3 });
    const older = inbox.apply(newer, { event: "notification_deleted", data: { id: "a", seq: 6, unread_count: 7 } });

    expect([state.unread, newer.unread, older.unread]).toEqual([9, 3, 3]);
  });

  it("makes no card of the new words of one that is not loaded", () => {
    const archived: ViewName = { tab: "archived", category: null };
    const page = { notifications: [made("a")], next_cursor: "more", unread_count: 2, epoch: "e", seq: 5 };
    const put = inbox.merge(inbox.merge(inbox.EMPTY, ALL, page), archived, {
      ...page,
      notifications: [],
      next_cursor: null,
    });
    const words = { event: "notification_updated", data: { id: "b", title: "New words", seq: 6 } } as const;

    const state = inbox.apply(put, words);

    expect([inbox.isWhole(words), inbox.select(state, archived)]).toEqual([false, []]);
  });

  it("takes a whole object that comes silently into the list where it belongs", () => {
    const page = {
      notifications: [made("a", { timestamp: "1" })],
      next_cursor: null,
      unread_count: 1,
      epoch: "e",
      seq: 1,
    };
    let state = inbox.merge(inbox.EMPTY, ALL, page);
    state = inbox.merge(state, VIEWS[2] as ViewName, { ...page, notifications: [] });

    const silent = made("b", { timestamp: "2", archived_at: "2" });
    state = inbox.apply(state, { event: "notification_updated", data: { ...silent, seq: 2, unread_count: 1 } });

    expect(inbox.select(state, ALL)).toHaveLength(1);
    expect(inbox.select(state, VIEWS[2] as ViewName)?.[0]?.id).toBe("b");
  });
});
