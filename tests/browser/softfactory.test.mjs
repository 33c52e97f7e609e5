/** The guide's application does in a browser what the guide says. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles } from "./demo.mjs";
import { live, open, signIn, useSoftFactory } from "./softfactory.mjs";

describe("SoftFactory", () => {
  const factory = useSoftFactory({ before, after });

  it("keeps out who does not know the password", async () => {
    const { page, close } = await open(factory);

    await page.locator("[name=login]").fill("mina");
    await page.locator("[name=password]").fill("guess");
    await page.getByRole("button", { name: "Sign in" }).click();

    await page.getByRole("alert").waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("auth_token")), null);
    assert.equal((await fetch(`${factory.server.url}/api/orders`)).status, 401);
    await close();
  });

  it("shows an order move, and a notification of each step with the bell's badge", async () => {
    const { page, badge, bell, notifications, orders, step, problems, close } = await signIn(factory, "mina");
    const unread = Number(await badge.textContent());

    await page.getByRole("button", { name: "Order", exact: true }).click();
    await settles(() => orders.count(), 2);
    const steps = ["Placed", "Packed", "Shipped", "Out for delivery", "Delivered"];
    for (const [index, name] of steps.entries()) {
      await settles(() => step.textContent(), name);
      await settles(() => badge.textContent().then(Number), unread + index + 1);
      if (index < 4) await orders.first().getByRole("button").click();
    }

    await bell.click();
    await settles(() => notifications.count(), unread + 5);
    assert.deepEqual(problems, []);
    await close();
  });

  it("asks for the sound, and shows the notification also where it can't be played", async () => {
    const { page, api, badge, problems, close } = await signIn(factory, "mina");
    const unread = Number(await badge.textContent());
    const [sound] = await Promise.all([
      page.waitForResponse(/notification\.mp3$/),
      api("/api/orders", { sku: "lamp" }),
    ]);

    assert.ok([200, 206].includes(sound.status()));
    assert.equal(sound.headers()["content-type"], "audio/mpeg");
    await settles(() => badge.textContent().then(Number), unread + 1);
    assert.deepEqual(problems, []);
    await close();
  });

  it("shows a text with markup in it as text, wherever it comes from", async () => {
    const mina = await signIn(factory, "mina");
    const junho = await signIn(factory, "junho");
    const markup = "<img src=x onerror=alert(1)>";

    const { json: post } = await mina.api("/api/posts", { text: markup });
    await junho.api(`/api/posts/${post.post_id}/comments`, { text: markup });
    await junho.input.fill(markup);
    await junho.input.press("Enter");

    await mina.bell.click();
    await settles(async () => (await mina.notifications.first().textContent()).includes(markup), true);
    await settles(() => mina.messages.last().textContent(), markup);
    await settles(async () => (await junho.posts.first().textContent()).includes(markup), true);
    for (const { page, problems, close } of [mina, junho]) {
      assert.equal(await page.locator("main img, .panel img").count(), 0);
      assert.deepEqual(problems, []);
      await close();
    }
  });

  it("answers the guide's console call with publish_success", async () => {
    const { page, close } = await signIn(factory, "mina");

    const success = await page.evaluate(
      () =>
        new Promise((resolve) => {
          window.ws.connect();
          window.ws.on("sns", "publish_success", resolve);
          window.ws.emit("sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] });
        }),
    );

    assert.equal(success.post_id, 123);
    assert.deepEqual(success.platforms, ["instagram", "twitter"]);
    assert.match(success.timestamp, /Z$/);
    assert.ok(success.message.length > 0);
    await close();
  });

  it("publishes a post, says of a platform that refuses why, and lets the other like and comment", async () => {
    const mina = await signIn(factory, "mina");
    const junho = await signIn(factory, "junho");
    const publish = async (text) => {
      await mina.page.getByPlaceholder("What is new?").fill(text);
      await mina.page.getByRole("button", { name: "Publish", exact: true }).click();
    };
    const first = mina.posts.first();

    await publish("First kiln opening 🏺");
    await settles(() => first.locator(".state").textContent(), "Published to instagram, twitter");
    await mina.page.getByLabel("tiktok").check();
    await publish("Second kiln opening");
    await settles(async () => (await first.locator(".state").textContent()).includes("tiktok: it wants a video"), true);

    const theirs = junho.posts.filter({ hasText: "Second kiln opening" });
    await theirs.getByRole("button").click();
    await theirs.getByPlaceholder("댓글").fill("정말 예뻐요!");
    await theirs.getByPlaceholder("댓글").press("Enter");
    await settles(() => first.getByRole("button").textContent(), "♥ 1");
    await settles(() => first.locator(".comments li").allTextContents(), ["준호 정말 예뻐요!"]);
    await mina.close();
    await junho.close();
  });

  it("lets two users chat: one typing indicator, which vanishes, and a history after the reload", async () => {
    const mina = await signIn(factory, "mina");
    const junho = await signIn(factory, "junho");
    const before = await mina.messages.count();

    await junho.input.pressSequentially("저도 지금 가요");
    await settles(() => mina.typing.textContent(), "준호 is typing…");
    // The guide's component listed a typist at each announcement: only as many stops made the line vanish.
    for (let times = 0; times < 3; times += 1) {
      await junho.page.evaluate(() => window.ws.emit("chat", "typing", { to_user_id: 1, is_typing: true }));
    }
    await junho.page.evaluate(() => window.ws.emit("chat", "typing", { to_user_id: 1, is_typing: false }));
    await settles(() => mina.typing.textContent(), "");
    await junho.input.pressSequentially("!");
    await junho.input.press("Enter");

    await settles(() => mina.messages.count(), before + 1);
    await settles(() => mina.messages.last().textContent(), "저도 지금 가요!");
    await settles(() => mina.typing.textContent(), "");
    await settles(() => junho.messages.last().textContent(), "저도 지금 가요!");
    await settles(async () => (await junho.page.locator(".message small").last().textContent()).includes("읽음"), true);

    await mina.page.reload();
    await live(mina.page);
    await settles(() => mina.messages.count(), before + 1);
    await mina.close();
    await junho.close();
  });

  it("leaves the page's other handlers in place when the chat goes", async () => {
    const { page, messages, api, close } = await signIn(factory, "mina");
    const { api: junho, close: leave } = await signIn(factory, "junho");
    await page.evaluate(async () => {
      window.heard = [];
      window.ws.on("chat", "message_received", (data) => window.heard.push(data.message));
      const { mountChat } = await import("/dist/chat.js");
      const props = {
        recipientName: "",
        loadHistory: async () => [],
        texts: { chatWith: String, messageTo: String },
        time: String,
      };
      const unmount = mountChat(document.createElement("div"), { ...props, recipientId: 2 });
      unmount();
    });

    await junho("/api/messages?with=1", { text: "by way of HTTP" });

    await settles(() => page.evaluate(() => window.heard), ["by way of HTTP"]);
    await settles(() => messages.last().textContent(), "by way of HTTP");
    const { json } = await api("/api/messages?with=2");
    assert.equal(
      json.messages.filter((one) => one.message === "by way of HTTP").length,
      1,
      "saved and broadcast: one message",
    );
    await leave();
    await close();
  });
});
