/**
 * Takes the README's picture of the demo, with everything on it alive.
 *
 *   npm run screenshot            writes docs/images/demo.png
 *   npm run screenshot -- FOLDER  writes it there, and dark and narrow ones beside it
 *
 * `TOCSIN` names the command when it is not on the path.
 */

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { DemoServer, live, press, settles, visit } from "./demo.mjs";

const IMAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "images");
const folder = process.argv[2] ?? IMAGES;
const isForReadme = process.argv[2] === undefined;

const state = await mkdtemp(join(tmpdir(), "tocsin-picture-"));
const server = new DemoServer(state);
await server.start();
const browser = await launch();
await mkdir(folder, { recursive: true });
try {
  const visitor = await visit({ server, browser }, { locale: "en-GB", colorScheme: "light" });
  await enliven(visitor);
  await shoot(visitor, "demo.png");
  if (!isForReadme) {
    await visitor.page.emulateMedia({ colorScheme: "dark" });
    await shoot(visitor, "demo-dark.png");
    await visitor.page.setViewportSize({ width: 390, height: 844 });
    await shoot(visitor, "demo-narrow.png");
  }
} finally {
  await browser.close();
  await server.stop();
  await rm(state, { recursive: true, force: true });
}

async function enliven({ page, mina, junho }) {
  await press(page, "Notification");
  for (let count = 0; count < 4; count++) await press(page, "Like, grouped");
  await press(page, "Build, replaced");
  await press(page, "Work for one");
  await press(page, "Order step", "Mina");
  await press(page, "Notification", "Mina");
  await mina.card.getByRole("button", { name: "Publish", exact: true }).click();
  await mina.card.locator(".platform.failed").waitFor();
  await press(page, "Like", "Mina");
  await press(page, "Comment", "Mina");
  await mina.input.fill("On my way 🚲");
  await mina.input.press("Enter");
  await junho.plug.click();
  await settles(() => junho.strip.getAttribute("data-phase"), "done", 60_000);
  await live(page);
  await mina.bell.click();
  await junho.input.pressSequentially("저도 지금 가요");
  await settles(() => mina.typing.textContent(), "준호 (Junho) is typing…");
  await settles(() => page.locator("tocsin-toasts .toast").count(), 0);
}

async function shoot({ page }, name) {
  await page.screenshot({ path: join(folder, name), fullPage: true, animations: "disabled", caret: "hide" });
}
