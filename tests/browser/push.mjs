/**
 * Web Push under test: a page of a host before `tocsin demo`, a push service that is this process, and its worker.
 *
 * No vendor's push service is asked: the page's `subscribe` makes a real key pair and an endpoint that nobody calls,
 * and the browser's DevTools hand each push to the worker, as the service would.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./demo.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";
// A point of P-256, as servers give it out.
const PUBLIC_KEY = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM";

const LOOK_AGAIN_MS = 250;

/** A host's own server: its page, the routes of Web Push with a memory of who called, all else from the demo. */
export class Host {
  calls = [];
  #target;
  #hasPush;
  #server = createServer((incoming, answer) => this.#serve(incoming, answer));

  /** `hasPush`: the target answers the routes of Web Push itself; `calls` are kept all the same. */
  constructor(target, { hasPush = false } = {}) {
    this.#target = new URL(target);
    this.#hasPush = hasPush;
    this.#server.on("upgrade", (incoming, socket, head) => this.#pass(incoming, socket, head));
  }

  async start() {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The bodies of the calls of a route. */
  bodies(method, path) {
    return this.calls.filter((call) => call.method === method && call.path === path).map(({ body }) => body);
  }

  async #serve(incoming, answer) {
    const { pathname, searchParams } = new URL(incoming.url, this.url);
    if (pathname.startsWith("/page")) {
      answer.setHeader("Content-Security-Policy", POLICY);
      answer.setHeader("Content-Type", "text/html; charset=utf-8");
      answer.end(page(searchParams.get("lang") ?? "en"));
    } else if (pathname.startsWith("/api/webpush/")) {
      const text = await read(incoming);
      const path = pathname.slice("/api/webpush/".length);
      const { method, headers } = incoming;
      const token = headers.authorization ?? null;
      this.calls.push({ method, path, token, body: text === "" ? null : JSON.parse(text) });
      if (this.#hasPush) return this.#forward(incoming, answer, text);
      if (method === "GET") answer.setHeader("Content-Type", "application/json");
      if (method !== "GET") answer.statusCode = method === "POST" && path === "subscriptions" ? 201 : 204;
      answer.end(method === "GET" ? JSON.stringify({ public_key: PUBLIC_KEY }) : undefined);
    } else {
      incoming.pipe(this.#forward(incoming, answer));
    }
  }

  #forward(incoming, answer, body) {
    const { hostname, port } = this.#target;
    const { url: path, method, headers } = incoming;
    const passed = request({ hostname, port, path, method, headers });
    passed.on("response", (response) => {
      const call = this.calls.findLast((call) => call.path === path.replace("/api/webpush/", "") && !call.status);
      if (call !== undefined) call.status = response.statusCode;
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    if (body !== undefined) passed.end(body);
    return passed;
  }

  #pass(incoming, socket, head) {
    const { hostname, port } = this.#target;
    const passed = connect(Number(port), hostname, () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2)
        lines.push(incoming.rawHeaders.slice(i, i + 2).join(": "));
      passed.write(`${lines.join("\r\n")}\r\n\r\n`);
      passed.write(head);
      passed.pipe(socket).pipe(passed);
    });
    socket.on("error", () => passed.destroy());
    passed.on("error", () => socket.destroy());
  }
}

function page(lang) {
  return `<!doctype html>
<html lang="${lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Host</title>
<script src="/js/websocket.js" defer></script>
<script src="/js/push.js" defer></script>
<main><h1>Host</h1><tocsin-push-button></tocsin-push-button></main>
</html>`;
}

