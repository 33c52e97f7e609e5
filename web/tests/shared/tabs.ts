/** Tabs of one browser in one process: what a page has and Node lacks. */

import { vi } from "vitest";
import { type ClientOptions, WebSocketClient } from "../../src/client/client.js";
import { SharedClient } from "../../src/shared/client.js";
import { token } from "../client/clients.js";
import type { Peer } from "../client/peer.js";

const made: SharedClient[] = [];

/** A browser with Web Locks, or one on plain HTTP without. */
export function openBrowser({ hasLocks }: { hasLocks: boolean }): void {
  const queues = new Map<string, Promise<void>>();
  const request = (name: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>): Promise<void> => {
    const held = (queues.get(name) ?? Promise.resolve()).then(() => (signal.aborted ? undefined : hold()));
    queues.set(name, held);
    return held;
  };
  const page = new EventTarget();
  vi.stubGlobal("navigator", hasLocks ? { locks: { request } } : {});
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
}

/** A tab of user 7, unless told otherwise. */
export function openTab(peer: Peer, options: ClientOptions = {}): SharedClient {
  const make = (storage: ClientOptions["storage"]) =>
    new WebSocketClient({ url: peer.url, token: token("7"), ...options, storage: storage ?? null });
  const tab = new SharedClient(make, options.storage ?? null);
  made.push(tab);
  return tab;
}

/** Leave with every tab, and close the browser. */
export function closeBrowser(): void {
  for (const tab of made.splice(0)) tab.disconnect();
  vi.unstubAllGlobals();
}
