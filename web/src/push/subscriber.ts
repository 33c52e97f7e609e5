/**
 * Keeps this browser subscribed to pushes for who is signed in, and takes back what was read.
 *
 * What a notification looks like is the worker's matter, the button is `button.ts`'s.
 */

import type { WebSocketClient } from "../client/client.js";
import { type Listener, Listeners } from "../client/listeners.js";
import { failure } from "../client/problem.js";
import { findSubject, TOKEN_KEY } from "../client/token.js";
import { fetchPublicKey, register, unregister } from "./api.js";
import { type ClickMessage, type CloseMessage, HAS_WAIT_MS, type WorkerMessage } from "./messages.js";
import { loadRecord, type PushRecord, RECORD_KEY, saveRecord, storedToken } from "./record.js";
import { closing, SeenNotifications } from "./seen.js";
import { PushWorker } from "./worker_link.js";

/**
 * `unsupported`: this browser can't. `denied`: the user has forbidden it, in the browser's settings it can be
 * allowed again. `busy`: being turned on or off.
 */
export type PushState = "unsupported" | "denied" | "off" | "on" | "busy";

/** What is needed of a client: who is signed in, and what is read elsewhere. */
export type PushClient = Pick<WebSocketClient, "getToken" | "on">;

export interface PushOptions {
  /** The client in use; `window.ws` by default. Asked again and again, for a page may put another in its place. */
  client?: () => PushClient | undefined;
  /** Path of the service worker. */
  worker?: string;
  /** Its scope: one that no other worker of the site has. It needs to hold no page. */
  scope?: string;
}

export interface PushEvents {
  change: PushState;
  click: ClickMessage;
}

const TELL_AGAIN_MS = 24 * 3_600_000;

/** One for each page; every tab of a browser may have its own, they share one subscription. */
export class PushSubscriber {
  private readonly listeners = new Listeners();
  private readonly seen = new SeenNotifications();
  private readonly worker: PushWorker;
  private readonly findClient: () => PushClient | undefined;
  private settled: PushState;
  private told: PushState;
  private busy = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private watch: AbortController | null = null;
  private client: PushClient | undefined;
  private unbind: (() => void)[] = [];
  /** Who was signed in when this page looked last, and with which token. */
  private user: string | null = null;
  private token: string | null = null;
  /** For whom this page has asked the server whether all is as it was. */
  private checked: string | null = null;

  constructor({
    client = () => (globalThis as { ws?: PushClient }).ws,
    worker = "/tocsin-sw.js",
    scope = "/tocsin-sw/",
  }: PushOptions = {}) {
    this.findClient = client;
    this.worker = new PushWorker(worker, scope);
    this.settled = this.told = this.isSupported ? "off" : "unsupported";
  }

  /** Whether this browser can. On iOS and iPadOS it can only in a site that is on the Home Screen. */
  get isSupported(): boolean {
    return "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;
  }

  get state(): PushState {
    return this.busy > 0 ? "busy" : this.settled;
  }

  /** Watch who is signed in and what is read, until `stop`; harmless when done already. */
  start(): void {
    if (!this.isSupported || this.watch !== null) return;
    this.watch = new AbortController();
    const { signal } = this.watch;
    const look = () => void this.refresh();
    const wake = () => {
      if (document.visibilityState !== "visible") return;
      // The count on an installed app's icon: who looks at the page sees it there.
      void navigator.clearAppBadge?.().catch(() => {});
      look();
    };
    navigator.serviceWorker.addEventListener("message", (event) => this.hear(event), { signal });
    navigator.serviceWorker.startMessages();
    document.addEventListener("visibilitychange", wake, { signal });
    addEventListener("storage", ({ key }) => [null, TOKEN_KEY, RECORD_KEY].includes(key) && look(), { signal });
    void navigator.permissions
      ?.query({ name: "notifications" })
      .then((permission) => permission.addEventListener("change", look, { signal }))
      // A browser that has no such permission to ask for tells by Notification.permission alone.
      .catch(() => {});
    look();
  }

  /** Watch no longer; the subscription stays. */
  stop(): void {
    this.watch?.abort();
    this.watch = null;
    this.bind(undefined);
  }

  /**
   * Ask the user for permission and subscribe. Call it in the handler of a click: browsers ask at no other time.
   *
   * Resolves with `on`, `denied`, or `off` when the user has not decided. Rejects with a TocsinError when nobody is
   * signed in (`unauthenticated`), the server refuses or is not reached, or the browser has no push service
   * (`push_service`); nothing has changed then.
   */
  async enable(): Promise<PushState> {
    if (!this.isSupported) return this.state;
    const answer = Notification.requestPermission();
    return await this.busily(async () => {
      const isGranted = (await answer) === "granted";
      await this.inTurn(async () => {
        if (isGranted) await this.subscribe(await this.whoever());
        else this.settle("off");
      });
    });
  }

  /** Unsubscribe. Call it before signing out where the token is not kept in `localStorage.auth_token`. */
  async disable(): Promise<PushState> {
    if (!this.isSupported) return this.state;
    return await this.busily(() => this.inTurn(async () => this.unsubscribe(await this.askToken())));
  }

  /** Look again: who is signed in, what the browser has, what the server shall know. Never rejects. */
  async refresh(): Promise<void> {
    if (!this.isSupported) return;
    this.bind(this.findClient());
    await this.inTurn(() => this.look()).catch(() => {
      // Not reached, or no token for now: the next look is at the next reconnect.
    });
  }

  /** Call back with the new state on each `change`, with the message on a `click` on a notification. */
  on<E extends keyof PushEvents>(event: E, callback: (detail: PushEvents[E]) => void): () => void {
    return this.listeners.add("push", event, callback as Listener);
  }

