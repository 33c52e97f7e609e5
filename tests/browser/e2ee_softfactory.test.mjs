/** Encryption in the guide's React chat, between two users who have signed in. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles } from "./demo.mjs";
import { live, signIn, useSoftFactory } from "./softfactory.mjs";

describe("encryption in SoftFactory's chat", () => {
  const factory = useSoftFactory({ before, after });
  const lock = ({ page }) => page.locator(".chat .lock");
  const last = ({ messages }) => messages.last().textContent();
  const turnOn = async (person) => {
    await lock(person).click();
    await person.page.locator(".encryption > section").waitFor({ state: "attached" });
  };

  it("is turned on by each, shows texts to both, and waits for somebody to look at a new browser", async () => {
    const [mina, junho] = [await signIn(factory, "mina"), await signIn(factory, "junho")];
    const loaded = await mina.page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    assert.ok(loaded.some((url) => url.endsWith("/dist/chat.js")) && !loaded.some((url) => url.includes("e2ee")));
    await turnOn(mina);
    await turnOn(junho);

    await mina.input.fill("우리만 읽을 수 있어요");
    await mina.input.press("Enter");
    for (const person of [mina, junho]) await settles(() => last(person), "우리만 읽을 수 있어요");
    await settles(async () => (await junho.page.locator(".message .sealed").count()) > 0, true);
    assert.ok(!(await junho.page.locator(".message small").first().textContent()).includes("🔒"));
    await mina.page.locator(".message.mine").last().locator("button").first().click();
    await settles(() => mina.input.inputValue(), "우리만 읽을 수 있어요");
    await mina.input.fill("바꿨어요");
    await mina.input.press("Enter");
    await settles(() => last(junho), "바꿨어요");
    const { json } = await junho.api("/api/messages?with=1");
    assert.equal(json.messages.at(-1).message, "");

    const other = await signIn(factory, "junho");
    await settles(() => last(other), "🔒 암호화된 메시지");
    await other.input.fill("평문");
    await other.input.press("Enter");
    await settles(() => other.typing.textContent(), "암호화된 대화입니다. 쓰려면 암호화를 켜 주세요.");
    await turnOn(other);
    await settles(() => last(other), "🔒 이 기기를 추가하기 전에 보낸 메시지라서 여기에서는 읽을 수 없습니다.");

    await settles(() => mina.typing.textContent(), "Look at the new device first: nothing is sent before.");
    await mina.input.fill("held back");
    await mina.input.press("Enter");
    await mina.page.getByText("I have looked, go on").click();
    await settles(() => mina.typing.textContent(), "");
    await mina.input.press("Enter");
    for (const person of [mina, junho, other]) await settles(() => last(person), "held back");

    await mina.page.reload();
    await live(mina.page);
    await settles(() => last(mina), "held back");
    for (const person of [mina, junho, other]) {
      assert.deepEqual(person.problems, []);
      await person.close();
    }
  });
});
