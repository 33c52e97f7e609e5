/** The chat between the two users of the page, both ways. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles, useDemo, visit } from "./demo.mjs";

describe("the chat", () => {
  const demo = useDemo({ before, after });
  let visitor;
  before(async () => {
    visitor = await visit(demo);
  });
  after(() => visitor.close());

  const last = (person) => person.messages.last().locator("p").textContent();

  for (const [from, to, name] of [
    ["mina", "junho", "Mina"],
    ["junho", "mina", "준호 (Junho)"],
  ]) {
    it(`shows that ${from} is typing, and stops when the message is there`, async () => {
      const [writer, reader] = [visitor[from], visitor[to]];

      await writer.input.pressSequentially("Hi ");
      await settles(() => reader.typing.textContent(), `${name} is typing…`);
      await writer.input.pressSequentially("there");
      await writer.input.press("Enter");

      await settles(() => last(reader), "Hi there");
      await settles(() => reader.typing.textContent(), "");
      assert.equal(await last(writer), "Hi there");
    });

    it(`shows ${from} that the message was sent, then that it was read`, async () => {
      const [writer, reader] = [visitor[from], visitor[to]];
      const ticks = await watchTicks(writer.card);

      await writer.input.fill(`read me, ${to}`);
      await writer.input.press("Enter");

      await settles(() => last(reader), `read me, ${to}`);
      await settles(() => writer.messages.last().locator(".tick").getAttribute("data-state"), "read");
      // It is delivered too, which a page has no time to show where it is read at once.
      const seen = (await ticks()).filter((state) => state !== "delivered");
      assert.deepEqual(seen, ["sending", "sent", "read"]);
    });
  }

  it("stops saying that somebody types when they leave the field", async () => {
    const { mina, junho } = visitor;

    await mina.input.pressSequentially("never mind");
    await settles(() => junho.typing.textContent(), "Mina is typing…");
    await mina.input.blur();

    await settles(() => junho.typing.textContent(), "");
    await mina.input.fill("");
  });

  it("keeps many messages in the order in which they were written", async () => {
    const { mina, junho } = visitor;
    const texts = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`);

    for (const text of texts) {
      await mina.input.fill(text);
      await mina.input.press("Enter");
    }

    const lines = (person) => person.messages.locator("p").allTextContents();
    await settles(async () => (await lines(junho)).slice(-texts.length), texts);
    assert.deepEqual((await lines(mina)).slice(-texts.length), texts);
  });
});

/** Note every state of the next message's tick, however short; the returned function tells them. */
async function watchTicks(card) {
  const states = await card.locator(".messages").evaluateHandle((list) => {
    const before = list.querySelectorAll(".tick").length;
    const seen = [];
    new MutationObserver(() => {
      const state = list.querySelectorAll(".tick")[before]?.dataset.state;
      if (state !== undefined && state !== seen.at(-1)) seen.push(state);
    }).observe(list, { subtree: true, childList: true, attributes: true });
    return seen;
  });
  return () => states.jsonValue();
}
