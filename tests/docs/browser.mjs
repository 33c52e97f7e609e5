/**
 * A reader's browser: does what comes over standard input, a line of JSON each, and answers with what went wrong.
 *
 * {html, url, token, script}: shows a page of the origin to a user who is signed in, and runs the script in it.
 * {code}: steps of Playwright, with `page`, `context` and `assert`.
 */

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { launch } from "../browser/chromium.mjs";

const browser = await launch();
const context = await browser.newContext({ permissions: ["notifications"] });
const page = await context.newPage();
let wrong = [];
page.on("pageerror", (error) => wrong.push(`${error}`));
page.on("console", (message) => {
  if (message.type() === "error") wrong.push(message.text());
});
page.on("response", (response) => {
  if (response.status() >= 400 && !response.url().endsWith("/favicon.ico")) {
    wrong.push(`${response.status()} ${response.url()}`);
  }
});

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;

/** Show HTML as if the server had it, so that paths and origin are the server's. */
async function show(url, token, html) {
  const signIn = `<script>localStorage.setItem("auth_token", ${JSON.stringify(token)})</script>`;
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>${signIn}${html}</html>`;
  await page.route(`${url}/snippet.html`, (route) => route.fulfill({ contentType: "text/html", body }));
  await page.goto(`${url}/snippet.html`, { waitUntil: "load" });
  await page.unroute(`${url}/snippet.html`);
  await page.waitForFunction(() => !window.ws || window.ws.isConnected, null, { timeout: 15_000 });
  const tags = await page.evaluate(() => [...document.querySelectorAll(":not(:defined)")].map((one) => one.localName));
  return [...new Set(tags)].map((tag) => `<${tag}> is not defined`);
}

async function run({ html, url, token, script, code }) {
  if (code !== undefined) {
    await new AsyncFunction("page", "context", "assert", code)(page, context, assert);
    return [];
  }
  wrong = [];
  wrong.push(...(await show(url, token, html)));
  if (script) {
    await page.evaluate(async (text) => {
      const Steps = Object.getPrototypeOf(async () => {}).constructor;
      await new Steps("ws", text)(window.ws);
    }, script);
  }
  return wrong;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await run(JSON.parse(line));
  } catch (error) {
    answer = [`${error.stack}`, ...wrong];
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
