/** A browser that can push, for a page in happy-dom: permission, worker, subscriptions, and the server's routes. */

import { vi } from "vitest";
import type { CloseMessage } from "../../src/push/messages.js";
import type { PushClient } from "../../src/push/subscriber.js";

export const KEY_A = "B".repeat(87);
export const KEY_B = `C${"B".repeat(86)}`;
const SCOPE = "/tocsin-sw/";

export interface Call {
  method: string;
  path: string;
  token: string;
  body: Record<string, unknown> | null;
}

export class PushBrowser {
  permission: NotificationPermission = "default";
  /** What the user answers when asked. */
  answer: NotificationPermission = "granted";
  publicKey = KEY_A;
  subscription: FakeSubscription | null = null;
  made = 0;
  hasPushService = true;
  readonly posted: CloseMessage[] = [];
  readonly calls: Call[] = [];
  /** Status by "METHOD path"; 0 is no answer at all. */
  readonly statuses = new Map<string, number>();
  private registration: object | undefined;
  private readonly container = new EventTarget();

  install(): void {
    const browser = this;
    vi.stubGlobal("Notification", {
      get permission() {
        return browser.permission;
      },
      async requestPermission() {
        if (browser.permission === "default") browser.permission = browser.answer;
        return browser.permission;
      },
    });
    vi.stubGlobal("PushManager", class {});
    vi.stubGlobal("fetch", (address: string, init: RequestInit) => browser.serve(address, init));
    Object.defineProperty(navigator, "serviceWorker", { configurable: true, value: this.makeContainer() });
  }

  remove(): void {
    Reflect.deleteProperty(navigator, "serviceWorker");
    vi.unstubAllGlobals();
  }

  /** The worker speaks to the page; returns what the page answers on the port. */
  async say(data: object): Promise<unknown> {
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve) => {
      port1.onmessage = (event) => resolve(event.data);
    });
    const event = new Event("message");
    Object.assign(event, { data, ports: [port2] });
    this.container.dispatchEvent(event);
    const given = await Promise.race([answer, new Promise((resolve) => setTimeout(() => resolve(undefined), 1_500))]);
    port1.close();
    return given;
  }

  /** The calls of a route, as `token body`. */
  told(method: string): string[] {
    const found = this.calls.filter((call) => call.method === method && call.path === "subscriptions");
    return found.map(({ token, body }) => `${token} ${body?.endpoint}`);
  }

  private makeContainer(): object {
    const browser = this;
    return Object.assign(this.container, {
      startMessages() {},
      async getRegistration(scope: string) {
        return scope === SCOPE ? browser.registration : undefined;
      },
      async register() {
        browser.registration ??= browser.makeRegistration();
        return browser.registration;
      },
    });
  }

  private makeRegistration(): object {
    return {
      scope: new URL(SCOPE, location.href).href,
      active: { postMessage: (message: CloseMessage) => this.posted.push(message) },
      installing: null,
      waiting: null,
      pushManager: {
        getSubscription: async () => this.subscription,
        subscribe: async ({ applicationServerKey }: { applicationServerKey: Uint8Array<ArrayBuffer> }) => {
          if (!this.hasPushService) throw new DOMException("no push service", "AbortError");
          this.made += 1;
          this.subscription = new FakeSubscription(this, `https://push.example/${this.made}`, {
            applicationServerKey: applicationServerKey.buffer,
          });
          return this.subscription;
        },
      },
    };
  }

  private async serve(address: string, { method = "GET", headers, body }: RequestInit): Promise<Response> {
    const path = address.replace("/api/webpush/", "");
    const token = (headers as Record<string, string>).Authorization?.replace("Bearer ", "") ?? "";
    this.calls.push({ method, path, token, body: body === undefined ? null : JSON.parse(String(body)) });
    const status =
      this.statuses.get(`${method} ${path}`) ?? (method === "POST" ? 201 : method === "DELETE" ? 204 : 200);
    if (status === 0) throw new TypeError("no network");
    if (status === 204) return new Response(null, { status });
    const answer = status < 400 ? { public_key: this.publicKey } : { code: "forbidden", detail: "not here" };
    return new Response(JSON.stringify(answer), { status });
  }
}

class FakeSubscription {
  constructor(
    private readonly browser: PushBrowser,
    readonly endpoint: string,
    readonly options: { applicationServerKey: ArrayBuffer },
  ) {}

  async unsubscribe(): Promise<boolean> {
    if (this.browser.subscription === this) this.browser.subscription = null;
    return true;
  }

  toJSON(): object {
    return { endpoint: this.endpoint, expirationTime: null, keys: { p256dh: "p", auth: "a" } };
  }
}

/** A client whose user and events the test decides. */
export class FakeClient {
  token: string | null = null;
  private readonly callbacks = new Map<string, Set<(data: unknown) => void>>();

  async getToken(): Promise<string | null> {
    return this.token;
  }

  on(namespace: string, event: string, callback: (data: never) => void): () => void {
    const key = `${namespace} ${event}`;
    const known = this.callbacks.get(key) ?? new Set();
    this.callbacks.set(key, known.add(callback as (data: unknown) => void));
    return () => known.delete(callback as (data: unknown) => void);
  }

  emit(namespace: string, event: string, data: object): void {
    for (const callback of this.callbacks.get(`${namespace} ${event}`) ?? []) callback(data);
  }

  /** As the type that the subscriber asks for. */
  get typed(): PushClient {
    return this as unknown as PushClient;
  }
}
