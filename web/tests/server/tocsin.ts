/** The real server, as its users start it: `tocsin serve` on a database of its own. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

const VENV = process.env.VIRTUAL_ENV ?? fileURLToPath(new URL("../../../.venv", import.meta.url));
const TOCSIN = join(VENV, "bin", "tocsin");

export class Tocsin {
  private readonly secret = randomBytes(32).toString("hex");
  private readonly folder = mkdtempSync(join(tmpdir(), "tocsin-web-"));
  private process: ChildProcess | undefined;
  private output = "";

  private constructor(private readonly port: number) {}

  static async start(): Promise<Tocsin> {
    const server = new Tocsin(await freePort());
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Start the process and wait until it is ready. */
  async start(): Promise<void> {
    this.process = spawn(TOCSIN, ["serve"], { env: this.env, cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (data: Buffer) => {
        this.output += data.toString();
      });
    }
    const isReady = async () => {
      if (this.process?.exitCode !== null) throw new Error(`the server has ended: ${this.output}`);
      return (await fetch(`${this.url}/readyz`).catch(() => null))?.ok === true;
    };
    await vi.waitUntil(isReady, { timeout: 30_000, interval: 50 });
  }

  /** End the process with a signal and wait for its end. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { process } = this;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    await ended;
  }

  /** End the process and remove its database. */
  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  /** Run another command of the CLI on the same database. */
  run(...args: string[]): void {
    execFileSync(TOCSIN, args, { env: this.env, cwd: this.folder, stdio: "pipe" });
  }

  /** A token of this server. */
  token(sub: string, { lifetimeS = 3_600, scope = "" } = {}): string {
    const claims = { sub, scope, exp: Math.floor(Date.now() / 1_000) + lifetimeS, jti: randomBytes(8).toString("hex") };
    const body = [{ alg: "HS256", typ: "JWT" }, claims].map(encode).join(".");
    return `${body}.${createHmac("sha256", this.secret).update(body).digest("base64url")}`;
  }

  /** Publish as a back end; the answer must be a success. */
  async post(path: string, body: object): Promise<Record<string, unknown>> {
    const response = await fetch(this.url + path, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${this.token("backend", { scope: "publish" })}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  }

  private get env(): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      TOCSIN_JWT_SECRET: this.secret,
      TOCSIN_DATABASE_URL: `sqlite:///${join(this.folder, "tocsin.db")}`,
      TOCSIN_PORT: String(this.port),
      TOCSIN_DRAIN_S: "1",
    };
  }
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
