/** `<tocsin-chat>` on a page of one's own, between two users with real connections. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { settles, useDemo } from "./demo.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("<tocsin-chat>", () => {
  const demo = useDemo({ before, after });

  /** Open a page with the element for one of the demo's users. */
  async function meet(index, { lang = "en", ...options } = {}) {
    const { users } = await (await fetch(new URL("/demo/session", demo.server.url))).json();
    const [own, peer] = index === 0 ? users : users.toReversed();
    const context = await demo.browser.newContext({ viewport: { width: 600, height: 700 }, ...options });
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(error.message));
    const address = new URL("/page-of-ones-own", demo.server.url).href;
    await page.route(address, (route) =>
      route.fulfill({
        contentType: "text/html; charset=utf-8",
        body: `<!doctype html><html lang="${lang}"><head><title>Chat</title>
          <meta name="viewport" content="width=device-width"><style>:root { color-scheme: light dark }
          body { background: canvas; font-family: sans-serif }</style>
          <script src="/js/websocket.js"></script><script src="/js/chat.js"></script></head>
          <body><main><h1>Chat</h1><tocsin-chat with="${peer.id}" name="${peer.name}"></tocsin-chat></main></body></html>`,
      }),
    );
    await page.addInitScript((token) => localStorage.setItem("auth_token", token), own.token);
    await page.goto(address);
    const api = (method, path, body) => call(demo.server.url, own.token, method, path, body);
    const at = (name) => page.locator(`tocsin-chat ${name}`);
    return {
      ...{ own, peer, page, problems, api },
      close: () => context.close(),
      input: at("textarea"),
      texts: at("[part~=message] .text"),
      metas: at("[part~=message] .meta"),
      presence: at("[part=presence]"),
      status: at("[part=status]"),
      list: at("[part=messages]"),
    };
  }

  it("shows what is sent, delivered, read, edited and taken back, on both sides", async () => {
    const [mina, junho] = [await meet(0), await meet(1)];
    await settles(() => mina.presence.textContent(), "online");
    await settles(() => junho.presence.textContent(), "online");

    await mina.input.pressSequentially("<b>안녕");
    await settles(async () => (await junho.status.textContent()).includes("is typing"), true);
    await mina.input.press("Enter");
    await settles(() => junho.texts.last().textContent(), "<b>안녕");
    await settles(async () => (await mina.metas.last().textContent()).includes("read"), true);
    await settles(() => junho.status.textContent(), "");

    await mina.metas.last().getByText("Edit").click();
    await settles(() => mina.input.inputValue(), "<b>안녕");
    await mina.input.fill("안녕하세요");
    await mina.input.press("Enter");
    await settles(() => junho.texts.last().textContent(), "안녕하세요");
    assert.ok((await junho.metas.last().textContent()).includes("edited"));
    assert.equal(await junho.page.locator("tocsin-chat b").count(), 0, "text is text");

    await mina.metas.last().getByText("Take back").click();
    await settles(() => junho.texts.last().textContent(), "This message was taken back");
    await junho.page.reload();
    await settles(() => junho.texts.last().textContent(), "This message was taken back");
    await junho.close();
    await settles(async () => (await mina.presence.textContent()).startsWith("last seen"), true);
    assert.deepEqual(mina.problems, []);
    await mina.close();
  });

  it("keeps the focus where a message is drawn anew, and in the list where a button goes", async () => {
    const mina = await meet(0);
    const focused = () =>
      mina.list.evaluate((list) => {
        const at = list.getRootNode().activeElement;
        return at?.getAttribute("part") ?? at?.textContent;
      });
    await mina.input.fill("read me");
    await mina.input.press("Enter");
    await settles(() => mina.texts.last().textContent(), "read me");
    await settles(() => mina.metas.last().getByText("Edit").count(), 1);
    await mina.metas.last().getByText("Edit").focus();
    const junho = await meet(1);
    await settles(async () => (await mina.metas.last().textContent()).includes("read"), true);
    assert.equal(await focused(), "Edit");

    await mina.page.keyboard.press("Tab");
    await mina.page.keyboard.press("Enter");
    await settles(() => mina.texts.last().textContent(), "This message was taken back");
    assert.equal(await focused(), "messages");
    await junho.close();
    await mina.close();
  });

  it("pages back as one scrolls up, and stays where one looks", async () => {
    const mina = await meet(0);
    for (let number = 0; number < 70; number += 1)
      await mina.api("POST", "/api/chat/messages", { to_user_id: mina.peer.id, message: `line ${number}` });
    await settles(() => mina.texts.last().textContent(), "line 69");
    await mina.page.reload();
    await settles(() => mina.texts.count(), 50);
    await settles(() => mina.list.evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight < 2), true);
    const first = await mina.texts.first().textContent();

    await mina.list.evaluate((list) => list.scrollTo({ top: 0 }));
    await settles(async () => (await mina.texts.count()) > 70, true);
    const seen = await mina.page.evaluate(
      ([text]) => {
        const list = document.querySelector("tocsin-chat").shadowRoot.querySelector("[part=messages]");
        const row = [...list.querySelectorAll(".text")].find((one) => one.textContent === text);
        return row.getBoundingClientRect().top - list.getBoundingClientRect().top;
      },
      [first],
    );
    assert.ok(seen >= 0 && seen < 100, `what was looked at is at ${seen} px`);
    assert.equal(await mina.texts.last().textContent(), "line 69");
    await mina.close();
  });

  it("keeps what is refused, and sends it again", async () => {
    const [mina, junho] = [await meet(0), await meet(1)];
    await junho.page.locator("tocsin-chat [part=block]").click();
    await settles(() => junho.status.textContent(), "You have blocked this person.");
    await mina.input.fill("hello?");
    await mina.input.press("Enter");
    await settles(async () => (await mina.metas.last().textContent()).includes("not sent"), true);
    assert.equal(await mina.status.textContent(), "This person takes no messages from you.");

    await junho.page.reload();
    await settles(() => junho.status.textContent(), "You have blocked this person.");
    await junho.page.locator("tocsin-chat [part=block]").getByText("Unblock").click();
    await settles(() => junho.status.textContent(), "");
    await mina.metas.last().getByText("Try again").click();
    await settles(() => junho.texts.last().textContent(), "hello?");
    await settles(async () => (await mina.metas.last().textContent()).includes("not sent"), false);
    await mina.close();
    await junho.close();
  });

  it("sends a link to a file that the host keeps", async () => {
    const [mina, junho] = [await meet(0), await meet(1)];
    await mina.page.evaluate(() => {
      document.querySelector("tocsin-chat").upload = async (file) => ({ url: `/files/${file.size}`, name: file.name });
    });
    const name = "<i>사진</i>.txt";
    const file = { name, mimeType: "text/plain", buffer: Buffer.from("hello") };
    await mina.page.locator("tocsin-chat input[type=file]").setInputFiles(file);
    const link = junho.page.locator("tocsin-chat .file").last();
    await settles(() => link.textContent(), name);
    assert.equal(await link.getAttribute("href"), "/files/5");
    assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
    await mina.close();
    await junho.close();
  });

  for (const colorScheme of ["light", "dark"])
    it(`has no accessibility fault that axe finds, in ${colorScheme} colours`, async () => {
      const mina = await meet(0, { colorScheme });
      await settles(async () => (await mina.texts.count()) > 0, true);
      await mina.page.evaluate(AXE);
      const { violations } = await mina.page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`),
        [],
      );
      if (process.env.SCREENSHOTS)
        await mina.page.screenshot({ path: `${process.env.SCREENSHOTS}/${colorScheme}.png` });
      await mina.close();
    });

  it("fits a narrow screen in Korean, and goes by keyboard alone", async () => {
    const mina = await meet(0, { lang: "ko", viewport: { width: 320, height: 640 } });
    await settles(() => mina.input.getAttribute("placeholder"), `${mina.peer.name} 님에게 메시지`);
    await mina.page.keyboard.press("Tab");
    for (let presses = 0; presses < 400; presses += 1) {
      if (await mina.input.evaluate((input) => input.getRootNode().activeElement === input)) break;
      await mina.page.keyboard.press("Tab");
    }
    await mina.page.keyboard.type("첫째 줄");
    await mina.page.keyboard.press("Shift+Enter");
    await mina.page.keyboard.type("둘째 줄");
    await mina.page.keyboard.press("Enter");
    await settles(() => mina.texts.last().textContent(), "첫째 줄\n둘째 줄");
    assert.equal(await mina.page.evaluate(() => document.documentElement.scrollWidth), 320);
    if (process.env.SCREENSHOTS) await mina.page.screenshot({ path: `${process.env.SCREENSHOTS}/narrow.png` });
    await mina.close();
  });
});

async function call(url, token, method, path, body) {
  const answer = await fetch(new URL(path, url), {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path} answered ${answer.status}`);
}
