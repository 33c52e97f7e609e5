/** The cards of the inbox that are more than a text: digests, work to claim, what comes back or ends by itself. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles, useDemo } from "./demo.mjs";
import { faults, inboxOf, partsOf, show } from "./elements.mjs";

describe("cards", () => {
  const demo = useDemo({ before, after });

  async function empty(index = 0) {
    const inbox = await inboxOf(demo, index);
    await inbox.clear();
    return inbox;
  }

  it("of a digest unfold, and fold again", async () => {
    const inbox = await empty();
    await inbox.publish({ title: "3 new", message: "in orders" });
    const inside = [await inbox.publish({ title: "<b>first</b>" }), await inbox.publish({ title: "second" })];
    for (const { id } of inside) await inbox.api("PATCH", `notifications/${id}`, { archived: true });
    const context = await demo.browser.newContext({ viewport: { width: 480, height: 720 } });
    // A digest comes by the hour; here the server's answers are made to have had one.
    await context.route("**/api/notifications?*", async (route) => {
      const isInside = new URL(route.request().url()).searchParams.has("digest");
      const answer = isInside
        ? await inbox.api("GET", "notifications?archived=true")
        : await inbox.api("GET", "notifications");
      if (!isInside) answer.notifications[0].digest = { id: null, count: 2 };
      await route.fulfill({ json: answer });
    });
    const { page, problems, close } = await show(demo, inbox, "<tocsin-inbox></tocsin-inbox>", { context });
    const { row } = partsOf(page);
    const button = row("3 new").locator(".unfold");
    await settles(() => button.textContent(), "Show 2 notifications");
    await button.click();
    await settles(() => row("3 new").locator(".digest b").allTextContents(), ["second", "<b>first</b>"]);
    assert.equal(await button.getAttribute("aria-expanded"), "true");
    assert.deepEqual(await faults(page), []);
    await button.click();
    await settles(() => row("3 new").locator(".digest").count(), 0);
    assert.deepEqual(problems, []);
    await close();
    await context.close();
  });

  it("that somebody else has taken say so, to who was slower too", async () => {
    const [mina, junho] = [await empty(0), await empty(1)];
    const both = { user_id: undefined, user_ids: [mina.user.id, junho.user.id] };
    await mina.publish({ ...both, title: "Ticket 88", claimable: true });
    const { page, close } = await show(demo, mina, "<tocsin-inbox></tocsin-inbox>");
    const { row, problem } = partsOf(page);
    await settles(() => row("Ticket 88").locator(".claim").textContent(), "Claim");
    await page.evaluate(() => {
      document.querySelector("tocsin-inbox").nameOf = (id) => `person ${id}`;
      window.ws.disconnect();
    });
    const [{ id }] = (await junho.api("GET", "notifications")).notifications;
    await junho.api("POST", `notifications/${id}/claim`);
    await row("Ticket 88").locator(".claim").click();
    await settles(() => problem.textContent(), "Somebody else was faster.");
    await settles(() => row("Ticket 88").locator(".taken").textContent(), `Taken by person ${junho.user.id}`);
    await close();
  });

  it("come back from a snooze on top, unread, with a toast; and go when they end", async () => {
    const inbox = await empty();
    const { id } = await inbox.publish({ title: "one" });
    await inbox.publish({ title: "two" });
    await inbox.api("PUT", `notifications/${id}/read`);
    const html = "<tocsin-bell></tocsin-bell><tocsin-inbox></tocsin-inbox><tocsin-toasts></tocsin-toasts>";
    const { page, problems, close } = await show(demo, inbox, html);
    const { titles } = partsOf(page);
    const badge = page.locator("tocsin-bell [part=badge]");
    const toasts = page.locator("tocsin-toasts .title a");
    await settles(() => titles.allTextContents(), ["two", "one"]);
    await inbox.api("PATCH", `notifications/${id}`, { snoozed_until: new Date(Date.now() + 1_500).toISOString() });
    await settles(() => titles.allTextContents(), ["two"]);
    await settles(() => titles.allTextContents(), ["one", "two"]);
    await settles(() => toasts.allTextContents(), ["one"]);
    await settles(() => badge.textContent(), "2");

    await inbox.publish({ title: "short", ttl_s: 1 });
    await settles(() => titles.allTextContents(), ["short", "one", "two"]);
    await settles(() => titles.allTextContents(), ["one", "two"]);
    await settles(() => toasts.allTextContents(), ["one"]);
    await settles(() => badge.textContent(), "2");
    assert.deepEqual(problems, []);
    await close();
  });
});
