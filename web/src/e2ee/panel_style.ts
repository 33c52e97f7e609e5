/** The style sheet of the element of devices. It takes the chat's custom properties, and follows the page's `color-scheme`. */

export const PANEL_STYLE = `
:host { display: block; font-size: .9375em; line-height: 1.45;
  --p-ground: #fff; --p-ink: #1c1b22; --p-muted: #5c5966; --p-edge: #d8d5e0; --p-accent: #4a3fc7; --p-on-accent: #fff;
  --p-good: #17704a; --p-warn: #fff3d6; --p-warn-ink: #4d3400; --p-warn-edge: #b27a00; color: var(--tocsin-chat-color, var(--p-ink)); }
@supports (color: light-dark(#000, #fff)) {
  :host { --p-ground: light-dark(#fff, #1d1b25); --p-ink: light-dark(#1c1b22, #f1eff8); --p-muted: light-dark(#5c5966, #b9b5c9);
    --p-edge: light-dark(#d8d5e0, #3c394a); --p-accent: light-dark(#4a3fc7, #b3abff); --p-on-accent: light-dark(#fff, #1a1733);
    --p-good: light-dark(#17704a, #6fd6a4); --p-warn: light-dark(#fff3d6, #3a2c0a); --p-warn-ink: light-dark(#4d3400, #ffe2a3);
    --p-warn-edge: light-dark(#b27a00, #d19a2e); }
}
:host([hidden]), [hidden] { display: none !important; }
.warning { margin-block: .375rem; padding: .625rem .75rem; border: 1px solid var(--p-warn-edge); border-inline-start-width: .375rem;
  border-radius: .5rem; color: var(--p-warn-ink); background: var(--p-warn); }
.details { margin-block: .375rem; padding: .75rem; border: 1px solid var(--p-edge); border-radius: .5rem;
  background: var(--tocsin-chat-background, var(--p-ground)); }
p { margin: 0 0 .375rem; overflow-wrap: anywhere; }
.title { font-weight: 650; }
.muted { color: var(--p-muted); }
.good { color: var(--p-good); font-weight: 600; }
.number { display: grid; grid-template-columns: repeat(4, max-content); gap: .25rem 1.25rem; margin-block: .375rem .5rem; font: 600 1.125rem/1.5 ui-monospace, monospace;
  font-variant-numeric: tabular-nums; letter-spacing: .06em; }
ul { margin: 0 0 .5rem; padding: 0; list-style: none; }
li { padding-block: .25rem; border-top: 1px solid var(--p-edge); overflow-wrap: anywhere; }
.warning .muted { color: inherit; }
.warning li { border-color: var(--p-warn-edge); }
.mark { margin-inline-start: .5rem; font-size: .875em; font-weight: 600; }
.key { display: block; font: .8125rem/1.5 ui-monospace, monospace; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
button { min-height: 2.25rem; padding: .25rem .75rem; font: inherit; cursor: pointer; color: inherit; border: 1px solid currentcolor; border-radius: .5rem; background: none; }
button.main { font-weight: 600; border-color: transparent; color: var(--tocsin-chat-on-accent, var(--p-on-accent)); background: var(--tocsin-chat-accent, var(--p-accent)); }
button.link { min-height: 0; padding: .125rem; border: 0; text-decoration: underline; }
button:focus-visible { outline: 2px solid var(--tocsin-chat-accent, var(--p-accent)); outline-offset: 2px; }
@media (max-width: 26rem) { .number { grid-template-columns: repeat(3, max-content); gap: .25rem 1rem; } }
@media (pointer: coarse) { button { min-height: 2.75rem; } button.link { padding: .625rem .25rem; } }
`;
