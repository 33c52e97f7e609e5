/** The server dies under the page and comes back: kill -9, the same database, the same port. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { live, press, settles, unreadOf, useDemo, visit } from "./demo.mjs";

describe("a killed server", () => {
  const demo = useDemo({ before, after });

  it("loses nothing that it acknowledged and shows nothing twice", async () => {
    const { page, mina, close } = await visit(demo);
    const acknowledged = [];
    page.on("response", async (response) => {
      if (response.request().method() !== "POST" || response.status() !== 201) return;
      const body = await response.json().catch(() => null);
      if (body?.id !== undefined && body.user_id === 1) acknowledged.push(body.id);
    });

    for (let round = 0; round < 2; round += 1) {
      const sofar = acknowledged.length;
      await press(page, "Burst of 20", "Mina");
      await settles(() => acknowledged.length > sofar, true);
      await demo.server.kill();
      await settles(() => mina.light.getAttribute("data-look"), "down");
      await demo.server.start();
      await live(page);
    }

    const { users } = await (await fetch(`${demo.server.url}/demo/session`)).json();
    const read = async (path) => {
      const answer = await fetch(demo.server.url + path, { headers: { Authorization: `Bearer ${users[0].token}` } });
      return await answer.json();
    };
    const inbox = await read("/api/notifications?limit=200");
    const stored = inbox.notifications.map((notification) => notification.id);
    assert.deepEqual(
      acknowledged.filter((id) => !stored.includes(id)),
      [],
      "every answered POST is stored",
    );
    await settles(() => unreadOf(mina), inbox.unread_count);

    const { events } = await read("/api/stream/notifications?after=0&limit=200");
    assert.deepEqual(
      events.map((event) => event.seq),
      events.map((_, index) => index + 1),
    );
    const rows = await mina.rows.filter({ hasText: "/notifications" }).locator(".log-seq").allTextContents();
    assert.deepEqual(rows, [...new Set(rows)], "no seq is shown twice");
    const ascending = rows.map((row) => Number(row.slice(1))).reverse();
    assert.deepEqual(
      ascending,
      ascending.map((_, index) => ascending[0] + index),
      "none is left out",
    );
    await close();
  });

  it("goes on publishing a post where it stopped", async () => {
    const { page, junho, close } = await visit(demo);

    await junho.card.getByRole("button", { name: "Publish", exact: true }).click();
    await junho.post.locator(".platform.publishing").first().waitFor();
    await demo.server.kill();
    await demo.server.start();
    await live(page);

    const states = () => junho.post.locator(".platform").evaluateAll((all) => all.map((one) => one.className));
    await settles(states, ["platform published", "platform published", "platform failed"]);
    await close();
  });

  it("is no end for a message that was written meanwhile", async () => {
    const { page, mina, junho, close } = await visit(demo);

    await demo.server.kill();
    await settles(() => mina.light.getAttribute("data-look"), "down");
    await mina.input.fill("아직 거기 있어? 🙂");
    await mina.input.press("Enter");
    await settles(() => mina.messages.last().locator(".tick").getAttribute("data-state"), "sending");
    await demo.server.start();
    await live(page);

    const arrived = async () =>
      (await junho.messages.locator("p").allTextContents()).filter((text) => text === "아직 거기 있어? 🙂").length;
    await settles(arrived, 1);
    await close();
  });

  it("that comes back with an empty database is shown as it is", async () => {
    const { page, mina, close } = await visit(demo);
    await press(page, "Burst of 20", "Mina");
    await settles(() => unreadOf(mina).then((count) => count > 20), true);

    await demo.server.kill();
    await demo.server.start("--fresh");
    await live(page);

    await settles(() => unreadOf(mina), 1);
    await press(page, "Notification", "Mina");
    await settles(() => unreadOf(mina), 2);
    await settles(() => mina.cursors.textContent().then((text) => text.split("  ")[0]), "/notifications 2");
    await close();
  });
});
