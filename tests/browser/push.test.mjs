/** Web Push in the browser: the real service worker gets real pushes, shows them, takes them back and tells the server. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch } from "./chromium.mjs";
import { DemoServer, settles, until, useDemo } from "./demo.mjs";
import { Host, PushService, profile, signIn, turnOn } from "./push.mjs";

const PUSH = { title: "Order shipped", body: "It is on its way", data: { order_id: 7 }, receipt: "r1" };

describe("web push", () => {
  const demo = useDemo({ before, after });
  let host;
  let session;

  before(async () => {
    host = new Host(demo.server.url);
    await host.start();
    session = await (await fetch(`${demo.server.url}/demo/session`)).json();
  });
  after(() => host?.stop());

  /** A user whose notifications are on; every test has a browser profile of its own. */
  async function subscribed(path) {
    host.calls.length = 0;
    const context = await profile(demo.browser, host);
    const page = await signIn(context, host, session.users[0].token, path);
    const worker = await turnOn(context, page);
    return { context, page, worker, close: () => context.close() };
  }

  async function notify(title) {
    const answer = await fetch(`${demo.server.url}/api/notifications`, {
      method: "POST",
      headers: { Authorization: `Bearer ${session.publish_token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ user_id: session.users[0].id, type: "test", title, message: "" }),
    });
    return (await answer.json()).id;
  }

  const receipts = () => host.bodies("POST", "receipts").map(({ receipt, event }) => `${receipt} ${event}`);

  it("subscribes at a click, under the server's key and for who is signed in", async () => {
    const { close } = await subscribed();

    const [call] = host.calls.filter(({ method, path }) => method === "POST" && path === "subscriptions");
    assert.equal(call.token, `Bearer ${session.users[0].token}`);
    assert.match(call.body.endpoint, /^https:\/\/push\.example\//);
    assert.match(call.body.keys.p256dh, /^B[\w-]{86}$/);
    assert.match(call.body.keys.auth, /^[\w-]{22}$/);
    await close();
  });

  it("shows a push while no page is open, with its text as text, and sends the receipt", async () => {
    const { page, worker, close } = await subscribed();
    await page.close();

    await worker.deliver({ ...PUSH, title: "<b>주문</b> 도착 🍚", tag: "order-7", lang: "ko", notification_id: "n1" });

    await worker.shows("<b>주문</b> 도착 🍚");
    const [shown] = await worker.shown();
    assert.deepEqual([shown.body, shown.tag, shown.lang], ["It is on its way", "order-7", "ko"]);
    await settles(receipts, ["r1 shown"]);
    await close();
  });

  it("shows the same notification once, however often it is pushed", async () => {
    const { page, worker, close } = await subscribed();
    await page.close();

    await worker.deliver({ ...PUSH, notification_id: "n1" });
    await worker.deliver({ ...PUSH, notification_id: "n1", title: "Order delivered" });

    await worker.shows("Order delivered");
    await close();
  });

  for (const body of ["not json", '{"v":1}', '{"v":9,"title":"from the future"}', "null"]) {
    it(`shows a general notification for what it does not understand: ${body}`, async () => {
      const { page, worker, close } = await subscribed();
      await page.close();

      await worker.deliver(body);

      await worker.shows("New notification");
      await close();
    });
  }

  it("leaves what the page in front has by its socket to that page, and still sends the receipt", async () => {
    const { page, worker, close } = await subscribed();
    const heard = page.evaluate(
      () => new Promise((resolve) => window.ws.on("notifications", "notification", ({ title }) => resolve(title))),
    );
    await page.bringToFront();
    const id = await notify("In the page");
    assert.equal(await heard, "In the page");

    await worker.deliver({ ...PUSH, notification_id: id });
    await settles(receipts, ["r1 shown"]);
    assert.deepEqual(await worker.shown(), []);

    await worker.deliver({ ...PUSH, title: "Not in the page", notification_id: "n2", receipt: "r2" });
    await worker.shows("Not in the page");
    await close();
  });

  it("shows it all the same where the push service is Apple's, silently", async () => {
    const { page, worker, close } = await subscribed();
    const heard = page.evaluate(
      () => new Promise((resolve) => window.ws.on("notifications", "notification", () => resolve())),
    );
    await worker.worker.evaluate(() => {
      PushManager.prototype.getSubscription = async () => ({ endpoint: "https://web.push.apple.com/x" });
    });
    await page.bringToFront();
    const id = await notify("In the page");
    await heard;

    await worker.deliver({ ...PUSH, notification_id: id });

    await worker.shows("Order shipped");
    assert.equal((await worker.shown())[0].silent, true);
    await close();
  });

  it("takes a notification back when it is read in another tab, or deleted, or all are read", async () => {
    const { context, page, worker, close } = await subscribed();
    const ids = [await notify("one"), await notify("two"), await notify("three"), await notify("four")];
    await page.goto("about:blank");
    for (const [index, id] of ids.entries()) {
      const timestamp = new Date().toISOString();
      await worker.deliver({ ...PUSH, title: `push ${index}`, tag: `tag-${index}`, notification_id: id, timestamp });
    }
    await worker.shows("push 0", "push 1", "push 2", "push 3");

    const other = await signIn(context, host, session.users[0].token);
    await other.evaluate((id) => window.ws.emitWithAck("notifications", "mark_read", { notification_id: id }), ids[0]);
    await worker.shows("push 1", "push 2", "push 3");
    await other.evaluate((id) => window.ws.emitWithAck("notifications", "delete", { notification_id: id }), ids[1]);
    await worker.shows("push 2", "push 3");
    await other.evaluate(() => window.ws.emitWithAck("notifications", "mark_all_read"));
    await worker.shows();
    await close();
  });

  it("takes a notification back when the server says so", async () => {
    const { page, worker, close } = await subscribed();
    await page.close();
    for (const id of ["n1", "n2", "n3"]) await worker.deliver({ ...PUSH, title: id, notification_id: id });
    await worker.deliver({ ...PUSH, title: "n4", tag: "order-7", notification_id: "n4" });

    await worker.deliver({ close: ["n1", "order-7"] });

    await worker.shows("n2", "n3");
    await close();
  });

  it("brings the tab to the front that has the link open, and tells it", async () => {
    const { page, worker, close } = await subscribed("/page/orders/7");
    const told = page.evaluate(
      () => new Promise((resolve) => window.tocsinPush.on("click", (click) => resolve({ ...click }))),
    );
    await worker.deliver({ ...PUSH, tag: "t", link: "/page/orders/7", notification_id: "n1" });
    await worker.shows("Order shipped");

    assert.deepEqual(await worker.use("t"), [`focus ${host.url}/page/orders/7`]);
    assert.deepEqual(await told, {
      type: "tocsin-click",
      notification_id: "n1",
      link: `${host.url}/page/orders/7`,
      data: { order_id: 7 },
    });
    await worker.shows();
    await until(() => receipts().includes("r1 clicked"));
    await close();
  });

  for (const [link, went] of [
    ["/page/orders/8", "open HOST/page/orders/8"],
    ["https://carrier.example/track", "open https://carrier.example/track"],
    ["javascript:alert(1)", "focus HOST/page"],
    ["http://carrier.example/", "focus HOST/page"],
    [null, "focus HOST/page"],
  ]) {
    it(`goes at a click on a link to ${link}: ${went}`, async () => {
      const { worker, close } = await subscribed();
      await worker.deliver({ ...PUSH, tag: `to ${link}`, link });
      await worker.shows("Order shipped");

      assert.deepEqual(await worker.use(`to ${link}`), [went.replace("HOST", host.url)]);
      await close();
    });
  }

  it("tells the server that the user has wiped a notification away", async () => {
    const { worker, close } = await subscribed();
    await worker.deliver({ ...PUSH, tag: "t" });
    await worker.shows("Order shipped");

    await worker.use("t", "notificationclose");

    await until(() => receipts().includes("r1 closed"));
    await close();
  });

  it("ends with signing out: the server forgets the browser, and nothing stays on the screen", async () => {
    const { page, worker, close } = await subscribed();
    await worker.deliver({ ...PUSH, notification_id: "n1" });
    await worker.shows("Order shipped");

    await page.evaluate(() => {
      localStorage.removeItem("auth_token");
      location.reload();
    });

    await page.locator("tocsin-push-button[data-state=off]").waitFor();
    await worker.shows();
    assert.equal(await page.evaluate(() => localStorage.getItem("test:subscription")), null);
    await close();
  });

  it("goes over to another user who signs in, with a new subscription", async () => {
    const { page, close } = await subscribed();
    const first = host.bodies("POST", "subscriptions")[0].endpoint;

    await page.evaluate((token) => localStorage.setItem("auth_token", token), session.users[1].token);
    await page.reload();

    const calls = () => host.calls.filter(({ method, path }) => method === "POST" && path === "subscriptions");
    await until(() => calls().some(({ token }) => token === `Bearer ${session.users[1].token}`));
    assert.notEqual(calls().at(-1).body.endpoint, first);
    await close();
  });

  it("is turned off and on by keyboard", async () => {
    const { page, close } = await subscribed();
    const button = page.getByRole("button");
    assert.equal(await button.getAttribute("aria-pressed"), "true");

    await page.bringToFront();
    await button.focus();
    await page.keyboard.press("Enter");
    await page.locator("tocsin-push-button[data-state=off]").waitFor();
    assert.equal(host.bodies("DELETE", "subscriptions").length, 1);
    assert.ok(await button.evaluate((element) => element.getRootNode().activeElement === element));

    await page.keyboard.press("Space");
    await page.locator("tocsin-push-button[data-state=on]").waitFor();
    await close();
  });

  it("needs nothing that a strict policy forbids", async () => {
    const context = await profile(demo.browser, host);
    const problems = [];
    context.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    const page = await signIn(context, host, session.users[0].token);
    await turnOn(context, page);

    assert.deepEqual(problems, []);
    assert.equal(await page.getByRole("button").evaluate((button) => getComputedStyle(button).borderRadius), "10px");
    await context.close();
  });
});

describe("web push from end to end", () => {
  let state;
  let service;
  let server;
  let browser;
  let host;

  before(async () => {
    state = await mkdtemp(join(tmpdir(), "tocsin-push-"));
    service = new PushService();
    await service.start(state);
    process.env.TOCSIN_WEBPUSH_HOSTS = service.host;
    server = new DemoServer(state);
    await server.start();
    delete process.env.TOCSIN_WEBPUSH_HOSTS;
    host = new Host(server.url, { hasPush: true });
    await host.start();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    host?.stop();
    await service?.stop();
    await server?.stop();
    await rm(state, { recursive: true, force: true });
  });

  it("a push of the back end is encrypted, delivered, shown, and proven to the server", async () => {
    const session = await (await fetch(`${server.url}/demo/session`)).json();
    const [{ id, token }] = session.users;
    const context = await profile(browser, host, service.subscription);
    const page = await signIn(context, host, token);
    const worker = await turnOn(context, page);
    await page.close();

    const payload = await service.send({ user_id: id, title: "주문 도착 🍚", link: "/page/orders/7" });
    await worker.deliver(payload);

    await worker.shows("주문 도착 🍚");
    const statuses = () => host.calls.map(({ method, path, status }) => `${method} ${path} ${status}`);
    await settles(statuses, ["GET public-key 200", "POST subscriptions 201", "POST receipts 204"]);
    assert.deepEqual(await worker.use(payload.tag), [`open ${host.url}/page/orders/7`]);
    await settles(() => statuses().length, 4);
    await context.close();
  });

  it("what nobody has seen is pushed by the ladder, and taken back when it is read in another tab", async () => {
    const session = await (await fetch(`${server.url}/demo/session`)).json();
    const [{ id, token }] = session.users;
    const context = await profile(browser, host, service.subscription);
    const page = await signIn(context, host, token);
    const worker = await turnOn(context, page);
    await page.close();

    const push = await service.send({ user_id: id, title: "택배 도착", link: "/page/orders/8", stored: true });
    await worker.deliver(push);
    await worker.shows("택배 도착");

    const elsewhere = await browser.newContext();
    const tab = await signIn(elsewhere, host, token);
    await tab.evaluate(async (id) => {
      const headers = { Authorization: `Bearer ${localStorage.getItem("auth_token")}` };
      await fetch(`/api/notifications/${id}/read`, { method: "PUT", headers });
    }, push.notification_id);
    const close = await service.next();
    assert.deepEqual(close.close, [push.notification_id]);
    await worker.deliver(close);
    await worker.shows();

    await elsewhere.close();
    await context.close();
  });
});