async function read(incoming) {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** A browser profile that may show notifications; its pages subscribe to what is given, else to nobody's service. */
export async function profile(browser, host, subscription = null) {
  const context = await browser.newContext({ viewport: { width: 480, height: 320 } });
  await context.grantPermissions(["notifications"], { origin: host.url });
  await context.addInitScript(fakePushService, subscription);
  return context;
}

/** Runs in the page, before its scripts. */
async function fakePushService(given) {
  const key = "test:subscription";
  const made = ({ endpoint, serverKey, keys }) => ({
    endpoint,
    options: { userVisibleOnly: true, applicationServerKey: Uint8Array.from(serverKey).buffer },
    toJSON: () => ({ endpoint, expirationTime: null, keys }),
    unsubscribe: async () => {
      localStorage.removeItem(key);
      return true;
    },
  });
  const text = (buffer) => {
    const bare = btoa(String.fromCharCode(...new Uint8Array(buffer)));
    return bare.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  PushManager.prototype.getSubscription = async () => {
    const kept = localStorage.getItem(key);
    return kept === null ? null : made(JSON.parse(kept));
  };
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (userVisibleOnly !== true || applicationServerKey.length !== 65) throw new DOMException("refused", "AbortError");
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
    const p256dh = text(await crypto.subtle.exportKey("raw", pair.publicKey));
    const keys = { p256dh, auth: text(crypto.getRandomValues(new Uint8Array(16)).buffer) };
    const endpoint = `https://push.example/${crypto.randomUUID()}`;
    const kept = { endpoint, keys, ...given, serverKey: [...applicationServerKey] };
    localStorage.setItem(key, JSON.stringify(kept));
    return made(kept);
  };
  // Chromium's headless shell has no notifications, though it may be given the permission.
  const { state } = await navigator.permissions.query({ name: "notifications" });
  if (state === "granted" && Notification.permission !== "granted") {
    Object.defineProperty(Notification, "permission", { get: () => "granted" });
    Notification.requestPermission = async () => "granted";
  }
}

/** Sign in and open the host's page. */
export async function signIn(context, host, token, path = "/page") {
  const page = await context.newPage();
  await page.goto(host.url + path);
  await page.evaluate((token) => localStorage.setItem("auth_token", token), token);
  await page.reload();
  await page.waitForFunction(() => window.ws?.isConnected);
  return page;
}

/** Press the button and wait until notifications are on; returns the worker. */
export async function turnOn(context, page) {
  await page.getByRole("button").click();
  await page.locator("tocsin-push-button[data-state=on]").waitFor();
  await until(() => context.serviceWorkers().length > 0);
  return await Worker.of(context);
}

/** The real service worker, as a push service and a user reach it. */
export class Worker {
  static async of(context) {
    const worker = new Worker();
    worker.worker = context.serviceWorkers()[0];
    await worker.worker.evaluate(notificationCentre);
    // A page of no site stays open for the DevTools when all others are closed.
    worker.devTools = await context.newCDPSession(await context.newPage());
    const seen = new Promise((resolve) => {
      worker.devTools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
        const live = registrations.filter(({ isDeleted }) => !isDeleted);
        if (live.length > 0) resolve(live.at(-1).registrationId);
      });
    });
    await worker.devTools.send("ServiceWorker.enable");
    worker.registrationId = await seen;
    worker.origin = new URL(worker.worker.url()).origin;
    return worker;
  }

  /** Deliver a push; an object as the server writes it, a text as it is. */
  async deliver(push) {
    const data = typeof push === "string" ? push : JSON.stringify({ v: 1, ...push });
    const { origin, registrationId } = this;
    await this.devTools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
  }

  /** What is shown at this moment. */
  async shown() {
    return await this.worker.evaluate(async () => {
      const shown = await registration.getNotifications();
      return shown.map(({ title, body, tag, lang, silent }) => ({ title, body, tag, lang, silent }));
    });
  }

  /** Wait until exactly these titles are shown. */
  async shows(...titles) {
    let seen;
    try {
      await until(async () => {
        // Chromium forgets a notification that is asked for in the moment in which it appears.
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
        seen = (await this.shown()).map(({ title }) => title).sort();
        return JSON.stringify(seen) === JSON.stringify(titles.sort());
      });
    } catch {
      throw new Error(`expected ${JSON.stringify(titles)}, it shows ${JSON.stringify(seen)}`);
    }
  }

  /** The user clicks the notification, or wipes it away; returns the URLs that were opened or brought to the front. */
  async use(tag, event = "notificationclick") {
    return await this.worker.evaluate(
      async ([tag, type]) => {
        const went = [];
        // A browser allows both only after a real click, which DevTools can't make.
        clients.openWindow = async (url) => {
          went.push(`open ${url}`);
          return null;
        };
        WindowClient.prototype.focus = async function () {
          went.push(`focus ${this.url}`);
          return this;
        };
        const [notification] = await registration.getNotifications({ tag });
        const works = [];
        const event = Object.assign(new Event(type), { notification });
        event.waitUntil = (work) => works.push(work);
        dispatchEvent(event);
        await Promise.all(works);
        return went;
      },
      [tag, event],
    );
  }
}

/** A push service on loopback whose pushes the test delivers, and a back end that sends them: see push_service.py. */
export class PushService {
  #process;
  #lines;

  /** Start it for a server whose state is kept in this folder. */
  async start(state) {
    const python = process.env.TOCSIN ? join(dirname(process.env.TOCSIN), "python") : "python3";
    const env = { ...process.env, TOCSIN_DATABASE_URL: `sqlite:///${join(state, "demo.db")}` };
    this.#process = spawn(python, [join(HERE, "push_service.py")], { env, stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    const { host, subscription } = await this.#next();
    this.host = host;
    this.subscription = subscription;
  }

  /** Push to a user; returns what the browser decrypts. */
  async send(order) {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    return await this.#next();
  }

  /** Return the next push that the server sends by itself, decrypted. */
  async next() {
    return await this.send({});
  }

  async stop() {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }

  async #next() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the push service ended");
    return JSON.parse(value);
  }
}

/** Runs in the worker: where the browser has no notifications of its own, keep them here. */
function notificationCentre() {
  if (Notification.permission === "granted" || self.shownHere) return;
  self.shownHere = [];
  // It has no badges of apps either: the worker that asks for one is killed.
  navigator.setAppBadge = async () => {};
  registration.showNotification = async (title, options = {}) => {
    self.shownHere = self.shownHere.filter(({ tag }) => !options.tag || tag !== options.tag);
    const shown = { body: "", tag: "", lang: "", silent: null, ...options, title, data: structuredClone(options.data) };
    shown.close = () => {
      self.shownHere = self.shownHere.filter((each) => each !== shown);
    };
    self.shownHere.push(shown);
  };
  registration.getNotifications = async ({ tag } = {}) =>
    self.shownHere.filter((each) => tag === undefined || each.tag === tag);
}
