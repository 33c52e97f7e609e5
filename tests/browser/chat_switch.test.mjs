/** `<tocsin-chat>` where what it shows changes under it: another user, and a log that begins anew. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { settles, useDemo } from "./demo.mjs";

const STRANGER = "someone-else";
const run = promisify(execFile);

describe("<tocsin-chat> that changes", () => {
  const demo = useDemo({ before, after });

  async function meet() {
    const { users } = await (await fetch(new URL("/demo/session", demo.server.url))).json();
    const [own, peer] = users;
    const page = await demo.browser.newPage();
    const address = new URL("/page-of-ones-own", demo.server.url).href;
    await page.route(address, (route) =>
      route.fulfill({
        contentType: "text/html; charset=utf-8",
        body: `<!doctype html><html lang="en"><head><title>Chat</title>
          <script src="/js/websocket.js"></script><script src="/js/chat.js"></script></head>
          <body><tocsin-chat with="${peer.id}"></tocsin-chat></body></html>`,
      }),
    );
    await page.addInitScript((token) => localStorage.setItem("auth_token", token), own.token);
    await page.goto(address);
    const at = (name) => page.locator(`tocsin-chat ${name}`);
    const api = async (method, path, body) => {
      const answer = await fetch(new URL(path, demo.server.url), {
        method,
        headers: { Authorization: `Bearer ${own.token}`, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      assert.ok(answer.ok, `${method} ${path} answered ${answer.status}`);
      return answer.json();
    };
    return {
      ...{ page, peer, api, input: at("textarea"), texts: at("[part~=message] .text"), send: at("[part=send]") },
      ...{ metas: at("[part~=message] .meta"), status: at("[part=status]"), list: at("[part=messages]") },
      say: (message, to_user_id = peer.id) => api("POST", "/api/chat/messages", { to_user_id, message }),
      told: async (user) => (await api("GET", `/api/chat/messages?with=${user}`)).messages,
      turnTo: (user) =>
        page.evaluate((id) => document.querySelector("tocsin-chat").setAttribute("with", String(id)), user),
    };
  }

  it("sends nothing of a draft or a change to the user it turns to", async () => {
    const mina = await meet();
    const { id } = await mina.say("for Junho");
    await settles(() => mina.texts.last().textContent(), "for Junho");
    await mina.metas.last().getByText("Edit").click();
    await settles(() => mina.input.inputValue(), "for Junho");
    await mina.input.fill("for Junho alone");
    await mina.turnTo(STRANGER);
    await settles(() => mina.texts.count(), 0);
    assert.equal(await mina.input.inputValue(), "");
    assert.equal(await mina.status.textContent(), "");
    await mina.input.press("Enter");
    await mina.input.fill("hello");
    await mina.input.press("Enter");
    await settles(async () => (await mina.told(STRANGER)).map(({ message }) => message).join(), "hello");
    assert.equal((await mina.told(mina.peer.id)).find((one) => one.id === id).message, "for Junho");

    await mina.input.fill("for the stranger");
    await mina.turnTo(mina.peer.id);
    assert.equal(await mina.input.inputValue(), "");
    await mina.page.close();
  });

  for (const [name, end] of [
    ["sends a file to whom it was chosen for", "resolve"],
    ["says nothing of a file for another that could not be kept", "reject"],
  ])
    it(name, async () => {
      const mina = await meet();
      await mina.turnTo(mina.peer.id);
      const before = (await mina.told(STRANGER)).length;
      await mina.page.evaluate(() => {
        document.querySelector("tocsin-chat").upload = () =>
          new Promise((resolve, reject) => Object.assign(globalThis, { resolve, reject }));
      });
      const file = { name: "plan.txt", mimeType: "text/plain", buffer: Buffer.from("hello") };
      await mina.page.locator("tocsin-chat input[type=file]").setInputFiles(file);
      await mina.page.waitForFunction(() => "resolve" in globalThis);
      await mina.turnTo(STRANGER);
      await settles(() => mina.texts.allTextContents(), ["hello"]);
      await mina.page.evaluate((end) => globalThis[end]({ url: "/files/5", name: "plan.txt" }), end);
      if (end === "resolve")
        await settles(async () => (await mina.told(mina.peer.id)).at(-1).attachments?.[0].url, "/files/5");
      else await new Promise((resolve) => setTimeout(resolve, 300));

      assert.equal((await mina.told(STRANGER)).length, before);
      assert.equal(await mina.status.textContent(), "");
      await mina.page.close();
    });

  it("begins anew after a resync: no hole stays between what it has and what came", async () => {
    const mina = await meet();
    await mina.say("before the hole");
    await settles(() => mina.texts.last().textContent(), "before the hole");
    await mina.page.context().setOffline(true);
    await demo.server.kill();
    const database = `sqlite:///${join(demo.server.state, "demo.db")}`;
    await run(process.env.TOCSIN ?? "tocsin", ["db", "new-epoch"], {
      env: { ...process.env, TOCSIN_DATABASE_URL: database },
    });
    await demo.server.start();
    for (let number = 0; number < 60; number += 1) await mina.say(`line ${number}`);
    await mina.page.context().setOffline(false);
    await settles(() => mina.texts.last().textContent(), "line 59", 30_000);
    await settles(() => mina.texts.first().textContent(), "line 10");

    await mina.list.evaluate((list) => list.scrollTo({ top: 0 }));
    await settles(async () => (await mina.texts.allTextContents()).includes("before the hole"), true);
    const all = await mina.texts.allTextContents();
    const lines = Array.from({ length: 60 }, (_, number) => `line ${number}`);
    assert.deepEqual(all.slice(all.indexOf("before the hole")), ["before the hole", ...lines]);
    await mina.page.close();
  });
});
