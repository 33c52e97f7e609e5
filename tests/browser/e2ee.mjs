/** Devices that encrypt: a browser profile each, on a page of the server's origin that loads the module when it is told to. */

import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./demo.mjs";

const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; base-uri 'none'";
const PAGE = '<!doctype html><meta charset="utf-8"><title>Encrypted</title><script src="/js/websocket.js"></script>';
const PATH = "/encrypted";

/** One profile of a browser, signed in. */
export class Device {
  problems = [];
  requests = [];

  static async open(demo, user) {
    const device = new Device();
    device.user = user;
    device.url = demo.server.url;
    device.context = await demo.browser.newContext();
    await device.context.route(`**${PATH}`, (route) =>
      route.fulfill({ body: PAGE, contentType: "text/html", headers: { "Content-Security-Policy": POLICY } }),
    );
    await device.context.addInitScript((token) => {
      if (location.pathname === "/encrypted") localStorage.setItem("auth_token", token);
    }, user.token);
    device.page = await device.tab();
    return device;
  }

  async tab() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("console", (message) => this.problems.push(message.text()));
    page.on("request", (request) => this.requests.push(request.url()));
    await page.goto(this.url + PATH);
    await page.waitForFunction(() => window.ws?.isConnected);
    return page;
  }

  /** Load the module and become, or be again, a device that encrypts. */
  async enable(options = {}, page = this.page) {
    return await page.evaluate(async (options) => {
      window.e2ee = await import("/js/e2ee.js");
      window.encryption = await window.e2ee.enableEncryption(window.ws, options);
      window.ended = [];
      window.encryption.on("closed", (problem) => window.ended.push(problem?.code ?? null));
      return window.encryption.deviceId;
    }, options);
  }

  /** Open the conversation with a user; what it tells is gathered. */
  async talk(userId) {
    await this.page.evaluate(async (userId) => {
      window.talk = await window.encryption.open(userId);
      window.heard = [];
      window.changes = [];
      window.talk.on("message", (message) => window.heard.push(message));
      window.talk.on("key-change", (change) => window.changes.push(change));
    }, userId);
  }

  async send(text) {
    return await this.page.evaluate((text) => window.talk.send(text), text);
  }

  /** The code with which sending is refused; null when it is not. */
  async refusal(text) {
    return await this.page.evaluate(
      (text) =>
        window.talk.send(text).then(
          () => null,
          (error) => error.code,
        ),
      text,
    );
  }

  async heard() {
    return await this.page.evaluate(() => window.heard);
  }

  async changes() {
    return await this.page.evaluate(() => window.changes);
  }

  /** Wait until a message is heard that is as it should be; returns it. */
  async hears(wanted) {
    let found;
    try {
      await until(async () => {
        found = (await this.heard()).find((one) => Object.keys(wanted).every((key) => one[key] === wanted[key]));
        return found !== undefined;
      });
    } catch {
      throw new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(await this.heard(), null, 1)}`);
    }
    return found;
  }

  async history() {
    return await this.page.evaluate(async () => (await window.talk.history()).messages);
  }

  async accept() {
    await this.page.evaluate(() => window.talk.accept());
  }

  async number() {
    return await this.page.evaluate(() => window.talk.safetyNumber());
  }

  async isVerified() {
    return await this.page.evaluate(() => window.talk.isVerified);
  }

  async reload() {
    await this.page.reload();
    await this.page.waitForFunction(() => window.ws?.isConnected);
  }

  /** Ask the server something as this user. */
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.user.token}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answer.status === 204 ? null : await answer.json();
  }

  close() {
    return this.context.close();
  }
}

/** Lay something into a device's inbox as any user: the secret of a demo's tokens lies in its folder. */
export async function putAs({ url, state }, sub, user_id, device_id) {
  const secret = await readFile(join(state, "secret"), "utf8");
  const claims = { sub, exp: Math.ceil(Date.now() / 1_000) + 600 };
  const parts = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => encoded(JSON.stringify(part)));
  const signature = createHmac("sha256", secret).update(parts.join(".")).digest("base64url");
  const answer = await fetch(`${url}/api/e2ee/to-device`, {
    method: "POST",
    headers: { Authorization: `Bearer ${parts.join(".")}.${signature}`, "Content-Type": "application/json" },
    body: JSON.stringify({ type: "m.room.encrypted", messages: [{ user_id, device_id, content: {} }] }),
  });
  return await answer.json();
}

function encoded(text) {
  return Buffer.from(text).toString("base64url");
}
