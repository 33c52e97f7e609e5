/** The dashboard in Chromium: signing in, live figures, sessions, a user, and why somebody did not get it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { live, open, settles, until, useDemo } from "./demo.mjs";
import { IMAGES } from "./elements.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("the dashboard", () => {
  const demo = useDemo({ before, after });
  let session;
  before(async () => {
    session = await (await fetch(new URL("/demo/session", demo.server.url))).json();
  });

  const api = async (method, path, body, token = session.publish_token) => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const answer = await fetch(new URL(path, demo.server.url), { method, headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? null : await answer.json();
  };
  const notify = (body) => api("POST", "/api/notifications", { type: "order", message: "", ...body });

  /** Open the dashboard in a tab of its own, signed in. */
  async function visit(hash = "", options = {}) {
    const visitor = await open(demo, { reducedMotion: "reduce", ...options });
    await visitor.page.goto(`${demo.server.url}/admin#token=${encodeURIComponent(session.admin_token)}`);
    await visitor.page.locator(".tabs").waitFor();
    if (hash !== "") await visitor.page.evaluate((to) => location.assign(to), hash);
    return visitor;
  }

  /** Let both users of the demo's page be connected. */
  async function withUsers() {
    const visitor = await open(demo, {});
    await live(visitor.page);
    return visitor;
  }

  it("lets nobody in without a token, and says why one is refused", async () => {
    const { page, problems, close } = await open(demo);
    await page.goto(`${demo.server.url}/admin`);
    await page.locator("#token").fill(session.users[0].token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await settles(() => page.locator(".problem").textContent(), "this needs a token with the scope 'admin'");
    assert.equal(await page.locator("#token").count(), 1);

    await page.locator("#token").fill(session.admin_token);
    await page.keyboard.press("Enter");
    await page.locator(".tiles").waitFor();
    assert.deepEqual(
      problems.filter((problem) => !problem.includes("403")),
      [],
    );
    await close();
  });

  it("takes the demo's token out of the address, keeps it for the tab alone, and forgets it", async () => {
    const users = await withUsers();
    await users.page.locator("#dashboard").click();
    const { page, problems } = users;
    await page.locator(".tiles").waitFor();

    assert.equal(page.url(), `${demo.server.url}/admin`);
    assert.deepEqual(
      await page.evaluate(() => [localStorage.length > 0 && localStorage.tocsin_admin_token, document.cookie]),
      [await page.evaluate(() => localStorage.length > 0 && undefined), ""],
    );
    await page.reload();
    await page.locator(".tiles").waitFor();
    await page.locator("#sign-out").click();
    await page.locator("#token").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(problems, []);
    await users.close();
  });

  it("asks for a token where the one in the address is none", async () => {
    for (const wrong of ["%", "not%20one…", "종"]) {
      const { page, problems, close } = await open(demo);
      await page.goto(`${demo.server.url}/admin#token=${wrong}`);
      await page.locator("#token").waitFor();
      await settles(() => page.locator(".problem").count(), 1);
      assert.equal(new URL(page.url()).hash, "");
      assert.deepEqual(
        problems.filter((problem) => !problem.includes("401")),
        [],
      );
      await close();
    }
  });

  it("is skipped into by keyboard, and stays at its view", async () => {
    const { page, close } = await visit("#/trace");
    await page.locator("#who").waitFor();
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    assert.equal(new URL(page.url()).hash, "#/trace");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "who");
    await page.locator("#sign-out").click();
    await page.locator("#token").waitFor();
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "token");
    await close();
  });

  it("plots what happens", async () => {
    const users = await withUsers();
    const { page, problems, close } = await visit();
    await settles(() => page.locator(".tile", { hasText: "Users" }).locator("b").textContent(), "2");
    const events = page.locator(".plot", { hasText: "Events" }).locator("li", { hasText: "committed" }).locator("b");
    await until(async () => {
      await notify({ user_id: 1, title: "Tick" });
      return Number.parseFloat(await events.textContent()) > 0;
    }, 20_000);

    await until(async () => (await page.locator(".plot path").first().getAttribute("d")).includes("L"));
    assert.equal(await page.locator("#nodes-title ~ .scroll tbody tr").count(), 1);
    assert.deepEqual(problems, []);
    await close();
    await users.close();
  });

  it("goes on looking after the server was away, and shows all nodes where the chosen one is no more", async () => {
    const board = await visit();
    const user = await visit("#/user/1");
    const select = board.page.locator("#node");
    const [, node] = await select.locator("option").evaluateAll((options) => options.map(({ value }) => value));
    await select.selectOption(node);
    await user.page.locator(".streams").waitFor();
    const problems = [board, user].map(({ page }) => page.locator(".problem"));

    await demo.server.stop();
    for (const problem of problems)
      await settles(
        () => problem.textContent().then((text) => text.trim()),
        "The server is not there. The page tries again.",
      );
    await demo.server.start();

    for (const problem of problems) await settles(() => problem.count(), 0);
    await settles(() => board.page.getByText(`${node} does not answer`).isVisible(), true);
    assert.equal(await select.inputValue(), "");
    const committed = board.page.locator(".plot", { hasText: "Events" }).locator("li", { hasText: "committed" });
    await until(async () => {
      await notify({ user_id: 1, title: "Tock" });
      return Number.parseFloat(await committed.locator("b").textContent()) > 0;
    }, 20_000);
    await settles(
      () =>
        user.page
          .getByLabel("Stream /notifications")
          .locator(".events li")
          .count()
          .then((all) => all > 0),
      true,
    );
    await board.close();
    await user.close();
  });

  it("finds a session and cuts it, and its client comes back", async () => {
    const users = await withUsers();
    const { page, problems, close } = await visit("#/sessions");
    const rows = page.locator(".sessions tbody tr");
    await settles(() => rows.count(), 2);
    await page.locator("#find").fill("2");
    await settles(() => rows.count(), 1);
    const address = async () =>
      (await api("GET", "/api/admin/sessions?find=2", undefined, session.admin_token)).sessions;
    const [old] = await address();
    await page.getByRole("button", { name: /^Cut the session of 2 / }).click();
    await settles(
      () =>
        page
          .locator(".said")
          .textContent()
          .then((text) => text.includes("was cut")),
      true,
    );

    await until(async () => (await address()).some((one) => one.id !== old.id), 20_000);
    await live(users.page);
    assert.deepEqual(problems, []);
    await close();
    await users.close();
  });

  it("shows a user as it is now, with a test notification that arrives", async () => {
    const users = await withUsers();
    const { page, problems, close } = await visit("#/user/1");
    await settles(() => page.locator(".tag").first().textContent(), "online");
    await page.locator("input[name=title]").fill("<b>안녕하세요</b>");
    await page.keyboard.press("Enter");
    await settles(
      () =>
        page
          .locator(".said")
          .textContent()
          .then((text) => text.includes("Its id is ")),
      true,
    );

    await users.page.locator("tocsin-toasts .toast", { hasText: "<b>안녕하세요</b>" }).first().waitFor();
    const inbox = page.getByLabel("Stream /notifications");
    await inbox.getByRole("link", { name: "notification" }).first().click();
    await settles(() => page.locator(".way h3").textContent(), "<b>안녕하세요</b>");
    assert.match(await page.locator(".verdict").textContent(), /^(Yes|Perhaps)/);
    assert.deepEqual(problems, []);
    await close();
    await users.close();
  });

  it("tells by user and title why somebody did not get it, with the keyboard alone", async () => {
    await api("PUT", "/api/preferences", { categories: { social: { inbox: false } } }, session.users[1].token);
    await notify({ user_id: 2, title: "준호님, 새 팔로워", category: "social" });
    const { page, problems, close } = await visit("#/trace");
    await page.locator("#who").focus();
    await page.keyboard.type("2");
    await page.keyboard.press("Tab");
    await page.keyboard.type("팔로워");
    await page.keyboard.press("Enter");
    await page.locator(".found a").first().waitFor();
    await page.locator(".found a").first().focus();
    await page.keyboard.press("Enter");

    await settles(
      () => page.locator(".verdict").textContent(),
      "No: the user wants social out of the inbox, so it went to the archive and made no noise.",
    );
    assert.ok((await page.locator(".step.bad").count()) > 0);
    assert.deepEqual(problems, []);
    await close();
  });

  it("says so when nothing is known of an id", async () => {
    const { page, close } = await visit("#/trace/7");
    await settles(
      () =>
        page
          .getByRole("alert")
          .textContent()
          .then((text) => text.includes("no id that this server")),
      true,
    );
    await close();
  });

  /** A notification with a story: nobody was there, its phone is unknown here, and it was read in the end. */
  async function story() {
    await api(
      "POST",
      "/api/fcm/register-device",
      { token: `t-${Date.now()}`, platform: "android", device_name: "Mina's phone" },
      session.users[0].token,
    );
    const made = await notify({
      user_id: 1,
      title: "Your celadon teapot has shipped 🏺",
      category: "orders",
      priority: "high",
    });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const users = await withUsers();
    await until(async () => {
      const { timeline } = await api("GET", `/api/notifications/${made.id}/trace`, undefined, session.admin_token);
      return timeline.some(({ kind }) => kind === "acked") || timeline.some(({ channel }) => channel === "socket");
    }, 20_000);
    await api("PUT", `/api/notifications/${made.id}/read`, undefined, session.users[0].token);
    return { made, users };
  }

  for (const [name, options] of Object.entries({
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    narrow: { viewport: { width: 320, height: 900 } },
  })) {
    it(`has no accessibility fault that axe finds, and fits: ${name}`, async () => {
      const { made, users } = await story();
      const { page, problems, close } = await visit("", { locale: "en-GB", ...options });
      const isForDocs = process.env.ADMIN_IMAGES !== undefined && name !== "narrow";
      const shoot = async (what) => {
        const folder = isForDocs ? IMAGES : process.env.SHOTS;
        if (folder) await page.screenshot({ path: join(folder, `${what}-${name}.png`), fullPage: true });
      };
      // A minute of ups and downs fills the plots of a picture.
      const ticks = isForDocs ? 130 : 4;
      for (let tick = 0; tick < ticks; tick++) {
        for (let count = 0; count < 1 + (tick % 7); count++)
          await notify({ user_id: 1 + (count % 2), title: `Tick ${tick}` });
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      const faults = async () => {
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        return [
          overflow > 0 ? `${overflow} px too wide` : "",
          ...violations.map(({ id, nodes }) => `${id} ${nodes.map((node) => node.html)}`),
        ].filter(Boolean);
      };
      assert.deepEqual(await faults(), []);
      await shoot("admin");
      for (const [hash, ready] of [
        ["#/sessions", ".sessions"],
        ["#/user/1", ".events li"],
        [`#/trace/${made.id}`, ".verdict"],
      ]) {
        await page.evaluate((to) => location.assign(to), hash);
        await page.locator(ready).first().waitFor();
        assert.deepEqual(await faults(), [], hash);
        if (hash === "#/user/1" && process.env.SHOTS) await shoot("user");
      }
      await shoot("trace");
      assert.deepEqual(problems, []);
      await close();
      await users.close();
    });
  }
});
