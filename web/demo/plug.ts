/**
 * Pulling a user's plug, and the sum afterwards: what the log holds against what the socket brought.
 *
 * The cut is made by the server (`POST /demo/plug`): it aborts the user's connections and lets none
 * in until the time is over. The client knows nothing of it and comes back like after any cut.
 */

import { el, renderList, setText } from "./element.js";
import { NAMESPACES, type Namespace } from "./events.js";
import { icon } from "./icons.js";

export const PLUG_SECONDS = 10;

export type Seqs = Readonly<Record<Namespace, readonly number[]>>;

export interface CatchUp {
  missed: number;
  lost: number;
  twice: number;
  ranges: readonly string[];
}

export type PlugState =
  | { phase: "in" }
  | { phase: "out"; until: number; sent: number }
  | { phase: "catching_up"; sent: number }
  | { phase: "done"; report: CatchUp };

/**
 * Compare the log with what was delivered since the cut.
 *
 * @param logged Every `seq` that the server's log holds after the cursor at the cut.
 * @param delivered Every `seq` that the client handed over since, repeats included.
 * @param heads Up to which `seq` each namespace had to catch up; what came later was not missed.
 */
export function catchUp(logged: Seqs, delivered: Seqs, heads: ReadonlyMap<Namespace, number>): CatchUp {
  let missed = 0;
  let lost = 0;
  let twice = 0;
  const ranges: string[] = [];
  for (const name of NAMESPACES) {
    const times = new Map<number, number>();
    for (const seq of delivered[name]) times.set(seq, (times.get(seq) ?? 0) + 1);
    const away = logged[name].filter((seq) => seq <= (heads.get(name) ?? Number.POSITIVE_INFINITY));
    missed += away.length;
    lost += logged[name].filter((seq) => !times.has(seq)).length;
    for (const count of times.values()) twice += count - 1;
    const [first, last] = [away[0], away.at(-1)];
    if (first !== undefined) ranges.push(first === last ? `/${name} #${first}` : `/${name} #${first} to #${last}`);
  }
  return { missed, lost, twice, ranges };
}

/** The button and the strip below the card's head; `render` shows a state. */
export class PlugView {
  readonly button: HTMLButtonElement;
  readonly strip: HTMLElement;
  private readonly label = el("span", {}, "Pull the plug");
  private readonly line = el("p", { class: "plug-line" });
  private readonly spoken = el("p", { class: "visually-hidden", role: "status" });
  private readonly bar = el("progress", { class: "plug-bar", max: PLUG_SECONDS, "aria-hidden": "true" });
  private readonly ranges = el("ul", { class: "ranges", role: "list" });

  constructor(owner: string, pull: () => void) {
    this.button = el(
      "button",
      {
        class: "button plug",
        type: "button",
        "aria-label": `Pull the plug of ${owner} for ${PLUG_SECONDS} seconds`,
        onclick: pull,
      },
      icon("plug"),
      this.label,
    );
    this.strip = el("div", { class: "plug-strip", hidden: true }, this.spoken, this.line, this.bar, this.ranges);
  }

  render(state: PlugState, now: number): void {
    this.strip.hidden = state.phase === "in";
    this.strip.dataset.phase = state.phase;
    this.button.disabled = state.phase === "out" || state.phase === "catching_up";
    this.bar.hidden = state.phase !== "out";
    this.ranges.hidden = state.phase !== "done";
    switch (state.phase) {
      case "in":
        return;
      case "out": {
        const left = Math.max(0, state.until - now) / 1000;
        this.bar.value = PLUG_SECONDS - left;
        setText(this.line, `Cut off for ${Math.ceil(left)} s · ${events(state.sent)} sent meanwhile`);
        setText(this.spoken, "Cut off");
        return;
      }
      case "catching_up":
        setText(this.line, `Plugged in again · catching up on ${events(state.sent)}`);
        setText(this.spoken, "Plugged in again, catching up");
        return;
      case "done": {
        const { missed, lost, twice, ranges } = state.report;
        const verdict = `${events(missed)} arrived while you were away · ${lost} lost · ${twice} twice`;
        this.strip.classList.toggle("bad", lost + twice > 0);
        setText(this.line, verdict);
        setText(this.spoken, verdict);
        renderList(this.ranges, ranges, { key: (range) => range, create: (range) => el("li", {}, range) });
      }
    }
  }
}

function events(count: number): string {
  return count === 1 ? "1 event" : `${count} events`;
}
