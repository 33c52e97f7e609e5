/** The elements of the inbox among many: ten thousand notifications, tabs and devices, hostile texts, sounds, preferences. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { settles, until, useDemo } from "./demo.mjs";
import { faults, inboxOf, partsOf, show } from "./elements.mjs";

const INBOX = "<tocsin-inbox></tocsin-inbox>";
const BELL = "<tocsin-bell></tocsin-bell>";
const TOASTS = "<tocsin-toasts></tocsin-toasts>";
const PREFERENCES = "<tocsin-preferences></tocsin-preferences>";
const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
  "$" + "{alert(1)}",
  "<!--?lit$1$--><iframe srcdoc='<script>alert(1)</script>'>",
  "</style><style>*{display:none}</style>",
  "\u202Egnp.exe",
];

describe("the elements among many", () => {
  const demo = useDemo({ before, after });

  async function empty(index = 0) {
    const inbox = await inboxOf(demo, index);
    await inbox.clear();
    return inbox;
  }

  it("show what is hostile as text, and run nothing", async () => {
    const inbox = await empty();
    const html = `${INBOX}${TOASTS}${PREFERENCES}`;
    const { page, problems, close } = await show(demo, inbox, html, { viewport: { width: 800, height: 1200 } });
    const { titles, rows } = partsOf(page);
    for (const [index, text] of HOSTILE.entries())
      await inbox.publish({
        ...{ title: text, message: text, category: text.slice(0, 64), type: "x", data: { url: text, html: text } },
        group: { key: String(index), actor: { id: `u${index}`, name: text.slice(0, 60) } },
      });
    await settles(async () => (await titles.allTextContents()).map((title) => title.trim()), HOSTILE.toReversed());
    await settles(() => page.locator("tocsin-toasts .toast .title a").last().textContent(), HOSTILE.at(-1));
    await settles(async () => (await rows.nth(0).locator(".message").textContent()).trim(), HOSTILE.at(-1));
    await page.reload();
    await settles(() => page.locator("tocsin-preferences tbody tr").count(), HOSTILE.length + 1);
    const found = await page.evaluate(() =>
      [...document.querySelectorAll("tocsin-inbox, tocsin-toasts, tocsin-preferences")].flatMap(({ shadowRoot }) =>
        [
          ...shadowRoot.querySelectorAll(
            "img, script, iframe, style, [onload], [onerror], [onmouseover], a[href^=java]",
          ),
        ].map((one) => one.outerHTML),
      ),
    );
    assert.deepEqual(found, []);
    assert.deepEqual(problems, []);
    await close();
  });

  it("scroll through ten thousand, and draw few of them", async () => {
    const inbox = await empty(1);
    let next = 0;
    const publish = async () => {
      while (next < 10_000) {
        next += 1;
        await inbox.publish({ title: `number ${next}`, message: "word ".repeat(next % 40) });
      }
    };
    await Promise.all(Array.from({ length: 24 }, publish));
    const { page, close } = await show(demo, inbox, INBOX);
    const { list, rows, titles, row } = partsOf(page);
    await settles(async () => (await rows.count()) > 0, true);
    assert.ok((await rows.count()) < 60);

    const end = () => list.evaluate((each) => each.scrollTo({ top: each.scrollHeight }));
    const size = () => page.evaluate(() => document.querySelector("tocsin-inbox").store.snapshot.inbox.items.size);
    await until(async () => {
      await end();
      return (await size()) === 10_000;
    }, 120_000);
    await end();
    await settles(() => rows.last().getAttribute("aria-posinset"), "10000");
    assert.equal(await rows.last().getAttribute("aria-setsize"), "10000");

    // Frames that a wheel scrolls through: each shows rows, and the same few are kept.
    const seen = await list.evaluate(async (each) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const counts = [];
      let blank = 0;
      for (let step = 0; step < 120; step += 1) {
        each.scrollBy({ top: -700 });
        await frame();
        await frame();
        const { top, bottom } = each.getBoundingClientRect();
        const drawn = [...each.querySelectorAll("article")].map((one) => one.getBoundingClientRect());
        counts.push(drawn.length);
        if (
          !drawn.some((box) => box.top <= top + 1 && box.bottom > top) ||
          !drawn.some((box) => box.bottom >= bottom - 1)
        )
          blank += 1;
      }
      return { most: Math.max(...counts), blank };
    });
    assert.equal(seen.blank, 0, "no frame shows a hole");
    assert.ok(seen.most < 60, `${seen.most} rows drawn at once`);

    // What comes while one looks further down leaves what is looked at where it is.
    const first = async () =>
      await list.evaluate((each) => {
        const { top } = each.getBoundingClientRect();
        const one = [...each.querySelectorAll("article")].find((row) => row.getBoundingClientRect().bottom > top + 2);
        return { id: one.dataset.id, top: one.getBoundingClientRect().top };
      });
    const held = await first();
    await inbox.publish({ title: "new on top" });
    await until(async () => (await size()) === 10_001);
    const still = await first();
    assert.equal(still.id, held.id);
    assert.ok(Math.abs(still.top - held.top) < 2, `it moved from ${held.top} to ${still.top}`);
    await list.evaluate((each) => each.scrollTo({ top: 0 }));
    await settles(async () => (await titles.first().textContent()).trim(), "new on top");
    await row("new on top").focus();
    await page.keyboard.press("End");
    await settles(
      () => page.evaluate(() => document.querySelector("tocsin-inbox").shadowRoot.activeElement?.ariaPosInSet),
      "10001",
    );
    await inbox.api("POST", "notifications/archive-all", {});
    await settles(() => rows.count(), 0);
    await close();
  });

  it("toast what comes, at most three, until it is read or taken back anywhere", async () => {
    const inbox = await empty();
    const { page, problems, close } = await show(demo, inbox, TOASTS, { reducedMotion: "reduce" });
    const toasts = page.locator("tocsin-toasts .toast .title a");
    const made = [];
    for (const title of ["one", "two", "three", "four"]) made.push(await inbox.publish({ title, priority: "urgent" }));
    await settles(() => toasts.allTextContents(), ["two", "three", "four"]);
    assert.equal(await page.locator("tocsin-toasts [aria-live=assertive] .toast").count(), 3);
    assert.deepEqual(await faults(page), []);
    await inbox.api("PUT", `notifications/${made[2].id}/read`);
    await inbox.back("DELETE", `notifications/${made[1].id}`);
    await settles(() => toasts.allTextContents(), ["four"]);
    await page.getByRole("button", { name: "Dismiss: four" }).click();
    await settles(() => toasts.count(), 0);

    await page.evaluate(() => document.querySelector("tocsin-toasts").setAttribute("seconds", "0.5"));
    await inbox.publish({ title: "held" });
    await page.locator("tocsin-toasts .toast").hover();
    await inbox.publish({ title: "later" });
    await settles(() => toasts.allTextContents(), ["held", "later"]);
    await page.mouse.move(0, 0);
    await settles(() => toasts.count(), 0);
    assert.deepEqual(problems, []);
    await close();
  });

  it("ring once for each notification in one of two tabs, and only after a touch", async () => {
    const inbox = await empty();
    const one = await show(demo, inbox, `${TOASTS}<button>touch</button>`);
    const other = await show(demo, inbox, `${TOASTS}<button>touch</button>`, { context: one.context });
    const tabs = [one, other];
    for (const { page } of tabs)
      await page.evaluate(() => {
        // What drives this browser counts as a touch; here only a click does.
        const touch = { hasBeenActive: false };
        Object.defineProperty(navigator, "userActivation", { get: () => touch });
        addEventListener("click", () => Object.assign(touch, { hasBeenActive: true }));
        window.notes = 0;
        window.OscillatorNode = class extends OscillatorNode {
          start(...at) {
            window.notes += 1;
            super.start(...at);
          }
        };
      });
    const notes = async () =>
      (await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.notes)))).reduce((a, b) => a + b);
    const shown = async (title) => {
      for (const { page } of tabs)
        await settles(() => page.locator("tocsin-toasts .title a").last().textContent(), title);
    };
    await inbox.publish({ title: "untouched" });
    await shown("untouched");
    for (const { page } of tabs) await page.getByRole("button", { name: "touch", exact: true }).click();
    for (const title of ["first", "second", "third"]) {
      await inbox.publish({ title });
      await shown(title);
    }
    // The chime is two notes.
    await settles(notes, 6);
    await inbox.api("PUT", "preferences", { categories: { quiet: { sound: false } } });
    await inbox.publish({ title: "quiet", category: "quiet" });
    await shown("quiet");
    await inbox.publish({ title: "last" });
    await shown("last");
    await settles(notes, 8);
    await inbox.api("PUT", "preferences", {});
    await other.close();
    await one.close();
  });

  it("save preferences as they are changed, on every device, and take back what is refused", async () => {
    const inbox = await empty();
    await inbox.api("PUT", "preferences", {});
    await inbox.publish({ title: "one", category: "orders" });
    const one = await show(demo, inbox, PREFERENCES, { viewport: { width: 800, height: 720 } });
    const other = await show(demo, inbox, PREFERENCES, {
      lang: "ko",
      viewport: { width: 320, height: 700 },
      colorScheme: "dark",
    });
    const push = one.page.getByRole("switch", { name: "orders: Push" });
    await push.click();
    await settles(() => one.page.locator("tocsin-preferences [part=status]").textContent(), "Saved");
    await settles(() => other.page.getByRole("switch", { name: "orders: 푸시" }).isChecked(), false);
    await one.page.getByRole("combobox", { name: "orders: Digest" }).selectOption("daily");
    await one.page.getByRole("switch", { name: "Quiet hours" }).click();
    await one.page.getByLabel("From").fill("21:30");
    await one.page.getByLabel("From").blur();
    await one.page.getByLabel("Time zone").selectOption("Asia/Seoul");
    await one.page.getByRole("button", { name: "8 hours" }).click();
    const saved = async () => (await inbox.api("GET", "preferences")).preferences;
    await settles(async () => Date.parse((await saved()).mute_until) > Date.now(), true);
    const { categories, quiet_hours: quiet } = await saved();
    assert.deepEqual(quiet, { from: "21:30", until: "07:00", time_zone: "Asia/Seoul" });
    assert.deepEqual(categories, { orders: { fcm: false, webpush: false, digest: "daily" } });
    await settles(() => other.page.getByRole("button", { name: "다시 켜기" }).count(), 1);

    assert.equal(await one.page.getByLabel("Time zone").inputValue(), "Asia/Seoul");
    assert.equal(await other.page.getByLabel("시간대").inputValue(), "Asia/Seoul");
    if (process.env.SCREENSHOTS)
      await one.page.locator("tocsin-preferences").screenshot({ path: `${process.env.SCREENSHOTS}/preferences.png` });

    await one.page.route("**/api/preferences", (route) =>
      route.fulfill({ status: 403, json: { code: "forbidden", detail: "no" } }),
    );
    await one.page.getByRole("switch", { name: "orders: Sound" }).click();
    await settles(
      () => one.page.locator("tocsin-preferences [part=status]").textContent(),
      "That did not work, it was taken back.",
    );
    assert.equal(await one.page.getByRole("switch", { name: "orders: Sound" }).isChecked(), true);
    for (const { page, problems } of [one, other]) {
      assert.deepEqual(await faults(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);
      assert.deepEqual(problems, []);
    }
    await inbox.api("PUT", "preferences", {});
    await one.close();
    await other.close();
  });

  it("stay equal in two tabs and on a phone through random deeds, cuts and reloads", async () => {
    const inbox = await empty();
    const html = `${BELL}${INBOX}`;
    const first = await show(demo, inbox, html);
    const second = await show(demo, inbox, html, { context: first.context });
    const phone = await show(demo, inbox, html, {
      viewport: { width: 360, height: 640 },
      hasTouch: true,
      isMobile: true,
      lang: "ko",
    });
    const pages = [first.page, second.page, phone.page];
    let seed = 20261127;
    const roll = (below) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const store = (page, name, ...rest) =>
      page.evaluate(
        ([deed, given]) => {
          const { store } = document.querySelector("tocsin-inbox");
          const ids = [...store.snapshot.inbox.items.keys()];
          const id = ids[Math.floor(given[0] * ids.length)];
          const bulk = /All$/.test(deed);
          if (id === undefined) return;
          void store[deed](...(bulk ? [] : [id, ...(deed === "snooze" ? [new Date(Date.now() + 9e6)] : [])])).catch(
            () => {},
          );
        },
        [name, rest],
      );
    const deeds = [
      "markRead",
      "markUnread",
      "archive",
      "unarchive",
      "snooze",
      "remove",
      "markRead",
      "archive",
      "markAllRead",
    ];
    for (let step = 0; step < 90; step += 1) {
      const page = pages[roll(3)];
      const kind = roll(12);
      if (kind < 5) await inbox.publish({ title: `number ${step}`, category: ["a", "b"][roll(2)] });
      else if (kind < 10) await store(page, deeds[roll(deeds.length)], roll(1000) / 1000);
      else if (kind === 10)
        await page.evaluate(() => (window.ws.isConnected ? window.ws.disconnect() : window.ws.connect()));
      else await page.reload();
    }
    for (const page of pages) await page.evaluate(() => window.ws.connect());
    const wanted = async () => {
      const { notifications, unread_count: unread } = await inbox.api("GET", "notifications?limit=200");
      return [unread === 0 ? null : String(unread), ...notifications.map((one) => `${one.title} ${one.read}`)];
    };
    const shown = (page) =>
      page.evaluate(() => {
        const { store } = document.querySelector("tocsin-inbox");
        const view = store.snapshot.inbox.views.get("all ");
        const badge = document.querySelector("tocsin-bell").shadowRoot.querySelector("[part=badge]");
        const items = (view?.ids ?? []).map((id) => store.snapshot.inbox.items.get(id));
        return [badge?.textContent ?? null, ...items.map((one) => `${one.title} ${one.read}`)];
      });
    for (const page of pages)
      await until(async () => JSON.stringify(await shown(page)) === JSON.stringify(await wanted()));
    assert.ok((await wanted()).length > 5);
    for (const { problems } of [first, second, phone]) assert.deepEqual(problems, []);
    await second.close();
    await first.close();
    await phone.close();
  });
});
