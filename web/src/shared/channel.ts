/** What the tabs of one user say to each other. */

import type { ConnectionState } from "../client/connection.js";
import type { Cursor } from "../client/cursor.js";
import type { NamespaceName } from "../client/namespace.js";
import type { Problem } from "../client/problem.js";

export type Cursors = Partial<Record<NamespaceName, Cursor>>;

/** What a tab wants of the connection. */
export interface Call {
  readonly method: "connect" | "emit" | "emitWithAck" | "setTyping";
  readonly args: readonly unknown[];
}

export type Message =
  /** A tab has come, or has slept. */
  | { readonly kind: "hello"; readonly from: string }
  /** The tab with the connection says what it knows: to one, or to all when it is new. */
  | { readonly kind: "leads"; readonly to: string | null; readonly state: ConnectionState; readonly cursors: Cursors }
  /** An event of the connection; `*` for the client's own. */
  | { readonly kind: "event"; readonly namespace: string; readonly event: string; readonly data: unknown }
  | { readonly kind: "ask"; readonly from: string; readonly id: number; readonly call: Call }
  | {
      readonly kind: "answer";
      readonly to: string;
      readonly id: number;
      readonly value: unknown;
      readonly problem: Problem | null;
    };

/** Everything that is said reaches every other tab, in order. */
export interface Channel {
  say(message: Message): void;
  close(): void;
}

export function openChannel(name: string, hear: (message: Message) => void): Channel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => hear(data as Message);
  return { say: (message) => channel.postMessage(message), close: () => channel.close() };
}
