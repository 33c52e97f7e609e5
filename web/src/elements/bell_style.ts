/** The style of the bell and its panel. */

export const STYLE = `
:host { display: inline-block; }
[part="button"] { position: relative; display: grid; place-items: center; width: 2.5rem; height: 2.5rem; border-radius: .75rem; }
[part="button"]:hover, [part="button"][aria-expanded="true"] { background: var(--sunken); }
[part="button"] svg { width: 1.375rem; height: 1.375rem; }
[part="badge"] { position: absolute; top: .125rem; inset-inline-start: 1.25rem; min-width: 1.125rem; padding: 0 .25rem; border-radius: 1rem; font-size: .6875rem;
  font-weight: 700; line-height: 1.125rem; text-align: center; color: var(--on-badge); background: var(--badge);
  box-shadow: 0 0 0 2px var(--ground); --badge: #d92d3f; --on-badge: #fff; animation: pop .2s ease-out; }
@keyframes pop { from { transform: scale(.4); } }
[part="panel"] { position: fixed; inset: auto; margin: 0; padding: 0; width: min(26rem, calc(100vw - 1rem)); height: min(36rem, calc(100dvh - 5rem));
  border: 1px solid var(--line); border-radius: var(--radius); color: inherit;
  background: var(--ground); box-shadow: var(--shade); overflow: hidden; outline: none; }
[part="panel"]:popover-open { animation: open .14s ease-out; }
@keyframes open { from { opacity: 0; transform: translateY(-.375rem); } }
tocsin-inbox { height: 100%; border-radius: 0; }
@media (max-width: 30rem) {
  [part="panel"] { inset: auto 0 0 !important; width: 100vw; max-width: none; height: 85dvh; border-width: 1px 0 0; border-radius: 1.25rem 1.25rem 0 0; }
  [part="panel"]::backdrop { background: #0006; }
}
`;
