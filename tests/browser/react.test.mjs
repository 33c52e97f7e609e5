/** The hooks of React in a page, over real connections. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { settles, useDemo } from "./demo.mjs";
import { inboxOf, show } from "./elements.mjs";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const demo = useDemo({ before, after });

it("useNotifications, useUnread and useChat follow what happens, and what is done", async () => {
  const inbox = await inboxOf(demo);
  const peer = await inboxOf(demo, 1);
  await inbox.clear();
  for (let number = 0; number < 60; number += 1) await inbox.publish({ title: `number ${number}` });
  const bundle = await bundlePage();
  const { context, close: closeFirst } = await show(demo, inbox, "");
  await context.route("**/react_page.js", (route) => route.fulfill({ contentType: "text/javascript", body: bundle }));
  const html = `<div id="root" data-peer="${peer.user.id}"></div><script src="/react_page.js"></script>`;
  const { page, problems, close } = await show(demo, inbox, html, { context });
  const titles = page.locator("#inbox b");
  const press = (name) => page.getByRole("button", { name, exact: true }).first().click();

  await settles(() => page.locator("#unread").textContent(), "60");
  await settles(() => titles.count(), 50);
  await press("more");
  await settles(() => titles.count(), 60);
  await inbox.publish({ title: "<i>new</i>" });
  await settles(() => titles.first().textContent(), "<i>new</i>");
  await press("archive");
  await settles(() => titles.first().textContent(), "number 59");
  await settles(() => page.locator("#unread").textContent(), "60");
  await press("all");
  await settles(() => titles.allTextContents(), ["<i>new</i>"]);
  await press("toggle");
  await inbox.publish({ title: "while it was away" });
  await settles(() => page.locator("#unread").textContent(), "61");
  await press("toggle");
  await settles(() => titles.first().textContent(), "while it was away");

  await press("send");
  await settles(() => page.locator("#chat li").last().textContent(), "<b>hello</b>");
  await settles(() => page.locator("#pending").textContent(), "0");
  await peer.api("POST", "chat/messages", { to_user_id: inbox.user.id, message: "hi" });
  await settles(() => page.locator("#chat li").last().textContent(), "hi");
  assert.deepEqual(problems, []);
  await close();
  await closeFirst();
});

async function bundlePage() {
  const { build } = createRequire(new URL("../../web/package.json", import.meta.url))("esbuild");
  const contents = await readFile(new URL("react_page.jsx", import.meta.url), "utf8");
  const { outputFiles } = await build({
    stdin: { contents, loader: "tsx", resolveDir: WEB },
    ...{ bundle: true, write: false, jsx: "automatic", define: { "process.env.NODE_ENV": '"production"' } },
  });
  return outputFiles[0].text;
}
