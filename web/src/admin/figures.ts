/** What is computed from the figures of two moments: rates and percentiles, of one node or of all. */

import type { NodeFigures, Overview, Ranges } from "./api.js";

/** Five minutes at one look every two seconds. */
export const KEPT = 150;
/** Percentiles are of the last looks, so that a quiet server's lines don't jump. */
const WINDOW = 5;

interface Look {
  /** Seconds of this page's clock. */
  at: number;
  nodes: Map<string, NodeFigures>;
}

/** A series to plot: a value a look, null where there is none. */
export type Series = readonly (number | null)[];

export class History {
  private looks: Look[] = [];

  /** Take an answer in; `at` is in seconds and only grows. */
  add(overview: Overview, at: number): void {
    this.looks.push({ at, nodes: new Map(overview.nodes.map((node) => [node.name, node])) });
    if (this.looks.length > KEPT) this.looks.shift();
  }

  get names(): string[] {
    return [...(this.looks.at(-1)?.nodes.keys() ?? [])].sort();
  }

  node(name: string): NodeFigures | undefined {
    return this.looks.at(-1)?.nodes.get(name);
  }

  /** A gauge, summed over the nodes. */
  gauge(name: string, only?: string): Series {
    return this.looks.map(({ nodes }) => sum(chosen(nodes, only).map((node) => node.gauges[name] ?? 0)));
  }

  /** A counter's growth a second, summed over the nodes. */
  rate(name: string, only?: string): Series {
    return this.looks.map((look, index) => {
      const before = this.looks[index - 1];
      if (before === undefined || look.at <= before.at) return null;
      const grown = pairs(before, look, only).map(
        ([old, now]) => (now.counters[name] ?? 0) - (old.counters[name] ?? 0),
      );
      return Math.max(0, sum(grown)) / (look.at - before.at);
    });
  }

  /** The value that a share (0 to 1) of the last looks' values are not above. */
  quantile(name: string, share: number, only?: string): Series {
    return this.ranges(name, only, (grown) => quantile(grown, share));
  }

  /** The mean of the last looks' values. */
  mean(name: string, only?: string): Series {
    return this.ranges(name, only, ({ counts, total }) => (sum(counts) > 0 ? total / sum(counts) : null));
  }

  /** The names of counters that begin with another's, as `pushes fcm sent` with `pushes`. */
  labels(name: string): string[] {
    const found = new Set<string>();
    for (const node of this.looks.at(-1)?.nodes.values() ?? [])
      for (const key of Object.keys(node.counters)) if (key.startsWith(`${name} `)) found.add(key);
    return [...found].sort();
  }

  private ranges(name: string, only: string | undefined, of: (grown: Ranges) => number | null): Series {
    return this.looks.map((look, index) => {
      const before = this.looks[Math.max(0, index - WINDOW)];
      if (before === undefined || before === look) return null;
      const grown = pairs(before, look, only).map(([old, now]) => minus(now.histograms[name], old.histograms[name]));
      const whole = grown.reduce<Ranges | undefined>(plus, undefined);
      return whole === undefined ? null : of(whole);
    });
  }
}

function chosen(nodes: Map<string, NodeFigures>, only: string | undefined): NodeFigures[] {
  if (only === undefined) return [...nodes.values()];
  const node = nodes.get(only);
  return node === undefined ? [] : [node];
}

/** The nodes that were there at both looks and did not begin anew between them. */
function pairs(before: Look, now: Look, only: string | undefined): [NodeFigures, NodeFigures][] {
  return chosen(now.nodes, only).flatMap((node) => {
    const old = before.nodes.get(node.name);
    return old !== undefined && old.started_at === node.started_at ? [[old, node]] : [];
  });
}

function minus(now: Ranges | undefined, old: Ranges | undefined): Ranges | undefined {
  if (now === undefined || old === undefined) return undefined;
  return {
    bounds: now.bounds,
    counts: now.counts.map((count, index) => count - (old.counts[index] ?? 0)),
    total: now.total - old.total,
  };
}

function plus(one: Ranges | undefined, other: Ranges | undefined): Ranges | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    bounds: one.bounds,
    counts: one.counts.map((count, index) => count + (other.counts[index] ?? 0)),
    total: one.total + other.total,
  };
}

/** About how high the value is that a share of all are not above; null where there is no value. */
export function quantile({ bounds, counts }: Ranges, share: number): number | null {
  const wanted = share * sum(counts);
  if (wanted === 0) return null;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    const lower = bounds[index - 1] ?? 0;
    const upper = bounds[index];
    if (below + count >= wanted) {
      // Above the last bound nothing is known but that.
      return upper === undefined ? lower : lower + ((upper - lower) * (wanted - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
