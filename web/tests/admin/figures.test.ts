import { describe, expect, it } from "vitest";
import type { NodeFigures, Overview, Ranges } from "../../src/admin/api.js";
import { History, KEPT, quantile } from "../../src/admin/figures.js";
import { short } from "../../src/admin/format.js";
import { ceiling, path } from "../../src/admin/plot.js";

const bounds = [0.01, 0.1, 1];

function node(name: string, sent: number, counts: number[], started_at = "2026-11-28T00:00:00.000Z"): NodeFigures {
  return {
    name,
    version: "1",
    started_at,
    accepting: true,
    bus_connected: true,
    gauges: { users: sent },
    counters: { sent, "pushes fcm sent": 1 },
    histograms: { commit: { bounds, counts, total: counts.reduce((total, count) => total + count * 0.05, 0) } },
  };
}

const overview = (...nodes: NodeFigures[]): Overview => ({ at: "", answered_by: "", nodes });

describe("the history of figures", () => {
  it("computes rates from two looks, over all nodes or of one", () => {
    const history = new History();
    history.add(overview(node("a", 10, [0, 0, 0, 0]), node("b", 100, [0, 0, 0, 0])), 0);
    history.add(overview(node("a", 14, [0, 0, 0, 0]), node("b", 110, [0, 0, 0, 0])), 2);

    expect(history.rate("sent")).toEqual([null, 7]);
    expect(history.rate("sent", "a")).toEqual([null, 2]);
    expect(history.gauge("users")).toEqual([110, 124]);
    expect(history.names).toEqual(["a", "b"]);
    expect(history.labels("pushes")).toEqual(["pushes fcm sent"]);
  });

  it("counts nothing of a node that began anew, went, or came", () => {
    const history = new History();
    history.add(overview(node("a", 1_000, [0, 0, 0, 0]), node("gone", 50, [0, 0, 0, 0])), 0);
    history.add(overview(node("a", 3, [0, 0, 0, 0], "2026-11-28T01:00:00.000Z"), node("new", 70, [0, 0, 0, 0])), 1);

    expect(history.rate("sent")).toEqual([null, 0]);
  });

  it("takes percentiles of what is new, merged over the nodes", () => {
    const history = new History();
    history.add(overview(node("a", 0, [50, 0, 0, 0]), node("b", 0, [0, 0, 0, 0])), 0);
    history.add(overview(node("a", 0, [50, 98, 0, 0]), node("b", 0, [0, 0, 2, 0])), 1);

    expect(history.quantile("commit", 0.5).at(-1)).toBeCloseTo(0.0559, 3);
    expect(history.quantile("commit", 0.99).at(-1)).toBeCloseTo(0.55, 2);
    expect(history.quantile("unknown", 0.5)).toEqual([null, null]);
    expect(history.mean("commit").at(-1)).toBeCloseTo(0.05);
  });

  it("keeps the last minutes", () => {
    const history = new History();
    for (let at = 0; at < KEPT + 10; at++) history.add(overview(node("a", at, [0, 0, 0, 0])), at);

    expect(history.gauge("users")).toHaveLength(KEPT);
    expect(history.rate("sent").at(-1)).toBe(1);
  });
});

describe("a percentile", () => {
  const ranges = (counts: number[]): Ranges => ({ bounds, counts, total: 0 });

  it("is none of nothing, and no more than is known above all bounds", () => {
    expect(quantile(ranges([0, 0, 0, 0]), 0.5)).toBeNull();
    expect(quantile(ranges([0, 0, 0, 5]), 0.5)).toBe(1);
  });
});

describe("a plot", () => {
  it("ends at the right edge and breaks where there is no value", () => {
    expect(path([null, 1, 2, null, 2], 2)).toMatch(/^M[\d.]+ 42\.0L[\d.]+ 2\.0M300\.0 2\.0$/);
  });

  it("has a round top", () => {
    expect([0, 0.0003, 1, 3, 7, 42].map(ceiling)).toEqual([1, 0.0005, 1, 5, 10, 50]);
  });
});

describe("a short number", () => {
  it("has a unit that people read", () => {
    expect([
      short(1_234, "/s"),
      short(0.0034, "s"),
      short(2, "s"),
      short(12_000_000, "B"),
      short(7),
      short(null),
    ]).toEqual(["1.23 k/s", "3.40 ms", "2 s", "12 MB", "7", "–"]);
  });
});
