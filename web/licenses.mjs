/** Whose work is in what is built, and under which licences. */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = dirname(fileURLToPath(import.meta.url));

/** The licence texts of the packages that a bundle holds parts of, by the paths of its inputs. */
export async function licenses(inputs) {
  const names = inputs.map(packageOf).filter(Boolean);
  const texts = [...new Set(names)].sort().map(licenseOf);
  return (await Promise.all(texts)).join("\n---\n\n");
}

/** The licence of the package that a WebAssembly comes from, and the crates that name themselves inside of it. */
export async function licensesInside(path, wasm) {
  const found = wasm.toString("latin1").matchAll(/registry\/src\/[^/]{1,80}\/([\w-]+?)-(\d[\w.+-]*)\//g);
  const crates = new Map([...found].map(([, name, version]) => [`${name} ${version}`, { name, version }]));
  const lines = [...crates.keys()].sort().map((key) => {
    const { name, version } = crates.get(key);
    return `${name} ${version}  https://crates.io/crates/${name}/${version}`;
  });
  return `${await licenseOf(packageOf(path))}
---

The WebAssembly is compiled from Rust. Its package carries the licence above and no notices of the crates that are
compiled in, and neither does this file hold their texts. Most are under MIT, Apache-2.0 or both; others, as
curve25519-dalek (BSD-3-Clause), ask that their notice goes along. Each crate's page names its licence and its source.

These ${lines.length} name themselves in the file; there may be more:

${lines.join("\n")}
`;
}

async function licenseOf(name) {
  const folder = join(WEB, "node_modules", name);
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const text = await readFile(join(folder, "LICENSE"), "utf8").catch(() => manifest.license);
  return `${name} ${manifest.version}\n\n${text.trim()}\n`;
}

/** The package of a path in `node_modules`; undefined for our own. */
function packageOf(path) {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}
