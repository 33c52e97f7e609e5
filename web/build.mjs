/**
 * Builds what the Python package serves (`src/tocsin/static`) and the npm package (`dist/client`).
 *
 *   node build.mjs            everything
 *   node build.mjs --static   only what the Python package serves
 *
 * A bundle that outgrows its budget fails the build.
 */

import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { licenses, licensesInside } from "./licenses.mjs";

const WEB = dirname(fileURLToPath(import.meta.url));
const STATIC = join(WEB, "..", "src", "tocsin", "static");
const PACKAGE = join(WEB, "dist", "client");

/**
 * One self-contained script each; `budget` is in bytes after gzip. The worker is served apart from its map.
 * Encryption is a script of its own, imported from where `encryption` says when it is used.
 */
const BUNDLES = [
  { entry: "src/client/browser.ts", out: "js/websocket.js", budget: 20_000 },
  { entry: "src/push/browser.ts", out: "js/push.js", budget: 6_000, target: "es2022" },
  { entry: "src/chat/browser.ts", out: "js/chat.js", budget: 10_900, target: "es2022", encryption: "./e2ee.js" },
  { entry: "src/elements/browser.ts", out: "js/elements.js", budget: 25_000, target: "es2022" },
  { entry: "src/shared/browser.ts", out: "js/shared.js", budget: 5_800, target: "es2022" },
  { entry: "src/push/worker.ts", out: "js/tocsin-sw.js", budget: 3_000, target: "es2022", sourcemap: "external" },
  // A module of its own, which a page imports when it encrypts.
  { entry: "src/e2ee/browser.ts", out: "js/e2ee.js", budget: 40_000, target: "es2022", format: "esm" },
  { entry: "demo/main.ts", out: "demo/demo.js", budget: 16_000, encryption: "../js/e2ee.js" },
  { entry: "demo/inbox.ts", out: "demo/inbox.js", budget: 5_000 },
  { entry: "demo/inbox.css", out: "demo/inbox.css", budget: 4_000 },
  { entry: "demo/theme.ts", out: "demo/theme.js", budget: 2_000 },
  { entry: "src/admin/main.ts", out: "admin/admin.js", budget: 14_000, target: "es2022" },
  { entry: "src/admin/admin.css", out: "admin/admin.css", budget: 5_000 },
  { entry: "demo/theme.ts", out: "admin/theme.js", budget: 2_000 },
  { entry: "demo/demo.css", out: "demo/demo.css", budget: 5_000 },
];

/** Files, or folders, that are served as they are. */
const COPIES = [
  { from: "node_modules/swagger-ui-dist/swagger-ui.css", to: "docs/swagger-ui.css" },
  { from: "node_modules/swagger-ui-dist/swagger-ui-bundle.js", to: "docs/swagger-ui-bundle.js" },
  {
    from: "node_modules/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
    to: "docs/swagger-ui-bundle.js.LICENSE.txt",
  },
  { from: "node_modules/swagger-ui-dist/LICENSE", to: "docs/LICENSE.txt" },
  { from: "node_modules/swagger-ui-dist/NOTICE", to: "docs/NOTICE.txt" },
  { from: "src/docs/init.js", to: "docs/init.js" },
  { from: "demo/index.html", to: "demo/index.html" },
  { from: "demo/inbox.html", to: "demo/inbox.html" },
  { from: "demo/icon.svg", to: "demo/icon.svg" },
  { from: "src/admin/index.html", to: "admin/index.html" },
  { from: "demo/icon.svg", to: "admin/icon.svg" },
];

/** Too big to send as it is: kept and served compressed. */
const WASM = {
  from: "node_modules/@matrix-org/matrix-sdk-crypto-wasm/pkg/matrix_sdk_crypto_wasm_bg.wasm",
  to: "js/e2ee.wasm.gz",
  budget: 2_200_000,
};

/** What esbuild leaves as it is: the white space inside the templates and style sheets of the elements. */
const TIGHT = {
  name: "tight",
  setup: ({ onLoad }) =>
    onLoad({ filter: /src\/(elements|chat|admin)\/\w+\.ts$/ }, async ({ path }) => {
      const lean = (await readFile(path, "utf8")).replace(/\n\s+/g, "\n");
      const contents = path.endsWith("style.ts")
        ? lean.replace(/([{};:,])\s/g, "$1").replace(/[\s;]+([{}])/g, "$1")
        : lean;
      return { contents, loader: "ts" };
    }),
};

