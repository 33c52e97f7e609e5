/** The event log: every event that the client handed over, with its `seq`, newest first. */

import { el, renderList, setText } from "./element.js";
import { clockSeconds, type DemoEvent, NAMESPACES, type Namespace, type Payload, type Source, text } from "./events.js";

export interface LogEntry {
  number: number;
  namespace: Namespace;
  event: string;
  /** What the name leaves open: what has changed, or why it is gone. */
  note: string;
  seq: number | null;
  source: Source;
  at: number;
}

/** Newest first; `cursors` holds the last `seq` of each namespace. */
export interface LogState {
  entries: readonly LogEntry[];
  cursors: Readonly<Record<Namespace, number>>;
  count: number;
}

export const EMPTY_LOG: LogState = { entries: [], cursors: { notifications: 0, orders: 0, sns: 0, chat: 0 }, count: 0 };

const KEPT = 60;

/** Return the state after any event. */
export function applyToLog(state: LogState, { namespace, event, data, source, at }: DemoEvent): LogState {
  const seq = data.seq ?? null;
  const entry: LogEntry = { number: state.count, namespace, event, note: noteOf(event, data), seq, source, at };
  const cursor = Math.max(state.cursors[namespace], seq ?? 0);
  return {
    entries: [entry, ...state.entries].sort((a, b) => b.at - a.at).slice(0, KEPT),
    cursors: { ...state.cursors, [namespace]: cursor },
    count: state.count + 1,
  };
}

/** Return the state without a namespace's events: its stream is read again from the beginning. */
export function forget(state: LogState, namespace: Namespace): LogState {
  return {
    ...state,
    entries: state.entries.filter((entry) => entry.namespace !== namespace),
    cursors: { ...state.cursors, [namespace]: 0 },
  };
}

/** Fields that every event has, or that only say what it is about. */
const OF_ALL = new Set([
  "id",
  "ids",
  "all",
  "category",
  "seq",
  "epoch",
  "event_id",
  "timestamp",
  "updated_at",
  "unread_count",
]);

function noteOf(event: string, data: Payload): string {
  if (event === "notification_deleted") return text(data.reason);
  if (event !== "notification_updated" || typeof data.type === "string") return "";
  return Object.keys(data)
    .filter((name) => !OF_ALL.has(name))
    .join(", ");
}

const SOURCES: Record<Source, string> = { history: "from the log", replay: "caught up", live: "" };

/** The log; `render` shows a state. */
export class LogView {
  private readonly cursors = el("span", { class: "cursors" });
  private readonly rows = el("ol", { class: "log", role: "list", tabindex: 0 });
  readonly element: HTMLElement;

  constructor(owner: string) {
    this.rows.setAttribute("aria-label", `Event log of ${owner}`);
    this.element = el(
      "details",
      { class: "block log-block", open: true },
      el("summary", { class: "block-head" }, el("h3", {}, "Event log"), this.cursors),
      this.rows,
    );
  }

  render(state: LogState): void {
    setText(this.cursors, NAMESPACES.map((name) => `/${name} ${state.cursors[name]}`).join("  "));
    renderList(this.rows, state.entries, {
      key: (entry) => String(entry.number),
      create: (entry) =>
        el(
          "li",
          { class: `log-row ${entry.source}` },
          el("time", {}, clockSeconds(entry.at)),
          el("span", { class: `ns ${entry.namespace}` }, `/${entry.namespace}`),
          el("span", { class: "log-event" }, entry.event, entry.note && el("small", {}, entry.note)),
          el("span", { class: "log-source" }, SOURCES[entry.source]),
          el("span", { class: "log-seq" }, entry.seq === null ? "live only" : `#${entry.seq}`),
        ),
    });
  }
}
