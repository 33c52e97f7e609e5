/** SoftFactory's page: for everybody, on any screen, whatever happens to the server. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { settles } from "./demo.mjs";
import { live, open, signIn, useSoftFactory } from "./softfactory.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

describe("the page of SoftFactory", () => {
  const factory = useSoftFactory({ before, after });

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe objects to, in ${colorScheme}`, async () => {
      const { page: login, close: leave } = await open(factory, { colorScheme, bypassCSP: true });
      const { page, bell, notifications, close } = await signIn(factory, "mina", { colorScheme, bypassCSP: true });
      await bell.click();
      await notifications.first().waitFor();
      for (const shown of [login, page]) {
        await shown.addScriptTag({ path: AXE });
        const { violations } = await shown.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const found = violations.map(({ id, nodes }) => [
          id,
          nodes.map((node) => `${node.html} ${node.failureSummary}`),
        ]);
        assert.deepEqual(found, []);
      }
      await close();
      await leave();
    });
  }

  for (const width of [320, 390, 800]) {
    it(`fits a screen of ${width} px, in Korean and with the bell open`, async () => {
      const { page, bell, panel, close } = await signIn(factory, "junho", { viewport: { width, height: 800 } });

      await bell.click();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const box = await panel.boundingBox();

      assert.ok(overflow <= 0, `${overflow} px too wide`);
      assert.ok(box.x >= 0 && box.x + box.width <= width);
      assert.equal(await page.locator("html").getAttribute("lang"), "ko");
      assert.match(await bell.getAttribute("aria-label"), /^알림, 읽지 않음 \d+개$/);
      await close();
    });
  }

  it("is used by keyboard alone: from the login to the bell, an order and a message", async () => {
    const { page, close } = await open(factory);
    const focused = (selector) => page.evaluate((wanted) => document.activeElement.matches(wanted), selector);
    const tabTo = async (selector) => {
      for (let presses = 0; presses < 40 && !(await focused(selector)); presses += 1) await page.keyboard.press("Tab");
      assert.ok(await focused(selector), `the focus never came to ${selector}`);
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    };

    await tabTo("[name=login]");
    await page.keyboard.type("mina");
    await tabTo("[name=password]");
    await page.keyboard.type("softfactory");
    await page.keyboard.press("Enter");
    await live(page);

    await tabTo("#bell-button");
    await page.keyboard.press("Enter");
    assert.ok(await focused("#notification-panel"));
    const unread = Number(await page.locator("#unread-count").textContent());
    await tabTo(".notification-item button");
    await page.keyboard.press("Enter");
    await settles(async () => Number(await page.locator("#unread-count").textContent()), unread - 1);
    await settles(() => focused("#notification-panel"), true);
    await page.keyboard.press("Escape");
    assert.ok(await focused("#bell-button"));

    await tabTo("#orders button");
    await page.keyboard.press("Enter");
    await settles(() => page.locator("#orders .current").textContent(), "Packed");
    assert.ok(await focused("#orders button"), "the focus stays on the order that moved");
    await tabTo(".chat [name=message]");
    await page.keyboard.type("keys only");
    await page.keyboard.press("Enter");
    await settles(() => page.locator(".message p").last().textContent(), "keys only");
    await close();
  });

  it("loses and doubles nothing when the server is killed while it works", async () => {
    const mina = await signIn(factory, "mina");
    const junho = await signIn(factory, "junho");
    const { page, api, badge, messages } = mina;
    await page.evaluate(() => {
      window.heard = [];
      for (const event of ["publish_started", "publish_success"]) {
        window.ws.on("sns", event, ({ post_id }) => post_id === 77 && window.heard.push(event));
      }
      window.ws.emit("sns", "publish_start", { post_id: 77, platforms: ["instagram", "twitter"] });
    });
    await settles(() => page.evaluate(() => window.heard), ["publish_started"]);
    assert.equal((await api("/api/orders", { sku: "stool" })).status, 201);

    await factory.server.kill();
    await settles(
      () =>
        page
          .locator("#light")
          .getAttribute("data-state")
          .then((state) => state !== "connected"),
      true,
    );
    await mina.input.fill("Are you still there?");
    await mina.input.press("Enter");
    await factory.server.start();
    await live(page);
    await live(junho.page);

    await settles(() => junho.messages.last().textContent(), "Are you still there?");
    await settles(() => messages.last().textContent(), "Are you still there?");
    await settles(() => page.evaluate(() => window.heard), ["publish_started", "publish_success"]);
    const told = async () => (await api("/api/notifications?limit=200")).json;
    const published = async () => (await told()).notifications.filter((one) => one.data.post_id === 77).length;
    await settles(published, 1);
    await settles(async () => Number(await badge.textContent()), (await told()).unread_count);
    const texts = await messages.allTextContents();
    assert.equal(texts.filter((text) => text === "Are you still there?").length, 1);
    await mina.close();
    await junho.close();
  });
});
