/** The guide's pages as they stand there, in a browser, on the guide's application. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { settles } from "./demo.mjs";
import { useGuide, visit } from "./guide.mjs";

const EXAMPLE = new URL("../../examples/softfactory/", import.meta.url);
const CHAT = new URL("../acceptance/guide/pages/chat.jsx", import.meta.url);
const OLD_CLIENT = new URL(
  "../acceptance/node/node_modules/socket.io-client-4-5/dist/socket.io.min.js",
  import.meta.url,
);

describe("the guide", () => {
  const guide = useGuide({ before, after });

  it("Frontend Setup: the page hears of a post, an order, a message and a notification", async () => {
    const { page, said, close } = await visit(guide, "/pages/quick_start.html", 11);
    await settles(() => page.evaluate(() => window.ws.isConnected), true);

    await guide.call("services.sns.publish_post_to_platforms", [123, 11, ["instagram"]]);
    await guide.call("websocket_server.broadcast_order_event", [
      "order_updated",
      11,
      { order_id: 5, status: "packed" },
    ]);
    await guide.call("services.chat.send_message", [12, 11, "안녕 <b>"]);

    await settles(
      () => page.evaluate(() => window.shown.filter(([kind]) => kind !== "notification")),
      [
        ["order", 5, "packed"],
        ["message", 12, "안녕 <b>"],
      ],
    );
    const [published] = await page.evaluate(() => window.shown.filter(([kind]) => kind === "notification"));
    assert.equal(published[1], "Published!");
    assert.equal(typeof published[2], "string");
    assert(said.some((line) => line.startsWith("Notification:")));
    await close();
  });

  it("Notification Bell: the page as it is, with the old socket.io script beside ours", async () => {
    const context = await guide.browser.newContext();
    const page = await context.newPage();
    const script = await readFile(OLD_CLIENT, "utf8");
    await page.route("https://cdn.socket.io/**", (route) =>
      route.fulfill({ contentType: "text/javascript", body: script }),
    );
    const token = await (await fetch(`${guide.url}/login/21`)).text();
    await page.addInitScript((value) => localStorage.setItem("auth_token", value), token);
    await page.goto(`${guide.url}/pages/bell.html`);
    await settles(() => page.evaluate(() => window.ws.isConnected), true);

    await guide.call("services.notifications.create_notification", [21, "system", "첫 알림", "Hello"]);
    await guide.call("services.notifications.create_notification", [21, "system", "Second", "again"]);

    await settles(() => page.locator("#unread-count").textContent(), "2");
    await page.getByRole("button").click();
    await settles(() => page.locator(".notification-item strong").allTextContents(), ["Second", "첫 알림"]);
    assert(!(await page.locator(".notification-item small").first().textContent()).includes("Invalid"));
    await context.close();
  });

  it("React Example: two users chat and see each other write", async () => {
    const bundle = await bundleChat();
    const mina = await openChat(guide, bundle, 31, 32);
    const junho = await openChat(guide, bundle, 32, 31);

    await mina.page.getByPlaceholder("Type a message...").pressSequentially("점심?");
    await settles(() => junho.page.locator(".typing-indicator").count(), 1);
    await mina.page.getByPlaceholder("Type a message...").press("Enter");

    await settles(() => junho.page.locator(".message p").allTextContents(), ["점심?"]);
    await settles(() => junho.page.locator(".message strong").allTextContents(), ["Them"]);
    await mina.close();
    await junho.close();
  });

  it("Troubleshooting: what the console says of the connection", async () => {
    const { page, close } = await visit(guide, "/pages/quick_start.html", 41);
    await settles(() => page.evaluate(() => window.ws.isConnected), true);

    const sockets = await page.evaluate(() =>
      Object.entries(window.ws.sockets).map(([name, { connected }]) => [name, connected]),
    );
    await page.evaluate(() => window.ws.disconnect());
    const afterwards = await page.evaluate(() => window.ws.isConnected);
    await page.evaluate(() => window.ws.connect());

    assert.deepEqual(Object.fromEntries(sockets), { sns: true, orders: true, chat: true, notifications: true });
    assert.equal(afterwards, false);
    await settles(() => page.evaluate(() => window.ws.isConnected), true);
    await close();
  });

  it("Authentication: a client made by the page takes the token that is stored", async () => {
    const { page, close } = await visit(guide, "/pages/quick_start.html", 51);

    await page.evaluate(() => {
      window.ws.disconnect();
      window.ws = new WebSocketClient();
      window.ws.connect();
    });

    await settles(() => page.evaluate(() => window.ws.isConnected), true);
    await close();
  });

  it("Manual Testing: publish_start typed into the console is answered by publish_success", async () => {
    const mine = await visit(guide, "/pages/quick_start.html", 456);
    const { page, said, close } = await visit(guide, "/pages/quick_start.html", 61);

    await page.evaluate(() => {
      window.ws.connect();
      window.ws.on("sns", "publish_success", (data) => {
        console.log("Success!", JSON.stringify(data));
      });
      window.ws.emit("sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] });
      window.ws.sendMessage(456, "Hello from WebSocket!");
      window.ws.on("notifications", "notification", (data) => {
        console.log("Got notification:", data.title);
      });
    });

    await settles(() => said.filter((line) => line.startsWith("Success!")).length, 1);
    const success = JSON.parse(said.find((line) => line.startsWith("Success!")).slice("Success!".length));
    assert.deepEqual([success.post_id, success.platforms], [123, ["instagram", "twitter"]]);
    await settles(() => said.filter((line) => line.startsWith("Got notification:")).length, 1);
    await settles(() => mine.page.evaluate(() => window.shown), [["message", 61, "Hello from WebSocket!"]]);
    await close();
    await mine.close();
  });
});

/** Bundle the guide's component as it is, with a line that shows it. */
async function bundleChat() {
  const require = createRequire(new URL("package.json", EXAMPLE));
  const { build } = require("esbuild");
  const component = (await readFile(CHAT, "utf8")).replace("import {", "import React, {");
  const contents = `${component}
    import { createRoot } from "react-dom/client";
    const recipientId = Number(new URLSearchParams(location.search).get("to"));
    createRoot(document.getElementById("root")).render(<ChatComponent recipientId={recipientId} />);`;
  const { outputFiles } = await build({
    stdin: { contents, loader: "jsx", resolveDir: new URL(".", EXAMPLE).pathname },
    bundle: true,
    write: false,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].text;
}

async function openChat(guide, bundle, userId, recipientId) {
  const context = await guide.browser.newContext();
  const page = await context.newPage();
  const token = await (await fetch(`${guide.url}/login/${userId}`)).text();
  await page.addInitScript((value) => localStorage.setItem("auth_token", value), token);
  const html = '<div id="root"></div><script src="/js/websocket.js"></script><script src="/chat.js"></script>';
  await page.route(`${guide.url}/chat.html**`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.route(`${guide.url}/chat.js`, (route) => route.fulfill({ contentType: "text/javascript", body: bundle }));
  await page.goto(`${guide.url}/chat.html?to=${recipientId}`);
  await settles(() => page.evaluate(() => window.ws.isConnected), true);
  return { page, close: () => context.close() };
}
