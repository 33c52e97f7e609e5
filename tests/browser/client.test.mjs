/** The guide's own use of `/js/websocket.js` in a real browser, and the API page. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { live, settles, useDemo, visit } from "./demo.mjs";

describe("a page with the browser client", () => {
  const demo = useDemo({ before, after });
  let visitor;
  before(async () => {
    visitor = await visit(demo);
    await visitor.page.evaluate(async () => {
      const { users, publish_token } = await (await fetch("/demo/session")).json();
      localStorage.setItem("auth_token", users[0].token);
      localStorage.setItem("test_publish_token", publish_token);
    });
    await visitor.page.reload();
    await live(visitor.page);
  });
  after(() => visitor.close());

  const notify = (title) =>
    visitor.page.evaluate(async (title) => {
      const headers = {
        Authorization: `Bearer ${localStorage.getItem("test_publish_token")}`,
        "Content-Type": "application/json",
      };
      const body = JSON.stringify({ user_id: 1, type: "t", title, message: "" });
      return (await fetch("/api/notifications", { method: "POST", headers, body })).status;
    }, title);

  it("is connected by itself when somebody is signed in", async () => {
    const { page } = visitor;

    await settles(() => page.evaluate(() => window.ws.isConnected), true);

    const sockets = await page.evaluate(() => Object.keys(window.ws.sockets).sort());
    assert.deepEqual(sockets, ["chat", "notifications", "orders", "sns"]);
  });

  it("hears of a notification until it asks no more", async () => {
    const { page } = visitor;
    await page.evaluate(() => {
      window.heard = [];
      window.ws.on("notifications", "notification", (data) => window.heard.push(data.title));
    });

    assert.equal(await notify("first 🔔"), 201);
    await settles(() => page.evaluate(() => window.heard), ["first 🔔"]);
    await page.evaluate(() => window.ws.off("notifications", "notification", null));
    const shown = visitor.mina.toasts.filter({ hasText: "second" }).first().waitFor();
    assert.equal(await notify("second"), 201);

    await shown;
    assert.deepEqual(await page.evaluate(() => window.heard), ["first 🔔"]);
  });

  it("sends a message to another user", async () => {
    const { page, junho } = visitor;

    await page.evaluate(() => window.ws.sendMessage(2, "Hello from WebSocket!"));

    await settles(() => junho.messages.last().locator("p").textContent(), "Hello from WebSocket!");
  });

  it("leaves and comes back when it is told to", async () => {
    const { page } = visitor;

    await page.evaluate(() => window.ws.disconnect());
    assert.equal(await page.evaluate(() => window.ws.isConnected), false);
    await page.evaluate(() => window.ws.connect());

    await settles(() => page.evaluate(() => window.ws.isConnected), true);
  });

  it("can read the API's documentation, which loads nothing from elsewhere either", async () => {
    const { page, problems } = visitor;

    await page.goto(`${demo.server.url}/docs`);
    await page.getByText("/api/notifications/read-all").waitFor();

    assert.deepEqual(problems, []);
  });
});
