/** The style sheet of the chat. It follows the page's `color-scheme`; every colour is a custom property. */

export const STYLE = `
:host { display: flex; flex-direction: column; min-height: 20rem; height: 28rem; font-size: 1rem; line-height: 1.4;
  --ground: #fff; --sunken: #f4f3f8; --ink: #1c1b22; --edge: #d8d5e0; --muted: #5c5966; --accent: #4a3fc7;
  --on-accent: #fff; --own: #e6e3fb; --good: #17704a; --bad: #a3203a;
  color: var(--tocsin-chat-color, var(--ink)); background: var(--tocsin-chat-background, var(--ground)); }
:host([hidden]) { display: none; }
@supports (color: light-dark(#000, #fff)) {
  :host { --ground: light-dark(#fff, #1d1b25); --sunken: light-dark(#f4f3f8, #15131b); --ink: light-dark(#1c1b22, #f1eff8);
    --edge: light-dark(#d8d5e0, #3c394a); --muted: light-dark(#5c5966, #b9b5c9); --accent: light-dark(#4a3fc7, #b3abff);
    --on-accent: light-dark(#fff, #1a1733); --own: light-dark(#e6e3fb, #322d5c); --good: light-dark(#17704a, #6fd6a4);
    --bad: light-dark(#a3203a, #ff9aae); }
}
[part=head] { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; padding: .25rem .25rem .5rem; }
[part=name] { font-weight: 650; overflow-wrap: anywhere; }
[part=lock] { margin-inline-start: auto; }
[part=lock], [part=block], .meta button, [part=notice] button { padding: 0; border: 0; background: none; color: inherit;
  font: inherit; text-decoration: underline; cursor: pointer; }
[part=lock], [part=block] { color: var(--muted); font-size: .8125em; }
[part=presence] { font-size: .8125em; color: var(--muted); }
[part=presence].online::before { content: ""; display: inline-block; width: .5rem; height: .5rem; margin-inline-end: .375rem;
  border-radius: 50%; background: var(--good); }
[part=messages] { flex: 1 0 5rem; min-height: 5rem; display: flex; flex-direction: column; gap: .375rem; padding: .75rem; overflow-y: auto;
  overscroll-behavior: contain; border-radius: var(--tocsin-chat-radius, .75rem); background: var(--tocsin-chat-sunken, var(--sunken)); }
[part=messages]::before { content: ""; margin-top: auto; }
[part~=message] { align-self: flex-start; max-width: min(85%, 34rem); padding: .375rem .75rem; border: 1px solid var(--edge);
  border-radius: 1rem; border-end-start-radius: .25rem; background: var(--ground); }
[part~=own] { align-self: flex-end; border-color: transparent; border-radius: 1rem; border-end-end-radius: .25rem; background: var(--tocsin-chat-own, var(--own)); }
.text { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.gone .text, .empty { color: var(--muted); }
.empty { margin: auto; text-align: center; }
.meta { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0 .625rem; font-size: .75em; color: var(--muted); }
.failed, .clear { font-weight: 600; }
.failed { color: var(--bad); }
.file, .read { color: var(--tocsin-chat-accent, var(--accent)); }
.file { display: block; overflow-wrap: anywhere; }
[part=encryption] { flex: 0 1 auto; min-height: 0; overflow-y: auto; }
[part=encryption].open { flex: 1 1 auto; }
.open + [part=messages] { flex: 0 1 0; min-height: 0; padding-block: 0; }
[part=head], [part=notice], [part=status], form { flex: none; }
[part=notice] { display: flex; flex-wrap: wrap; gap: .375rem .75rem; align-items: center; margin-top: .375rem; padding: .5rem .75rem;
  border: 1px solid var(--edge); border-radius: .5rem; }
[part=notice] p { margin: 0; font-weight: 600; }
[part=status] { margin: 0; min-height: 1.5rem; padding: .125rem .25rem; font-size: .8125em; color: var(--muted); }
form { display: flex; gap: .5rem; align-items: flex-end; }
textarea { flex: 1; min-width: 0; min-height: 2.75rem; max-height: 9rem; box-sizing: border-box; padding: .625rem .75rem; font: inherit; resize: none;
  field-sizing: content; color: inherit; border: 1px solid var(--edge); border-radius: var(--tocsin-chat-radius, .75rem); background: var(--ground); }
textarea::placeholder { white-space: nowrap; }
form button { min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer; border: 1px solid transparent;
  border-radius: var(--tocsin-chat-radius, .75rem); color: var(--tocsin-chat-on-accent, var(--on-accent)); background: var(--tocsin-chat-accent, var(--accent)); }
form button.plain { color: inherit; border-color: var(--edge); background: none; }
:focus-visible { outline: 2px solid var(--tocsin-chat-accent, var(--accent)); outline-offset: 2px; }
[part=messages]:focus-visible { outline-offset: -2px; }
[hidden] { display: none !important; }
@media (pointer: coarse) { .meta button, [part=head] button, [part=notice] button { padding: .375rem 0; } }
@media (forced-colors: active) { [part~=own] { border-color: Highlight; } }
`;
