/** Tabs of one user over one connection: all see everything once, whichever of them goes. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles, until, useDemo } from "./demo.mjs";
import { inboxOf, show } from "./elements.mjs";

describe("tabs that share a connection", () => {
  const demo = useDemo({ before, after });

  /** Open a tab that notes what it is told. */
  async function open(inbox, context) {
    const options = { scripts: '<script src="/js/shared.js"></script><script src="/heard.js"></script>' };
    const tab = await show(demo, inbox, "<tocsin-bell></tocsin-bell>", { ...options, ...(context && { context }) });
    return {
      ...tab,
      heard: () => tab.page.evaluate(() => window.heard),
      leads: () => tab.page.evaluate(() => window.ws.hasConnection),
      badge: () => tab.page.locator("tocsin-bell [part=badge]").textContent(),
    };
  }

  async function meet() {
    const inbox = await inboxOf(demo);
    const peer = await inboxOf(demo, 1);
    await inbox.clear();
    const context = await demo.browser.newContext();
    await context.route("**/heard.js", (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: `window.heard = [];
          ws.on("notifications", "notification", ({ title }) => heard.push(title));
          ws.on("chat", "message_received", ({ message }) => heard.push(message));`,
      }),
    );
    const first = await open(inbox, context);
    const others = [await open(inbox, context), await open(inbox, context)];
    return { inbox, peer, context, first, others };
  }

  it("have one connection, hear everything once, and ask through it", async () => {
    const { inbox, peer, context, first, others } = await meet();
    const tabs = [first, ...others];
    assert.deepEqual(
      tabs.map(({ sockets }) => sockets.size),
      [1, 0, 0],
    );
    for (let number = 0; number < 5; number += 1) await inbox.publish({ title: `n${number}` });
    await peer.api("POST", "chat/messages", { to_user_id: inbox.user.id, message: "hi" });
    for (const tab of tabs) {
      await settles(async () => (await tab.heard()).toSorted(), ["hi", "n0", "n1", "n2", "n3", "n4"]);
      await settles(() => tab.badge(), "5");
    }
    const sent = await others[0].page.evaluate((to) => window.ws.sendMessage(to, "from a tab"), peer.user.id);
    assert.ok(sent.message_id ?? sent.id);
    const refused = others[1].page.evaluate(() =>
      window.ws.emitWithAck("chat", "edit_message", { message_id: "no", message: "x" }).catch((error) => error.code),
    );
    assert.match(await refused, /^(not_found|invalid)$/);
    for (const { problems } of tabs) assert.deepEqual(problems, []);
    await context.close();
  });

  it("lose and double nothing when the one with the connection goes, time and again", async () => {
    const { inbox, context, first, others } = await meet();
    let tabs = [first, ...others];
    let number = 0;
    const wanted = new Map(tabs.map((tab) => [tab, []]));
    const publish = async () => {
      const title = `n${number++}`;
      for (const tab of tabs) wanted.get(tab).push(title);
      await inbox.publish({ title });
    };
    for (let turn = 0; turn < 3; turn += 1) {
      for (let some = 0; some < 4; some += 1) await publish();
      for (const tab of tabs) await settles(() => tab.heard(), wanted.get(tab));
      const leader = await findLeader(tabs);
      tabs = tabs.filter((tab) => tab !== leader);
      await leader.page.close();
      // Nobody has a connection at this moment.
      for (let some = 0; some < 4; some += 1) await publish();
      for (const tab of tabs) await settles(() => tab.heard(), wanted.get(tab));
      await until(async () => (await Promise.all(tabs.map((tab) => tab.leads()))).filter(Boolean).length === 1);
      const next = await open(inbox, context);
      wanted.set(next, []);
      tabs.push(next);
      await settles(() => tabs.reduce((sum, { sockets }) => sum + sockets.size, 0), 1);
      await settles(() => next.badge(), await tabs[0].badge());
    }
    for (const { problems } of tabs) assert.deepEqual(problems, []);
    await context.close();
  });

  it("catch up by the log with what a tab has missed", async () => {
    const { inbox, context, first, others } = await meet();
    const [sleeper] = others;
    await sleeper.page.evaluate(() => {
      // As if it had slept: nothing that was said reached it.
      const { hear } = window.ws;
      window.ws.hear = () => {};
      window.wake = () => {
        window.ws.hear = hear;
        document.dispatchEvent(new Event("visibilitychange"));
      };
    });
    for (let number = 0; number < 4; number += 1) await inbox.publish({ title: `n${number}` });
    await settles(() => first.heard(), ["n0", "n1", "n2", "n3"]);
    assert.deepEqual(await sleeper.heard(), []);
    await sleeper.page.evaluate(() => window.wake());
    await settles(() => sleeper.heard(), ["n0", "n1", "n2", "n3"]);
    await settles(() => sleeper.badge(), "4");
    await context.close();
  });

  it("take the connection from a tab that has stopped", async () => {
    const { inbox, context, first, others } = await meet();
    const devtools = await context.newCDPSession(first.page);
    // A browser freezes no tab that is seen, and here all are: this one runs no script until it is let go on.
    await devtools.send("Debugger.enable");
    await devtools.send("Debugger.pause");
    // Whoever looks at another tab notices that nobody answers, however often he looks and busy that tab is.
    await others[0].page.evaluate(() => {
      for (let look = 0; look < 3; look += 1) document.dispatchEvent(new Event("visibilitychange"));
      for (const end = Date.now() + 5_200; Date.now() < end; );
    });
    await until(() => others[0].leads());
    await inbox.publish({ title: "news" });
    for (const tab of others) await settles(() => tab.heard(), ["news"]);
    await devtools.send("Debugger.resume");
    await devtools.send("Debugger.disable");
    await settles(() => first.heard(), ["news"]);
    await until(async () => !(await first.leads()));
    await inbox.publish({ title: "more" });
    for (const tab of [first, ...others]) await settles(() => tab.heard(), ["news", "more"]);
    await context.close();
  });
});

async function findLeader(tabs) {
  for (const tab of tabs) if (await tab.leads()) return tab;
  throw new Error("no tab has the connection");
}
