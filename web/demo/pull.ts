/**
 * What happens when a plug is pulled: the cut, the traffic that goes on meanwhile, and the sum.
 *
 * It counts for itself, on both sides: every `seq` that the client hands over since the cut, and
 * every `seq` that the server's log holds after the cursor at the cut.
 */

import type { Namespace } from "./events.js";
import { isLive } from "./link.js";
import type { Person } from "./person.js";
import { catchUp, PLUG_SECONDS, type PlugState } from "./plug.js";
import type { Rest } from "./rest.js";

const SEND_EVERY_MS = 1_100;
const SETTLE_MS = 250;
const DELIVERY_MS = 5_000;

/** One user's plug. */
export class Pull {
  state: PlugState = { phase: "in" };
  onChange: () => void = () => {};

  constructor(
    private readonly person: Person,
    private readonly rest: Rest,
    /** Each sends one event to the cut-off user; they take turns. */
    private readonly traffic: readonly (() => Promise<unknown>)[],
  ) {}

  /** Cut the user off, and see it through to the sum; throws when the server can't be asked to cut. */
  async start(): Promise<void> {
    if (this.state.phase === "out" || this.state.phase === "catching_up") return;
    const before = { ...this.person.state.log.cursors };
    const delivered: Record<Namespace, number[]> = { notifications: [], orders: [], sns: [], chat: [] };
    this.person.onDelivery = (namespace, seq) => {
      if (seq > before[namespace]) delivered[namespace].push(seq);
    };
    const until = Date.now() + PLUG_SECONDS * 1000;
    await this.rest.call("POST", "/demo/plug", { user_id: this.person.user.id, seconds: PLUG_SECONDS });
    this.show({ phase: "out", until, sent: 0 });
    const sent = await this.sendUntil(until);
    this.show({ phase: "catching_up", sent });
    await this.until(() => isLive(this.person.state.link));
    const heads = this.person.state.link.synced;
    const logged = await this.person.readLog(before);
    // What was committed just now may be on its way still; what is lost never comes.
    const deadline = Date.now() + DELIVERY_MS;
    await this.until(() => catchUp(logged, delivered, heads).lost === 0 || Date.now() > deadline);
    this.show({ phase: "done", report: catchUp(logged, delivered, heads) });
  }

  private async sendUntil(until: number): Promise<number> {
    let sent = 0;
    let next = Date.now() + SEND_EVERY_MS / 2;
    while (Date.now() < until) {
      if (Date.now() >= next && until - Date.now() > SEND_EVERY_MS) {
        next += SEND_EVERY_MS;
        const send = this.traffic[sent % this.traffic.length];
        // A chat message waits for its ack on its own; a refused call is shown by whoever reports calls.
        send?.().catch(() => {});
        sent += 1;
      }
      this.show({ phase: "out", until, sent });
      await pause(SETTLE_MS);
    }
    return sent;
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!holds()) await pause(SETTLE_MS);
  }

  private show(state: PlugState): void {
    this.state = state;
    this.onChange();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
