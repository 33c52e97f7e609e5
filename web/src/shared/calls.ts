/** What a tab asks of the connection, whichever tab has it, and what is not answered yet. */

import { type NamespaceName, namespaceName } from "../client/namespace.js";
import { failure, type Problem, TocsinError } from "../client/problem.js";
import type { Call } from "./channel.js";

interface Pending {
  readonly call: Call;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: TocsinError) => void;
}

const TIMEOUT_MS = 10_000;
/** The tab with the connection knows why there is no answer, unless it sleeps. */
const GRACE_MS = 1_000;

export class Calls {
  private readonly pending = new Map<number, Pending>();
  private asked = 0;

  /**
   * @param forward Hands a call to the tab with the connection; nothing where there is none yet.
   */
  constructor(private readonly forward: (id: number, call: Call) => void) {}

  /** Resolves with the answer; rejects with its problem, or `timeout`: messages alone wait for ever. */
  async ask(given: Call): Promise<unknown> {
    const call = asJson(given);
    this.asked += 1;
    const id = this.asked;
    if (!isRepeatable(call)) {
      const { timeoutMs = TIMEOUT_MS } = (call.args[3] ?? {}) as { timeoutMs?: number };
      const { problem } = failure("timeout", `no answer in ${timeoutMs} ms`, true);
      setTimeout(() => this.answered(id, null, problem), timeoutMs + GRACE_MS);
    }
    return await new Promise((resolve, reject) => {
      this.pending.set(id, { call, resolve, reject });
      this.forward(id, call);
    });
  }

  answered(id: number, value: unknown, problem: Problem | null): void {
    const asked = this.pending.get(id);
    this.pending.delete(id);
    if (problem === null) asked?.resolve(value);
    else asked?.reject(new TocsinError(problem));
  }

  /** There is another connection, or none: ask it what may be asked, and give up the rest. */
  settle(mayAsk: (call: Call) => boolean): void {
    const { problem } = failure("disconnected", "the connection was closed before the answer");
    for (const [id, { call }] of [...this.pending]) {
      if (mayAsk(call)) this.forward(id, call);
      else this.answered(id, null, problem);
    }
  }
}

/** Whether it may be asked again: a message is known by its id. */
export function isRepeatable({ method, args }: Call): boolean {
  return method === "emitWithAck" && isMessage(args[0] as NamespaceName, args[1] as string);
}

export function isMessage(namespace: NamespaceName, event: string): boolean {
  return namespaceName(namespace) === "chat" && event === "send_message";
}

/** What the connection would send of it: between tabs other things can't be sent than over the network. */
function asJson({ method, args }: Call): Call {
  try {
    return { method, args: args.map((arg) => (arg === undefined ? arg : JSON.parse(JSON.stringify(arg)))) };
  } catch (error) {
    throw failure("invalid", `${args[1]} can't be sent: ${error}`);
  }
}
