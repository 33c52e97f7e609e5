/** Clients of a peer, and how tests wait for them. */

import { vi } from "vitest";
import { type ClientOptions, WebSocketClient } from "../../src/client/client.js";
import { NAMESPACES } from "../../src/client/namespace.js";
import type { Peer } from "./peer.js";

const made: WebSocketClient[] = [];

/** A token of a user; another salt is another token. */
export const token = (sub: string, salt = "") =>
  `e30.${Buffer.from(JSON.stringify({ sub, salt })).toString("base64url")}.c2ln`;

/** A client of user 7 that remembers nothing, unless told otherwise. */
export function make(peer: Peer, options: ClientOptions = {}): WebSocketClient {
  const client = new WebSocketClient({ url: peer.url, token: token("7"), storage: null, ...options });
  made.push(client);
  return client;
}

/** A client that is connected and synced. */
export async function connected(peer: Peer, options: ClientOptions = {}): Promise<WebSocketClient> {
  const client = make(peer, options);
  const synced = new Set<string>();
  client.on("*", "sync", ({ namespace }) => synced.add(namespace));
  client.connect();
  await until(() => client.isConnected && synced.size === NAMESPACES.length);
  return client;
}

/** Disconnect every client that was made. */
export function leaveAll(): void {
  for (const client of made.splice(0)) client.disconnect();
}

export async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: 25_000, interval: 5 });
}

/** The seqs of the order updates that a client shows, as they come. */
export function orders(client: WebSocketClient): unknown[] {
  const seen: unknown[] = [];
  client.on("orders", "order_updated", ({ seq }) => seen.push(seq));
  return seen;
}
