/** `<tocsin-bell>` and `<tocsin-inbox>` on a page of one's own: by mouse, by keyboard alone, on small, dark and Korean screens. */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { settles, until, useDemo } from "./demo.mjs";
import { faults, furnish, inboxOf, partsOf, show } from "./elements.mjs";

const INBOX = "<tocsin-inbox></tocsin-inbox>";
const BELL = "<tocsin-bell></tocsin-bell>";

describe("the inbox", () => {
  const demo = useDemo({ before, after });

  /** An empty inbox with these titles in it, the last on top. */
  async function filled(...titles) {
    const inbox = await inboxOf(demo);
    await inbox.clear();
    for (const title of titles) await inbox.publish({ title, message: `about ${title}`, category: "orders" });
    return inbox;
  }

  it("is read, put away, brought back, snoozed and deleted by mouse, and the badge follows", async () => {
    const inbox = await filled("one", "two", "three", "four");
    const { page, problems, close } = await show(demo, inbox, `${BELL}<tocsin-toasts></tocsin-toasts>`);
    const { rows, titles, row, tab, menu } = partsOf(page);
    const badge = page.locator("tocsin-bell [part=badge]");
    await settles(() => badge.textContent(), "4");
    await page.locator("tocsin-bell [part=button]").click();
    await settles(() => titles.allTextContents(), ["four", "three", "two", "one"]);
    await settles(async () => (await inbox.api("GET", "notifications/stats")).unseen, 0);

    const press = async (title, name) => {
      await row(title).hover();
      await row(title).getByRole("button", { name }).click();
    };
    await press("one", /^Mark as read/);
    await settles(() => badge.textContent(), "3");
    await press("two", /^Archive/);
    await settles(() => titles.allTextContents(), ["four", "three", "one"]);
    await press("three", /^Snooze/);
    await menu.getByText("Tomorrow morning").click();
    await settles(() => titles.allTextContents(), ["four", "one"]);
    await press("four", /^Delete/);
    await settles(() => titles.allTextContents(), ["one"]);
    await settles(() => badge.count(), 0);

    await tab("Archived").click();
    await settles(() => titles.allTextContents(), ["two"]);
    await press("two", /^Back to the inbox/);
    await settles(() => rows.count(), 0);
    await tab("Snoozed").click();
    await settles(() => titles.allTextContents(), ["three"]);
    await press("three", /^Wake now/);
    await tab("All").click();
    await settles(() => titles.allTextContents(), ["three", "two", "one"]);
    await settles(() => badge.textContent(), "2");
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await settles(() => badge.count(), 0);
    await page.getByRole("button", { name: "Archive all" }).click();
    await settles(() => page.locator("tocsin-inbox [part=empty] p").textContent(), "You are all caught up");
    assert.deepEqual(problems, []);
    await close();
  });

  it("goes by keyboard alone, from the bell and back to it", async () => {
    const inbox = await filled("one", "two", "three", "four");
    const { page, close } = await show(demo, inbox, BELL);
    const { titles, tab } = partsOf(page);
    const { keyboard } = page;
    const focused = () =>
      page.evaluate(() => {
        let at = document.activeElement;
        while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
        return at?.querySelector("h3")?.textContent.trim() ?? at?.getAttribute("role") ?? at?.getAttribute("part");
      });
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await settles(() => titles.count(), 4);

    for (let presses = 0; presses < 20 && (await focused()) !== "four"; presses += 1) await keyboard.press("Tab");
    assert.equal(await focused(), "four");
    await keyboard.press("j");
    await settles(focused, "three");
    await keyboard.press("e");
    await settles(() => titles.allTextContents(), ["four", "two", "one"]);
    await settles(focused, "two");
    await keyboard.press("s");
    await settles(focused, "menuitem");
    await keyboard.press("ArrowDown");
    await keyboard.press("Escape");
    await settles(focused, "two");
    await keyboard.press("s");
    await keyboard.press("Enter");
    await settles(() => titles.allTextContents(), ["four", "one"]);
    await settles(focused, "one");
    await keyboard.press("u");
    await settles(async () => (await inbox.api("GET", "notifications/stats")).unread, 1);
    await keyboard.press("Delete");
    await settles(() => titles.allTextContents(), ["four"]);
    await settles(focused, "four");
    await keyboard.press("Shift+Tab");
    await settles(focused, "tab");
    await keyboard.press("ArrowRight");
    await settles(() => tab("Unread").getAttribute("aria-selected"), "true");
    await settles(() => titles.allTextContents(), ["four"]);
    await keyboard.press("ArrowDown");
    await settles(focused, "four");
    await keyboard.press("Escape");
    await settles(focused, "button");
    assert.equal(await page.locator("tocsin-bell [part=panel]").isVisible(), false);
    await close();
  });

  it("takes its keys by their places where they write Hangul", async () => {
    const inbox = await filled("one", "two");
    const { page, close } = await show(demo, inbox, BELL);
    const { titles, rows } = partsOf(page);
    await page.locator("tocsin-bell [part=button]").click();
    await settles(() => titles.count(), 2);
    await rows.first().focus();
    await rows.first().dispatchEvent("keydown", { key: "ㅓ", code: "KeyJ", bubbles: true, composed: true });
    await rows.last().dispatchEvent("keydown", { key: "ㄷ", code: "KeyE", bubbles: true, composed: true });
    await settles(() => titles.allTextContents(), ["two"]);
    await close();
  });

  it("takes back what the server refuses, and repeats what it could not answer", async () => {
    const inbox = await filled("one", "two");
    const { page, close } = await show(demo, inbox, INBOX);
    const { titles, row, problem } = partsOf(page);
    await settles(() => titles.count(), 2);
    const refusal = {
      status: 403,
      contentType: "application/problem+json",
      body: '{"code":"forbidden","detail":"no"}',
    };
    await page.route("**/api/notifications/*", (route) => route.fulfill(refusal));
    await row("two").hover();
    await row("two")
      .getByRole("button", { name: /^Archive/ })
      .click();
    await settles(() => problem.textContent(), "That did not work, it was taken back.");
    await settles(() => titles.allTextContents(), ["two", "one"]);

    const keys = [];
    await page.unroute("**/api/notifications/*");
    await page.route("**/api/notifications/*", async (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      if (keys.length === 1) await route.fulfill({ status: 503, body: "" });
      else await route.continue();
    });
    await row("two")
      .getByRole("button", { name: /^Archive/ })
      .click();
    await settles(() => titles.allTextContents(), ["one"]);
    await until(() => keys.length === 2);
    assert.equal(keys[0], keys[1], "it is the same request");
    await settles(async () => (await inbox.api("GET", "notifications?archived=true")).notifications.length, 1);
    await settles(() => problem.textContent(), "");
    await close();
  });

  it("gives work to whoever takes it first, and says who that was", async () => {
    const inbox = await filled();
    const { id } = await inbox.publish({ title: "Ticket 88", claimable: true });
    const { page, close } = await show(demo, inbox, INBOX);
    const { row } = partsOf(page);
    await page.evaluate(() => {
      document.querySelector("tocsin-inbox").nameOf = (user) => `Dr. ${user}`;
    });
    await row("Ticket 88").getByRole("button", { name: "Claim" }).click();
    await settles(() => row("Ticket 88").locator(".taken").textContent(), "Taken by you");
    const { claim } = await inbox.api("GET", `notifications/${id}`);
    assert.equal(String(claim.claimed_by), String(inbox.user.id));
    await close();
  });

  it("shows one card for a group, and keeps to a category", async () => {
    const inbox = await filled("sent");
    for (const [id, name] of [
      [3, "Ada"],
      [4, "Grace"],
    ])
      await inbox.publish({
        title: `${name} liked it`,
        category: "social",
        group: { key: "likes", actor: { id, name } },
      });
    const { page, close } = await show(demo, inbox, INBOX);
    const { titles, row } = partsOf(page);
    await settles(() => titles.allTextContents(), ["Grace liked it", "sent"]);
    const initials = await row("Grace").locator(".actors span").allTextContents();
    assert.deepEqual(
      initials.map((text) => text.trim()),
      ["G", "A"],
    );
    await page.getByRole("combobox", { name: "Category" }).selectOption("orders");
    await settles(() => titles.allTextContents(), ["sent"]);
    await inbox.publish({ title: "not here", category: "social" });
    await inbox.publish({ title: "here", category: "orders" });
    await settles(() => titles.allTextContents(), ["here", "sent"]);
    await close();
  });

  it("leads only to pages, and asks the page before", async () => {
    const inbox = await filled();
    for (const [title, url] of [
      ["script", "javascript:alert(1)"],
      ["other", "//evil.example/x"],
      ["page", "/orders/7"],
    ])
      await inbox.publish({ title, data: { url } });
    const { page, problems, close } = await show(demo, inbox, INBOX);
    const { titles, row } = partsOf(page);
    await settles(() => titles.count(), 3);
    assert.equal(await page.locator("tocsin-inbox h3 a").count(), 1);
    await page.evaluate(() => {
      window.opened = [];
      addEventListener("tocsin-open", (event) => {
        window.opened.push(event.detail.title);
        event.preventDefault();
      });
    });
    for (const title of ["script", "other", "page"]) await row(title).locator("h3").click();
    assert.deepEqual(await page.evaluate(() => window.opened), ["script", "other", "page"]);
    await settles(async () => (await inbox.api("GET", "notifications/stats")).unread, 0);
    assert.match(page.url(), /page-of-ones-own$/);
    assert.deepEqual(problems, []);
    await close();
  });

  for (const [look, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["korean", { lang: "ko", locale: "ko-KR" }],
    ["narrow", { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true }],
  ])
    it(`has no accessibility fault that axe finds, and fits: ${look}`, async () => {
      const inbox = await inboxOf(demo);
      await furnish(inbox, options.lang);
      const visit = await show(demo, inbox, BELL, {
        ...{ reducedMotion: "reduce", deviceScaleFactor: 2, viewport: { width: 500, height: 740 }, ...options },
      });
      const { page, problems, close } = visit;
      await page.locator("tocsin-bell [part=button]").click();
      await settles(() => partsOf(page).rows.count(), 7);
      if (look !== "narrow") await partsOf(page).rows.nth(2).hover();
      assert.deepEqual(await faults(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
      if (look === "korean") await settles(() => partsOf(page).tab("보관됨").count(), 1);
      if (process.env.SCREENSHOTS) {
        await mkdir(process.env.SCREENSHOTS, { recursive: true });
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/inbox-${look}.png`, animations: "disabled" });
      }
      assert.deepEqual(problems, []);
      await close();
    });
});
