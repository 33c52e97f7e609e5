/** The back end of the inbox's page: one call of the real REST API for each thing that keeps an inbox worth reading. */

import type { UserId } from "./events.js";
import type { Rest } from "./rest.js";

const FANS = ["Ada", "서연", "Noor", "Luca", "Mei", "준호"] as const;
const NEWS = [
  ["billing", "Invoice paid", "₩ 49,000 for November. Thank you!"],
  ["team", "준호 invited you", "“Studio plans” is waiting for your review ✍️"],
  ["security", "New sign-in", "Chrome on Linux, Seoul. Was it you?"],
] as const;
const STEPS = ["is queued", "runs: 12 of 40 tests", "runs: 31 of 40 tests", "has passed 🎉"] as const;

const API = "/api/notifications";

interface Created {
  id?: string;
  job?: { id: string };
}

/** Publishes one thing after another to all users of the page. */
export class Newsroom {
  private turn = 0;
  private fans = 0;
  private step = 0;
  private builds = 40;
  private last: string[] = [];

  constructor(
    private readonly rest: Rest,
    private readonly users: readonly UserId[],
  ) {}

  notify(): Promise<unknown> {
    const [category, title, message] = pick(NEWS, this.turn++);
    return this.publish({ type: category, category, title, message });
  }

  /** All who like the post are one card, as long as it is unread; the words are the server's, in the user's language. */
  like(): Promise<unknown> {
    const number = this.fans++;
    const name = pick(FANS, number);
    return this.publish({
      type: "post_liked",
      category: "likes",
      template: "post_liked",
      params: { user_name: name },
      group: { key: "likes of post 1", actor: { id: number + 100, name } },
    });
  }

  /** The next step takes the place of the one before. */
  build(): Promise<unknown> {
    const step = this.step++ % STEPS.length;
    if (step === 0) this.builds++;
    const title = `Build ${this.builds} ${STEPS[step]}`;
    return this.publish({
      type: "build",
      category: "builds",
      title,
      message: "",
      collapse_key: `build ${this.builds}`,
    });
  }

  /** One of the two may take it. */
  work(): Promise<unknown> {
    return this.rest.call("POST", API, {
      user_ids: this.users,
      type: "support",
      category: "support",
      title: "A customer waits for an answer",
      message: "Whoever claims it first has it.",
      claimable: true,
    });
  }

  burst(count: number): Promise<unknown> {
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    return Promise.all(
      numbers.map((number) =>
        this.publish({ type: "burst", category: "burst", title: `${number} of ${count}`, message: "All at once." }),
      ),
    );
  }

  later(seconds: number): Promise<unknown> {
    const deliver_at = new Date(Date.now() + seconds * 1000).toISOString();
    return this.publish({ type: "reminder", title: "Ten seconds later", message: "As it was ordered ⏰", deliver_at });
  }

  brief(seconds: number): Promise<unknown> {
    return this.publish({ type: "offer", title: "Flash sale ⚡", message: "Gone in a moment.", ttl_s: seconds });
  }

  edit(): Promise<unknown> {
    const title = `Corrected at ${new Date().toLocaleTimeString("en")}`;
    return this.ofLast((id) => this.rest.call("PATCH", `${API}/${id}`, { title }));
  }

  async retract(): Promise<void> {
    await this.ofLast((id) => this.rest.call("DELETE", `${API}/${id}`));
    this.last = [];
  }

  private async publish(content: object): Promise<void> {
    const made = await Promise.all(
      this.users.map((user_id) => this.rest.call<Created>("POST", API, { user_id, ...content })),
    );
    const ids = made.flatMap(({ id }) => (id === undefined ? [] : [id]));
    if (ids.length > 0) this.last = ids;
  }

  private ofLast(act: (id: string) => Promise<unknown>): Promise<unknown> {
    return Promise.all(this.last.map(act));
  }
}

function pick<Item>(items: readonly Item[], turn: number): Item {
  return items[turn % items.length] as Item;
}
