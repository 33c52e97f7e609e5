/** Encryption in the demo's chat, between its two users on one page. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { live, settles, useDemo, visit } from "./demo.mjs";

describe("encryption in the demo", () => {
  const demo = useDemo({ before, after });
  const lock = (person) => person.card.locator(".lock");
  const last = (person) => person.messages.locator("p").last();

  it("is turned on by each, shown to both, and warns of a browser that comes later", async () => {
    const { page, mina, junho, problems, close } = await visit(demo);
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    await mina.input.fill("in clear");
    await mina.input.press("Enter");
    await settles(() => last(junho).textContent(), "in clear");
    assert.ok(!requests.some((url) => url.includes("e2ee")));

    for (const person of [junho, mina]) {
      await lock(person).click();
      await settles(() => lock(person).getAttribute("aria-expanded"), "false", 30_000);
    }
    await mina.input.fill("only for you");
    await mina.input.press("Enter");
    await settles(() => last(junho).textContent(), "only for you");
    await settles(() => last(mina).textContent(), "only for you");
    await settles(() => junho.messages.last().locator(".sealed").textContent(), "🔒 encrypted ");

    const other = await visit(demo);
    await settles(() => last(other.junho).textContent(), "🔒 Encrypted message");
    await other.junho.input.fill("typed in clear");
    await other.junho.input.press("Enter");
    const problem = "That did not work. This chat is encrypted: turn encryption on here, too.";
    await settles(() => other.junho.card.locator(".problem").textContent(), problem);
    await settles(() => other.junho.input.inputValue(), "typed in clear");
    await lock(other.junho).click();
    await mina.card.locator(".warning").waitFor();
    await mina.input.fill("held back");
    await mina.input.press("Enter");
    await settles(() => mina.input.inputValue(), "held back");
    await mina.card.getByText("I have looked, go on").click();
    await settles(() => mina.card.locator(".warning").isVisible(), false);
    await mina.input.press("Enter");
    await settles(() => last(other.junho).textContent(), "held back");
    await other.close();

    await page.reload();
    await live(page);
    await settles(() => last(mina).textContent(), "held back");
    assert.deepEqual(problems, []);
    await close();
  });
});
