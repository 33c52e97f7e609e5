/**
 * Chromium for tests: the one of CHROMIUM_PATH, else the one inside an npm package.
 *
 * Fonts come from npm packages as well, so that Korean, emoji and a screenshot look the same anywhere.
 */

import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const MODULES = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const require = createRequire(import.meta.url);
const FONTS = [
  "@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf",
  "@expo-google-fonts/inter/500Medium/Inter_500Medium.ttf",
  "@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf",
  "@expo-google-fonts/inter/700Bold/Inter_700Bold.ttf",
  "@expo-google-fonts/nanum-gothic/400Regular/NanumGothic_400Regular.ttf",
  "@expo-google-fonts/nanum-gothic/700Bold/NanumGothic_700Bold.ttf",
];

/** Start Chromium, once more if it crashes while it starts; the caller closes it. */
export async function launch() {
  try {
    return await start();
  } catch (error) {
    if (!String(error).includes("signal=SIGSEGV")) throw error;
    return await start();
  }
}

async function start() {
  const fonts = await prepare("fonts", makeFonts);
  return await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH || join(await prepare("chromium", unpackChromium), "chromium"),
    // Containers run as root and have a small /dev/shm.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    env: { ...process.env, FONTCONFIG_FILE: join(fonts, "fonts.conf") },
  });
}

/** Make a folder once; tests that start at the same time each make one, and the first counts. */
async function prepare(name, fill) {
  const folder = join(MODULES, `.made-${name}`);
  if (existsSync(folder)) return folder;
  const part = await mkdtemp(`${folder}-`);
  await fill(part, folder);
  try {
    await rename(part, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    await rm(part, { recursive: true });
  }
  return folder;
}

async function unpackChromium(folder) {
  // The package unpacks into the system's temporary folder and trusts what it finds there.
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  const { default: packed } = await import("@sparticuz/chromium");
  await packed.executablePath();
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
}

async function makeFonts(folder, home) {
  await mkdir(join(folder, "files"));
  for (const font of FONTS) await copyFile(join(MODULES, font), join(folder, "files", font.split("/").pop()));
  const emoji = await readFile(join(MODULES, "twemoji-colr-font/twemoji.woff2"));
  await writeFile(join(folder, "files", "twemoji.ttf"), await require("wawoff2").decompress(emoji));
  const config = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>${join(home, "files")}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(home, "cache")}</cachedir>
  <match target="pattern">
    <test name="family"><string>system-ui</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit>
  </match>
</fontconfig>
`;
  await writeFile(join(folder, "fonts.conf"), config);
}
