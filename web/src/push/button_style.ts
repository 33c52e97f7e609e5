/** The style sheet of the button. It follows the page's `color-scheme`; every colour is a custom property. */

export const STYLE = `
:host { display: inline-flex; flex-direction: column; align-items: flex-start; gap: .375rem;
  --ground: #fff; --ink: #1c1b22; --edge: #8a8794; --muted: #5c5966; --accent: #4a3fc7; --on-accent: #fff; }
:host([hidden]) { display: none; }
@supports (color: light-dark(#000, #fff)) {
  :host { --ground: light-dark(#fff, #24222d); --ink: light-dark(#1c1b22, #f1eff8); --edge: light-dark(#8a8794, #7d7990);
    --muted: light-dark(#5c5966, #b9b5c9); --accent: light-dark(#4a3fc7, #b3abff); --on-accent: light-dark(#fff, #1a1733); }
}
button { display: inline-flex; align-items: center; gap: .5rem; min-height: 2.75rem; padding: .5rem 1rem; font: inherit;
  font-weight: 600; text-align: start; cursor: pointer; border: 1px solid var(--tocsin-push-border-color, var(--edge));
  border-radius: var(--tocsin-push-radius, .625rem); color: var(--tocsin-push-color, var(--ink));
  background: var(--tocsin-push-background, var(--ground)); }
button:hover { border-color: var(--tocsin-push-accent, var(--accent)); }
button:focus-visible { outline: 2px solid var(--tocsin-push-accent, var(--accent)); outline-offset: 2px; }
button[aria-pressed="true"] { color: var(--tocsin-push-on-accent, var(--on-accent));
  background: var(--tocsin-push-accent, var(--accent)); border-color: transparent; }
button[aria-disabled="true"] { cursor: default; color: var(--tocsin-push-muted, var(--muted)); border-style: dashed;
  border-color: var(--tocsin-push-border-color, var(--edge)); }
button[aria-busy="true"] { border-style: solid; cursor: progress; }
svg { flex: none; width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.75;
  stroke-linecap: round; }
svg [hidden] { display: none; }
[part="hint"] { max-width: 22rem; font-size: .875em; line-height: 1.45; word-break: keep-all; color: var(--tocsin-push-muted, var(--muted)); }
@media (forced-colors: active) { button[aria-pressed="true"] { border: 2px solid Highlight; } }
`;
