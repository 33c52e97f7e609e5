/** The demo's page of the inbox: what a back end can do to keep it worth reading, seen by two users at once. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { open, settles, until, useDemo } from "./demo.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("the page of the inbox", () => {
  const demo = useDemo({ before, after });

  async function visit(options) {
    const visitor = await open(demo, options);
    const { page } = visitor;
    await page.goto(`${demo.server.url}/demo/inbox`);
    const readers = page.locator(".reader");
    await readers.nth(1).locator("tocsin-inbox article").first().waitFor();
    const [mina, junho] = [0, 1].map((index) => {
      const card = readers.nth(index);
      return { card, rows: card.locator("tocsin-inbox article"), bell: card.locator("tocsin-bell") };
    });
    const press = (name) => page.locator("#controls").getByRole("button", { name, exact: true }).click();
    return { ...visitor, mina, junho, press };
  }

  const texts = (rows, text) => rows.filter({ hasText: text }).count();

  it("collects likes on one card, in the language of each user", async () => {
    const { mina, junho, press, problems, close } = await visit();

    for (let count = 0; count < 3; count++) await press("Like, grouped");
    await settles(() => texts(mina.rows, "and 2 others liked your post."), 1);
    await settles(() => texts(junho.rows, "외 2명이 회원님의 게시물을 좋아해요."), 1);

    assert.equal(await texts(mina.rows, "liked your post."), 1);
    assert.deepEqual(problems, []);
    await close();
  });

  it("replaces a build's card by its next step, and corrects and takes back the last", async () => {
    const { mina, press, close } = await visit();

    await press("Build, replaced");
    await settles(() => texts(mina.rows, "is queued"), 1);
    await press("Build, replaced");
    await settles(() => texts(mina.rows, "runs: 12 of 40 tests"), 1);
    assert.equal(await texts(mina.rows, "is queued"), 0);

    await press("Edit the last");
    await settles(() => texts(mina.rows, "Corrected at"), 1);
    await press("Take the last back");
    await settles(() => texts(mina.rows, "Corrected at"), 0);
    await close();
  });

  it("corrects the last that came before the page, and says so where there is none", async () => {
    const { page, mina, press, problems, close } = await visit();
    await until(async () => {
      await press("Edit the last");
      return (await texts(mina.rows, "Corrected at")) > 0;
    });
    await page.route("**/api/notifications", (route) => route.fulfill({ json: { notifications: [] } }));
    await page.reload();
    await press("Take the last back");
    await settles(() => page.locator(".call-body").textContent(), "There is no notification.");
    assert.deepEqual(problems, []);
    await close();
  });

  it("lets one of the two take the work, and shows the other who it was", async () => {
    const { mina, junho, press, close } = await visit();

    await press("Work for one");
    const work = (reader) => reader.rows.filter({ hasText: "A customer waits" }).first();
    await work(mina).getByRole("button", { name: /Claim/ }).click();

    await settles(() => work(junho).filter({ hasText: "Mina" }).count(), 1);
    await close();
  });

  it("brings what was ordered for later, and takes out what was for a while", async () => {
    const { mina, press, close } = await visit();

    await press("In 10 seconds");
    await press("For 15 seconds");
    await settles(() => texts(mina.rows, "Flash sale"), 1);
    assert.equal(await texts(mina.rows, "10 seconds later"), 0);
    await settles(() => texts(mina.rows, "10 seconds later"), 1, 20_000);
    await settles(() => texts(mina.rows, "Flash sale"), 0, 20_000);
    await close();
  });

  for (const [name, options] of Object.entries({
    light: {},
    dark: { colorScheme: "dark" },
    narrow: { viewport: { width: 320, height: 900 } },
  })) {
    it(`has no accessibility fault that axe finds, and fits: ${name}`, async () => {
      const { page, mina, press, problems, close } = await visit({ reducedMotion: "reduce", ...options });
      await press("Notification");
      await mina.card.locator("summary").click();
      await mina.card.locator("tocsin-preferences [role=switch]").first().waitFor();

      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (process.env.SHOTS)
        await page.screenshot({ path: `${process.env.SHOTS}/inbox-page-${name}.png`, fullPage: true });

      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map((node) => `${node.html} ${node.failureSummary}`)]),
        [],
      );
      assert.ok(overflow <= 0, `${overflow} px too wide`);
      assert.deepEqual(problems, []);
      await close();
    });
  }
});
