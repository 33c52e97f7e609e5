// @vitest-environment happy-dom

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RECORD_KEY } from "../../src/push/record.js";
import { type PushState, PushSubscriber } from "../../src/push/subscriber.js";
import { token } from "../client/clients.js";
import { FakeClient, KEY_B, PushBrowser } from "./push_browser.js";

const MINA = token("mina");
const JUNHO = token("junho");
const FAR = "+275760-09-13T00:00:00.000Z";

let browser: PushBrowser;
let client: FakeClient;
const made: PushSubscriber[] = [];

beforeEach(() => {
  localStorage.clear();
  browser = new PushBrowser();
  browser.install();
  client = new FakeClient();
  client.token = MINA;
});
afterEach(() => {
  for (const subscriber of made.splice(0)) subscriber.stop();
  browser.remove();
});

/** A page: what one tab of the browser has. */
async function open(): Promise<PushSubscriber> {
  const subscriber = new PushSubscriber({ client: () => client.typed });
  made.push(subscriber);
  subscriber.start();
  await subscriber.refresh();
  return subscriber;
}

async function enabled(): Promise<PushSubscriber> {
  const subscriber = await open();
  await subscriber.enable();
  return subscriber;
}

describe("a browser", () => {
  it("that can't push is unsupported, and stays so", async () => {
    browser.remove();
    const subscriber = await open();

    expect(subscriber.state).toBe("unsupported");
    expect(await subscriber.enable()).toBe("unsupported");
    expect(await subscriber.disable()).toBe("unsupported");
  });

  it("in which the user has said no is denied, and nothing is subscribed", async () => {
    browser.answer = "denied";
    const subscriber = await enabled();

    expect(subscriber.state).toBe("denied");
    expect(browser.made).toBe(0);
  });

  it("in which the user has closed the question stays off", async () => {
    browser.answer = "default";

    expect((await enabled()).state).toBe("off");
  });

  it("whose permission is taken back is denied at the next look", async () => {
    const subscriber = await enabled();
    browser.permission = "denied";
    browser.subscription = null;
    await subscriber.refresh();

    expect(subscriber.state).toBe("denied");
    expect(localStorage.getItem(RECORD_KEY)).toBeNull();
  });
});

describe("turning on", () => {
  it("subscribes under the server's key and tells the server, over busy to on", async () => {
    const states: PushState[] = [];
    const subscriber = await open();
    subscriber.on("change", (state) => states.push(state));
    const done = subscriber.enable();
    expect(subscriber.state).toBe("busy");

    expect(await done).toBe("on");
    expect(states).toEqual(["busy", "on"]);
    expect(browser.calls).toEqual([
      { method: "GET", path: "public-key", token: MINA, body: null },
      { method: "POST", path: "subscriptions", token: MINA, body: browser.subscription?.toJSON() },
    ]);
  });

  it("is refused while nobody is signed in", async () => {
    client.token = null;
    const subscriber = await open();

    await expect(subscriber.enable()).rejects.toMatchObject({ code: "unauthenticated" });
    expect(subscriber.state).toBe("off");
  });

  it("leaves no subscription behind that the server has refused", async () => {
    browser.statuses.set("POST subscriptions", 403);
    const subscriber = await open();

    await expect(subscriber.enable()).rejects.toMatchObject({ code: "forbidden" });
    expect([subscriber.state, browser.subscription]).toEqual(["off", null]);
  });

  it("says so when the server is not reached", async () => {
    browser.statuses.set("GET public-key", 0);

    await expect((await open()).enable()).rejects.toMatchObject({ code: "unreachable" });
  });

  it("says so when the browser has no push service", async () => {
    browser.hasPushService = false;

    await expect((await open()).enable()).rejects.toMatchObject({ code: "push_service" });
  });

  it("twice at once makes one subscription", async () => {
    const subscriber = await open();
    await Promise.all([subscriber.enable(), subscriber.enable()]);

    expect([subscriber.state, browser.made]).toEqual(["on", 1]);
  });
});

describe("turning off", () => {
  it("unsubscribes and lets the server forget", async () => {
    const subscriber = await enabled();

    expect(await subscriber.disable()).toBe("off");
    expect(browser.subscription).toBeNull();
    expect(browser.told("DELETE")).toEqual([`${MINA} https://push.example/1`]);
  });

  it("holds though the server is not reached", async () => {
    const subscriber = await enabled();
    browser.statuses.set("DELETE subscriptions", 0);

    expect(await subscriber.disable()).toBe("off");
    expect(browser.subscription).toBeNull();
  });

  it("is not undone by the next page", async () => {
    await (await enabled()).disable();

    expect((await open()).state).toBe("off");
    expect(browser.made).toBe(1);
  });
});

