/** One thing after another: the library's state must not be read by one while it is changed by another. */

import { failure } from "../client/problem.js";

export class Queue {
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  /** Run when all before it is done, whatever came of that; rejects with `closed` after `close`. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.isClosed) return Promise.reject(failure("closed", "Encryption was closed"));
    return this.append(work);
  }

  /** Run this after all that waits, and nothing any more. */
  close(work: () => Promise<void>): Promise<void> {
    this.isClosed = true;
    return this.append(work);
  }

  private append<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work);
    this.last = next.catch(() => {});
    return next;
  }
}
