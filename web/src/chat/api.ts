/** The routes of the chat, as the element calls them. */

import { failure, findProblem, TocsinError } from "../client/problem.js";
import type { Message, UserId } from "./state.js";

const TIMEOUT_MS = 20_000;

export interface Page {
  messages: Message[];
  has_before: boolean;
}

/** The messages with a user before one, or the latest; rejects with a TocsinError, `unreachable` without an answer. */
export async function fetchMessages(peer: UserId, token: string, before?: string): Promise<Page> {
  const query = new URLSearchParams({ with: String(peer), limit: "50", ...(before === undefined ? {} : { before }) });
  const response = await fetch(`/api/chat/messages?${query}`, {
    headers: { Accept: "application/json", Authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error) => {
    throw failure("unreachable", `The server can't be reached: ${error}`, true);
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as Page;
  const problem = findProblem(answer);
  throw problem === null
    ? failure("http", `The messages answered ${response.status}`, response.status >= 500)
    : new TocsinError(problem);
}
