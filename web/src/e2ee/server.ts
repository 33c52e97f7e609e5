/** The routes under `/api/e2ee/` and the histories of chat, for one user and one device. */

import type { ChatMessage } from "../client/events.generated.js";
import { failure, findProblem, TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";

/** A message as the server has it. */
export type StoredMessage = ChatMessage;

export interface KeyCounts {
  readonly one_time_keys: number;
  readonly has_unused_fallback_key: boolean;
}

export interface DirectoryDevice {
  readonly device_id: string;
  readonly device_name: string | null;
  readonly device_keys: Record<string, unknown>;
  readonly created_at: string;
}

export interface ClaimedKey {
  readonly user_id: number | string;
  readonly device_id: string;
  readonly key_id: string;
  readonly key: object;
}

export interface SealedFor {
  readonly user_id: string;
  readonly device_id: string;
  readonly content: unknown;
}

export interface Delivered {
  readonly id: string;
  readonly from_user_id: number | string;
  readonly type: string;
  readonly content: object;
}

export interface HistoryPage {
  readonly messages: readonly StoredMessage[];
  readonly has_before: boolean;
}

const TIMEOUT_MS = 20_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 400;
const QUERIED_AT_ONCE = 20;
const SENT_AT_ONCE = 50;

/**
 * Every call rejects with a TocsinError: the server's problem, `unreachable`, `unauthenticated`, or
 * `user_changed` once the page has somebody else's token. What may be repeated is, a few times.
 */
export class KeyServer {
  constructor(
    private readonly origin: string,
    private readonly user: string,
    private readonly getToken: () => Promise<string | null>,
  ) {}

  upload(device_id: string, keys: object): Promise<KeyCounts> {
    return this.call("POST", "keys", { device_id, ...keys }) as Promise<KeyCounts>;
  }

  counts(device_id: string): Promise<KeyCounts> {
    return this.call("GET", `keys?device_id=${device_id}`) as Promise<KeyCounts>;
  }

  /** The devices of users, by user. */
  async devices(users: readonly string[]): Promise<Map<string, readonly DirectoryDevice[]>> {
    const found = new Map<string, readonly DirectoryDevice[]>();
    for (let start = 0; start < users.length; start += QUERIED_AT_ONCE) {
      const user_ids = users.slice(start, start + QUERIED_AT_ONCE);
      const answer = await this.call("POST", "keys/query", { user_ids });
      for (const one of (answer as { users: { user_id: number | string; devices: DirectoryDevice[] }[] }).users)
        found.set(String(one.user_id), one.devices);
    }
    return found;
  }

  async claim(devices: readonly { user_id: string; device_id: string }[]): Promise<readonly ClaimedKey[]> {
    return ((await this.call("POST", "keys/claim", { devices })) as { keys: ClaimedKey[] }).keys;
  }

  /** Once, however often it is repeated under the same `txn`. */
  async send(type: string, txn: string, messages: readonly SealedFor[]): Promise<void> {
    for (let start = 0; start < messages.length; start += SENT_AT_ONCE) {
      const part = { type, messages: messages.slice(start, start + SENT_AT_ONCE) };
      await this.call("POST", "to-device", part, { "Idempotency-Key": `e2ee ${txn} ${start}` });
    }
  }

  async inbox(device_id: string): Promise<readonly Delivered[]> {
    return ((await this.call("GET", `inbox?device_id=${device_id}`)) as { messages: Delivered[] }).messages;
  }

  async acknowledge(device_id: string, up_to: string): Promise<void> {
    await this.call("DELETE", "inbox", { device_id, up_to });
  }

  async remove(device_id: string): Promise<void> {
    await this.call("DELETE", `devices/${device_id}`);
  }

  history(peer: string, before: string | undefined, limit: number): Promise<HistoryPage> {
    const query = new URLSearchParams({
      with: peer,
      limit: String(limit),
      ...(before === undefined ? {} : { before }),
    });
    return this.call("GET", `/api/chat/messages?${query}`) as Promise<HistoryPage>;
  }

  private async call(method: string, path: string, body?: object, headers: object = {}): Promise<unknown> {
    const address = this.origin + (path.startsWith("/") ? path : `/api/e2ee/${path}`);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(method, address, body, headers);
      } catch (error) {
        const problem = error instanceof TocsinError ? error.problem : null;
        if (attempt === ATTEMPTS || problem === null || !problem.retryable) throw error;
        const pause = (problem.retry_after_s ?? 0) * 1_000 || FIRST_PAUSE_MS * 2 ** attempt;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  private async attempt(method: string, address: string, body: object | undefined, headers: object): Promise<unknown> {
    const token = await this.getToken();
    if (token === null) throw failure("unauthenticated", "Nobody is signed in");
    if (findSubject(token) !== this.user) throw failure("user_changed", "Another user has signed in");
    let response: Response;
    let answer: unknown = null;
    try {
      response = await fetch(address, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status !== 204) answer = await response.json();
    } catch {
      throw failure("unreachable", "The server can't be reached", true);
    }
    if (response.ok) return answer;
    const problem = findProblem(answer);
    throw problem === null
      ? failure("http", `${method} answered ${response.status}`, response.status >= 500)
      : new TocsinError(problem);
  }
}
