/** The back end of an inbox: one call of the real REST API for each thing that keeps an inbox worth reading. */

import type { DemoEvent, UserId } from "./events.js";
import type { IconName } from "./icons.js";
import type { Rest } from "./rest.js";

const FANS = ["Ada", "서연", "Noor", "Luca", "Mei", "준호"] as const;
const NEWS = [
  ["billing", "Invoice paid", "₩ 49,000 for November. Thank you!"],
  ["team", "준호 invited you", "“Studio plans” is waiting for your review ✍️"],
  ["security", "New sign-in", "Chrome on Linux, Seoul. Was it you?"],
  ["promo", "가을 세일 🍁", "오늘만 모든 찻잔 20% 할인!"],
  ["system", "Backup finished", "All 48 tables, 2.1 GB, in 41 seconds."],
  ["system", "배포 완료 🚀", "v2.4가 모든 서버에 배포되었습니다."],
] as const;
const STEPS = ["is queued", "runs: 12 of 40 tests", "runs: 31 of 40 tests", "has passed 🎉"] as const;

const API = "/api/notifications";

export const UNSAFE_TITLE = "<img src=x onerror=alert(1)> Free coffee";

/** Whom a button is for, with the newest notification that each has. */
export interface Target {
  readonly users: readonly UserId[];
  readonly newest: readonly string[];
}

type Act = (newsroom: Newsroom, to: Target) => Promise<unknown>;

/** What a page has a button for. */
export const DEEDS: readonly (readonly [IconName, string, Act])[] = [
  ["heart", "Like, grouped", (newsroom, { users }) => newsroom.like(users)],
  ["retry", "Build, replaced", (newsroom, { users }) => newsroom.build(users)],
  ["flag", "Work for one", (newsroom) => newsroom.work()],
  ["clock", "In 10 seconds", (newsroom, { users }) => newsroom.later(users, 10)],
  ["hourglass", "For 15 seconds", (newsroom, { users }) => newsroom.brief(users, 15)],
  ["pencil", "Edit the last", (newsroom, { newest }) => newsroom.edit(newest)],
  ["undo", "Take the last back", (newsroom, { newest }) => newsroom.retract(newest)],
];

/** The ids of what has come to a user and was not taken out again, newest last. */
export type Arrived = readonly string[];

/** Return the ids after an event of `/notifications`. */
export function applyToArrived(ids: Arrived, { event, data }: Pick<DemoEvent, "event" | "data">): Arrived {
  if (event !== "notification" && event !== "notification_deleted") return ids;
  const others = ids.filter((id) => id !== data.id);
  return event === "notification" && typeof data.id === "string" ? [...others, data.id] : others;
}

/** Publishes one thing after another. */
export class Newsroom {
  private turn = 0;
  private fans = 0;
  private step = 0;
  private builds = 40;

  constructor(
    private readonly rest: Rest,
    private readonly everybody: readonly UserId[],
  ) {}

  notify(users: readonly UserId[]): Promise<unknown> {
    const [category, title, message] = pick(NEWS, this.turn++);
    return this.publish(users, { type: category, category, title, message });
  }

  notifyUnsafely(users: readonly UserId[]): Promise<unknown> {
    const message = "This title is markup. It is shown, not run.";
    return this.publish(users, { type: "test", title: UNSAFE_TITLE, message });
  }

  burst(users: readonly UserId[], count: number): Promise<unknown> {
    const titles = Array.from({ length: count }, (_, index) => `Burst ${index + 1} of ${count}`);
    const send = (title: string) =>
      this.publish(users, { type: "burst", category: "burst", title, message: "All at once." });
    return Promise.all(titles.map(send));
  }

  /** All who like the post are one card, as long as it is unread; the words are the server's, in the user's language. */
  like(users: readonly UserId[]): Promise<unknown> {
    const number = this.fans++;
    const name = pick(FANS, number);
    return this.publish(users, {
      type: "post_liked",
      category: "likes",
      template: "post_liked",
      params: { user_name: name },
      group: { key: "likes of post 1", actor: { id: number + 100, name } },
    });
  }

  /** The next step takes the place of the one before. */
  build(users: readonly UserId[]): Promise<unknown> {
    const step = this.step++ % STEPS.length;
    if (step === 0) this.builds++;
    const build = `Build ${this.builds}`;
    const title = `${build} ${STEPS[step]}`;
    return this.publish(users, { type: "build", category: "builds", title, message: "", collapse_key: build });
  }

  /** One of all may take it, so it is sent to all at once. */
  work(): Promise<unknown> {
    return this.rest.call("POST", API, {
      user_ids: this.everybody,
      type: "support",
      category: "support",
      title: "A customer waits for an answer",
      message: "Whoever claims it first has it.",
      claimable: true,
    });
  }

  later(users: readonly UserId[], seconds: number): Promise<unknown> {
    const deliver_at = new Date(Date.now() + seconds * 1000).toISOString();
    const title = `${seconds} seconds later`;
    return this.publish(users, { type: "reminder", title, message: "As it was ordered ⏰", deliver_at });
  }

  brief(users: readonly UserId[], seconds: number): Promise<unknown> {
    const message = `Gone in ${seconds} seconds.`;
    return this.publish(users, { type: "offer", title: "Flash sale ⚡", message, ttl_s: seconds });
  }

  edit(ids: readonly string[]): Promise<unknown> {
    const title = `Corrected at ${new Date().toLocaleTimeString("en")}`;
    return this.each(ids, (id) => this.rest.call("PATCH", `${API}/${id}`, { title }));
  }

  retract(ids: readonly string[]): Promise<unknown> {
    return this.each(ids, (id) => this.rest.call("DELETE", `${API}/${id}`));
  }

  private publish(users: readonly UserId[], content: object): Promise<unknown> {
    return Promise.all(users.map((user_id) => this.rest.call("POST", API, { user_id, ...content })));
  }

  private async each(ids: readonly string[], act: (id: string) => Promise<unknown>): Promise<void> {
    if (ids.length === 0) throw new Error("There is no notification.");
    await Promise.all(ids.map(act));
  }
}

function pick<Item>(items: readonly Item[], turn: number): Item {
  return items[turn % items.length] as Item;
}
