/**
 * A reader's browser: runs what comes over standard input, a line of JSON each, and answers each with a line.
 *
 * {html, url}: shows a page of the origin and tells what went wrong. {script, url, scripts}: runs code in a page that
 * has loaded these scripts. {code}: steps of Playwright, with `page`.
 */

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { launch } from "../browser/chromium.mjs";

const token = process.env.SNIPPET_TOKEN ?? "";
const browser = await launch();
const context = await browser.newContext({ permissions: ["notifications"] });
if (token) await context.addInitScript((value) => localStorage.setItem("auth_token", value), token);
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

/** Show HTML as if the server had it, so that paths and origin are the server's. */
async function show(url, html) {
  await page.route(`${url}/snippet.html`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(`${url}/snippet.html`, { waitUntil: "load" });
  await page.unroute(`${url}/snippet.html`);
}

async function run({ html, script, scripts, url, code }) {
  if (code !== undefined) {
    const Steps = Object.getPrototypeOf(async () => {}).constructor;
    await new Steps("page", "context", "assert", code)(page, context, assert);
    return [];
  }
  wrong = [];
  if (html !== undefined) {
    await show(url, `<!doctype html><html lang="en"><title>A page</title>${html}</html>`);
    const undefinedTags = await page.evaluate(() => {
      const tags = [...document.querySelectorAll(":not(:defined)")].map((element) => element.localName);
      return [...new Set(tags)];
    });
    wrong.push(...undefinedTags.map((tag) => `<${tag}> is not defined`));
    await page.waitForFunction(() => !window.ws || window.ws.isConnected, null, { timeout: 15_000 });
  } else {
    const tags = scripts.map((source) => `<script src="${source}"></script>`).join("");
    await show(url, `<!doctype html><html lang="en"><title>A page</title>${tags}<body></body></html>`);
    await page.waitForFunction(() => window.ws.isConnected, null, { timeout: 15_000 });
    await page.evaluate((body) => new (Object.getPrototypeOf(async () => {}).constructor)("ws", body)(window.ws), script);
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
