/** One thing after another: the library's state must not be read by one while it is changed by another. */
export class Queue {
  private last: Promise<unknown> = Promise.resolve();

  /** Run when all before it is done, whatever came of that. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work);
    this.last = next.catch(() => {});
    return next;
  }
}