const version = await productVersion();
for (const bundle of BUNDLES) await makeBundle(bundle);
for (const { from, to } of COPIES) await copy(join(WEB, from), join(STATIC, to));
await compress(WASM);
if (!process.argv.includes("--static")) await makePackage();

async function makeBundle({ entry, out, budget, target = "es2020", sourcemap = true, format = "iife", encryption }) {
  const outfile = join(STATIC, out);
  // esbuild's own wrapper would bring 600 bytes that nothing calls along with the import.
  const [before, after] = encryption === undefined ? ["", ""] : ['\n"use strict";(()=>{', "})();"];
  const { metafile } = await build({
    absWorkingDir: WEB,
    entryPoints: [entry],
    outfile,
    bundle: true,
    minify: true,
    sourcemap,
    metafile: true,
    format: encryption === undefined ? format : "esm",
    platform: "browser",
    target,
    banner: { js: `${banner(out)}${before}`, css: banner(out) },
    footer: { js: after },
    plugins: [TIGHT, ...(encryption === undefined ? [] : [importedFrom(encryption)])],
    logLevel: "warning",
  });
  await writeFile(`${outfile}.LICENSE.txt`, await licenses(Object.keys(metafile.inputs)));
  const size = gzipSync(await readFile(outfile)).length;
  console.log(`${out}: ${size} of ${budget} bytes gzip`);
  if (size > budget) throw new Error(`${out} is ${size - budget} bytes over its budget`);
}

/** What imports encryption when it is used takes the script from an address, beside its own. */
function importedFrom(path) {
  const setup = (plugin) =>
    plugin.onResolve({ filter: /e2ee\/index\.js$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path, external: true } : undefined,
    );
  return { name: "encryption", setup };
}

function banner(out) {
  return `/*! Tocsin ${version} | MIT | third parties: ${out.split("/").pop()}.LICENSE.txt */`;
}

async function makePackage() {
  await rm(PACKAGE, { recursive: true, force: true });
  execFileSync(process.execPath, [join(WEB, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.package.json"], {
    cwd: WEB,
    stdio: "inherit",
  });
  const { dependencies, license } = JSON.parse(await readFile(join(WEB, "package.json"), "utf8"));
  const description = "Client of the Tocsin server: every event once and in order.";
  const exports = {
    ".": { types: "./client/index.d.ts", default: "./client/index.js" },
    "./chat": { types: "./chat/index.d.ts", default: "./chat/index.js" },
    "./elements": { types: "./elements/index.d.ts", default: "./elements/index.js" },
    "./inbox": { types: "./inbox/index.d.ts", default: "./inbox/index.js" },
    "./react": { types: "./react/index.d.ts", default: "./react/index.js" },
    "./shared": { types: "./shared/index.d.ts", default: "./shared/index.js" },
    "./e2ee": { types: "./e2ee/index.d.ts", default: "./e2ee/index.js" },
    "./push": { types: "./push/index.d.ts", default: "./push/index.js" },
  };
  const manifest = { name: "@tocsin/client", version, description, license, type: "module", sideEffects: false };
  const peers = { peerDependencies: { react: ">=18" }, peerDependenciesMeta: { react: { optional: true } } };
  const whole = { ...manifest, exports, dependencies, ...peers };
  await writeFile(join(PACKAGE, "package.json"), JSON.stringify(whole, null, 2));
  console.log(`${relative(WEB, PACKAGE)}: @tocsin/client ${version}`);
}

async function copy(from, to) {
  await mkdir(dirname(to), { recursive: true });
  if (from.endsWith("/")) await cp(from, to, { recursive: true });
  else await copyFile(from, to);
}

async function compress({ from, to, budget }) {
  const plain = await readFile(join(WEB, from));
  const packed = gzipSync(plain, { level: constants.Z_BEST_COMPRESSION });
  await writeFile(join(STATIC, to), packed);
  await writeFile(join(STATIC, to.replace(".gz", ".LICENSE.txt")), await licensesInside(from, plain));
  console.log(`${to}: ${packed.length} of ${budget} bytes gzip`);
  if (packed.length > budget) throw new Error(`${to} is ${packed.length - budget} bytes over its budget`);
}

/** The version has one home. */
async function productVersion() {
  const text = await readFile(join(WEB, "..", "src", "tocsin", "__init__.py"), "utf8");
  return /^__version__ = "(.+)"$/m.exec(text)[1];
}
