/** Does again what failed and may do better later, after a pause that grows. */

import { TocsinError } from "./problem.js";

const LONGEST = 5;

export class Patience {
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Work again later, in place of what was to be done; not where it would end alike. */
  wait(error: unknown, work: () => void): void {
    if (!(error instanceof TocsinError && error.problem.retryable)) return;
    const { retry_after_s = 2 ** Math.min(this.failures++, LONGEST) } = error.problem;
    clearTimeout(this.timer);
    // A herd of pages spreads out.
    this.timer = setTimeout(work, retry_after_s * 1_000 * (1 + Math.random()));
  }

  /** It went well, or is not wanted any more. */
  end(): void {
    clearTimeout(this.timer);
    this.failures = 0;
  }
}
