/** Pulling a plug: what is sent meanwhile arrives afterwards, once. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { live, press, settles, unreadOf, useDemo, visit } from "./demo.mjs";

describe("a pulled plug", () => {
  const demo = useDemo({ before, after });

  it("cuts one user off for ten seconds, loses nothing and repeats nothing", async () => {
    const { page, mina, junho, problems, close } = await visit(demo);
    const unread = () => unreadOf(junho);
    const before = { unread: await unread(), rows: await junho.rows.count() };

    await junho.plug.click();
    await settles(() => junho.light.getAttribute("data-look"), "down");
    await settles(() => junho.strip.getAttribute("data-phase"), "out");
    await settles(() => mina.card.locator(".presence").textContent(), "offline");
    await mina.input.fill("그동안 보낸 말 💌");
    await mina.input.press("Enter");
    await junho.input.fill("written without a connection");
    await junho.input.press("Enter");
    await press(page, "Burst of 20", "Junho");
    for (let count = 0; count < 3; count++) await press(page, "Like, grouped", "Junho");
    for (let count = 0; count < 2; count++) await press(page, "Build, replaced", "Junho");
    await press(page, "Work for one", "Junho");
    await press(page, "Edit the last", "Junho");
    await press(page, "Take the last back", "Junho");
    await settles(() => mina.messages.last().locator(".tick").getAttribute("data-state"), "sent");
    assert.equal(await unread(), before.unread, "nothing reaches a user whose plug is out");
    assert.equal(await junho.messages.last().locator(".tick").getAttribute("data-state"), "sending");
    assert.equal(await mina.light.getAttribute("data-look"), "live");

    await settles(() => junho.strip.getAttribute("data-phase"), "done", 40_000);
    const verdict = await junho.verdict.textContent();
    const [, missed, lost, twice] = /^(\d+) events arrived while you were away · (\d+) lost · (\d+) twice$/.exec(
      verdict,
    );
    assert.deepEqual([lost, twice], ["0", "0"]);
    assert.ok(Number(missed) >= 39, `20 of the burst, 8 of the page, 1 message, 11 of the inbox: ${verdict}`);
    assert.ok((await unread()) >= before.unread + 22);
    await settles(
      async () => (await junho.messages.locator("p").allTextContents()).includes("그동안 보낸 말 💌"),
      true,
    );
    await settles(
      async () =>
        (await mina.messages.locator("p").allTextContents()).filter((text) => text === "written without a connection"),
      ["written without a connection"],
    );
    const sources = await junho.rows.locator(".log-source").allTextContents();
    assert.ok(sources.includes("caught up"));
    const seen = problems.filter((problem) => !problem.includes("503"));
    assert.deepEqual(seen, []);
    await close();
  });

  it("says so where the server can't be asked to cut", async () => {
    const { page, mina, problems, close } = await visit(demo);
    await page.route("**/demo/plug", (route) => route.abort());
    await mina.plug.click();
    await settles(() => mina.card.locator(".problem").textContent(), "That did not work. The server is not there.");
    assert.deepEqual(
      problems.filter((problem) => !problem.includes("ERR_FAILED")),
      [],
    );
    await close();
  });

  it("keeps nobody from reloading the page: it waits until the plug is in", async () => {
    const { page, junho, close } = await visit(demo);

    await junho.plug.click();
    await settles(() => junho.strip.getAttribute("data-phase"), "out");
    await page.reload();
    await settles(() => page.locator(".light").first().getAttribute("data-look"), "live");
    assert.equal(await junho.light.getAttribute("data-look"), "down");

    await live(page);
    assert.ok(await page.locator("#problem").isHidden());
    assert.ok((await junho.messages.count()) > 0);
    await close();
  });

  it("can be pulled by the page only: a user's own token is refused", async () => {
    const { users } = await (await fetch(`${demo.server.url}/demo/session`)).json();

    const answer = await fetch(`${demo.server.url}/demo/plug`, {
      method: "POST",
      headers: { Authorization: `Bearer ${users[0].token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ user_id: users[1].id, seconds: 10 }),
    });

    assert.equal(answer.status, 403);
  });
});
