/** A page of one's own as docs/how-to/chat.md writes it: its code runs here as it stands there. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { settles, useDemo } from "./demo.mjs";

const GUIDE = await readFile(new URL("../../docs/how-to/chat.md", import.meta.url), "utf8");
const CODE = GUIDE.match(/```js\n(\/\/ A page of one's own\n[\s\S]*?)```/)[1];

describe("a page of one's own", () => {
  const demo = useDemo({ before, after });
  let own;
  let peer;
  let page;

  before(async () => {
    [own, peer] = (await (await fetch(new URL("/demo/session", demo.server.url))).json()).users;
    page = await demo.browser.newPage();
    const address = new URL("/page-of-ones-own", demo.server.url).href;
    await page.route(address, (route) =>
      route.fulfill({
        contentType: "text/html; charset=utf-8",
        body: `<!doctype html><script src="/js/websocket.js"></script><script>${CODE}
          const heard = [];
          for (const name of ["message_edited", "message_deleted", "message_read", "block_changed"])
            ws.on("/chat", name, () => heard.push(name));
          const codeOf = (asked) => asked.then(() => null, ({code}) => code);
        </script>`,
      }),
    );
    await page.addInitScript((token) => localStorage.setItem("auth_token", token), own.token);
    await page.goto(address);
  });

  const run = (code) => page.evaluate(code);
  const heard = () => run("heard.splice(0).join()");
  const texts = (page) => page.messages.map(({ message }) => message);

  async function say(from, to, message) {
    const answer = await fetch(new URL("/api/chat/messages", demo.server.url), {
      method: "POST",
      headers: { Authorization: `Bearer ${from.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ to_user_id: to.id, message }),
    });
    return answer.json();
  }

  it("reads histories and conversations", async () => {
    for (let number = 0; number < 52; number += 1) await say(own, peer, `line ${number}`);
    const latest = await run(`readHistory(${peer.id})`);
    assert.equal(latest.messages.length, 50);
    assert.deepEqual([latest.has_before, latest.has_after], [true, false]);
    const older = await run(`readHistory(${peer.id}).then(({messages}) => readBefore(${peer.id}, messages))`);
    assert.deepEqual(texts(older).slice(-2), ["line 0", "line 1"]);

    const known = await run("listConversations()");
    await say(peer, own, "hello");
    const { conversations, unread } = await run("listConversations()");
    assert.equal(unread, known.unread + 1);
    assert.equal(conversations[0].last_message.message, "hello");
  });

  it("edits, takes back and reads, and hears of each", async () => {
    const mine = await say(own, peer, "my mistake");
    const theirs = await say(peer, own, "theirs");
    await run(`edit("${mine.id}", "mended")`);
    await settles(heard, "message_edited");
    assert.deepEqual(texts(await run(`readHistory(${peer.id})`)).slice(-2), ["mended", "theirs"]);
    await run(`takeBack("${mine.id}")`);
    await settles(heard, "message_deleted");
    await run(`markRead("${theirs.id}")`);
    await settles(heard, "message_read");
    assert.equal((await run("listConversations()")).unread, 0);

    assert.equal(await run(`codeOf(edit("${theirs.id}", "not mine"))`), "not_found");
    assert.equal(await run(`codeOf(takeBack("${theirs.id}"))`), "not_found");
    assert.equal(await run(`codeOf(edit("${mine.id}", "too late"))`), "conflict");
    assert.equal(await run(`codeOf(readHistory(${peer.id}, {around: "${peer.id}"}))`), "not_found");
  });

  it("blocks, and takes messages again", async () => {
    const mine = await say(own, peer, "before");
    await run(`block(${peer.id})`);
    await settles(heard, "block_changed");
    assert.equal((await say(peer, own, "no")).code, "forbidden");
    assert.equal(await run(`codeOf(edit("${mine.id}", "no"))`), "forbidden");
    await run(`unblock(${peer.id})`);
    await settles(heard, "block_changed");
    assert.equal((await say(peer, own, "again")).message, "again");
  });
});
