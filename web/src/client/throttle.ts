/** Runs a task at most once an interval, however often it is asked for. */
export class Throttle {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly task: () => void,
    private readonly intervalMs: number,
  ) {}

  /** Have the task run within one interval. */
  request(): void {
    this.timer ??= setTimeout(() => this.flush(), this.intervalMs);
  }

  /** Run the task now if it was asked for. */
  flush(): void {
    if (this.timer === undefined) return;
    this.cancel();
    this.task();
  }

  /** Forget that the task was asked for. */
  cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
