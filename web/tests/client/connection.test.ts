import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocketClient } from "../../src/client/client.js";
import { NAMESPACES } from "../../src/client/namespace.js";
import { connected, leaveAll, make, orders, token, until } from "./clients.js";
import { MemoryStorage } from "./memory_storage.js";
import { Peer } from "./peer.js";

let peer: Peer;

beforeEach(async () => {
  peer = await Peer.start();
});
afterEach(async () => {
  leaveAll();
  await peer.stop();
});

describe("connecting", () => {
  it("joins the four namespaces over one connection", async () => {
    const client = await connected(peer);

    expect(Object.keys(client.sockets)).toEqual(["sns", "orders", "chat", "notifications"]);
    expect(NAMESPACES.every((name) => client.sockets[name].connected)).toBe(true);
    expect(new Set(NAMESPACES.map((name) => client.sockets[name].io)).size).toBe(1);
  });

  it("is harmless when repeated", async () => {
    const client = await connected(peer);
    client.connect();
    client.connect();
    await client.emitWithAck("orders", "ping_peer");

    expect(peer.connects.length).toBe(4);
    expect(client.isConnected).toBe(true);
  });

  it("delivers to handlers that were added before", async () => {
    const client = make(peer);
    const seen = orders(client);
    client.connect();
    await until(() => client.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => seen.length === 1);

    expect(seen).toEqual([1]);
  });

  it("tells each change of its state", async () => {
    const client = make(peer);
    const states: string[] = [];
    client.on("*", "state", ({ state }) => states.push(state));
    client.connect();
    await until(() => client.isConnected);
    client.disconnect();

    expect(states).toEqual(["connecting", "connected", "disconnected"]);
    expect(client.isConnected).toBe(false);
  });

  it("stops with a clear state when the token is refused and there is no other", async () => {
    peer.admit = () => ({ code: "unauthenticated", detail: "the token has expired", retryable: false });
    const client = make(peer);
    const states: unknown[] = [];
    client.on("*", "state", ({ state, problem }) => states.push([state, problem?.detail]));
    client.connect();
    await until(() => client.state === "unauthorized");

    expect(states).toEqual([
      ["connecting", undefined],
      ["unauthorized", "the token has expired"],
    ]);
    expect(peer.connects.length).toBeLessThanOrEqual(4);
  });

  it("stops when there is no token at all", async () => {
    const client = new WebSocketClient({ url: peer.url, storage: new MemoryStorage() });
    client.connect();
    await until(() => client.state === "unauthorized");

    expect(peer.connects).toEqual([]);
  });

  it("asks for another token when one is refused", async () => {
    peer.admit = ({ auth }) =>
      auth.token === "bad" ? { code: "unauthenticated", detail: "bad token", retryable: false } : null;
    let asked = 0;
    const client = make(peer, { token: "bad", getToken: async () => token("7", String(++asked)) });
    client.connect();
    await until(() => client.isConnected);

    expect(asked).toBe(1);
  });

  it("takes long-polling where WebSockets are not let through", async () => {
    await peer.stop();
    peer = await Peer.start(["polling"]);
    const client = await connected(peer);

    expect(client.sockets.chat.io.engine.transport.name).toBe("polling");
  });

  it("comes back when the server dismisses a namespace", async () => {
    const client = await connected(peer);
    const seen = orders(client);
    peer.dismiss("orders");
    await until(() => !client.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => client.isConnected && seen.length === 1);

    expect(seen).toEqual([1]);
  });

  it("stops when it is refused for good", async () => {
    peer.admit = () => ({ code: "forbidden", detail: "not from here", retryable: false });
    const client = make(peer);
    client.connect();
    await until(() => client.state === "refused");

    expect(client.isConnected).toBe(false);
  });

  it("asks for a token again when the page could not get one", async () => {
    let asked = 0;
    const client = make(peer, {
      token: undefined as never,
      getToken: async () => {
        asked += 1;
        if (asked === 1) throw new TypeError("network");
        return token("7");
      },
    });
    client.connect();
    await until(() => client.isConnected);

    expect(asked).toBe(2);
  });

  it("asks again when the page's answer about a token never comes", async () => {
    vi.useFakeTimers();
    let asked = 0;
    const client = make(peer, {
      token: undefined as never,
      getToken: () => {
        asked += 1;
        return new Promise(() => {});
      },
    });
    client.connect();
    await vi.advanceTimersByTimeAsync(120_000);
    client.disconnect();
    vi.useRealTimers();

    expect(asked).toBeGreaterThan(1);
  });

  it("comes back later when it is refused for now", async () => {
    let refusals = 3;
    peer.admit = () => (refusals-- > 0 ? { code: "overloaded", detail: "later", retryable: true } : null);
    const client = make(peer);
    client.connect();
    await until(() => client.isConnected);

    expect(peer.connects.length).toBeGreaterThan(4);
  });
});

describe("the end of a token", () => {
  it("is put off by a newer token, without losing the connection", async () => {
    let salt = 0;
    const client = await connected(peer, {
      token: undefined as never,
      getToken: async () => token("7", String(++salt)),
    });
    for (const namespace of NAMESPACES) {
      peer.tell(namespace, "auth_expiring", { expires_at: "2026-11-23T00:01:00Z" });
    }
    await until(() => peer.heard.length > 0);
    await client.emitWithAck("orders", "ping_peer");

    expect(peer.heard.filter(([, event]) => event === "reauth").map(([, , data]) => data)).toEqual([
      { token: token("7", "2") },
    ]);
    expect(peer.connects.length).toBe(4);
  });

  it("is followed by a new token and a resume", async () => {
    let salt = 0;
    const client = await connected(peer, {
      token: undefined as never,
      getToken: async () => token("7", String(++salt)),
    });
    const seen = orders(client);
    peer.publish("orders", "order_updated");
    await until(() => seen.length === 1);
    for (const namespace of NAMESPACES) peer.tell(namespace, "auth_expired", { expires_at: "2026-11-23T00:01:00Z" });
    await until(() => peer.connects.length === 8 && client.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => seen.length === 2);

    expect(peer.connects[4]?.auth.token).toBe(token("7", "2"));
    expect(peer.connects.find(({ auth }) => auth.last_seq === 1)?.namespace).toBe("orders");
  });

  it("leaves a client without another token in a clear state", async () => {
    const client = await connected(peer);
    peer.tell("chat", "auth_expired", { expires_at: "2026-11-23T00:01:00Z" });
    await until(() => client.state === "unauthorized");

    expect(peer.connects.length).toBe(4);
  });
});

describe("the server's stop", () => {
  it("is waited for as long as the server asks", async () => {
    const client = await connected(peer);
    const waits: (number | null)[] = [];
    client.on("*", "state", ({ state, retryInMs }) => {
      if (state === "waiting") waits.push(retryInMs);
    });
    peer.tell("sns", "server_draining", { retry_in: 9.5 });
    await client.emitWithAck("sns", "ping_peer");
    peer.cut();
    await until(() => waits.length > 0);

    expect(waits[0]).toBeGreaterThan(5_000);
    expect(waits[0]).toBeLessThanOrEqual(9_500);
  });
});
