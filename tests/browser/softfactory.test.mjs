/** The guide's application does in a browser what the guide says: for everybody, on any screen, over a crash. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { open, settles } from "./demo.mjs";
import { live, signIn, useSoftFactory } from "./softfactory.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

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

    await settles(() => mina.page.locator(".chat .presence").textContent(), "online");
    await junho.page.locator(".message.mine").last().locator("button").first().click();
    await settles(() => junho.input.inputValue(), "저도 지금 가요!");
    await junho.input.fill("저도 곧 가요!");
    await junho.input.press("Enter");
    await settles(() => mina.messages.last().textContent(), "저도 곧 가요!");
    assert.ok((await mina.page.locator(".message small").last().textContent()).includes("edited"));
    await junho.input.fill("아니에요");
    await junho.input.press("Enter");
    await settles(() => mina.messages.last().textContent(), "아니에요");
    await junho.page.locator(".message.mine").last().locator("button").last().click();
    await settles(() => mina.messages.last().textContent(), "This message was taken back");

    await mina.page.reload();
    await live(mina.page);
    await settles(() => mina.messages.count(), before + 2);
    await settles(() => mina.messages.last().textContent(), "This message was taken back");
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

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe objects to, in ${colorScheme}`, async () => {
      const { page: login, close: leave } = await open(factory, { colorScheme, bypassCSP: true });
      const { page, bell, notifications, close } = await signIn(factory, "mina", { colorScheme, bypassCSP: true });
      await bell.click();
      await notifications.first().waitFor();
      for (const shown of [login, page]) {
        await shown.addScriptTag({ path: AXE });
        const { violations } = await shown.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const found = violations.map(({ id, nodes }) => [
          id,
          nodes.map((node) => `${node.html} ${node.failureSummary}`),
        ]);
        assert.deepEqual(found, []);
      }
      await close();
      await leave();
    });
  }

  for (const width of [320, 390, 800]) {
    it(`fits a screen of ${width} px, in Korean and with the bell open`, async () => {
      const { page, bell, panel, close } = await signIn(factory, "junho", { viewport: { width, height: 800 } });

      await bell.click();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const box = await panel.boundingBox();

      assert.ok(overflow <= 0, `${overflow} px too wide`);
      assert.ok(box.x >= 0 && box.x + box.width <= width);
      assert.equal(await page.locator("html").getAttribute("lang"), "ko");
      assert.match(await bell.getAttribute("aria-label"), /^알림, 읽지 않음 \d+개$/);
      await close();
    });
  }

  it("is used by keyboard alone: from the login to the bell, an order and a message", async () => {
    const { page, close } = await open(factory);
    const focused = (selector) => page.evaluate((wanted) => document.activeElement.matches(wanted), selector);
    const tabTo = async (selector) => {
      for (let presses = 0; presses < 40 && !(await focused(selector)); presses += 1) await page.keyboard.press("Tab");
      assert.ok(await focused(selector), `the focus never came to ${selector}`);
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    };

    await tabTo("[name=login]");
    await page.keyboard.type("mina");
    await tabTo("[name=password]");
    await page.keyboard.type("softfactory");
    await page.keyboard.press("Enter");
    await live(page);

    await tabTo("#bell-button");
    await page.keyboard.press("Enter");
    assert.ok(await focused("#notification-panel"));
    const unread = Number(await page.locator("#unread-count").textContent());
    await tabTo(".notification-item button");
    await page.keyboard.press("Enter");
    await settles(async () => Number(await page.locator("#unread-count").textContent()), unread - 1);
    await settles(() => focused("#notification-panel"), true);
    await page.keyboard.press("Escape");
    assert.ok(await focused("#bell-button"));

    await tabTo("#orders button");
    const id = await page.evaluate(() => document.activeElement.closest("li").dataset.id);
    const step = page.locator(`#orders [data-id="${id}"] .current`);
    const before = await step.textContent();
    await page.keyboard.press("Enter");
    await settles(async () => (await step.textContent()) !== before, true);
    assert.ok(await focused(`[data-id="${id}"] button`), "the focus stays on the order that moved");
    await tabTo(".chat [name=message]");
    await page.keyboard.type("keys only");
    await page.keyboard.press("Enter");
    await settles(() => page.locator(".message p").last().textContent(), "keys only");
    await close();
  });

  it("loses and doubles nothing when the server is killed while it works", async () => {
    const mina = await signIn(factory, "mina");
    const junho = await signIn(factory, "junho");
    const { page, api, badge, messages } = mina;
    await page.evaluate(() => {
      window.heard = [];
      for (const event of ["publish_started", "publish_success"]) {
        window.ws.on("sns", event, ({ post_id }) => post_id === 77 && window.heard.push(event));
      }
      window.ws.emit("sns", "publish_start", { post_id: 77, platforms: ["instagram", "twitter"] });
    });
    await settles(() => page.evaluate(() => window.heard), ["publish_started"]);
    assert.equal((await api("/api/orders", { sku: "stool" })).status, 201);

    await factory.server.kill();
    await settles(
      () =>
        page
          .locator("#light")
          .getAttribute("data-state")
          .then((state) => state !== "connected"),
      true,
    );
    await mina.input.fill("Are you still there?");
    await mina.input.press("Enter");
    await factory.server.start();
    await live(page);
    await live(junho.page);

    await settles(() => junho.messages.last().textContent(), "Are you still there?");
    await settles(() => messages.last().textContent(), "Are you still there?");
    await settles(() => page.evaluate(() => window.heard), ["publish_started", "publish_success"]);
    const told = async () => (await api("/api/notifications?limit=200")).json;
    const published = async () => (await told()).notifications.filter((one) => one.data.post_id === 77).length;
    await settles(published, 1);
    await settles(async () => Number(await badge.textContent()), (await told()).unread_count);
    const texts = await messages.allTextContents();
    assert.equal(texts.filter((text) => text === "Are you still there?").length, 1);
    await mina.close();
    await junho.close();
  });
});
