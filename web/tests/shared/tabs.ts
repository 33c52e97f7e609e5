/** Tabs of one browser in one process: what a page has and Node lacks. */

import { vi } from "vitest";
import { type ClientOptions, WebSocketClient } from "../../src/client/client.js";
import { SharedClient } from "../../src/shared/client.js";
import { token } from "../client/clients.js";
import type { Peer } from "../client/peer.js";

const made: SharedClient[] = [];

type Request = { steal?: boolean; signal?: AbortSignal };
type Hold = () => Promise<void>;

/** Locks as a browser has them, as far as tabs use them. */
function makeLocks() {
  const holders = new Map<string, { end: Promise<void>; rob: () => void }>();
  const request = async (name: string, { steal = false, signal }: Request, hold: Hold): Promise<void> => {
    // Another process of the browser keeps them.
    await new Promise((resolve) => setImmediate(resolve));
    for (let held = holders.get(name); held !== undefined && !steal; held = holders.get(name)) await held.end;
    if (signal?.aborted) throw signal.reason;
    holders.get(name)?.rob();
    let [rob, free] = [() => {}, () => {}];
    const robbed = new Promise<never>((_, reject) => {
      rob = () => reject(new DOMException("stolen", "AbortError"));
    });
    const end = new Promise<void>((resolve) => {
      free = resolve;
    });
    const own = { end, rob };
    holders.set(name, own);
    try {
      await Promise.race([hold(), robbed]);
    } finally {
      if (holders.get(name) === own) holders.delete(name);
      free();
    }
  };
  return { request };
}

/** A browser with Web Locks, or one on plain HTTP without. */
export function openBrowser({ hasLocks }: { hasLocks: boolean }): void {
  const page = new EventTarget();
  vi.stubGlobal("navigator", hasLocks ? { locks: makeLocks() } : {});
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
