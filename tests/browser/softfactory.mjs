/** SoftFactory under test: the example's server, and its page as a user who has signed in meets it. */

import { execFileSync, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DemoServer, open, useDemo } from "./demo.mjs";

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
export function useSoftFactory(hooks) {
  return useDemo(hooks, SoftFactory);
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
