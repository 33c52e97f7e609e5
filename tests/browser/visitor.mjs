/**
 * A visitor for tests in Python: opens the page named on the command line and prints what it shows, an item a line.
 *
 * The page keeps a list `#shown`; its first item tells that it is connected. Ends with its input.
 */

import { launch } from "./chromium.mjs";

const browser = await launch();
process.stdin.resume().once("end", () => void browser.close());
const page = await browser.newPage();
const tell = (text) => process.stdout.write(`${text}\n`);
page.on("pageerror", (error) => tell(`error: ${error.message}`));
await page.exposeFunction("tell", tell);
await page.addInitScript(() => {
  addEventListener("DOMContentLoaded", () => {
    const list = document.querySelector("#shown");
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const item of addedNodes) window.tell(item.textContent);
    }).observe(list, { childList: true });
  });
});
await page.goto(process.argv[2]);
