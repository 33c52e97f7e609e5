/** The guide's application under test: its server process, and a signed-in visitor of one of its pages. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./chromium.mjs";
import { until } from "./demo.mjs";

const GUIDE = join(dirname(fileURLToPath(import.meta.url)), "../acceptance/guide");
const PYTHON = join(dirname(process.env.TOCSIN ?? "tocsin"), "python");

/** Run the application and a browser for all tests of a file. */
export function useGuide({ before, after }) {
  const guide = { url: null, browser: null };
  let process_;
  let folder;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tocsin-guide-"));
    const port = await freePort();
    guide.url = `http://127.0.0.1:${port}`;
    process_ = spawn(PYTHON, ["-m", "backend.app"], {
      cwd: folder,
      env: {
        ...process.env,
        PYTHONPATH: GUIDE,
        PORT: String(port),
        DATABASE_URL: `sqlite:///${folder}/softfactory.db`,
        SECRET_KEY: "the secret key of a Flask application, long enough",
        TOCSIN_DRAIN_S: "0",
      },
      stdio: ["ignore", "inherit", "inherit"],
    });
    await until(async () => {
      if (process_.exitCode !== null) throw new Error("the guide's application ended");
      return await fetch(`${guide.url}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      );
    }, 60_000);
    guide.browser = await launch();
  });
  after(async () => {
    await guide.browser?.close();
    process_.kill("SIGTERM");
    if (process_.exitCode === null) await once(process_, "exit");
    await rm(folder, { recursive: true, force: true });
  });
  /** Call a function of the back end in one of its views. */
  guide.call = async (name, args, kwargs = {}) => {
    const answer = await fetch(`${guide.url}/call/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ args, kwargs }),
    });
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  };
  return guide;
}

/** Open a page of the application as a signed-in user; `said` gathers its console. */
export async function visit(guide, path, userId) {
  const context = await guide.browser.newContext();
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  const token = await (await fetch(`${guide.url}/login/${userId}`)).text();
  await page.addInitScript((value) => localStorage.setItem("auth_token", value), token);
  await page.goto(guide.url + path);
  return { page, said, close: () => context.close() };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}
