/** A page of one's own with the elements of the inbox, and the back end that fills it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const IMAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "images");
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// As strict as a policy can be: the elements need neither inline styles nor scripts.
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; media-src 'self'; img-src 'self'";

/** The inbox of one of the demo's users, over REST. */
export async function inboxOf({ server }, index = 0) {
  const { users, publish_token: publish } = await (await fetch(new URL("/demo/session", server.url))).json();
  const user = users[index];
  const call = async (token, method, path, body) => {
    const answer = await fetch(new URL(`/api/${path}`, server.url), {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path} answered ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  };
  const api = (method, path, body) => call(user.token, method, path, body);
  const all = async (query) => (await api("GET", `notifications?limit=200&${query}`)).notifications;
  return {
    user,
    api,
    publish: (fields) =>
      call(publish, "POST", "notifications", { user_id: user.id, type: "note", message: "", ...fields }),
    back: (method, path, body) => call(publish, method, path, body),
    /** Begin with nothing. */
    async clear() {
      for (const query of ["", "archived=true", "snoozed=true"])
        for (let found = await all(query); found.length > 0; found = await all(query))
          for (const { id } of found) await api("DELETE", `notifications/${id}`);
    },
  };
}

/** Open a page with these elements for the user of an inbox. */
export async function show(
  { browser, server },
  { user },
  html,
  { lang = "en", context, scripts = "", ...options } = {},
) {
  const own = context ?? (await browser.newContext({ viewport: { width: 480, height: 720 }, ...options }));
  const page = await own.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  const sockets = new Set();
  page.on("websocket", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  const address = new URL("/page-of-ones-own", server.url).href;
  await page.route(address, (route) =>
    route.fulfill({
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": POLICY },
      body: `<!doctype html><html lang="${lang}"><head><title>Inbox</title>
        <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
        <script src="/js/websocket.js"></script>${scripts}<script src="/js/elements.js"></script></head>
        <body><main><h1>Inbox</h1>${html}</main></body></html>`,
    }),
  );
  await page.addInitScript((token) => localStorage.setItem("auth_token", token), user.token);
  await page.goto(address);
  await page.waitForFunction(() => window.ws.isConnected);
  return { page, problems, sockets, context: own, close: () => (context === undefined ? own.close() : page.close()) };
}

/** What axe finds wrong with a page. */
export async function faults(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" ")}`,
  );
}

/** The parts of an inbox on a page. */
export function partsOf(page) {
  const at = (selector) => page.locator(`tocsin-inbox ${selector}`);
  return {
    rows: at("article"),
    titles: at("article h3"),
    list: at("[part=list]"),
    tab: (name) => at("[role=tab]").filter({ hasText: name }),
    row: (title) => at("article").filter({ hasText: title }),
    problem: at("[part=problem]"),
    menu: at(".menu"),
  };
}

/** An inbox as people have it: several kinds, some read. */
export async function furnish(inbox, lang = "en") {
  await inbox.clear();
  const many = lang === "ko" ? KOREAN : ENGLISH;
  for (const [index, fields] of many.entries()) {
    const { id } = await inbox.publish(fields);
    if (index < 3) await inbox.api("PUT", `notifications/${id}/read`);
  }
}

function by(id, name) {
  return { key: "likes", actor: { id, name } };
}

const ENGLISH = [
  {
    category: "billing",
    title: "Your invoice for October is ready",
    message: "€ 24.00 was paid with the card ending in 4242.",
  },
  {
    category: "orders",
    title: "Order #1042 was delivered",
    message: "Left with your neighbour at number 12. Enjoy your tea!",
  },
  { category: "social", title: "Jonas started following you", message: "You have 12 followers in common." },
  {
    category: "social",
    title: "Ada liked your post",
    message: "“First kiln opening of the winter 🔥”",
    group: by(3, "Ada"),
  },
  {
    category: "social",
    title: "Grace and Ada liked your post",
    message: "“First kiln opening of the winter 🔥”",
    group: by(4, "Grace"),
  },
  {
    category: "orders",
    title: "Order #1043 is on its way",
    message: "It should be with you tomorrow between 9 and 12.",
    data: { url: "/orders/1043" },
  },
  {
    category: "support",
    title: "Ticket 88: the export stops at 50 %",
    message: "A customer with the team plan waits for an answer.",
    claimable: true,
  },
  {
    category: "security",
    priority: "urgent",
    title: "New sign-in from Lisbon",
    message: "Firefox on Linux, two minutes ago. Was that you?",
  },
];
const KOREAN = [
  {
    category: "결제",
    title: "10월 청구서가 발행되었습니다",
    message: "4242로 끝나는 카드로 24,000원이 결제되었습니다.",
  },
  { category: "주문", title: "주문 1042가 배달되었습니다", message: "12호 이웃에게 맡겼습니다. 맛있게 드세요!" },
  { category: "소셜", title: "준호 님이 팔로우하기 시작했습니다", message: "함께 아는 친구가 12명 있습니다." },
  { category: "소셜", title: "미나 님이 게시물을 좋아합니다", message: "“올겨울 첫 가마 🔥”" },
  { category: "주문", title: "주문 1043이 출발했습니다", message: "내일 오전 9시에서 12시 사이에 도착할 예정입니다." },
  {
    category: "지원",
    title: "문의 88: 내보내기가 50%에서 멈춥니다",
    message: "고객이 답변을 기다리고 있습니다.",
    claimable: true,
  },
  {
    category: "보안",
    priority: "urgent",
    title: "리스본에서 새로 로그인했습니다",
    message: "2분 전 Linux의 Firefox입니다. 본인이 맞나요?",
  },
];
