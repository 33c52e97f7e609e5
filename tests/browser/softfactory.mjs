/** SoftFactory under test: the example's server, and its page as a user who has signed in meets it. */

import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { DemoServer } from "./demo.mjs";

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "examples", "softfactory");
const PYTHON = process.env.TOCSIN ? join(dirname(process.env.TOCSIN), "python") : "python3";
const OWN_SETTINGS = /^(TOCSIN|SOCKETIO|FLASK|SECRET)_/;

/** What `make softfactory` runs, with a state of its own that outlives the process. */
export class SoftFactory extends DemoServer {
  spawn(port) {
    const inherited = Object.entries(process.env).filter(([name]) => !OWN_SETTINGS.test(name));
    const env = {
      ...Object.fromEntries(inherited),
      SOFTFACTORY_STATE: this.state,
      TOCSIN_HOST: "127.0.0.1",
      TOCSIN_PORT: port,
    };
    const isFirst = this.url === null;
    for (const command of isFirst ? [["db", "upgrade"], ["seed"]] : []) {
      execFileSync(PYTHON, ["-m", "flask", "--app", "backend.app", ...command], { cwd: EXAMPLE, env, stdio: "pipe" });
    }
    return spawn(PYTHON, ["-m", "backend.app"], { cwd: EXAMPLE, env, stdio: ["ignore", "pipe", "pipe"] });
  }
}

/** Run the example and a browser for all tests of a file. */
export function useSoftFactory({ before, after }) {
  const factory = { server: null, browser: null };
  let state;
  before(async () => {
    state = await mkdtemp(join(tmpdir(), "softfactory-"));
    factory.server = new SoftFactory(state);
    await factory.server.start();
    factory.browser = await launch();
  });
  after(async () => {
    await factory.browser?.close();
    await factory.server?.stop();
    await rm(state, { recursive: true, force: true });
  });
  return factory;
}

/** Open the page in a browser profile of its own; `problems` gathers what a page must not do. */
export async function open({ browser, server }, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
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
  return { page, problems, close: () => context.close() };
}

/** Open the page, sign in as `mina` or `junho`, and wait until everything is live. */
export async function signIn(factory, login, options = {}) {
  const visitor = await open(factory, options);
  await visitor.page.locator("[name=login]").fill(login);
  await visitor.page.locator("[name=password]").fill("softfactory");
  await visitor.page.keyboard.press("Enter");
  await live(visitor.page);
  const api = (path, body) => callApi(visitor.page, path, body);
  return { ...visitor, ...parts(visitor.page), api };
}

/** Wait until the page is connected and its chat is there. */
export async function live(page) {
  await page.locator('#light[data-state="connected"]').waitFor({ timeout: 40_000 });
  await page.locator(".chat .message").first().waitFor();
}

/** Call a route of the server as the page's user would. */
async function callApi(page, path, body) {
  return await page.evaluate(
    async ([path, body]) => {
      const answer = await fetch(path, {
        method: body === undefined ? "GET" : "POST",
        headers: { Authorization: `Bearer ${localStorage.auth_token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      return { status: answer.status, json: await answer.json().catch(() => null) };
    },
    [path, body],
  );
}

function parts(page) {
  return {
    bell: page.locator("#bell-button"),
    badge: page.locator("#unread-count"),
    panel: page.locator("#notification-panel"),
    notifications: page.locator(".notification-item"),
    orders: page.locator("#orders > li"),
    step: page.locator("#orders > li").first().locator(".current"),
    posts: page.locator("#posts > li"),
    messages: page.locator(".message p"),
    typing: page.locator(".typing-indicator"),
    input: page.locator(".chat [name=message]"),
  };
}
