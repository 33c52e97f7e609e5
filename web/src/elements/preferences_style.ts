/** The style of the preferences. */

export const STYLE = `
:host { display: block; max-width: 46rem; padding: 1.25rem; border-radius: var(--radius); background: var(--ground); container-type: inline-size; }
h2 { margin-bottom: 1rem; font-size: 1.125rem; font-weight: 650; letter-spacing: -.01em; }
table { width: 100%; border-collapse: collapse; }
th { padding: .625rem .25rem; font-weight: 500; }
thead th { font-size: .8125rem; color: var(--soft); border-bottom: 1px solid var(--line); }
thead svg { margin: 0 auto .125rem; }
tbody th { text-align: start; overflow-wrap: anywhere; font-weight: 550; }
td { padding: .625rem .25rem; text-align: center; }
tr + tr > * { border-top: 1px solid var(--line); }
select, input[type="time"] { height: 2.125rem; max-width: 100%; padding: 0 .5rem; border: 1px solid var(--line); border-radius: .5rem; font-size: .8125rem;
  background: var(--ground); }
[role="switch"] { appearance: none; position: relative; width: 2.125rem; height: 1.25rem; margin: 0; border-radius: 1rem; cursor: pointer; vertical-align: middle;
  background: var(--soft); opacity: .85; transition: background .15s; }
[role="switch"]::after { content: ""; position: absolute; top: .1875rem; inset-inline-start: .1875rem; width: .875rem; height: .875rem; border-radius: 50%;
  background: var(--ground); transition: inset-inline-start .15s; }
[role="switch"]:checked { background: var(--accent); opacity: 1; }
[role="switch"]:checked::after { inset-inline-start: 1.0625rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: .75rem; margin-top: 1.25rem; align-items: start; }
fieldset { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .75rem; min-width: 0; min-height: 3.5rem; margin: 0; padding: .75rem 1rem;
  border: 1px solid var(--line); border-radius: var(--radius); }
fieldset:first-child { grid-row: span 2; }
legend { float: inline-start; padding: 0; font-weight: 600; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: .625rem; width: 100%; }
.fields label:last-child { grid-column: span 2; }
label { display: grid; gap: .25rem; min-width: 0; font-size: .8125rem; color: var(--soft); }
label > * { width: 100%; color: var(--ink); }
.buttons { display: flex; flex-wrap: wrap; align-items: center; gap: .375rem; }
.plain { height: 2.125rem; padding: 0 .75rem; border: 1px solid var(--line); border-radius: .5rem; font-size: .8125rem; font-weight: 550; }
.plain:hover { background: var(--sunken); }
.status { min-height: 1.5rem; margin-top: .5rem; font-weight: 400; font-size: .8125rem; color: var(--soft); }
.empty { display: grid; justify-items: center; gap: .75rem; padding: 2rem; }
@container (max-width: 34rem) { .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } table { table-layout: fixed; }
  thead th:first-child { width: 28%; } tbody th { padding-inline: 0; font-size: .8125rem; } thead th:last-child { width: 25%; } td select { padding: 0 .125rem; } td [role="switch"] { width: 1.875rem; } td [role="switch"]:checked::after { inset-inline-start: .8125rem; } }
@media (forced-colors: active) { [role="switch"] { appearance: auto; } [role="switch"]::after { content: none; } }
`;
