/** One call of the REST API. */

import { failure, findProblem, TocsinError } from "../client/problem.js";

const TIMEOUT_MS = 20_000;
const RETRIES_MS = [500, 1_000, 2_000, 4_000] as const;

/** A refusal of the server, with all that its answer says. */
export class Refused extends TocsinError {
  constructor(
    problem: TocsinError["problem"],
    readonly answer: Readonly<Record<string, unknown>>,
  ) {
    super(problem);
  }
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/api/`. */
  readonly path: string;
  readonly body?: object | undefined;
  /** Sent as `Idempotency-Key`: repeated with the same, it is carried out once. */
  readonly once?: string;
}

/** What is done to all notifications, or to those of a category. */
export function inBulk(path: string, category: string | null): Call {
  return { method: "POST", path: `notifications/${path}`, body: category === null ? {} : { category } };
}

/** Do again, four times, what fails and may do better later. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const pauseMs of RETRIES_MS) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TocsinError && error.problem.retryable)) throw error;
      const askedMs = (error.problem.retry_after_s ?? 0) * 1_000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(pauseMs, askedMs)));
    }
  }
  return await work();
}

/** Resolves with the answer's JSON; rejects with a TocsinError: the server's problem, or `unreachable`. */
export async function request(origin: string, token: string, { method, path, body, once }: Call): Promise<unknown> {
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: {
      Accept: "application/json",
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(once === undefined ? {} : { "Idempotency-Key": once }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error) => {
    throw failure("unreachable", `The server can't be reached: ${error}`, true);
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer;
  const problem = findProblem(answer);
  throw problem === null
    ? failure("http", `${method} answered ${response.status}`, response.status >= 500)
    : new Refused(problem, answer as Record<string, unknown>);
}
