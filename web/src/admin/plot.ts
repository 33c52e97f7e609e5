/** A small plot of some series over the last minutes, as SVG: no canvas to blur, and colours from the style sheet. */

import { html, svg, type TemplateResult } from "lit-html";
import type { Series } from "./figures.js";
import { short, type Unit } from "./format.js";

const WIDTH = 300;
const HEIGHT = 84;
const LEAST = 30;

export interface Line {
  name: string;
  series: Series;
}

/** Draw a card with a title, the newest values and the lines; a reader of the screen hears the values. */
export function plot(title: string, unit: Unit, lines: readonly Line[], hint: string): TemplateResult {
  const top = ceiling(Math.max(0, ...lines.flatMap(({ series }) => series.map((value) => value ?? 0))));
  return html`<figure class="card plot">
    <figcaption>
      <h3>${title}</h3>
      <span class="hint">${hint}</span>
    </figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      ${[0, 0.5, 1].map((share) => svg`<line class="grid" x1="0" x2=${WIDTH} y1=${y(share)} y2=${y(share)} />`)}
      ${lines.map(({ series }, index) => svg`<path class="line line-${index}" d=${path(series, top)} />`)}
    </svg>
    <span class="top-value" aria-hidden="true">${short(top, unit)}</span>
    <ul class="legend">
      ${lines.map(
        ({ name, series }, index) =>
          html`<li><i class="dot line-${index}"></i>${name} <b>${short(series.at(-1), unit)}</b></li>`,
      )}
    </ul>
  </figure>`;
}

const y = (share: number): number => 2 + (HEIGHT - 4) * (1 - share);

/** One path, broken where there is no value; the newest look stands at the right edge, a minute fills it at least. */
export function path(series: Series, top: number): string {
  let isDown = false;
  const span = Math.max(series.length, LEAST) - 1;
  return series
    .map((value, index) => {
      if (value === null) {
        isDown = false;
        return "";
      }
      const x = WIDTH - ((series.length - 1 - index) * WIDTH) / span;
      const point = `${isDown ? "L" : "M"}${x.toFixed(1)} ${y(value / top).toFixed(1)}`;
      isDown = true;
      return point;
    })
    .join("");
}

/** The next round number: 1, 2 or 5 times a power of ten. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((step) => step * power >= value * 0.999) ?? 10);
}
