/** The dashboard: signs the operator in, shows the view that the address names, and looks again while it is seen. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { call, type Overview } from "./api.js";
import { History } from "./figures.js";
import { overview } from "./overview.js";
import { SessionsView } from "./sessions.js";
import { decoded, forget, keep, takeFromFragment, token } from "./token.js";
import { TraceView } from "./trace.js";
import { UserView } from "./user.js";
import { look, type Page, type View } from "./view.js";

const LOOK_MS = 2_000;
const TABS = [
  ["overview", "Live"],
  ["sessions", "Sessions"],
  ["user", "User"],
  ["trace", "Trace"],
] as const;

const history_ = new History();
let said = { text: "", isBad: false };
let failure = "";
let why = "";
let only: string | undefined;
let isScheduled = false;
let view: View;

const page: Page = {
  get view() {
    return view;
  },
  changed: () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      draw();
    });
  },
  say: (text, isBad = false) => {
    said = { text, isBad };
    page.changed();
  },
  failing: (text) => {
    failure = text;
    page.changed();
  },
  signOut: (reason) => {
    forget();
    why = reason;
    page.changed();
  },
};

class LiveView implements View {
  readonly title = "Live";
  readonly isLive = true;

  readonly look = (): Promise<void> =>
    look(page, async () => {
      history_.add(await call<Overview>("GET", "/api/admin/overview"), performance.now() / 1_000);
    });

  readonly draw = (): TemplateResult =>
    overview(history_, only, (node) => {
      only = node === "" ? undefined : node;
      page.changed();
    });
}

/** Return the name of the view and what it is of: `#/trace/ID/USER`. */
function address(): [string, string, string] {
  const [, name = "", ...of] = location.hash.split("/");
  const [first = "", second = ""] = of.map(decoded);
  return [name, first, second];
}

function open(): void {
  const [name, first, second] = address();
  said = { text: "", isBad: false };
  failure = "";
  if (name === "sessions") view = new SessionsView(page);
  else if (name === "user") view = new UserView(page, first);
  else if (name === "trace") view = new TraceView(page, first, second);
  else view = new LiveView();
  document.title = `${view.title} · Tocsin`;
  page.changed();
  if (token() !== null) void view.look();
}

function draw(): void {
  const body = document.getElementById("body");
  if (body === null) return;
  render(token() === null ? signIn() : signedIn(), body);
}

function signedIn(): TemplateResult {
  const current = address()[0] || "overview";
  const told = failure === "" ? said : { text: failure, isBad: true };
  return html`
    <nav class="tabs" aria-label="Views">
      ${TABS.map(
        ([name, title]) =>
          html`<a href=${`#/${name}`} aria-current=${name === current ? "page" : nothing}>${title}</a>`,
      )}
      <button class="button quiet" id="sign-out" @click=${() => page.signOut("")}>Sign out</button>
    </nav>
    <p class=${told.isBad ? "problem" : "said"} role=${told.isBad ? "alert" : "status"} ?hidden=${told.text === ""}>
      ${told.text}
    </p>
    <div id="view" tabindex="-1">${view.draw()}</div>
  `;
}

function signIn(): TemplateResult {
  return html`<form class="card sign-in" @submit=${enter}>
    <h2>Sign in</h2>
    <p class="hint">With a token of the scope <code>admin</code>: <code>tocsin token --user ops --scope admin</code></p>
    ${why === "" ? nothing : html`<p class="problem" role="alert">${why}</p>`}
    <label>Token <input id="token" name="token" type="password" required autocomplete="off" spellcheck="false" /></label>
    <button class="button accent">Sign in</button>
    <p class="hint">It is kept for this tab, and goes nowhere but to this server.</p>
  </form>`;
}

function enter(event: SubmitEvent): void {
  event.preventDefault();
  keep(String(new FormData(event.target as HTMLFormElement).get("token")));
  why = "";
  open();
}

async function lookForEver(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    // Nobody looks at a page behind others: it asks for nothing. One answer that is none must not end the looks.
    if (!document.hidden && token() !== null && view.isLive) await view.look().catch(() => undefined);
  }
}

// As an address it would be that of a view.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector<HTMLElement>("#view, #token")?.focus();
});
takeFromFragment();
addEventListener("hashchange", () => {
  takeFromFragment();
  open();
});
open();
void lookForEver();
