/** The page itself: what it loads, how it looks on small and dark screens, who can use it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { itemsWith, press, settles, unreadOf, useDemo, visit } from "./demo.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("the page", () => {
  const demo = useDemo({ before, after });

  it("brings both users up with tokens of their own and loads nothing from elsewhere", async () => {
    const { page, problems, close } = await visit(demo);

    const names = await page.locator(".person-head h2").allInnerTexts();
    const cursors = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("tocsin:")));

    assert.deepEqual(names, ["Mina", "준호 (Junho)"]);
    assert.deepEqual(problems, []);
    assert.ok(cursors.every((key) => !key.includes("token")));
    await close();
  });

  it("is served with a policy that runs no inline script", async () => {
    const answer = await fetch(demo.server.url);

    const policy = answer.headers.get("content-security-policy");

    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'/);
    assert.doesNotMatch(policy, /'unsafe-(inline|eval)'/);
  });

  it("shows the text of a new notification as text, whatever markup it holds", async () => {
    const { page, problems, mina, close } = await visit(demo);

    await press(page, "Markup in a title", "Mina");
    await mina.toasts.first().waitFor();
    await mina.bell.click();

    const title = "<img src=x onerror=alert(1)> Free coffee";
    assert.equal(await mina.items.first().locator("h3").textContent(), title);
    assert.equal(await mina.toasts.first().locator(".title a").textContent(), title);
    assert.equal(await page.locator("img").count(), 1, "the logo is the only image");
    assert.deepEqual(problems, []);
    await close();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`has no accessibility fault that axe finds, in ${colorScheme} colours`, async () => {
      const { page, mina, junho, close } = await visit(demo, { colorScheme, reducedMotion: "reduce" });
      const faults = async () => {
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        return violations.map(({ id, nodes }) => [id, nodes.map((node) => `${node.html} ${node.failureSummary}`)]);
      };
      await press(page, "Notification");
      await press(page, "Like, grouped");
      await press(page, "Work for one");
      await mina.card.getByRole("button", { name: "Publish", exact: true }).click();
      await mina.card.locator(".platform.failed").waitFor();
      await mina.bell.click();

      await itemsWith(mina, "A customer waits").first().waitFor();
      await page.evaluate(AXE);

      assert.deepEqual(await faults(), []);
      await page.keyboard.press("Escape");
      await junho.settings.click();
      await junho.preferences.getByRole("switch").first().waitFor();
      assert.deepEqual(await faults(), []);
      await close();
    });
  }

  it("follows the system's colours until the button is pressed, and remembers the choice", async () => {
    const { page, close } = await visit(demo, { colorScheme: "dark" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

    const dark = await ground();
    await page.getByRole("button", { name: "Switch to light colours" }).click();
    const light = await ground();
    await page.reload();

    assert.notEqual(dark, light);
    assert.equal(await ground(), light);
    await close();
  });

  for (const width of [320, 390, 768, 1280]) {
    it(`fits a screen of ${width} px without scrolling sideways, panel and all`, async () => {
      const { page, mina, close } = await visit(demo, { viewport: { width, height: 800 } });

      const presence = mina.card.locator(".presence");
      await settles(() => presence.textContent(), "online");
      const lines = await presence.evaluate((each) => each.offsetHeight / parseFloat(getComputedStyle(each).fontSize));
      assert.ok(lines < 2, "a word is broken");

      await mina.bell.click();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const box = await mina.panel.boundingBox();

      assert.ok(overflow <= 0, `${overflow} px too wide`);
      assert.ok(box.x >= 0 && box.x + box.width <= width);
      await page.keyboard.press("Escape");
      await mina.settings.click();
      await mina.preferences.getByRole("switch").first().waitFor();
      const [seen, whole] = await mina.preferences.evaluate((each) => [each.clientWidth, each.scrollWidth]);
      assert.ok(whole <= seen && seen <= width, `preferences of ${whole} px in ${seen}`);
      await close();
    });
  }

  it("moves nothing for a visitor who asked for less motion", async () => {
    const { page, mina, close } = await visit(demo, { reducedMotion: "reduce" });

    await press(page, "Notification", "Mina");
    await mina.toasts.first().waitFor();

    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await close();
  });

  it("is used by keyboard: the bell opens, its panel takes the focus and gives it back", async () => {
    const { page, mina, close } = await visit(demo);
    const focused = (locator) => locator.evaluate((element) => element.matches(":focus"));
    await press(page, "Notification", "Mina");
    await mina.toasts.first().waitFor();

    await mina.plug.focus();
    await page.keyboard.press("Tab");
    assert.ok(await focused(mina.bell));
    assert.notEqual(await mina.bell.evaluate((element) => getComputedStyle(element).outlineStyle), "none");

    await page.keyboard.press("Enter");
    await settles(() => focused(mina.panel), true);
    assert.equal(await mina.bell.getAttribute("aria-expanded"), "true");

    const unread = await unreadOf(mina);
    const count = await mina.items.count();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("j");
    await page.keyboard.press("u");
    await settles(() => unreadOf(mina), unread - 1);
    await page.keyboard.press("Delete");
    await settles(() => mina.items.count(), count - 1);

    await page.keyboard.press("Escape");
    await settles(() => focused(mina.bell), true);
    assert.ok(await mina.panel.isHidden());
    await close();
  });

  it("has each user's preferences behind a button, in the user's language, which Escape closes", async () => {
    const { page, junho, close } = await visit(demo);

    await junho.settings.focus();
    await page.keyboard.press("Enter");
    await junho.preferences.getByRole("heading", { name: "알림 설정" }).waitFor();
    await page.keyboard.press("Escape");

    await settles(() => junho.preferences.isHidden(), true);
    await settles(() => junho.settings.evaluate((element) => element === document.activeElement), true);
    await close();
  });

  it("shows Korean and emoji as they were sent", async () => {
    const { mina, junho, close } = await visit(demo);

    await mina.input.fill("준호야, 밥 먹자 🍚 👩🏽‍🚀");
    await mina.input.press("Enter");

    await settles(() => junho.messages.last().locator("p").textContent(), "준호야, 밥 먹자 🍚 👩🏽‍🚀");
    await close();
  });
});
