/** Refusals: the server's problem objects (RFC 9457) as errors, and the client's own. */

export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** The same request can succeed later, unchanged. */
  readonly retryable: boolean;
  readonly retry_after_s?: number;
}

/**
 * A request was refused or could not be carried out.
 *
 * `code` is the server's (`invalid`, `rate_limited`, …) or one of the client's own:
 * `timeout`, `disconnected`, `outbox_full`, `user_changed`.
 */
export class TocsinError extends Error {
  readonly code: string;

  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = "TocsinError";
    this.code = problem.code;
  }
}

/** An error of the client's own. */
export function failure(code: string, detail: string, retryable = false): TocsinError {
  return new TocsinError({ code, detail, retryable });
}

/** The problem in an ack, a CONNECT_ERROR or a REST answer; null when there is none. */
export function findProblem(value: unknown): Problem | null {
  if (typeof value !== "object" || value === null) return null;
  const { code, detail, title, retryable, retry_after_s } = value as Record<string, unknown>;
  if (typeof code !== "string") return null;
  return {
    code,
    detail: String(detail ?? title ?? code),
    retryable: retryable === true,
    ...(typeof retry_after_s === "number" ? { retry_after_s } : {}),
  };
}
