/** End-to-end encryption between two users with two devices each: what is read where, and what is refused. */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { settles, useDemo } from "./demo.mjs";
import { Device, putAs } from "./e2ee.mjs";

const SECRET = "Meet me at the lighthouse 등대에서 만나요 🔒";

describe("end-to-end encryption", () => {
  const demo = useDemo({ before, after });
  let users;
  let phone;
  let laptop;
  let mobile;
  let desktop;

  before(async () => {
    users = (await (await fetch(`${demo.server.url}/demo/session`)).json()).users;
    [phone, laptop] = [await Device.open(demo, users[0]), await Device.open(demo, users[0])];
    [mobile, desktop] = [await Device.open(demo, users[1]), await Device.open(demo, users[1])];
  });
  after(async () => {
    for (const device of [phone, laptop, mobile, desktop]) await device?.close();
  });

  it("is loaded when it is used and not before", async () => {
    assert.deepEqual(
      phone.requests.filter((url) => url.includes("e2ee")),
      [],
    );

    await phone.enable({ deviceName: "Phone" });
    await phone.talk(users[1].id);

    assert.ok(phone.requests.some((url) => url.endsWith("/js/e2ee.wasm")));
    assert.deepEqual(
      phone.requests.filter((url) => !url.startsWith(demo.server.url)),
      [],
    );
  });

  it("sends nothing to a user who has no device", async () => {
    assert.equal(await phone.refusal("Anybody there?"), "no_devices");
  });

  it("is read on two devices of each side, and nowhere else", async () => {
    await laptop.enable();
    await mobile.enable();
    await desktop.enable();
    await laptop.talk(users[1].id);
    await mobile.talk(users[0].id);
    await desktop.talk(users[0].id);
    await phone.page.evaluate((id) => window.encryption.open(id), users[1].id);
    for (const device of [phone, laptop, mobile, desktop]) await device.accept();

    const sent = await phone.send(SECRET);
    for (const device of [phone, laptop, mobile, desktop]) {
      const message = await device.hears({ id: sent.id });
      assert.deepEqual([message.state, message.text, message.reason], ["encrypted", SECRET, null]);
      assert.equal(message.from_user_id, users[0].id);
      assert.equal(message.client_msg_id, sent.client_msg_id);
    }
    const answer = await desktop.send("나도 갈게 — on my way");
    for (const device of [phone, laptop, mobile, desktop])
      assert.equal((await device.hears({ id: answer.id })).text, "나도 갈게 — on my way");
  });

  it("is read once and whole when all devices write at the same time", async () => {
    const devices = [phone, laptop, mobile, desktop];
    const texts = devices.flatMap((_, device) => Array.from({ length: 10 }, (_, each) => `${device} at once ${each}`));

    await Promise.all(
      devices.map((device, index) =>
        device.page.evaluate(
          (texts) => Promise.all(texts.map((text) => window.talk.send(text))),
          texts.slice(index * 10, index * 10 + 10),
        ),
      ),
    );

    for (const device of devices) {
      const read = async () => (await device.heard()).map(({ text }) => text).filter((text) => texts.includes(text));
      await settles(async () => (await read()).sort(), [...texts].sort());
    }
  });

  it("makes new one-time keys for those that were claimed", async () => {
    const id = await mobile.page.evaluate(() => window.encryption.deviceId);
    const counts = () => mobile.ask("GET", `/api/e2ee/keys?device_id=${id}`);
    const { one_time_keys } = await counts();
    const devices = [{ user_id: users[1].id, device_id: id }];

    const claimed = await phone.ask("POST", "/api/e2ee/keys/claim", { devices });
    assert.equal(claimed.keys[0].is_fallback, false);
    assert.deepEqual(await counts(), { one_time_keys: one_time_keys - 1, has_unused_fallback_key: true });
    const messages = [{ ...devices[0], content: { body: "not sealed at all" } }];
    await phone.ask("POST", "/api/e2ee/to-device", { type: "m.room.encrypted", messages });

    await settles(counts, { one_time_keys, has_unused_fallback_key: true });
  });

  it("reads on whatever else somebody puts into its inbox", async () => {
    const id = await mobile.page.evaluate(() => window.encryption.deviceId);
    const put = (type, content) =>
      phone.ask("POST", "/api/e2ee/to-device", { type, messages: [{ user_id: users[1].id, device_id: id, content }] });
    const deep = Array.from({ length: 40 }).reduce((inner) => ({ inner }), {});
    for (const type of [
      "m.room.encrypted",
      "m.room_key",
      "m.room_key_request",
      "m.secret.send",
      "m.dummy",
      "농담",
      "x",
    ]) {
      for (const content of [
        {},
        { algorithm: 5, ciphertext: [] },
        { algorithm: "m.olm.v1.curve25519-aes-sha2", sender_key: "x", ciphertext: { x: { type: -1, body: null } } },
        { algorithm: "m.megolm.v1.aes-sha2", room_id: "nowhere", session_id: "", session_key: "AAAA" },
        deep,
      ])
        assert.deepEqual(await put(type, content), { sent: 1 });
    }
    assert.deepEqual(await putAs(demo.server, "가나다라마바사아자차카타파하", users[1].id, id), { sent: 1 });

    const sent = await phone.send("still here");

    assert.equal((await mobile.hears({ id: sent.id })).text, "still here");
    await settles(async () => (await mobile.ask("GET", `/api/e2ee/inbox?device_id=${id}`)).messages, []);
  });

  it("goes on where it was when the server was killed", async () => {
    await phone.send("before the crash");
    await demo.server.kill();
    await demo.server.start();
    for (const device of [phone, laptop, mobile, desktop])
      await device.page.waitForFunction(() => window.ws.isConnected, null, { timeout: 40_000 });

    const sent = await mobile.send("after the crash");
    for (const device of [phone, laptop, mobile, desktop]) {
      assert.equal((await device.hears({ id: sent.id })).text, "after the crash");
      await device.hears({ text: "before the crash" });
    }
  });

  it("leaves no plaintext on the server: not in the database, nor in what it prints", async () => {
    const stored = await phone.ask("GET", `/api/chat/messages?with=${users[1].id}`);
    const sealed = stored.messages.filter(({ ciphertext }) => ciphertext);
    assert.ok(sealed.length >= 2);
    assert.ok(sealed.every(({ message }) => message === ""));
    const folder = demo.server.state;
    const files = await Promise.all(
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(join(entry.parentPath, entry.name))),
    );
    const all = Buffer.concat([...files, Buffer.from(demo.server.output)]);
    // What must be there shows that the search finds what is there.
    assert.ok(all.includes(sealed[0].ciphertext.session_id));
    for (const text of [SECRET, "lighthouse", "등대에서", "on my way"]) {
      for (const encoding of ["utf8", "utf16le", "base64"]) {
        const bytes =
          encoding === "base64"
            ? Buffer.from(Buffer.from(text).toString("base64").slice(0, -4))
            : Buffer.from(text, encoding);
        assert.ok(!all.includes(bytes), `${text} as ${encoding}`);
      }
      assert.ok(
        !all.includes(
          JSON.stringify(text)
            .slice(1, -1)
            .replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`),
        ),
      );
    }
  });

  it("refuses a ciphertext that was altered, sent again, or sent as somebody else", async () => {
    const sent = await phone.send("Pay 10 to Mina");
    await mobile.hears({ id: sent.id });
    const stored = await phone.ask("GET", `/api/chat/messages?with=${users[1].id}`);
    const { ciphertext, client_msg_id } = stored.messages.find(({ id }) => id === sent.id);
    const post = (device, to, message) => device.ask("POST", "/api/chat/messages", { to_user_id: to, ...message });
    const altered = ciphertext.ciphertext.replace(/.{8}$/, (end) => (end === "AAAAAAAA" ? "BBBBBBBB" : "AAAAAAAA"));

    const copy = await post(phone, users[1].id, { ciphertext, client_msg_id: "a copy" });
    const forged = await post(phone, users[1].id, { ciphertext: { ...ciphertext, ciphertext: altered } });
    const stolen = await post(mobile, users[0].id, { ciphertext, client_msg_id });
    const nonsense = await post(phone, users[1].id, { ciphertext: { algorithm: "none", text: "Pay 10 000" } });

    const seen = async (device, { id }) => {
      const { state, text, reason } = await device.hears({ id });
      return [state, text, reason];
    };
    assert.deepEqual(await seen(mobile, copy), ["refused", null, "replayed"]);
    assert.deepEqual(await seen(mobile, forged), ["refused", null, "altered"]);
    assert.deepEqual(await seen(phone, stolen), ["refused", null, "unknown_sender"]);
    assert.deepEqual(await seen(mobile, nonsense), ["refused", null, "altered"]);
  });

  it("refuses a copy that the server itself puts into a history, also after a reload", async () => {
    await mobile.reload();
    await mobile.enable();
    await mobile.talk(users[0].id);
    await mobile.page.route("**/api/chat/messages?*", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      const original = body.messages.find(({ ciphertext, from_user_id }) => ciphertext && from_user_id === users[0].id);
      body.messages.push({ ...original, id: "ffffffff-0000-7000-8000-000000000000" });
      await route.fulfill({ response: answer, json: body });
    });

    const messages = await mobile.history();
    await mobile.page.unroute("**/api/chat/messages?*");

    const first = messages.find(({ text }) => text === SECRET);
    assert.equal(first.state, "encrypted");
    assert.deepEqual([messages.at(-1).state, messages.at(-1).reason], ["refused", "replayed"]);
  });

  it("reads a text that its writer has changed, and refuses the one before it from then on", async () => {
    const { id } = await phone.send("Tuesday");
    await mobile.hears({ id, text: "Tuesday" });
    const { messages } = await mobile.ask("GET", `/api/chat/messages?with=${users[0].id}`);
    const { ciphertext } = messages.find((one) => one.id === id);
    await phone.page.evaluate(async (id) => {
      const { messages } = await window.talk.history();
      const message = messages.find((one) => one.id === id);
      await window.talk.edit(message, "Wednesday");
    }, id);
    await mobile.hears({ id, text: "Wednesday", version: 1 });

    await mobile.page.route("**/api/chat/messages?*", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      for (const one of body.messages) if (one.id === id) one.ciphertext = ciphertext;
      await route.fulfill({ response: answer, json: body });
    });
    const found = (await mobile.history()).find((one) => one.id === id);
    await mobile.page.unroute("**/api/chat/messages?*");
    assert.deepEqual([found.state, found.reason, found.text], ["refused", "replayed", null]);
  });

  it("reads what came while no page was open, and shows plain messages as plain", async () => {
    await desktop.page.goto("about:blank");
    const sent = await phone.send("While you were away");
    await desktop.page.goto(`${demo.server.url}/encrypted`);
    await desktop.page.waitForFunction(() => window.ws?.isConnected);
    await desktop.enable();
    await desktop.talk(users[0].id);

    const missed = (await desktop.history()).find(({ id }) => id === sent.id);
    assert.deepEqual([missed.state, missed.text], ["encrypted", "While you were away"]);
    await phone.page.evaluate((to) => window.ws.sendMessage(to, "not encrypted"), users[1].id);
    assert.equal((await desktop.hears({ text: "not encrypted" })).state, "plain");
  });

  it("says on a new device what can't be read there, warns everybody, and goes on", async () => {
    const tablet = await Device.open(demo, users[1]);
    const id = await tablet.enable({ deviceName: "Tablet" });
    await tablet.talk(users[0].id);

    const old = (await tablet.history()).filter(({ state }) => state === "unreadable");
    assert.ok(old.length > 0);
    assert.deepEqual([...new Set(old.map(({ reason }) => reason))], ["before_device"]);
    assert.match(
      await tablet.page.evaluate(() => window.e2ee.explain("before_device")),
      /Sent before this device was added/,
    );
    await settles(async () => (await phone.changes()).at(-1)?.added.map(({ device_id }) => device_id), [id]);
    const [change] = (await phone.changes()).slice(-1);
    assert.deepEqual(
      [change.user_id, change.added[0].device_name, change.wasVerified],
      [String(users[1].id), "Tablet", false],
    );
    await settles(async () => (await mobile.changes()).at(-1)?.user_id, String(users[1].id));
    const sent = await phone.send("Welcome, tablet");
    assert.equal((await tablet.hears({ id: sent.id })).text, "Welcome, tablet");
    const answer = await tablet.send("From the tablet");
    assert.equal((await phone.hears({ id: answer.id })).isFromKnownDevice, false);
    await phone.accept();
    const next = await tablet.send("Once more");
    assert.equal((await phone.hears({ id: next.id })).isFromKnownDevice, true);
    await tablet.page.evaluate(() => window.encryption.forget());
    assert.deepEqual(await tablet.page.evaluate(() => window.ended), [null]);
    assert.deepEqual(
      (await tablet.page.evaluate(() => indexedDB.databases())).filter(({ name }) => name.includes("e2ee")),
      [],
    );
    await settles(async () => (await phone.changes()).at(-1)?.removed, [id]);
    await tablet.close();
  });

  it("shows both sides one safety number, and sends nothing over it once it was compared and has changed", async () => {
    for (const device of [phone, mobile]) await device.accept();
    const number = await phone.number();
    assert.match(number, /^\d{5}( \d{5}){11}$/);
    assert.equal(await mobile.number(), number);
    assert.equal(await phone.isVerified(), false);

    await phone.page.evaluate((number) => window.talk.verify(number), number);
    assert.equal(await phone.isVerified(), true);
    const ghost = await Device.open(demo, users[1]);
    const id = await ghost.enable();
    await ghost.talk(users[0].id);

    assert.equal(await phone.refusal("For known devices only"), "key_changed");
    assert.equal((await phone.changes()).at(-1).wasVerified, true);
    assert.equal(await phone.isVerified(), false);
    assert.notEqual(await phone.number(), number);
    assert.equal(
      await phone.page.evaluate((number) => window.talk.verify(number).catch(({ code }) => code), number),
      "key_changed",
    );
    await phone.reload();
    await phone.enable();
    await phone.talk(users[1].id);
    await settles(async () => (await phone.changes()).map(({ added }) => added[0].device_id), [id]);
    assert.equal(await phone.refusal("Still not"), "key_changed");
    await mobile.page.evaluate((id) => window.encryption.removeDevice(id), id);
    await settles(() => phone.isVerified(), true);
    const sent = await phone.send("Alone again");
    assert.equal((await mobile.hears({ id: sent.id })).text, "Alone again");
    await settles(() => ghost.page.evaluate(() => window.ended), ["not_found"]);
    assert.ok(!(await ghost.heard()).some(({ text }) => text?.startsWith("Alone")));
    await ghost.close();
  });

  it("comes back as another device when it was removed, and forgets nobody's keys by that", async () => {
    const [before, pinned] = await laptop.page.evaluate(async () => [
      window.encryption.deviceId,
      (await window.talk.devices()).theirs.length,
    ]);
    await phone.page.evaluate((id) => window.encryption.removeDevice(id), before);
    await laptop.page.evaluate(() => window.encryption.close());
    const ghost = await Device.open(demo, users[1]);
    const id = await ghost.enable();

    assert.notEqual(await laptop.enable(), before);
    await laptop.talk(users[1].id);

    await settles(async () => (await laptop.changes()).map(({ added }) => added.map((one) => one.device_id)), [[id]]);
    assert.equal(pinned, 2);
    const stores = await laptop.page.evaluate(() => indexedDB.databases());
    assert.ok(!stores.some(({ name }) => name.includes(before)));
    await ghost.page.evaluate(() => window.encryption.forget());
    await ghost.close();
  });

  it("keeps its keys under a passphrase where one is given", async () => {
    const tablet = await Device.open(demo, users[1]);
    const id = await tablet.enable({ passphrase: "correct horse" });
    const enable = (options) =>
      tablet.page.evaluate(
        (options) =>
          window.e2ee.enableEncryption(window.ws, options).then(
            ({ deviceId }) => deviceId,
            ({ code }) => code,
          ),
        options,
      );
    await tablet.page.evaluate(() => window.encryption.close());

    assert.equal(await tablet.page.evaluate(() => window.encryption.open(1).catch(({ code }) => code)), "closed");
    assert.equal(await enable({}), "keys_unreadable");
    assert.equal(await enable({ passphrase: "wrong" }), "keys_unreadable");
    assert.equal(await enable({ passphrase: "correct horse" }), id);
    await mobile.page.evaluate((id) => window.encryption.removeDevice(id), id);
    await tablet.close();
  });

  it("is open in one tab at a time", async () => {
    const other = await laptop.tab();

    const code = await laptop.enable({}, other).then(
      () => null,
      (error) => /another tab/.test(error.message),
    );
    assert.equal(code, true);
    await laptop.page.evaluate(() => window.encryption.close());
    assert.equal(await laptop.enable({}, other), await laptop.page.evaluate(() => window.encryption.deviceId));
    await other.close();
  });

  it("has let no error and no word of its own out", () => {
    // Chromium tells by itself of the 404 by which a device learns that it was removed, and of the killed server.
    for (const device of [phone, laptop, mobile, desktop])
      assert.deepEqual(
        device.problems.filter((text) => !/ 404 |ERR_CONNECTION_REFUSED|WebSocket connection/.test(text)),
        [],
      );
  });
});