  private async look(): Promise<void> {
    const record = loadRecord();
    const subscription = await this.worker.subscription();
    // Most visitors: nothing is asked of anybody.
    if (record === null && subscription === null) return this.settle("off");
    const token = await this.askToken();
    if (token === null && this.hasSignedOut(record)) {
      await this.signOut();
    } else if (Notification.permission !== "granted") {
      saveRecord(null);
      this.settle("off");
    } else if (token === null) {
      this.settle("off");
    } else {
      await this.keep(token, record, subscription);
      this.remember(token);
    }
  }

  /** Subscribed already: for this user, under the server's key, and known to the server? */
  private async keep(token: string, record: PushRecord | null, subscription: PushSubscription | null): Promise<void> {
    const user = userOf(token);
    const isOurs = record?.user === user && record.endpoint === subscription?.endpoint;
    this.settle(isOurs ? "on" : "off");
    if (isOurs && this.checked === user && Date.now() - record.at < TELL_AGAIN_MS) return;
    await this.subscribe(token);
  }

  private async subscribe(token: string): Promise<void> {
    const user = userOf(token);
    const key = await fetchPublicKey(token);
    const owner = loadRecord()?.user ?? user;
    const before = await this.worker.subscription();
    if (before !== null && owner !== user) {
      // A new endpoint: what is still on its way to the user before must not be shown to this one.
      await this.signOut();
    }
    const subscription = await this.worker.subscribe(key);
    try {
      await register(subscription, token);
    } catch (error) {
      // The server knows nothing of a new one: then neither does the browser.
      if (subscription.endpoint !== before?.endpoint) await this.unsubscribe(null);
      throw error;
    }
    const isStored = storedToken() === token;
    saveRecord({ user, endpoint: subscription.endpoint, at: Date.now(), isStored });
    this.checked = user;
    this.remember(token);
    this.settle("on");
  }

  private remember(token: string): void {
    this.token = token;
    this.user = userOf(token);
  }

  private async unsubscribe(token: string | null): Promise<void> {
    saveRecord(null);
    const subscription = await this.worker.subscription();
    // First here: from now on the push service refuses it, whether or not the server hears of it.
    await subscription?.unsubscribe();
    this.settle("off");
    if (subscription !== null && token !== null) await unregister(subscription.endpoint, token).catch(() => {});
  }

  private async signOut(): Promise<void> {
    const token = this.token;
    this.user = this.token = this.checked = null;
    this.seen.clear();
    await this.worker.post({ type: "tocsin-close", before: new Date(8.64e15).toISOString() });
    await this.unsubscribe(token);
  }

  private hasSignedOut(record: PushRecord | null): boolean {
    // Seen leaving by this page; or before it was loaded, where the storage tells. Other token sources
    // may not be set up yet: a page that has just begun knows nothing of them.
    return this.user !== null || record === null || (record.isStored && storedToken() === null);
  }

  private hear({ data, ports }: MessageEvent<WorkerMessage | null>): void {
    if (data?.type === "tocsin-has") {
      void this.seen.has(data.id, HAS_WAIT_MS).then((has) => ports[0]?.postMessage({ has }));
    } else if (data?.type === "tocsin-click") {
      this.listeners.dispatch("push", "click", data);
    } else if (data?.type === "tocsin-subscription") {
      void this.refresh();
    }
  }

  private bind(client: PushClient | undefined): void {
    if (client === this.client) return;
    for (const off of this.unbind) off();
    this.client = client;
    const tell = (message: CloseMessage) => void this.worker.post(message);
    this.unbind =
      client === undefined
        ? []
        : [
            client.on("notifications", "notification", ({ id, category }) => this.seen.add(id, category)),
            client.on("notifications", "notification_read", (read) => tell(this.seen.closedBy(read))),
            client.on("notifications", "notification_deleted", ({ id }) => tell(closing(id))),
            client.on("*", "resync", ({ snapshot }) => {
              if (snapshot === null || !("notifications" in snapshot)) return;
              for (const { id, category } of snapshot.notifications) this.seen.add(id, category);
              const read = snapshot.notifications.filter((each) => each.read).map(({ id }) => id);
              tell({ type: "tocsin-close", tags: read });
            }),
            client.on("*", "state", ({ state }) => {
              // While it connects it asks for the token itself.
              if (state !== "connecting" && state !== "waiting") void this.refresh();
            }),
          ];
  }

  /** The token of who is signed in; null when nobody is. */
  private async askToken(): Promise<string | null> {
    const client = this.findClient();
    return client === undefined ? storedToken() : await client.getToken();
  }

  private async whoever(): Promise<string> {
    const token = await this.askToken();
    if (token === null) throw failure("unauthenticated", "Nobody is signed in");
    return token;
  }

  private settle(state: "off" | "on"): void {
    this.settled = Notification.permission === "denied" ? "denied" : state;
    this.announce();
  }

  private announce(): void {
    if (this.state === this.told) return;
    this.told = this.state;
    this.listeners.dispatch("push", "change", this.told);
  }

  private async busily(work: () => Promise<void>): Promise<PushState> {
    this.busy += 1;
    this.announce();
    try {
      await work();
    } finally {
      this.busy -= 1;
      this.announce();
    }
    return this.state;
  }

  /** One thing after the other, over all tabs: two that overlap would leave a subscription that nobody knows of. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    const { locks } = navigator;
    const done = this.turn.then(() => locks?.request(RECORD_KEY, work) ?? work());
    this.turn = done.catch(() => {});
    await done;
  }
}

function userOf(token: string): string {
  return findSubject(token) ?? token;
}
