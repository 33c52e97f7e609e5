/** The Content-Security-Policy of each page, enforced by a real browser: what gets into a page runs nothing. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { settles, useDemo } from "./demo.mjs";

const PAGES = ["/", "/demo/inbox", "/docs", "/healthz"];

/** Put into a page what an attacker would, and return the directives that it broke. */
async function attack(foreign) {
  const broken = [];
  document.addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective));
  const add = (name, attributes, text = "") => {
    const element = Object.assign(document.createElement(name), { textContent: text });
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    document.body.append(element);
    return element;
  };
  add("script", {}, "window.ran = 'inline'");
  add("script", { src: `${foreign}/script.js` });
  add("script", { src: "data:text/javascript,window.ran='data'" });
  add("img", { src: "data:,", onerror: "window.ran = 'handler'" });
  add("a", { href: "javascript:window.ran='link'" }).click();
  add("iframe", { src: foreign });
  add("object", { data: foreign });
  add("base", { href: foreign });
  const form = add("form", { action: foreign });
  form.submit();
  await fetch(foreign).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return broken;
}

describe("the policy of the pages", () => {
  const demo = useDemo({ before, after });
  const asked = [];
  let foreign;
  let elsewhere;

  before(async () => {
    elsewhere = createServer((request, response) => {
      asked.push(request.url);
      response.setHeader("access-control-allow-origin", "*").setHeader("content-type", "text/javascript");
      response.end("window.ran = 'foreign'");
    });
    await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    foreign = `http://127.0.0.1:${elsewhere.address().port}`;
  });
  after(() => elsewhere.close());

  for (const path of PAGES) {
    it(`${path} runs no script that got into it, frames nothing and calls nobody else`, async () => {
      const context = await demo.browser.newContext();
      const page = await context.newPage();
      const answer = await page.goto(`${demo.server.url}${path}`);
      const broken = await page.evaluate(attack, foreign);

      assert.equal(answer.status(), 200);
      assert.equal(await page.evaluate(() => window.ran), undefined);
      assert.equal(new URL(page.url()).origin, demo.server.url);
      for (const directive of ["script-src-elem", "script-src-attr", "frame-src", "connect-src", "base-uri"]) {
        assert.ok(broken.includes(directive), `${directive} of ${broken}`);
      }
      await context.close();
    });

    it(`${path} is framed by nobody`, async () => {
      const context = await demo.browser.newContext();
      const page = await context.newPage();
      await page.route(`${foreign}/frame`, (route) =>
        route.fulfill({ contentType: "text/html", body: `<iframe src="${demo.server.url}${path}"></iframe>` }),
      );
      await page.goto(`${foreign}/frame`);

      const framed = () => page.frames()[1]?.url();
      await settles(framed, "chrome-error://chromewebdata/");
      await context.close();
    });
  }

  it("lets nothing reach another server", () => {
    assert.deepEqual(asked, []);
  });
});
