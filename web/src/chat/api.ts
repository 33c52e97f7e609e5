/** The routes of the chat, as the element calls them. */

import type { WebSocketClient } from "../client/client.js";
import { failure, findProblem, TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import type { ChatClient } from "./host.js";
import { type Conversation, isSame, type Message, type UserId } from "./state.js";

const TIMEOUT_MS = 20_000;

/** Whom to ask, and for whom; the page's own origin by default. */
export interface Server {
  readonly origin?: string | undefined;
  readonly token: string;
}

export interface Page {
  messages: Message[];
  has_before: boolean;
}

/** The messages with a user before one, or the latest. */
export async function fetchMessages(server: Server, peer: UserId, before?: string): Promise<Page> {
  const query = new URLSearchParams({ with: String(peer), limit: "50", ...(before && { before }) });
  return (await call(server, "GET", `messages?${query}`)) as Page;
}

/** Whether the token's user has blocked another. */
export async function fetchIsBlocked(server: Server, peer: UserId): Promise<boolean> {
  const { user_ids } = (await call(server, "GET", "blocks")) as { user_ids: UserId[] };
  return user_ids.some((id) => isSame(id, peer));
}

/** Take messages of a user no more, or again. */
export async function setBlocked(server: Server, peer: UserId, isBlocked: boolean): Promise<void> {
  await call(server, isBlocked ? "PUT" : "DELETE", `blocks/${encodeURIComponent(peer)}`);
}

/** Whether a user is there, and be told from now on; null when nobody knows. */
export async function fetchPresence(
  client: Pick<WebSocketClient, "emitWithAck">,
  peer: UserId,
): Promise<Pick<Conversation, "isOnline" | "lastSeenAt"> | null> {
  const answer = await client.emitWithAck("chat", "watch", { user_ids: [peer] }).catch(() => null);
  const [seen] =
    (answer as { presence?: { is_online: boolean; last_seen_at: string | null }[] } | null)?.presence ?? [];
  return seen === undefined ? null : { isOnline: seen.is_online, lastSeenAt: seen.last_seen_at };
}

/** Whose token it is. */
export function ownerOf(token: string): string {
  return findSubject(token) ?? token;
}

/** Whether nobody else has signed in since; what one user wrote is not for another to send. */
export async function isStill(client: ChatClient | undefined, owner: string | null): Promise<boolean> {
  const token = await client?.getToken().catch(() => null);
  return !token || owner === null || ownerOf(token) === owner;
}

/** Rejects with a TocsinError; `unreachable` when there is no answer. */
async function call({ origin = "", token }: Server, method: string, path: string): Promise<unknown> {
  const response = await fetch(`${origin}/api/chat/${path}`, {
    method,
    headers: { Accept: "application/json", Authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error) => {
    throw failure("unreachable", `The server can't be reached: ${error}`, true);
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer;
  const problem = findProblem(answer);
  throw problem === null
    ? failure("http", `The chat answered ${response.status}`, response.status >= 500)
    : new TocsinError(problem);
}
