/** The style that the elements share: the page's `color-scheme`, and a custom property for every colour. */

export const STYLE = `
:host { --ground: var(--tocsin-ground, light-dark(#fff, #16171c));
  --raised: var(--tocsin-raised, light-dark(#fff, #1d1f26));
  --sunken: var(--tocsin-sunken, light-dark(#f5f5f8, #21232b));
  --ink: var(--tocsin-ink, light-dark(#17181d, #eeeff4));
  --soft: var(--tocsin-soft, light-dark(#5d6070, #a6a9b8));
  --line: var(--tocsin-line, light-dark(#e6e7ed, #2c2e38));
  --accent: var(--tocsin-accent, light-dark(#4f46e5, #a09bff));
  --wash: var(--tocsin-wash, light-dark(#eeedfd, #26254a));
  --bad: var(--tocsin-bad, light-dark(#c02434, #ff8d96));
  --bad-wash: light-dark(#fdebec, #3d191d); --good: light-dark(#0b7a53, #4fd6a0); --radius: var(--tocsin-radius, 1rem);
  --shade: 0 1px 2px #10122014, 0 12px 40px #10122029;
  font: 400 .875rem/1.45 var(--tocsin-font, system-ui, sans-serif); color: var(--ink); }
:host([hidden]), [hidden] { display: none !important; }
:host, * { box-sizing: border-box; }
button, select, input { font: inherit; color: inherit; }
button { margin: 0; padding: 0; border: 0; background: none; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { display: block; width: 1.25rem; height: 1.25rem; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round;
  stroke-linejoin: round; }
h2, h3, p { margin: 0; font-size: inherit; font-weight: 600; }
.quiet { display: inline-grid; place-items: center; width: 2rem; height: 2rem; border-radius: .5rem; color: var(--soft); }
.quiet:hover { color: var(--ink); background: var(--sunken); }
.quiet:disabled { opacity: .4; cursor: default; background: none; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.avatar { position: relative; display: grid; place-items: center; flex: none; width: 2.25rem; height: 2.25rem; border-radius: .75rem; font-weight: 650; }
.actors { display: block; }
.actors span { position: absolute; display: grid; place-items: center; inset: 0 auto auto 0; width: 1.5rem; height: 1.5rem; border-radius: 50%; font-size: .6875rem; box-shadow: 0 0 0 2px var(--ground); }
.actors span + span { inset: auto 0 0 auto; }
.avatar, .actors span { color: light-dark(hsl(var(--hue) 55% 30%), hsl(var(--hue) 75% 82%));
  background: light-dark(hsl(var(--hue) 70% 93%), hsl(var(--hue) 35% 22%)); }
.avatar.urgent { color: var(--bad); background: var(--bad-wash); }
.avatar.actors { background: none; }
.menu { position: fixed; inset: auto; margin: 0; padding: .375rem; min-width: 13rem; border: 1px solid var(--line);
  border-radius: .75rem; color: inherit; background: var(--raised); box-shadow: var(--shade); }
.menu button { display: flex; justify-content: space-between; gap: 1.5rem; width: 100%; padding: .5rem .625rem; border-radius: .5rem; text-align: start; }
.menu button:hover, .menu button:focus-visible { background: var(--sunken); }
.menu small { color: var(--soft); font-size: .8125rem; }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { [aria-selected="true"], .unread .dot { forced-color-adjust: none; } }
`;
