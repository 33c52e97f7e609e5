/** Encryption in `<tocsin-chat>`: two users with two browsers each, and the element alone. */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { settles, until, useDemo } from "./demo.mjs";
import { ChatBrowser } from "./e2ee_chat.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SECRET = "The spare key is under the third stone 열쇠";

describe("encryption in <tocsin-chat>", () => {
  const demo = useDemo({ before, after });
  let users;
  let phone;
  let laptop;
  let mobile;
  let desktop;
  const all = () => [phone, laptop, mobile, desktop];

  before(async () => {
    users = (await (await fetch(`${demo.server.url}/demo/session`)).json()).users;
    [phone, laptop] = [await ChatBrowser.open(demo, users), await ChatBrowser.open(demo, users)];
    [mobile, desktop] = [
      await ChatBrowser.open(demo, users.toReversed()),
      await ChatBrowser.open(demo, users.toReversed()),
    ];
  });
  after(async () => {
    for (const browser of all()) await browser?.close();
  });

  /** The bytes of a word in what the server keeps. */
  async function isKept(word) {
    const names = await readdir(demo.server.state, { recursive: true });
    const contents = await Promise.all(names.map((name) => readFile(join(demo.server.state, name)).catch(() => "")));
    return contents.some((content) => content.includes(word));
  }

  it("loads nothing of it before somebody turns it on, which the keyboard does", async () => {
    await phone.say("in clear");
    await settles(() => mobile.last(), "in clear");
    assert.ok(!phone.requests.some((url) => url.includes("e2ee")));

    await phone.tabTo("lock");
    await phone.page.keyboard.press("Enter");

    await settles(() => phone.lock.textContent(), "🔒 Encrypted");
    await until(() => phone.requests.some((url) => url.endsWith("/js/e2ee.wasm")));
    await phone.isReady();
  });

  it("says whose work it is, beside the file", async () => {
    const told = await (await fetch(`${demo.server.url}/js/e2ee.wasm.LICENSE.txt`)).text();
    assert.match(told, /matrix-sdk-crypto-wasm [\d.]+\n\nApache License/);
    assert.match(told, /\nvodozemac 0\.\d+/);
  });

  it("keeps a message that nobody could read, and sends nothing in clear instead", async () => {
    await phone.say("anybody there?");
    await settles(
      () => phone.status.textContent(),
      "Not sent: the other has no device yet that can read encrypted messages.",
    );
    assert.ok((await phone.metas.last().textContent()).includes("not sent"));
    assert.equal(await mobile.last(), "in clear");
    assert.equal(await isKept("anybody there?"), false);
  });

  it("shows a text on both devices of both users, and the server keeps none of it", async () => {
    for (const browser of [laptop, mobile, desktop]) await browser.turnOn();
    // Whoever came last has met all of them at once; the others have news.
    for (const browser of [phone, laptop, mobile]) await browser.accept();
    await settles(() => desktop.warning.isVisible(), false);

    await phone.metas.last().getByText("Try again").click();
    for (const browser of all()) await settles(() => browser.last(), "anybody there?");
    await phone.say(SECRET);

    for (const browser of all()) await settles(() => browser.last(), SECRET);
    assert.equal(await mobile.marks.last().getAttribute("aria-label"), "encrypted");
    await desktop.say("and back");
    for (const browser of all()) await settles(() => browser.last(), "and back");
    assert.equal(await isKept("in clear"), true);
    for (const word of [SECRET, "under the third stone", "and back", "anybody there?"])
      assert.equal(await isKept(word), false, word);
    assert.ok((await mobile.at("[part~=message]", { hasText: "in clear" }).textContent()).includes("not encrypted"));
  });

  it("changes an encrypted text, sends a link and takes back", async () => {
    await phone.say("meet at six");
    await settles(() => mobile.last(), "meet at six");
    await phone.metas.last().getByText("Edit").click();
    await settles(() => phone.input.inputValue(), "meet at six");
    await phone.say("meet at seven, by the mill");
    for (const browser of all()) await settles(() => browser.last(), "meet at seven, by the mill");
    assert.ok((await desktop.metas.last().textContent()).includes("edited"));

    await phone.page.evaluate(() => {
      document.querySelector("tocsin-chat").upload = async (file) => ({ url: `/files/${file.size}`, name: file.name });
    });
    const file = { name: "map to the mill.png", mimeType: "image/png", buffer: Buffer.from("hello") };
    await phone.at("input[type=file]").setInputFiles(file);
    for (const browser of all()) {
      await settles(() => browser.at(".file").last().textContent(), "map to the mill.png");
      assert.equal(await browser.at(".file").last().getAttribute("href"), "/files/5");
    }
    assert.equal(await isKept("the mill"), false);

    await phone.metas.last().getByText("Take back").click();
    for (const browser of all()) await settles(() => browser.last(), "This message was taken back");
  });

  it("stays readable over a reload, and stays on", async () => {
    await laptop.reload();
    await laptop.isReady();
    for (const text of [SECRET, "meet at seven, by the mill"])
      await settles(() => laptop.texts.getByText(text, { exact: true }).count(), 1);
    await laptop.say("after the reload");
    for (const browser of all()) await settles(() => browser.last(), "after the reload");
  });

  it("shows one number on all four, and who compared it", async () => {
    const numbers = [];
    for (const browser of all()) numbers.push(await browser.number());
    assert.match(numbers[0], /^(\d{5} ){11}\d{5}$/);
    assert.deepEqual(numbers, Array(4).fill(numbers[0]));
    assert.equal(await phone.details.locator("li").count(), 4);
    assert.equal(await phone.details.getByText("this device").count(), 1);

    await phone.details.getByText("The numbers match").click();
    await settles(() => phone.details.getByText("Verified: the safety number was compared.").count(), 1);
    await settles(() => phone.details.getByText("verified", { exact: true }).count(), 3);
    // Escape closes it from anywhere in it, and leaves the focus on the lock.
    await phone.details.getByText("Turn encryption off").focus();
    await phone.page.keyboard.press("Escape");
    await settles(() => phone.lock.evaluate((lock) => lock.getRootNode().activeElement === lock), true);
    for (const browser of [laptop, mobile, desktop]) await browser.lock.click();
    await settles(() => phone.details.isVisible(), false);
  });

  it("warns of a new device, sends nothing until somebody has looked, and asks before it is read in clear", async () => {
    const ghost = await ChatBrowser.open(demo, users.toReversed());
    await settles(() => ghost.notice.isVisible(), true);
    await ghost.say("typed too early");
    assert.equal(await ghost.input.inputValue(), "typed too early");
    await ghost.turnOn();

    for (const browser of all()) await settles(() => browser.warning.isVisible(), true);
    assert.ok((await phone.warning.textContent()).includes(`${users[1].name} has a new device`));
    assert.ok((await phone.warning.textContent()).includes("The safety number that you compared is another one now."));
    assert.ok((await mobile.warning.textContent()).includes("You have a new device"));
    assert.equal(await phone.warning.getAttribute("role"), "alert");
    await phone.warning.getByText("Devices and safety number").click();
    await settles(() => phone.lock.getAttribute("aria-expanded"), "true");
    await phone.lock.click();
    await phone.say("not for strangers");
    await settles(() => phone.status.textContent(), "Look at the new device first.");
    assert.equal(await phone.input.inputValue(), "not for strangers");
    await settles(() => ghost.last(), "🔒 Sent before this device was added: it can't be read here.");

    // It is removed by whose device it is not: the word goes to the four alone.
    await mobile.openPanel();
    const fresh = mobile.page.locator(".mark", { hasText: /^new$/ });
    await mobile.details.locator("li", { has: fresh }).getByRole("button").click();
    await mobile.details.getByRole("button", { name: "Remove", exact: true }).click();
    for (const browser of all()) await settles(() => browser.warning.isVisible(), false);
    await phone.input.press("Enter");
    for (const browser of all()) await settles(() => browser.last(), "not for strangers");
    assert.notEqual(await ghost.last(), "not for strangers");
    await settles(() => ghost.status.textContent(), "This device was removed. Reload to add it as a new one.");
    await ghost.close();
    await mobile.lock.click();
  });

  it("goes on with a new device after somebody has looked", async () => {
    const tablet = await ChatBrowser.open(demo, users.toReversed());
    await tablet.turnOn();
    await laptop.warning.waitFor();
    const refused = await laptop.page.evaluate(async (peer) => {
      const { openSealedChat } = await import("/js/e2ee.js");
      const chat = await openSealedChat(window.ws, peer);
      return await chat.send("by a page of one's own", { id: "strict" }).catch(({ code }) => code);
    }, users[1].id);
    assert.equal(refused, "key_changed", "numbers were not compared here");
    await phone.accept();
    await phone.say("welcome");
    await settles(() => tablet.last(), "welcome");

    await tablet.say("thank you");
    for (const browser of all()) await settles(() => browser.last(), "thank you");
    const told = "from a device that nobody has looked at";
    await settles(async () => (await laptop.metas.last().textContent()).includes(told), true);
    assert.equal((await phone.metas.last().textContent()).includes(told), false);
    for (const browser of [laptop, mobile, desktop]) await browser.accept();
    await settles(async () => (await laptop.metas.last().textContent()).includes(told), false);
    await tablet.close();
  });

  it("says honestly what was altered on its way", async () => {
    const { page } = mobile;
    await page.route("**/api/chat/messages?**", async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      const last = body.messages.at(-1).ciphertext;
      last.ciphertext = `${last.ciphertext.slice(0, -8)}AAAAAAAA`;
      await route.fulfill({ response, json: body });
    });
    await mobile.reload();
    await mobile.isReady();
    await settles(() => mobile.last(), "🔒 Refused: this message was altered on its way.");
    await page.unroute("**/api/chat/messages?**");
    await mobile.reload();
    await mobile.isReady();
  });

  it("is not turned off unasked, and is read on after that", async () => {
    await desktop.openPanel();
    await desktop.details.getByText("Turn encryption off").click();
    await desktop.details.getByText("Keep it on").click();
    assert.equal(await desktop.lock.textContent(), "🔒 Encrypted");
    await desktop.details.getByText("Turn encryption off").click();
    await desktop.details.getByRole("button", { name: "Turn off", exact: true }).click();
    await settles(() => desktop.lock.textContent(), "🔓 Encrypt");

    await desktop.say("for everybody to read");
    await settles(() => phone.last(), "for everybody to read");
    assert.ok((await phone.metas.last().textContent()).includes("not encrypted"));
    await desktop.reload();
    await settles(() => desktop.texts.getByText(SECRET, { exact: true }).count(), 1);
    assert.equal(await desktop.lock.textContent(), "🔓 Encrypt");
    await desktop.turnOn();
  });

  it("waits for another tab that has it open", async () => {
    const first = desktop.page;
    const second = await desktop.tab();
    desktop.page = second;
    await settles(async () => (await desktop.status.textContent()).includes("open in another tab"), true);
    await desktop.say("from the second tab");
    await first.close();
    await desktop.isReady();
    for (const browser of all()) await settles(() => browser.last(), "from the second tab");
  });

  it("sends what was written while the connection was away, in its order", async () => {
    await phone.context.setOffline(true);
    await phone.page.evaluate(() => window.ws.disconnect());
    for (const text of ["one", "two", "three"]) await phone.say(text);
    await settles(async () => (await phone.metas.last().textContent()).includes("sending"), true);
    await phone.context.setOffline(false);
    await phone.page.evaluate(() => window.ws.connect());

    for (const browser of all())
      await settles(async () => (await browser.texts.allTextContents()).slice(-3), ["one", "two", "three"], 20_000);
  });

  it("serves several chats of a page, which wait for another tab together", async () => {
    const first = desktop.page;
    desktop.page = await desktop.tab();
    await desktop.page.evaluate((peer) => {
      const second = document.createElement("tocsin-chat");
      second.setAttribute("with", peer);
      document.querySelector("main").append(second);
    }, String(users[0].id));
    const locks = desktop.page.locator("tocsin-chat [part=lock]");
    const open = () => locks.evaluateAll((all) => all.map((lock) => lock.getAttribute("aria-expanded")));
    await settles(async () => (await desktop.status.last().textContent()).includes("open in another tab"), true);
    await first.close();
    await settles(open, ["false", "false"], 30_000);
    await desktop.reload();
    await desktop.isReady();
  });

  it("sends nothing in clear when it can't be loaded, and asks", async () => {
    await desktop.page.route("**/js/e2ee.wasm", (route) => route.abort());
    await desktop.reload();
    await settles(() => desktop.notice.isVisible(), true);
    await settles(async () => (await desktop.status.textContent()) !== "", true);
    await desktop.say("not in clear");
    await settles(async () => (await desktop.metas.last().textContent()).includes("not sent"), true);
    assert.equal(await isKept("not in clear"), false);

    await desktop.page.unroute("**/js/e2ee.wasm");
    await desktop.turnOn();
    await desktop.metas.last().getByText("Try again").click();
    for (const browser of all()) await settles(() => browser.last(), "not in clear");
    assert.equal(await isKept("not in clear"), false);
  });

  for (const colorScheme of ["light", "dark"])
    it(`has no accessibility fault that axe finds, in ${colorScheme} colours, and fits a narrow screen in Korean`, async () => {
      const options = { lang: "ko", colorScheme, viewport: { width: 320, height: 900 } };
      const narrow = await ChatBrowser.open(demo, users, options);
      await narrow.turnOn();
      await narrow.openPanel();
      await settles(() => laptop.warning.isVisible(), true);
      await laptop.openPanel();
      for (const { page, lang } of [
        { page: narrow.page, lang: "ko" },
        { page: laptop.page, lang: "en" },
      ]) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
        assert.deepEqual(found, []);
        if (process.env.SCREENSHOTS)
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${lang}-${colorScheme}.png` });
      }
      assert.equal(await narrow.page.evaluate(() => document.documentElement.scrollWidth), 320);
      const overflow = await narrow.details.evaluate((details) => details.scrollWidth - details.clientWidth);
      assert.equal(overflow, 0);
      await laptop.accept();
      await laptop.lock.click();
      await narrow.close();
    });

  it("has let out no error", () => {
    // Chromium tells by itself of the 404 of a removed device, and of requests while off line.
    for (const browser of all())
      assert.deepEqual(
        browser.problems.filter(
          (text) => !/ 404 |ERR_INTERNET_DISCONNECTED|ERR_FAILED|WebSocket connection/.test(text),
        ),
        [],
      );
  });

  it("has a way out where the keys in a browser can't be opened, which asks before it gives the device up", async () => {
    const locked = await ChatBrowser.open(demo, users);
    const devices = () =>
      locked.page.evaluate(async (id) => {
        const headers = { Authorization: `Bearer ${await window.ws.getToken()}`, "Content-Type": "application/json" };
        const body = JSON.stringify({ user_ids: [id] });
        const found = await (await fetch("/api/e2ee/keys/query", { method: "POST", headers, body })).json();
        return found.users[0].devices.map((each) => each.device_id);
      }, locked.user.id);
    const before = await devices();
    const lost = await locked.page.evaluate(async () => {
      const { enableEncryption } = await import("/js/e2ee.js");
      const encryption = await enableEncryption(window.ws, { passphrase: "of another page" });
      await encryption.close();
      return encryption.deviceId;
    });

    await locked.notice.getByText("Turn encryption on").click();
    await settles(() => locked.status.textContent(), "The keys in this browser can't be opened.");
    await locked.warning.getByRole("button", { name: "Reset this device" }).focus();
    await locked.page.keyboard.press("Enter");
    await settles(() => locked.warning.getByText("everybody you write to is told").count(), 1);
    // It is the safe one that has the focus.
    await locked.page.keyboard.press("Enter");
    await settles(() => locked.warning.getByText("Reload the page first").count(), 1);
    assert.ok((await devices()).includes(lost));
    await locked.warning.getByRole("button", { name: "Reset this device" }).click();
    await locked.warning.getByRole("button", { name: "Reset", exact: true }).click();

    await settles(() => locked.lock.textContent(), "🔒 Encrypted");
    await locked.isReady();
    await settles(() => locked.status.textContent(), "");
    const after = await devices();
    assert.ok(!after.includes(lost));
    assert.equal(after.length, before.length + 1);
    await locked.close();
  });
});
