/**
 * Which rows of a long list have to be drawn: pure, but for the heights that it is told.
 *
 * Ten thousand rows cost one sum over their heights whenever one changes, and a binary search a frame.
 */

const ESTIMATE = 92;
const OVERSCAN = 600;

export interface Range {
  readonly from: number;
  readonly to: number;
  /** Heights of what is left out before and after, pixels. */
  readonly before: number;
  readonly after: number;
}

export class RowHeights {
  private readonly known = new Map<string, number>();
  private keys: readonly string[] = [];
  private tops: number[] = [0];

  get total(): number {
    return this.tops[this.keys.length] ?? 0;
  }

  /** List these rows, in this order. */
  list(keys: readonly string[]): void {
    this.keys = keys;
    this.sum();
  }

  /** Heights as they were drawn; returns whether any was another one. */
  measure(heights: ReadonlyMap<string, number>): boolean {
    let isOther = false;
    for (const [key, height] of heights) {
      if (this.known.get(key) === height) continue;
      this.known.set(key, height);
      isOther = true;
    }
    if (isOther) this.sum();
    return isOther;
  }

  /** Another width makes other heights. */
  forget(): void {
    this.known.clear();
    this.sum();
  }

  /** Remember what is at this height of the list; the function that is returned tells where that is by then. */
  hold(scrolled: number): () => number {
    const first = this.at(scrolled);
    const seen = this.keys.slice(first, first + 20).map((key, index) => [key, this.tops[first + index] ?? 0] as const);
    return () => {
      for (const [key, top] of seen) {
        const now = this.top(key);
        if (now !== undefined) return scrolled + now - top;
      }
      return scrolled;
    };
  }

  top(key: string): number | undefined {
    const index = this.keys.indexOf(key);
    return index < 0 ? undefined : this.tops[index];
  }

  /** The index of the row at this height of the list. */
  at(y: number): number {
    let [low, high] = [0, Math.max(0, this.keys.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.tops[middle] ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  range(scrolled: number, height: number): Range {
    const from = this.at(Math.max(0, scrolled - OVERSCAN));
    const to = Math.min(this.keys.length, this.at(scrolled + height + OVERSCAN) + 1);
    return { from, to, before: this.tops[from] ?? 0, after: this.total - (this.tops[to] ?? 0) };
  }

  private sum(): void {
    const tops = [0];
    let top = 0;
    for (const key of this.keys) {
      top += this.known.get(key) ?? ESTIMATE;
      tops.push(top);
    }
    this.tops = tops;
  }
}
