/** The style of the inbox. */

export const STYLE = `
:host { display: block; height: var(--tocsin-inbox-height, 34rem); min-height: 14rem; border-radius: var(--radius);
  background: var(--ground); overflow: hidden; container-type: inline-size; }
[part="inbox"] { position: relative; display: flex; flex-direction: column; height: 100%; }
[part="header"] { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem .75rem; padding: .875rem 1rem 0 1.25rem; }
h2 { font-size: 1.0625rem; font-weight: 650; letter-spacing: -.01em; }
.tools { display: flex; align-items: center; gap: .125rem; min-width: 0; }
select { max-width: 9rem; height: 2rem; padding: 0 .25rem 0 .5rem; text-overflow: ellipsis; border: 1px solid var(--line); border-radius: .5rem;
  font-size: .8125rem; background: transparent; }
option { color: var(--ink); background: var(--raised); }
.tabs { display: flex; gap: 1.25rem; width: 100%; overflow-x: auto; scrollbar-width: none; box-shadow: inset 0 -1px var(--line);
  margin: 0 -1rem 0 -1.25rem; width: calc(100% + 2.25rem); padding: 0 1.25rem; }
[part="tab"] { flex: none; padding: .5rem 0 .625rem; color: var(--soft); font-weight: 500; border-bottom: 2px solid transparent; }
[part="tab"]:hover { color: inherit; }
[part="tab"]:focus-visible { outline-offset: -2px; border-radius: .375rem; }
[part="tab"][aria-selected="true"] { color: inherit; border-color: var(--accent); }
.count { padding: .0625rem .4375rem; border-radius: 1rem; font-size: .75rem; font-weight: 600; color: var(--accent);
  background: var(--wash); }
[part="list"] { flex: 1; min-height: 0; overflow-y: auto; overflow-anchor: none; overscroll-behavior: contain; outline: none; scrollbar-width: thin; }
article { position: relative; outline: none; }
.day { padding: 1rem 1.25rem .375rem; font-size: .75rem; font-weight: 600; color: var(--soft); }
.card { position: relative; display: flex; gap: .75rem; padding: .75rem 1.25rem; cursor: pointer; }
.card::after { content: ""; position: absolute; bottom: 0; inset-inline: 4.25rem 1.25rem; border-bottom: 1px solid var(--line); }
.card:hover { background: var(--sunken); }
article:focus-visible .card { box-shadow: inset 0 0 0 2px var(--accent); border-radius: .5rem; }
.body { flex: 1; min-width: 0; }
.head { display: flex; align-items: baseline; gap: .5rem; }
h3 { flex: 1; min-width: 0; font-weight: 500; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.unread h3 { font-weight: 650; }
h3.urgent { color: var(--bad); }
h3 a { color: inherit; text-decoration: none; }
.card:hover h3 a { text-decoration: underline; text-underline-offset: .15em; }
time { flex: none; font-size: .75rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.dot { align-self: center; flex: none; width: .5rem; height: .5rem; border-radius: 50%; background: var(--accent); }
.message { font-weight: 400; color: var(--soft); display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; overflow-wrap: anywhere; }
.foot { display: flex; flex-wrap: wrap; gap: .375rem; margin-top: .375rem; }
.chip, .claim, .unfold { display: inline-flex; align-items: center; gap: .25rem; max-width: 12rem; padding: .0625rem .5rem; border-radius: .375rem; font-size: .75rem;
  line-height: 1.25rem; color: var(--soft); background: var(--sunken); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chip { display: inline-block; }
.card:hover .chip { background: var(--line); }
.taken { color: var(--good); }
.claim, .unfold { font-weight: 600; color: var(--accent); background: var(--wash); }
.claim svg { width: .875rem; height: .875rem; }
.actions { position: absolute; inset-inline-end: .875rem; top: .25rem; display: flex; padding: .0625rem; border: 1px solid var(--line);
  border-radius: .625rem; background: var(--raised); box-shadow: 0 1px 3px #10122014; opacity: 0; }
.card:hover .actions, article:focus-within .actions { opacity: 1; }
.actions .quiet { width: 1.75rem; height: 1.5rem; border-radius: .5rem; }
.actions svg { width: 1.0625rem; height: 1.0625rem; }
.actions .remove:hover { color: var(--bad); background: var(--bad-wash); }
.digest { margin: .5rem 0 0; padding: .25rem .75rem; list-style: none; border-radius: .625rem; background: var(--sunken); cursor: default; }
.digest li { display: flex; gap: .5rem; padding: .375rem 0; overflow: hidden; white-space: nowrap; }
.digest b { flex: none; max-width: 60%; font-weight: 550; overflow: hidden; text-overflow: ellipsis; }
.digest span { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; color: var(--soft); }
.more { padding: 1rem; text-align: center; font-weight: 400; color: var(--soft); }
.empty { display: grid; place-items: center; align-content: center; gap: .375rem; min-height: 80%; padding: 2rem; text-align: center; }
.empty span { display: grid; place-items: center; width: 3.5rem; height: 3.5rem; margin-bottom: .375rem; border-radius: 50%; color: var(--accent);
  background: var(--wash); }
.empty small { color: var(--soft); }
.plain { padding: .375rem .875rem; border: 1px solid var(--line); border-radius: .5rem; font-weight: 550; }
.bone { display: grid; grid-template-columns: 2.25rem 1fr; gap: .5rem .75rem; padding: .875rem 1.25rem; animation: breathe 1.6s infinite; }
.bone i { grid-row: span 2; height: 2.25rem; border-radius: .75rem; background: var(--line); }
.bone b { height: .75rem; width: 55%; border-radius: .375rem; background: var(--line); }
.bone b + b { width: 85%; }
@keyframes breathe { 50% { opacity: .45; } }
.problem { padding: 0 1.25rem; font-size: .8125rem; font-weight: 500; color: var(--bad); }
.problem:not(:empty) { padding-block: .5rem; background: var(--bad-wash); }
@media (hover: none) {
  .card { flex-wrap: wrap; }
  .body { flex-basis: 60%; }
  .foot { min-height: 1.5rem; padding-inline-end: 10rem; }
  .actions { position: relative; inset: auto; width: 100%; height: 0; align-items: end; justify-content: flex-end; padding: 0; border: 0; background: none; box-shadow: none;
    opacity: 1; pointer-events: none; }
  .actions .quiet { width: 2.5rem; height: 2.25rem; pointer-events: auto; }
}
@container (max-width: 23rem) { .tabs { gap: 1rem; } select { max-width: 6.5rem; } h2 { font-size: 1rem; } }
`;
