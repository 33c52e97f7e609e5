/** The routes of the chat, as the element calls them. */

import { failure, findProblem, TocsinError } from "../client/problem.js";
import type { Message, UserId } from "./state.js";

const TIMEOUT_MS = 20_000;

export interface Page {
  messages: Message[];
  has_before: boolean;
}

/** The messages with a user before one, or the latest. */
export async function fetchMessages(peer: UserId, token: string, before?: string): Promise<Page> {
  const query = new URLSearchParams({ with: String(peer), limit: "50", ...(before === undefined ? {} : { before }) });
  return (await call("GET", `messages?${query}`, token)) as Page;
}

/** Whether the token's user has blocked another. */
export async function fetchIsBlocked(peer: UserId, token: string): Promise<boolean> {
  const { user_ids } = (await call("GET", "blocks", token)) as { user_ids: UserId[] };
  return user_ids.some((id) => String(id) === String(peer));
}

/** Take messages of a user no more, or again. */
export async function setBlocked(peer: UserId, isBlocked: boolean, token: string): Promise<void> {
  await call(isBlocked ? "PUT" : "DELETE", `blocks/${encodeURIComponent(String(peer))}`, token);
}

/** Rejects with a TocsinError; `unreachable` when there is no answer. */
async function call(method: string, path: string, token: string): Promise<unknown> {
  const response = await fetch(`/api/chat/${path}`, {
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
