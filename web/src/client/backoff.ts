/** How long to wait before the next attempt: full jitter, so that a herd of clients spreads out. */

export interface BackoffOptions {
  /** Upper bound of the first delay, milliseconds. */
  baseMs?: number;
  /** Upper bound that later delays never pass, milliseconds. */
  capMs?: number;
  /** Returns a number in [0, 1). */
  random?: () => number;
}

/** Each delay is random between 0 and a bound that doubles from `baseMs` to `capMs`. */
export class Backoff {
  private readonly baseMs: number;
  private readonly capMs: number;
  private readonly random: () => number;
  private attempts = 0;

  constructor({ baseMs = 500, capMs = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.baseMs = baseMs;
    this.capMs = capMs;
    this.random = random;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const bound = Math.min(this.capMs, this.baseMs * 2 ** this.attempts);
    if (bound < this.capMs) this.attempts += 1;
    return Math.round(this.random() * bound);
  }

  /** Start over after a success. */
  reset(): void {
    this.attempts = 0;
  }
}
