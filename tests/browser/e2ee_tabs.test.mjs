/** Encryption in two tabs of one browser: one has it open, and the other takes it up after that. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { useDemo } from "./demo.mjs";
import { Device } from "./e2ee.mjs";

describe("two tabs of a browser that encrypts", () => {
  const demo = useDemo({ before, after });
  let users;
  before(async () => {
    users = (await (await fetch(`${demo.server.url}/demo/session`)).json()).users;
  });

  it("take it up anew only when all was forgotten", async () => {
    const laptop = await Device.open(demo, users[0]);
    const old = await laptop.enable();
    const other = await laptop.tab();
    await other.evaluate(async () => {
      const { sharedEncryption } = await import("/js/e2ee.js");
      await new Promise((waits) => {
        window.opened = sharedEncryption(window.ws, {}, waits);
      });
    });
    await laptop.page.evaluate(async () => {
      const find = indexedDB.databases.bind(indexedDB);
      indexedDB.databases = async () => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return find();
      };
      await window.encryption.forget();
    });

    const fresh = await other.evaluate(async () => {
      const encryption = await window.opened;
      await encryption.close();
      return encryption.deviceId;
    });
    assert.notEqual(fresh, old);
    assert.equal(await laptop.enable(), fresh, "its keys are there still");
    assert.deepEqual(
      laptop.problems.filter((text) => !/ 404 /.test(text)),
      [],
    );
    await laptop.close();
  });

  it("and two chats of a page, open that of who has signed in", async () => {
    const laptop = await Device.open(demo, users[0]);
    const opened = await laptop.page.evaluate(
      async ([token, peer]) => {
        const { sharedEncryption } = await import("/js/e2ee.js");
        const first = await sharedEncryption(window.ws);
        localStorage.setItem("auth_token", token);
        const chats = [1, 2].map(async () => (await sharedEncryption(window.ws)).open(peer));
        const codes = await Promise.all(chats.map((chat) => chat.then(() => "open").catch(({ code }) => code)));
        return [first.user, (await sharedEncryption(window.ws)).user, codes];
      },
      [users[1].token, users[0].id],
    );
    assert.deepEqual(opened, [String(users[0].id), String(users[1].id), ["open", "open"]]);
    await laptop.close();
  });
});
