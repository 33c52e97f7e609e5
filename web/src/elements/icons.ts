/** Line icons of 24 px. */

import { html, type TemplateResult } from "lit-html";

const PATHS = {
  bell: "M6 9a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9m4 11a2.2 2.2 0 0 0 4 0",
  check: "m5 12.5 4.5 4.5L19 7.5",
  checks: "m2.5 12.5 4.5 4.5 9-9.5m-3.5 9 .5.5 9-9.5",
  dot: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  archive: "M4 9h16v10.5H4zM3 4.5h18V9H3zm7 8.5h4",
  inbox: "M4 14h5l1.5 2.5h3L15 14h5M4 14v5.5h16V14L17.5 5h-11z",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 7.5V12l3 2",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 10.5V16m4-5.5V16",
  close: "m6.5 6.5 11 11m0-11-11 11",
  hand: "M8 12V6.5a1.5 1.5 0 0 1 3 0V11m0-6.5V4a1.5 1.5 0 0 1 3 0v7m0-5.5a1.5 1.5 0 0 1 3 0V14c0 4-2 6.5-5.5 6.5-3 0-4.5-1.5-7-5.5-1-1.7 1-2.7 2-1.5L8 15",
  stack: "M12 4 3.5 8.5 12 13l8.5-4.5zM4 13l8 4.25L20 13M4 17l8 4 8-4",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6m2.5-8.5a7.5 7.5 0 0 1 0 11",
  screen: "M3.5 5h17v11.5h-17zM9 20h6",
  phone: "M7.5 3h9v18h-9zM11 18h2",
  mail: "M3.5 6h17v12.5h-17zm0 1L12 13l8.5-6",
} as const;

export type Icon = keyof typeof PATHS;

export function icon(name: Icon): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
