/**
 * A Socket.IO server from npm that speaks the delivery contract, and breaks it on demand.
 *
 * What the real server does is tested against the real server; this one loses,
 * repeats and refuses, which the real one never should.
 */

import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import { NAMESPACES, type NamespaceName } from "../../src/client/namespace.js";

export interface Connect {
  namespace: NamespaceName;
  auth: Record<string, unknown>;
}

interface Stored {
  event: string;
  payload: Record<string, unknown>;
}

type Answer = (ack: unknown) => void;

export class Peer {
  epoch = "e1";
  /** Every CONNECT that came, refused ones too. */
  readonly connects: Connect[] = [];
  /** Every client event that came: namespace, event, data. */
  readonly heard: [NamespaceName, string, Record<string, unknown>][] = [];
  /** Refuses a CONNECT by returning a problem. */
  admit: (connect: Connect) => { code: string; detail: string; retryable: boolean } | null = () => null;
  /** What to do with an event on its way out; returns the payloads to send. */
  link: (payload: Record<string, unknown>) => Record<string, unknown>[] = (payload) => [payload];
  /** Answers a client event; undefined means never. */
  answer: (event: string, data: Record<string, unknown>) => unknown = () => ({ ok: true });
  inbox: Record<string, unknown> = {};
  private readonly logs = new Map<NamespaceName, Stored[]>(NAMESPACES.map((name) => [name, []]));
  private readonly sockets = new Set<Socket>();
  private readonly http: HttpServer = createServer((request, response) => this.rest(request, response));
  private readonly io: Server;

  private constructor(transports: ("websocket" | "polling")[]) {
    this.io = new Server(this.http, { transports });
  }

  static async start(transports: ("websocket" | "polling")[] = ["websocket", "polling"]): Promise<Peer> {
    const peer = new Peer(transports);
    for (const namespace of NAMESPACES) peer.serve(namespace);
    await new Promise<void>((resolve) => peer.http.listen(0, "127.0.0.1", resolve));
    return peer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  /** Commit an event and send it to whoever is connected. */
  publish(namespace: NamespaceName, event: string, data: Record<string, unknown> = {}): void {
    const log = this.log(namespace);
    const seq = log.length + 1;
    const payload = { ...data, event_id: `${namespace}-${seq}`, seq, epoch: this.epoch };
    log.push({ event, payload });
    for (const socket of this.of(namespace)) for (const each of this.link(payload)) socket.emit(event, each);
  }

  /** Send an event that no log keeps. */
  tell(namespace: NamespaceName, event: string, data: unknown): void {
    for (const socket of this.of(namespace)) socket.emit(event, data);
  }

  /** Cut every connection without a goodbye. */
  cut(): void {
    for (const socket of this.sockets) socket.conn.close();
  }

  /** End one namespace with a DISCONNECT packet, after which stock clients stay away. */
  dismiss(namespace: NamespaceName): void {
    for (const socket of this.of(namespace)) socket.disconnect();
  }

  /** Begin another life of the database, with the logs empty. */
  restore(epoch: string): void {
    this.epoch = epoch;
    for (const log of this.logs.values()) log.length = 0;
  }

  log(namespace: NamespaceName): Stored[] {
    return this.logs.get(namespace) as Stored[];
  }

  private of(namespace: NamespaceName): Socket[] {
    return [...this.sockets].filter((socket) => socket.nsp.name === `/${namespace}`);
  }

  private serve(namespace: NamespaceName): void {
    const space = this.io.of(`/${namespace}`);
    space.use((socket, next) => {
      const connect = { namespace, auth: socket.handshake.auth };
      this.connects.push(connect);
      const problem = this.admit(connect);
      next(problem === null ? undefined : Object.assign(new Error(problem.detail), { data: problem }));
    });
    space.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("disconnect", () => this.sockets.delete(socket));
      socket.onAny((event: string, ...args: unknown[]) => {
        const answer = args.length > 0 && typeof args[args.length - 1] === "function" ? (args.pop() as Answer) : null;
        const data = (args[0] ?? {}) as Record<string, unknown>;
        this.heard.push([namespace, event, data]);
        const ack = this.answer(event, data);
        if (ack !== undefined) answer?.(ack);
        if (event === "replay") this.resume(socket, namespace, this.epoch, data.after);
      });
      const { epoch, last_seq } = socket.handshake.auth;
      this.resume(socket, namespace, epoch, last_seq);
    });
  }

  private resume(socket: Socket, namespace: NamespaceName, epoch: unknown, after: unknown): void {
    const log = this.log(namespace);
    const head = { epoch: this.epoch, seq: log.length };
    if (typeof after === "number") {
      if (epoch !== this.epoch) socket.emit("resync", { reason: "epoch_changed", ...head });
      else for (const { event, payload } of log.slice(after)) socket.emit(event, payload);
    }
    socket.emit("synced", head);
  }

  private rest(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://peer");
    const stream = /^\/api\/stream\/(\w+)$/.exec(pathname)?.[1] as NamespaceName | undefined;
    let body: unknown = { code: "not_found", detail: "no such page", retryable: false };
    if (pathname === "/api/notifications") {
      body = { ...this.inbox, epoch: this.epoch, seq: this.log("notifications").length };
    } else if (stream !== undefined) {
      const log = this.log(stream);
      const after = Number(searchParams.get("after"));
      const events = log.slice(after, after + 2).map(({ event, payload }) => ({ ...payload, event, data: payload }));
      body = { events, epoch: this.epoch, seq: log.length, pruned: 0 };
    }
    response.writeHead("code" in (body as object) ? 404 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(body));
  }
}
