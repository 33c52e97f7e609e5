/** The service worker as a page sees it: registered when it is first needed, and asked for its subscription. */

import { failure } from "../client/problem.js";
import type { CloseMessage } from "./messages.js";

export class PushWorker {
  constructor(
    private readonly script: string,
    private readonly scope: string,
  ) {}

  /** What the browser is subscribed with; null when it is not. */
  async subscription(): Promise<PushSubscription | null> {
    return (await (await this.registration())?.pushManager.getSubscription()) ?? null;
  }

  /**
   * Subscribe under the server's key, or keep the subscription that is under it already.
   *
   * Rejects with a TocsinError `push_service` when the browser can't.
   */
  async subscribe(key: Uint8Array<ArrayBuffer>): Promise<PushSubscription> {
    try {
      const { pushManager } = await this.active();
      const before = await pushManager.getSubscription();
      if (before !== null && isSame(before.options.applicationServerKey, key)) return before;
      // Of another key: the server has a new one, and a browser holds one subscription a worker.
      await before?.unsubscribe();
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw failure("push_service", `This browser can't subscribe: ${error}`);
    }
  }

  /** Tell the worker, if there is one. */
  async post(message: CloseMessage): Promise<void> {
    (await this.registration())?.active?.postMessage(message);
  }

  private async registration(): Promise<ServiceWorkerRegistration | undefined> {
    const found = await navigator.serviceWorker.getRegistration(this.scope);
    // A worker of the site's own, whose scope holds ours, is what is found while ours is not there.
    return found?.scope === new URL(this.scope, location.href).href ? found : undefined;
  }

  private async active(): Promise<ServiceWorkerRegistration> {
    const options = { scope: this.scope, updateViaCache: "none" } as const;
    const registration = await navigator.serviceWorker.register(this.script, options);
    const worker = registration.installing ?? registration.waiting;
    if (registration.active !== null || worker === null) return registration;
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        if (worker.state === "redundant") reject(new Error("its service worker was not installed"));
      });
    });
    return registration;
  }
}

function isSame(buffer: ArrayBuffer | null, key: Uint8Array): boolean {
  if (buffer === null || buffer.byteLength !== key.length) return false;
  return new Uint8Array(buffer).every((byte, index) => byte === key[index]);
}
