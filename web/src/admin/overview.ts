/** Live: figures of all nodes, or of one. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { NodeFigures } from "./api.js";
import type { History } from "./figures.js";
import { ago, short } from "./format.js";
import { type Line, plot } from "./plot.js";

const OUTCOMES = ["sent", "arrived", "retry", "gone", "refused", "dead", "skipped"];

/** Draw the tiles, the plots and the table; `chosen` is the node that is looked at, as long as it is there. */
export function overview(history: History, chosen: string | undefined, choose: (node: string) => void): TemplateResult {
  if (history.names.length === 0) return html`<p class="empty">Waiting for the first figures…</p>`;
  const { names } = history;
  const isGone = chosen !== undefined && !names.includes(chosen);
  const only = isGone ? undefined : chosen;
  const now = (gauge: string) => history.gauge(gauge, only).at(-1) ?? 0;
  return html`
    <h2 class="visually-hidden">Live</h2>
    <div class="bar">
      <label
        >Node
        <select id="node" @change=${(event: Event) => choose((event.target as HTMLSelectElement).value)}>
          <option value="" .selected=${only === undefined}>All ${names.length}</option>
          ${names.map((name) => html`<option value=${name} .selected=${name === only}>${name}</option>`)}
        </select>
      </label>
      <p class="hint" role="status" ?hidden=${!isGone}><b>${chosen} does not answer: these are the figures of all.</b></p>
      <p class="hint">A look every two seconds; percentiles are of the last ten seconds.</p>
    </div>
    <ul class="tiles">
      ${tile("Users", short(now("users")))}
      ${tile("Connections", short(now("connections") + now("readers")))}
      ${tile("Sent to sockets", short(history.rate("events_out", only).at(-1), "/s"))}
      ${tile("Commit p99", short(history.quantile("commit", 0.99, only).at(-1), "s"))}
      ${tile("Event loop p99", short(history.quantile("loop_delay", 0.99, only).at(-1), "s"))}
    </ul>
    <div class="plots">${plots(history, only)}</div>
    ${table(history, choose)}
  `;
}

function plots(history: History, only: string | undefined): TemplateResult[] {
  const gauge = (name: string, key: string): Line => ({ name, series: history.gauge(key, only) });
  const rate = (name: string, key: string): Line => ({ name, series: history.rate(key, only) });
  const percentiles = (key: string): Line[] =>
    [0.5, 0.99].map((share) => ({ name: `p${share * 100}`, series: history.quantile(key, share, only) }));
  return [
    plot(
      "Connections",
      "",
      [
        gauge("WebSocket", "connections websocket"),
        gauge("polling", "connections polling"),
        gauge("server-sent events", "readers"),
      ],
      "open now",
    ),
    plot(
      "Events",
      "/s",
      [rate("committed", "committed"), rate("to sockets", "events_out"), rate("from clients", "events_in")],
      "a second",
    ),
    plot("Request to answer", "s", percentiles("request"), "/api/notifications"),
    plot("Commit", "s", percentiles("commit"), "of a transaction"),
    plot("Commit to socket", "s", percentiles("reach"), "in its process"),
    plot("Commit to ack", "s", percentiles("ack"), "acks come once a second"),
    plot(
      "Writes a transaction",
      "",
      [{ name: "mean", series: history.mean("batch", only) }, gauge("waiting", "store_queue")],
      "group commit",
    ),
    plot("Push results", "/s", pushes(history, only), "all channels"),
    plot("Queued for slow clients", "B", [gauge("bytes", "queued_bytes")], "not taken by their sockets"),
    plot("Event loop delay", "s", percentiles("loop_delay"), "how late a timer fires"),
    plot("Refusals", "/s", [rate("all doors", "refusals")], "tokens, origins, limits, malformed"),
    plot("Behind their acks", "", [gauge("events", "lag_events")], "sent, not acknowledged"),
  ];
}

function pushes(history: History, only: string | undefined): Line[] {
  const keys = history.labels("pushes");
  const lines = OUTCOMES.map((outcome) => {
    const own = keys.filter((key) => key.endsWith(` ${outcome}`)).map((key) => history.rate(key, only));
    const series = (own[0] ?? []).map((_, index) => own.reduce((total, one) => total + (one[index] ?? 0), 0));
    return { name: outcome, series };
  });
  const shown = lines.filter(({ series }) => series.length > 0);
  return shown.length === 0 ? [{ name: "none yet", series: [] }] : shown.slice(0, 6);
}

function table(history: History, choose: (node: string) => void): TemplateResult {
  const rows = history.names.flatMap((name) => {
    const node = history.node(name);
    return node === undefined ? [] : [node];
  });
  return html`<section class="card wide">
    <h2 id="nodes-title">Nodes</h2>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="nodes-title">
      <table>
        <thead>
          <tr>
            <th>Node</th>
            <th>State</th>
            <th class="number">Up</th>
            <th class="number">Users</th>
            <th class="number">Connections</th>
            <th class="number">Sent</th>
            <th class="number">Loop p99</th>
            <th class="number">Memory</th>
            <th>Version</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map((node) => row(history, node, choose))}
        </tbody>
      </table>
    </div>
  </section>`;
}

function row(history: History, node: NodeFigures, choose: (node: string) => void): TemplateResult {
  const { name, gauges } = node;
  return html`<tr>
    <td><button class="link" @click=${() => choose(name)}>${name}</button></td>
    <td>
      ${node.accepting ? html`<span class="tag good">accepting</span>` : html`<span class="tag bad">draining</span>`}
      ${node.bus_connected ? nothing : html`<span class="tag bad">no bus</span>`}
    </td>
    <td class="number">${ago(node.started_at)}</td>
    <td class="number">${short(gauges.users)}</td>
    <td class="number">${short((gauges.connections ?? 0) + (gauges.readers ?? 0))}</td>
    <td class="number">${short(history.rate("events_out", name).at(-1), "/s")}</td>
    <td class="number">${short(history.quantile("loop_delay", 0.99, name).at(-1), "s")}</td>
    <td class="number">${short(gauges.memory_bytes, "B")}</td>
    <td>${node.version}</td>
  </tr>`;
}

const tile = (name: string, value: string): TemplateResult =>
  html`<li class="card tile"><span>${name}</span><b>${value}</b></li>`;
