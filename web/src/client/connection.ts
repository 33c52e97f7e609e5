/**
 * One connection that carries the four namespaces, and how it comes back.
 *
 * Socket.IO's own reconnection is off: it neither spreads a herd of clients
 * evenly nor knows of tokens. What events mean is not known here.
 */

import { Manager, type Socket } from "socket.io-client";
import { Backoff } from "./backoff.js";
import { checkData } from "./data.js";
import { NAMESPACES, type NamespaceName } from "./namespace.js";
import { failure, findProblem, type Problem, TocsinError } from "./problem.js";
import type { TokenSource } from "./token.js";

/**
 * `waiting`: for the next attempt. `unauthorized`: there is no valid token, `connect()` tries again.
 * `refused`: the server said no for another reason. The last two never change by themselves.
 */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "waiting" | "unauthorized" | "refused";

export interface StateEvent {
  readonly state: ConnectionState;
  /** Why, where the server or the token source gave a reason. */
  readonly problem: Problem | null;
  /** Milliseconds until the next attempt, when waiting. */
  readonly retryInMs: number | null;
}

export interface ConnectionHooks {
  /** An attempt begins with this token; called before any `credentials`. */
  readonly opening: (token: string) => void;
  /** The CONNECT payload of a namespace. */
  readonly credentials: (namespace: NamespaceName) => object;
  readonly joined: (namespace: NamespaceName) => void;
  readonly received: (namespace: NamespaceName, event: string, payload: unknown) => void;
  readonly closed: () => void;
  readonly changed: (event: StateEvent) => void;
}

export interface ConnectionOptions {
  url: string;
  path: string;
  transports: ("websocket" | "polling")[];
}

const OPEN_TIMEOUT_MS = 20_000;
const JOIN_TIMEOUT_MS = 30_000;
const STABLE_MS = 1_000;
export class Connection {
  readonly sockets: Readonly<Record<NamespaceName, Socket>>;
  private readonly manager: Manager;
  private readonly backoff = new Backoff();
  private current: ConnectionState = "disconnected";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private connectedAt: number | null = null;
  private comeBackAt = 0;
  private renewedFor: string | null = null;

