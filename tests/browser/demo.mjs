/** The demo under test: its server process, and its page as a visitor meets it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "./chromium.mjs";

const COMMAND = process.env.TOCSIN ?? "tocsin";
const START_MS = 60_000;

/** A `tocsin demo` with a state of its own, which outlives its process. */
export class DemoServer {
  #process = null;
  #output = "";
  url = null;

  constructor(state) {
    this.state = state;
  }

  /** Start it and wait for its line; later starts come up on the port of the first. */
  async start(...options) {
    const port = this.url === null ? "0" : new URL(this.url).port;
    const child = this.spawn(port, options);
    this.#process = child;
    const hear = (chunk) => {
      this.#output += chunk;
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const before = this.#output.length;
    await until(() => {
      const line = /^Tocsin .*on (http:\S+)/m.exec(this.#output.slice(before));
      if (child.exitCode !== null) throw new Error(`the server ended:\n${this.#output}`);
      this.url = line?.[1] ?? this.url;
      return line !== null;
    }, START_MS);
  }

  /** Start the process; another server's tests have one of their own. */
  spawn(port, options) {
    return spawn(COMMAND, ["demo", "--state", this.state, ...options], {
      env: { ...process.env, TOCSIN_PORT: port },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** What it has printed since the first start. */
  get output() {
    return this.#output;
  }

  /** Take it down without a goodbye, as a crash would. */
  async kill() {
    await this.#end("SIGKILL");
  }

  async stop() {
    await this.#end("SIGTERM");
  }

  async #end(signal) {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }
}

/** Run a demo, or another such server, and a browser for all tests of a file. */
export function useDemo({ before, after }, Server = DemoServer) {
  const demo = { server: null, browser: null };
  let state;
  before(async () => {
    state = await mkdtemp(join(tmpdir(), "tocsin-browser-"));
    demo.server = new Server(state);
    await demo.server.start();
    demo.browser = await launch();
  });
  after(async () => {
    await demo.browser?.close();
    await demo.server?.stop();
    await rm(state, { recursive: true, force: true });
  });
  return demo;
}

/** Open the server's page in a browser profile of its own; `problems` gathers what a page must not do. */
export async function open({ browser, server }, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(server.url).origin) problems.push(`request: ${request.url()}`);
  });
  await page.goto(server.url);
  return { context, page, problems, close: () => context.close() };
}

/** Open the demo's page and wait until both users are live. */
export async function visit(demo, options = {}) {
  const visitor = await open(demo, options);
  await live(visitor.page);
  return { ...visitor, mina: person(visitor.page, 0), junho: person(visitor.page, 1) };
}

/** Wait until both lights are green. */
export async function live(page) {
  await page.waitForFunction(
    () => {
      const lights = [...document.querySelectorAll(".light")];
      return lights.length === 2 && lights.every((light) => light.dataset.look === "live");
    },
    null,
    { timeout: 40_000 },
  );
}

/** The parts of one user's card. */
function person(page, index) {
  const card = page.locator(".person").nth(index);
  return {
    card,
    bell: card.locator("tocsin-bell [part=button]"),
    badge: card.locator("tocsin-bell [part=badge]"),
    panel: card.locator("tocsin-bell [part=panel]"),
    items: card.locator("tocsin-bell article"),
    toasts: card.locator("tocsin-toasts .toast"),
    preferences: card.locator(".preferences"),
    settings: card.getByRole("button", { name: /^Preferences of / }),
    step: card.locator(".step.current .step-label"),
    post: card.locator(".post"),
    messages: card.locator(".message"),
    typing: card.locator(".typing"),
    input: card.getByPlaceholder(/^Message to/),
    rows: card.locator(".log-row"),
    cursors: card.locator(".cursors"),
    light: card.locator(".light"),
    plug: card.locator(".button.plug"),
    strip: card.locator(".plug-strip"),
    verdict: card.locator(".plug-line"),
  };
}

/** The number on a user's bell; it has none where nothing is unread. */
export async function unreadOf({ badge }) {
  return Number((await badge.allTextContents())[0] ?? 0);
}

/** The user's notifications with a text, in the open bell. */
export function itemsWith({ items }, text) {
  return items.filter({ hasText: text });
}

/** Press a button of the control strip for one user, or both. */
export async function press(page, name, to = "Both") {
  await page.locator(".segments label", { hasText: to }).click();
  await page.locator(".controls").getByRole("button", { name, exact: true }).click();
}

/** Poll until it holds. */
export async function until(holds, timeoutMs = 25_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${timeoutMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Poll until a value is the expected one, and say which one it stayed when it never is. */
export async function settles(read, expected, timeoutMs = 25_000) {
  const wanted = JSON.stringify(expected);
  let value;
  try {
    await until(async () => {
      value = await read();
      return JSON.stringify(value) === wanted;
    }, timeoutMs);
  } catch {
    throw new Error(`expected ${wanted}, it stayed ${JSON.stringify(value)}`);
  }
}