describe("the next page", () => {
  it("is on at once and asks the server a single time whether all is as it was", async () => {
    await enabled();
    browser.calls.length = 0;
    const subscriber = await open();
    await subscriber.refresh();

    expect(subscriber.state).toBe("on");
    expect(browser.calls.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it("subscribes anew when the server has another key", async () => {
    await enabled();
    browser.publicKey = KEY_B;
    const subscriber = await open();

    expect(subscriber.state).toBe("on");
    expect(browser.told("POST").at(-1)).toBe(`${MINA} https://push.example/2`);
  });

  it("subscribes anew when the browser has dropped the subscription", async () => {
    await enabled();
    browser.subscription = null;
    const subscriber = await open();

    expect(subscriber.state).toBe("on");
    expect(browser.told("POST").at(-1)).toBe(`${MINA} https://push.example/2`);
  });

  it("stays on while the server is not reached", async () => {
    await enabled();
    browser.statuses.set("GET public-key", 0);

    expect((await open()).state).toBe("on");
  });

  it("tells the server as soon as the worker has another subscription", async () => {
    const subscriber = await enabled();
    await (browser.subscription as { unsubscribe(): Promise<boolean> }).unsubscribe();
    await browser.say({ type: "tocsin-subscription" });
    await subscriber.refresh();

    expect(browser.told("POST").at(-1)).toBe(`${MINA} https://push.example/2`);
  });
});

describe("who is signed in", () => {
  it("is not asked for while notifications have never been turned on", async () => {
    client.getToken = async () => {
      throw new Error("asked");
    };
    const subscriber = await open();
    client.emit("*", "state", { state: "connected" });
    await subscriber.refresh();

    expect([subscriber.state, browser.calls]).toEqual(["off", []]);
  });

  it("owns the subscription: another user gets a new one, and sees nothing of the first", async () => {
    const subscriber = await enabled();
    client.token = JUNHO;
    client.emit("*", "state", { state: "connected" });
    await subscriber.refresh();

    expect(subscriber.state).toBe("on");
    expect(browser.told("DELETE")).toEqual([`${MINA} https://push.example/1`]);
    expect(browser.told("POST").at(-1)).toBe(`${JUNHO} https://push.example/2`);
    expect(browser.posted).toEqual([{ type: "tocsin-close", before: FAR }]);
  });

  it("takes it along when signing out in this page", async () => {
    const subscriber = await enabled();
    client.token = null;
    client.emit("*", "state", { state: "unauthorized" });
    await subscriber.refresh();

    expect([subscriber.state, browser.subscription]).toEqual(["off", null]);
    expect(browser.told("DELETE")).toEqual([`${MINA} https://push.example/1`]);
    expect(browser.posted).toEqual([{ type: "tocsin-close", before: FAR }]);
  });

  it("took it along when the stored token is gone before the next page", async () => {
    localStorage.setItem("auth_token", MINA);
    (await enabled()).stop();
    localStorage.removeItem("auth_token");
    client.token = null;
    const subscriber = await open();

    expect([subscriber.state, browser.subscription]).toEqual(["off", null]);
  });

  it("took it along when the page has cleared its storage", async () => {
    (await enabled()).stop();
    localStorage.clear();
    client.token = null;
    await open();

    expect(browser.subscription).toBeNull();
  });

  it("keeps it while a page has not set up its own source of tokens yet", async () => {
    (await enabled()).stop();
    client.token = null;
    const subscriber = await open();
    expect(browser.subscription).not.toBeNull();
    client.token = MINA;
    await subscriber.refresh();

    expect(subscriber.state).toBe("on");
    expect(browser.made).toBe(1);
  });

  it("is read from the storage by a page without a client", async () => {
    localStorage.setItem("auth_token", MINA);
    browser.permission = "granted";
    const subscriber = new PushSubscriber({ client: () => undefined });
    made.push(subscriber);

    expect(await subscriber.enable()).toBe("on");
    expect(browser.told("POST")).toEqual([`${MINA} https://push.example/1`]);
  });
});

describe("what is read", () => {
  it("is closed wherever this browser still shows it, and what is deleted too", async () => {
    await enabled();
    client.emit("notifications", "notification_read", { id: "n1", read_at: "2026-01-01T00:00:00Z" });
    client.emit("notifications", "notification_deleted", { id: "n2" });
    await Promise.resolve();
    await expect
      .poll(() => browser.posted)
      .toEqual([
        { type: "tocsin-close", tags: ["n1"] },
        { type: "tocsin-close", tags: ["n2"] },
      ]);
  });

  it("with all others is closed up to that instant; of a category, what this page knows to be in it", async () => {
    await enabled();
    client.emit("notifications", "notification", { id: "n1", category: "order" });
    client.emit("notifications", "notification", { id: "n2", category: "social" });
    client.emit("notifications", "notification_read", {
      all: true,
      category: "order",
      read_at: "2026-01-01T00:00:00Z",
    });
    client.emit("notifications", "notification_read", { all: true, category: null, read_at: "2026-01-01T00:00:00Z" });

    await expect
      .poll(() => browser.posted)
      .toEqual([
        { type: "tocsin-close", tags: ["n1"] },
        { type: "tocsin-close", before: "2026-01-01T00:00:00Z" },
      ]);
  });

  it("in a snapshot after a long absence is closed", async () => {
    await enabled();
    const notifications = [
      { id: "n1", category: null, read: true },
      { id: "n2", category: null, read: false },
    ];
    client.emit("*", "resync", { namespace: "notifications", snapshot: { notifications } });

    await expect.poll(() => browser.posted).toEqual([{ type: "tocsin-close", tags: ["n1"] }]);
  });
});

describe("the worker's questions", () => {
  it("are answered: a notification that the socket has brought is here", async () => {
    await open();
    client.emit("notifications", "notification", { id: "n1", category: null });

    expect(await browser.say({ type: "tocsin-has", id: "n1" })).toEqual({ has: true });
  });

  it("wait a little for a socket that the push has overtaken", async () => {
    await open();
    const answer = browser.say({ type: "tocsin-has", id: "n1" });
    client.emit("notifications", "notification", { id: "n1", category: null });

    expect(await answer).toEqual({ has: true });
  });

  it("are answered with no when it does not come", async () => {
    await open();

    expect(await browser.say({ type: "tocsin-has", id: "n1" })).toEqual({ has: false });
  });

  it("and its clicks reach the page", async () => {
    const subscriber = await open();
    const clicks: unknown[] = [];
    subscriber.on("click", ({ link }) => clicks.push(link));
    const heard = browser.say({
      type: "tocsin-click",
      notification_id: "n1",
      link: "https://shop.example/a",
      data: {},
    });
    expect(clicks).toEqual(["https://shop.example/a"]);
    await heard;
  });
});