  constructor(
    { url, path, transports }: ConnectionOptions,
    private readonly tokens: TokenSource,
    private readonly hooks: ConnectionHooks,
  ) {
    this.manager = new Manager(url, {
      path,
      transports,
      tryAllTransports: true,
      timeout: OPEN_TIMEOUT_MS,
      autoConnect: false,
      reconnection: false,
    });
    this.manager.on("error", () => {
      if (this.current === "connecting") this.lose();
    });
    this.manager.on("close", () => this.lose());
    const sockets = NAMESPACES.map((name) => [name, this.socket(name)] as const);
    this.sockets = Object.fromEntries(sockets) as Record<NamespaceName, Socket>;
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** Connect and stay connected; harmless while that is under way. */
  start(): void {
    if (this.isUp) return;
    this.tokens.forget();
    void this.open();
  }

  /** Cut a wait short: the page is looked at, or the network is back. */
  hurry(): void {
    if (this.current === "waiting" && this.comeBackAt <= performance.now()) void this.open();
  }

  /** Leave for good, until `start`. */
  stop(): void {
    // Who connects next may be somebody else.
    this.tokens.forget();
    this.end("disconnected", null);
  }

  /** The token ends soon: put a new one in its place without losing the connection. */
  async renew(namespace: NamespaceName, expiresAt: string): Promise<void> {
    // Each namespace may warn of the same expiry.
    if (this.renewedFor === expiresAt) return;
    this.renewedFor = expiresAt;
    try {
      const token = await this.tokens.renew();
      if (token === null) return;
      await this.request(namespace, "reauth", { token });
      this.tokens.adopt(token);
    } catch {
      // At the expiry itself a token is asked for again.
    }
  }

  /** The token has ended. */
  expire(problem: Problem): void {
    if (this.isUp) this.refuse(problem);
  }

  /** The server stops soon: when it closes, come back after this time. */
  drain(retryInMs: number): void {
    this.comeBackAt = performance.now() + retryInMs;
  }

  /**
   * Send an event and wait for the answer.
   *
   * Rejects with a TocsinError: the server's problem, `invalid` for what JSON can't carry
   * and what exceeds 1 MB, or `timeout` or `disconnected` (both retryable: nobody knows whether it arrived).
   */
  async request(
    namespace: NamespaceName,
    event: string,
    data: unknown,
    timeoutMs = 10_000,
  ): Promise<Record<string, unknown>> {
    const socket = this.sockets[namespace];
    let answer: unknown;
    try {
      checkData(data);
    } catch (error) {
      throw failure("invalid", `${event} can't be sent: ${error}`);
    }
    try {
      const args = data === undefined ? [] : [data];
      answer = await socket.timeout(timeoutMs).emitWithAck(event, ...args);
    } catch {
      if (socket.connected) throw failure("timeout", `no answer to ${event} in ${timeoutMs} ms`, true);
      throw failure("disconnected", `not connected: no answer to ${event}`, true);
    }
    const { ok, ...rest } = (answer ?? {}) as Record<string, unknown>;
    const problem = ok === true ? null : findProblem(answer);
    if (problem !== null) throw new TocsinError(problem);
    return rest;
  }

  private get isUp(): boolean {
    return this.current === "connecting" || this.current === "connected";
  }

  private socket(name: NamespaceName): Socket {
    const auth = (send: (data: object) => void) => send(this.hooks.credentials(name));
    const socket = this.manager.socket(`/${name}`, { auth });
    socket.on("connect", () => this.joined(name));
    socket.on("connect_error", (error: Error & { data?: unknown }) => {
      // While it is active the transport failed, which the manager reports once for all.
      if (socket.active || !this.isUp) return;
      this.refuse(findProblem(error.data) ?? { code: "refused", detail: error.message, retryable: false });
    });
    socket.on("disconnect", (reason) => {
      if (reason === "io server disconnect") this.lose();
    });
    socket.onAny((event: string, payload: unknown) => this.hooks.received(name, event, payload));
    return socket;
  }

  private async open(): Promise<void> {
    clearTimeout(this.timer);
    this.attempt += 1;
    const attempt = this.attempt;
    this.timer = setTimeout(() => this.lose(), JOIN_TIMEOUT_MS);
    this.enter("connecting");
    let token: string | null;
    try {
      token = await this.tokens.get();
    } catch {
      if (attempt === this.attempt) this.lose();
      return;
    }
    if (attempt !== this.attempt) return;
    if (token === null) {
      this.end("unauthorized", { code: "unauthenticated", detail: "There is no token", retryable: false });
      return;
    }
    this.hooks.opening(token);
    for (const socket of Object.values(this.sockets)) {
      // What came in the moment of the loss would be told now: an old "auth_expired" must not end this one.
      socket.receiveBuffer = [];
      socket.connect();
    }
  }

  private joined(name: NamespaceName): void {
    this.hooks.joined(name);
    if (this.current !== "connecting" || !Object.values(this.sockets).every((each) => each.connected)) return;
    clearTimeout(this.timer);
    this.connectedAt = performance.now();
    this.enter("connected");
  }

  private refuse(problem: Problem): void {
    const isAboutToken = problem.code === "unauthenticated";
    if (isAboutToken) this.tokens.refuse();
    if (isAboutToken && this.tokens.isRenewable) this.lose();
    else if (isAboutToken) this.end("unauthorized", problem);
    else if (problem.retryable) this.lose((problem.retry_after_s ?? 0) * 1_000, problem);
    else this.end("refused", problem);
  }

  /** This attempt or connection is over; another follows. */
  private lose(leastMs = 0, problem: Problem | null = null): void {
    if (!this.isUp) return;
    const now = performance.now();
    // A connection that breaks at once does not count as a success: a failing server would be stormed.
    if (this.connectedAt !== null && now - this.connectedAt >= STABLE_MS) this.backoff.reset();
    this.comeBackAt = Math.max(this.comeBackAt, now + leastMs);
    const delay = Math.max(Math.ceil(this.comeBackAt - now), this.backoff.next());
    this.leave("waiting");
    this.manager._close();
    this.timer = setTimeout(() => void this.open(), delay);
    this.hooks.closed();
    this.hooks.changed({ state: "waiting", problem, retryInMs: delay });
  }

  private end(state: "disconnected" | "unauthorized" | "refused", problem: Problem | null): void {
    const isNews = state !== this.current;
    this.leave(state);
    for (const socket of Object.values(this.sockets)) {
      socket.disconnect();
      socket.sendBuffer = [];
    }
    this.hooks.closed();
    if (isNews) this.hooks.changed({ state, problem, retryInMs: null });
  }

  // The hooks are called when all is done: a handler may call connect() or disconnect() itself.
  private leave(state: ConnectionState): void {
    this.current = state;
    this.attempt += 1;
    this.connectedAt = null;
    this.renewedFor = null;
    clearTimeout(this.timer);
  }

  private enter(state: "connecting" | "connected"): void {
    this.current = state;
    this.hooks.changed({ state, problem: null, retryInMs: null });
  }
}
