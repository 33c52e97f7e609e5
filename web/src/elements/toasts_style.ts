/** The style of the toasts: at the end of the page's lower edge; `--tocsin-toasts-inset` moves them. */

export const STYLE = `
:host { position: fixed; inset: var(--tocsin-toasts-inset, auto 1rem 1rem auto); z-index: var(--tocsin-toasts-layer, 1000); width: min(23rem, calc(100vw - 2rem));
  pointer-events: none; }
.toast { position: relative; display: flex; gap: .75rem; margin-top: .625rem; padding: .875rem; border: 1px solid var(--line); pointer-events: auto;
  border-radius: var(--radius); background: var(--raised); box-shadow: var(--shade); animation: in .22s cubic-bezier(.2, .9, .3, 1.1); }
@keyframes in { from { opacity: 0; transform: translateY(.75rem) scale(.98); } }
.body { flex: 1; min-width: 0; }
.title { font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
a { color: inherit; text-decoration: none; }
a::after { content: ""; position: absolute; inset: 0; border-radius: var(--radius); }
a:focus-visible { outline: none; }
a:focus-visible::after { outline: 2px solid var(--accent); }
.toast:hover a { text-decoration: underline; text-underline-offset: .15em; }
p { font-weight: 400; color: var(--soft); display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.quiet { position: relative; z-index: 1; flex: none; margin: -.25rem -.25rem 0 -.25rem; }
.quiet svg { width: 1rem; height: 1rem; }
`;
