/** A browser with `<tocsin-chat>` on a page of one's own, under the policy that encryption needs. */

import { settles } from "./demo.mjs";

const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; base-uri 'none'";
const PATH = "/encrypted-chat";

/** One profile of a browser, signed in as the first of two users. */
export class ChatBrowser {
  problems = [];
  requests = [];

  static async open(demo, users, { lang = "en", ...options } = {}) {
    const made = new ChatBrowser();
    [made.user, made.peer] = users;
    made.url = demo.server.url;
    made.context = await demo.browser.newContext({ viewport: { width: 600, height: 900 }, ...options });
    const body = `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>Chat</title>
      <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
      <script src="/js/websocket.js"></script><script src="/js/chat.js"></script></head>
      <body><main><h1>Chat</h1><tocsin-chat with="${made.peer.id}" name="${made.peer.name}"></tocsin-chat></main></body></html>`;
    await made.context.route(`**${PATH}`, (route) =>
      route.fulfill({ body, contentType: "text/html", headers: { "Content-Security-Policy": POLICY } }),
    );
    await made.context.addInitScript((token) => localStorage.setItem("auth_token", token), made.user.token);
    made.page = await made.tab();
    return made;
  }

  async tab() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && this.problems.push(message.text()));
    page.on("request", (request) => this.requests.push(request.url()));
    await page.goto(this.url + PATH);
    await page.waitForFunction(() => window.ws?.isConnected);
    return page;
  }

  at(selector, options) {
    return this.page.locator(`tocsin-chat ${selector}`, options);
  }

  get lock() {
    return this.at("[part=lock]");
  }

  get status() {
    return this.at("[part=status]");
  }

  get input() {
    return this.at("textarea");
  }

  get texts() {
    return this.at("[part~=message] .text");
  }

  get metas() {
    return this.at("[part~=message] .meta");
  }

  get marks() {
    return this.at("[part~=message] .mark");
  }

  get notice() {
    return this.at("[part=notice]");
  }

  get warning() {
    return this.at(".warning");
  }

  get details() {
    return this.at(".details");
  }

  /** The text of the last message; null where there is none. */
  async last() {
    return (await this.texts.count()) === 0 ? null : await this.texts.last().textContent();
  }

  async say(text) {
    await this.input.fill(text);
    await this.input.press("Enter");
  }

  /** Press Tab until a part has the focus. */
  async tabTo(part) {
    for (let presses = 0; presses < 400; presses += 1) {
      await this.page.keyboard.press("Tab");
      const at = await this.page.evaluate(
        () => document.querySelector("tocsin-chat").shadowRoot.activeElement?.getAttribute("part") ?? null,
      );
      if (at === part) return;
    }
    throw new Error(`no way to ${part} by Tab`);
  }

  /** Turn encryption on, where it is asked for or by the lock. */
  async turnOn() {
    // The history, which comes meanwhile, may replace the one by the other.
    const notice = this.at("[part=notice] button:visible").first();
    await notice.or(this.at("[part=lock]:visible")).first().click();
    await this.isReady();
  }

  /** Wait until encryption is loaded and open. */
  async isReady() {
    await settles(() => this.lock.getAttribute("aria-expanded"), "false", 30_000);
  }

  /** Look at the devices that are new, and go on. */
  async accept() {
    await this.warning.getByText("I have looked, go on").click();
    await settles(() => this.warning.isVisible(), false);
  }

  async openPanel() {
    if ((await this.lock.getAttribute("aria-expanded")) === "false") await this.lock.click();
    await this.at(".number").waitFor();
  }

  async number() {
    await this.openPanel();
    return (await this.at(".number").textContent()).trim();
  }

  async reload() {
    await this.page.reload();
    await this.page.waitForFunction(() => window.ws?.isConnected);
  }

  close() {
    return this.context.close();
  }
}
