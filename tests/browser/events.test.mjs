/** Every event of the page, caused by its buttons, through REST, to the right user's card. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { itemsWith, live, press, settles, unreadOf as unread, useDemo, visit } from "./demo.mjs";

const STEPS = ["Placed", "Packed", "Shipped", "Out for delivery", "Delivered"];

describe("the events", () => {
  const demo = useDemo({ before, after });
  let visitor;
  before(async () => {
    visitor = await visit(demo);
  });
  after(() => visitor.close());

  it("a notification reaches its user's bell and no other", async () => {
    const { page, mina, junho } = visitor;
    const [before, others] = [await unread(mina), await unread(junho)];

    await press(page, "Notification", "Mina");

    await settles(() => unread(mina), before + 1);
    assert.equal(await unread(junho), others);
    assert.equal(await mina.bell.getAttribute("aria-label"), `Notifications, ${before + 1} unread`);
  });

  it("a notification is marked as read, with its panel open", async () => {
    const { mina } = visitor;
    const before = await unread(mina);

    await mina.bell.click();
    const first = mina.items.first();
    await first.hover();
    await first.getByRole("button", { name: /^Mark as read/ }).click();

    await settles(() => unread(mina), before - 1);
    await first.getByRole("button", { name: /^Mark as unread/ }).waitFor();
  });

  it("a notification is deleted", async () => {
    const { page, mina } = visitor;
    const count = await mina.items.count();

    await mina.items.first().hover();
    await mina.items
      .first()
      .getByRole("button", { name: /^Delete/ })
      .click();

    await settles(() => mina.items.count(), count - 1);
    await page.keyboard.press("Escape");
  });

  it("a burst of twenty arrives complete, and one click reads it all", async () => {
    const { page, mina } = visitor;
    const before = await unread(mina);

    await press(page, "Burst of 20", "Mina");
    await settles(() => unread(mina), before + 20);
    await mina.bell.click();
    await mina.card.getByRole("button", { name: "Mark all as read" }).click();

    await settles(() => mina.badge.isHidden(), true);
    await page.keyboard.press("Escape");
  });

  it("likes are one card, a build's next step takes the place of the one before", async () => {
    const { page, mina, junho } = visitor;

    for (let count = 0; count < 3; count++) await press(page, "Like, grouped");
    for (let count = 0; count < 2; count++) await press(page, "Build, replaced", "Mina");

    await mina.bell.click();
    await settles(() => itemsWith(mina, "and 2 others liked your post.").count(), 1);
    await settles(() => itemsWith(mina, "Build 41").locator("h3").allTextContents(), ["Build 41 runs: 12 of 40 tests"]);
    assert.equal(await itemsWith(mina, "liked your post").count(), 1);
    await page.keyboard.press("Escape");
    await junho.bell.click();
    await settles(() => itemsWith(junho, "외 2명이 회원님의 게시물을 좋아해요.").count(), 1);
    assert.equal(await itemsWith(junho, "Build 41").count(), 0);
    await page.keyboard.press("Escape");
  });

  it("one user takes the work, the other sees who", async () => {
    const { page, mina, junho } = visitor;

    await press(page, "Work for one", "Mina");
    await mina.bell.click();
    await itemsWith(mina, "A customer waits").getByRole("button", { name: /Claim/ }).click();
    await settles(() => itemsWith(mina, "A customer waits").getByRole("button", { name: /Claim/ }).count(), 0);
    await page.keyboard.press("Escape");

    await junho.bell.click();
    await settles(() => itemsWith(junho, "A customer waits").filter({ hasText: "Mina" }).count(), 1);
    await page.keyboard.press("Escape");
  });

  it("what came last is corrected and taken back, for whom the buttons are", async () => {
    const { page, mina, junho } = visitor;
    const before = [await unread(mina), await unread(junho)];

    await press(page, "Notification");
    await settles(async () => [await unread(mina), await unread(junho)], [before[0] + 1, before[1] + 1]);
    await press(page, "Edit the last", "Mina");
    await mina.bell.click();
    await settles(() => itemsWith(mina, "Corrected at").count(), 1);
    await press(page, "Take the last back", "Mina");

    await settles(async () => [await unread(mina), await unread(junho)], [before[0], before[1] + 1]);
    const ofInbox = mina.rows.filter({ hasText: "/notifications", hasNotText: "seen_at" }).locator(".log-event");
    const newest = async () => (await ofInbox.allTextContents()).slice(0, 2);
    await settles(newest, ["notification_deleted", "notification_updatedtitle"]);
  });

  it("one comes when it is due, and one is gone when its time is over", async () => {
    const { page, mina } = visitor;

    await press(page, "For 15 seconds", "Mina");
    await press(page, "In 10 seconds", "Mina");
    await mina.bell.click();
    await settles(() => itemsWith(mina, "Flash sale").count(), 1);
    assert.equal(await itemsWith(mina, "10 seconds later").count(), 0);

    await settles(() => itemsWith(mina, "10 seconds later").count(), 1, 20_000);
    await settles(() => itemsWith(mina, "Flash sale").count(), 0, 20_000);
    await page.keyboard.press("Escape");
  });

  it("an order goes from placed to delivered, and a new one begins", async () => {
    const { page, junho } = visitor;
    while ((await junho.step.textContent()) !== "Delivered") {
      const next = STEPS[STEPS.indexOf(await junho.step.textContent()) + 1];
      await press(page, "Order step", "Junho");
      await settles(() => junho.step.textContent(), next);
    }
    const order = await junho.card.locator(".order-item").textContent();

    for (const step of STEPS) {
      await press(page, "Order step", "Junho");
      await settles(() => junho.step.textContent(), step);
    }

    assert.notEqual(await junho.card.locator(".order-item").textContent(), order);
  });

  it("a post is published where it can be and says why not elsewhere; trying again helps", async () => {
    const { mina } = visitor;
    const platforms = () => mina.post.locator(".platform > span:not(.spinner)").allTextContents();

    await mina.card.getByLabel("Text of the post").fill("첫 가마 🔥 <b>today</b>");
    await mina.card.getByRole("button", { name: "Publish", exact: true }).click();

    await settles(() => mina.post.locator(".post-text").textContent(), "첫 가마 🔥 <b>today</b>");
    await settles(platforms, ["Instagram published", "X published", "TikTok failed: it wants a longer video"]);
    await mina.card.getByRole("button", { name: "Publish to TikTok again" }).click();
    await settles(platforms, ["Instagram published", "X published", "TikTok published"]);
    const events = await mina.rows.locator(".log-event").allTextContents();
    for (const name of ["publish_started", "publish_success", "publish_failed"]) assert.ok(events.includes(name), name);
  });

  it("likes and comments gather under the post", async () => {
    const { page, mina } = visitor;

    await press(page, "Like", "Mina");
    await press(page, "Like", "Mina");
    await press(page, "Comment", "Mina");

    await settles(() => mina.post.locator(".likes").textContent(), "2 likes");
    await settles(() => mina.post.locator(".comments li").count(), 1);
  });

  it("each call that a button makes is shown with its answer", async () => {
    const { page } = visitor;

    await press(page, "Like", "Mina");

    const call = async () => JSON.parse(await page.locator(".call-body").textContent());
    await settles(async () => (await call()).event, "post_liked");
    const { namespace, user_id } = await call();
    assert.deepEqual([namespace, user_id], ["/sns", 1]);
    assert.match(await page.locator(".call-head").textContent(), /^POST \/api\/events → 201 in \d+ ms$/);
  });

  it("all of it is there again after a reload, and nothing is counted twice", async () => {
    const { page, mina, junho } = visitor;
    const state = async () => ({
      badges: [await unread(mina), await unread(junho)],
      step: await junho.step.textContent(),
      post: await mina.post.locator(".post-text, .likes, .comments, .platform > span").allTextContents(),
      messages: await mina.messages.locator("p").allTextContents(),
      cursors: [await mina.cursors.textContent(), await junho.cursors.textContent()],
    });
    const before = await state();

    await page.reload();
    await live(page);

    await settles(state, before);
    // Who is there is told to each page that comes, and stands in no log.
    const logged = mina.rows.filter({ hasNotText: /user_(online|offline)/ });
    assert.deepEqual([...new Set(await logged.locator(".log-source").allTextContents())], ["from the log"]);
    assert.deepEqual(visitor.problems, []);
  });
});
