import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ClientOptions, WebSocketClient } from "../../src/client/client.js";
import { NAMESPACES } from "../../src/client/namespace.js";
import { MemoryStorage } from "./memory_storage.js";
import { Peer } from "./peer.js";

const token = (sub: string, salt = "") =>
  `e30.${Buffer.from(JSON.stringify({ sub, salt })).toString("base64url")}.c2ln`;

let peer: Peer;
let clients: WebSocketClient[];

beforeEach(async () => {
  peer = await Peer.start();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.disconnect();
  await peer.stop();
});

function make(options: ClientOptions = {}): WebSocketClient {
  const client = new WebSocketClient({ url: peer.url, token: token("7"), storage: null, ...options });
  clients.push(client);
  return client;
}

async function connected(options: ClientOptions = {}): Promise<WebSocketClient> {
  const client = make(options);
  const synced = new Set<string>();
  client.on("*", "sync", ({ namespace }) => synced.add(namespace));
  client.connect();
  await until(() => client.isConnected && synced.size === NAMESPACES.length);
  return client;
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: 8_000, interval: 5 });
}

function orders(client: WebSocketClient): unknown[] {
  const seen: unknown[] = [];
  client.on("orders", "order_updated", ({ seq }) => seen.push(seq));
  return seen;
}

describe("connecting", () => {
  it("joins the four namespaces over one connection", async () => {
    const client = await connected();

    expect(Object.keys(client.sockets)).toEqual(["sns", "orders", "chat", "notifications"]);
    expect(NAMESPACES.every((name) => client.sockets[name].connected)).toBe(true);
    expect(new Set(NAMESPACES.map((name) => client.sockets[name].io)).size).toBe(1);
  });

  it("is harmless when repeated", async () => {
    const client = await connected();
    client.connect();
    client.connect();
    await client.emitWithAck("orders", "ping_peer");

    expect(peer.connects.length).toBe(4);
    expect(client.isConnected).toBe(true);
  });

  it("delivers to handlers that were added before", async () => {
    const client = make();
    const seen = orders(client);
    client.connect();
    await until(() => client.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => seen.length === 1);

    expect(seen).toEqual([1]);
  });

  it("tells each change of its state", async () => {
    const client = make();
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
    const client = make();
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
    const client = make({ token: "bad", getToken: async () => token("7", String(++asked)) });
    client.connect();
    await until(() => client.isConnected);

    expect(asked).toBe(1);
  });

  it("takes long-polling where WebSockets are not let through", async () => {
    await peer.stop();
    peer = await Peer.start(["polling"]);
    const client = await connected();

    expect(client.sockets.chat.io.engine.transport.name).toBe("polling");
  });

  it("comes back when the server dismisses a namespace", async () => {
    const client = await connected();
    const seen = orders(client);
    peer.dismiss("orders");
    await until(() => !client.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => client.isConnected && seen.length === 1);

    expect(seen).toEqual([1]);
  });

  it("stops when it is refused for good", async () => {
    peer.admit = () => ({ code: "forbidden", detail: "not from here", retryable: false });
    const client = make();
    client.connect();
    await until(() => client.state === "refused");

    expect(client.isConnected).toBe(false);
  });

  it("asks for a token again when the page could not get one", async () => {
    let asked = 0;
    const client = make({
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

  it("comes back later when it is refused for now", async () => {
    let refusals = 3;
    peer.admit = () => (refusals-- > 0 ? { code: "overloaded", detail: "later", retryable: true } : null);
    const client = make();
    client.connect();
    await until(() => client.isConnected);

    expect(peer.connects.length).toBeGreaterThan(4);
  });
});

describe("delivery", () => {
  it("resumes from its cursor after a cut: nothing lost, nothing twice, in order", async () => {
    const client = await connected();
    const seen = orders(client);
    for (let round = 0; round < 3; round += 1) {
      peer.publish("orders", "order_updated");
      await until(() => seen.length === peer.log("orders").length);
      peer.cut();
      peer.publish("orders", "order_updated");
      await until(() => client.isConnected && seen.length === peer.log("orders").length);
    }

    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(peer.connects.filter(({ namespace }) => namespace === "orders").map(({ auth }) => auth.last_seq)).toEqual([
      undefined,
      1,
      3,
      5,
    ]);
  });

  it("shows an event once that comes twice", async () => {
    peer.link = (payload) => [payload, payload];
    const client = await connected();
    const seen = orders(client);
    for (let count = 0; count < 5; count += 1) peer.publish("orders", "order_updated");
    await until(() => client.lastSeq("orders") === 5);

    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("has a gap replayed and shows what lies beyond it in order", async () => {
    const client = await connected();
    const seen = orders(client);
    const gaps: unknown[] = [];
    client.on("*", "gap", (gap) => gaps.push(gap));
    peer.link = (payload) => (payload.seq === 2 ? [] : [payload]);
    for (let count = 0; count < 4; count += 1) peer.publish("orders", "order_updated");
    await until(() => seen.length === 4);

    expect(seen).toEqual([1, 2, 3, 4]);
    expect(gaps).toEqual([{ namespace: "orders", after: 1, seen: 3 }]);
    expect(peer.heard.filter(([, event]) => event === "replay")).toEqual([["orders", "replay", { after: 1 }]]);
  });

  it("keeps the cursor over a reload", async () => {
    const storage = new MemoryStorage();
    const before = await connected({ storage });
    peer.publish("orders", "order_updated");
    await until(() => before.lastSeq("orders") === 1);
    before.disconnect();
    peer.publish("orders", "order_updated");

    const after = make({ storage });
    const seen = orders(after);
    after.connect();
    await until(() => seen.length > 0);
    expect(seen).toEqual([2]);
  });

  it("begins anew when another user signs in", async () => {
    let user = "7";
    const client = await connected({ token: undefined as never, getToken: () => token(user) });
    peer.publish("orders", "order_updated");
    await until(() => client.lastSeq("orders") === 1);
    client.disconnect();
    user = "8";
    client.connect();
    await until(() => client.isConnected);

    expect(peer.connects.filter(({ namespace }) => namespace === "orders").map(({ auth }) => auth.last_seq)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("hands over the inbox when the notifications can't be resumed, and goes on from it", async () => {
    const client = await connected();
    const seen: unknown[] = [];
    client.on("*", "resync", (event) => {
      if (event.namespace === "notifications") seen.push(event);
    });
    client.on("notifications", "notification", ({ seq, epoch }) => seen.push([epoch, seq]));
    peer.publish("notifications", "notification");
    await until(() => seen.length === 1);
    peer.restore("e2");
    peer.publish("notifications", "notification");
    peer.inbox = { notifications: [{ title: "<b>kept</b>" }], unread_count: 1, next_cursor: null };
    await until(() => seen.length === 2);
    peer.publish("notifications", "notification");
    await until(() => seen.length === 3);

    const snapshot = { ...peer.inbox, epoch: "e2", seq: 1 };
    expect(seen).toEqual([
      ["e1", 1],
      { namespace: "notifications", reason: "epoch_changed", epoch: "e2", seq: 1, snapshot },
      ["e2", 2],
    ]);
  });

  it("hands over the kept log when another namespace can't be resumed, page by page", async () => {
    const client = await connected();
    peer.publish("orders", "order_updated");
    await until(() => client.lastSeq("orders") === 1);
    peer.restore("e2");
    for (let count = 0; count < 5; count += 1) peer.log("orders").push(stored(count + 1));
    const snapshots: unknown[] = [];
    client.on("*", "resync", ({ namespace, snapshot }) => {
      if (namespace === "orders") snapshots.push(snapshot);
    });
    peer.cut();
    await until(() => snapshots.length === 1);

    expect(snapshots).toMatchObject([{ epoch: "e2", seq: 5, events: [1, 2, 3, 4, 5].map((seq) => ({ seq })) }]);
    expect(client.lastSeq("orders")).toBe(5);
  });

  it("acknowledges the highest seq, at most once a second", async () => {
    const client = await connected();
    for (let count = 0; count < 50; count += 1) peer.publish("orders", "order_updated");
    const acks = () => peer.heard.filter(([, event]) => event === "ack");
    await until(() => acks().length > 0);

    expect(acks()).toEqual([["orders", "ack", { seq: 50 }]]);
    expect(client.lastSeq("orders")).toBe(50);
  });

  it("acknowledges at once on the way out", async () => {
    const client = await connected();
    peer.publish("orders", "order_updated");
    await until(() => client.lastSeq("orders") === 1);
    client.disconnect();
    await until(() => peer.heard.length > 0);

    expect(peer.heard).toEqual([["orders", "ack", { seq: 1 }]]);
  });

  function stored(seq: number) {
    return { event: "order_updated", payload: { event_id: `orders-${seq}`, seq, epoch: "e2" } };
  }
});

describe("sending", () => {
  const messages = () => peer.heard.filter(([, event]) => event === "send_message").map(([, , data]) => data);
  const receipt = { ok: true, id: "m1", seq: 9, created_at: "2026-11-23T00:00:00.000Z" };

  it("resolves with what the server stored", async () => {
    peer.answer = () => receipt;
    const client = await connected();

    expect(await client.sendMessage(456, "안녕하세요 🔔")).toEqual({
      id: "m1",
      seq: 9,
      created_at: "2026-11-23T00:00:00.000Z",
    });
    expect(messages()).toMatchObject([{ to_user_id: 456, message: "안녕하세요 🔔" }]);
  });

  it("sends a message again over a new connection, under the same id, until it is acknowledged", async () => {
    peer.answer = (event) => (event === "send_message" ? undefined : { ok: true });
    const client = await connected();
    const sent = client.sendMessage(456, "hello");
    await until(() => messages().length === 1);
    peer.answer = () => receipt;
    peer.cut();

    expect((await sent).id).toBe("m1");
    expect(messages().length).toBe(2);
    expect(messages()[0]?.client_msg_id).toBe(messages()[1]?.client_msg_id);
    expect(client.unsent).toBe(0);
  });

  it("keeps what is sent before connecting", async () => {
    peer.answer = () => receipt;
    const client = make();
    client.emit("chat", "send_message", { to_user_id: 456, message: "early" });
    const sent = client.sendMessage(456, "second");
    expect(client.unsent).toBe(2);
    client.connect();
    await sent;

    expect(messages().map(({ message }) => message)).toEqual(["early", "second"]);
  });

  it("rejects what the server refuses, and nobody has to listen", async () => {
    peer.answer = () => ({ ok: false, code: "invalid", detail: "too long", retryable: false });
    const client = await connected();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    client.sendMessage(456, "ignored");

    await expect(client.sendMessage(456, "hello")).rejects.toMatchObject({ code: "invalid", message: "too long" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  it("answers an event with the server's ack, a problem or a timeout", async () => {
    const client = await connected();
    peer.answer = () => ({ ok: true, marked: 3 });
    expect(await client.emitWithAck("notifications", "mark_all_read")).toEqual({ marked: 3 });

    peer.answer = () => ({ ok: false, code: "not_found", detail: "no such notification", retryable: false });
    await expect(client.emitWithAck("notifications", "delete", { notification_id: "x" })).rejects.toMatchObject({
      code: "not_found",
    });

    peer.answer = () => undefined;
    await expect(client.emitWithAck("sns", "publish_start", {}, { timeoutMs: 20 })).rejects.toMatchObject({
      code: "timeout",
    });
  });

  it("sends the guide's publish_start", async () => {
    const client = await connected();
    client.emit("sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] });
    await until(() => peer.heard.length === 1);

    expect(peer.heard).toEqual([["sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] }]]);
  });

  it("says that it types once for many keystrokes, and stops with the message", async () => {
    peer.answer = () => receipt;
    const client = await connected();
    for (let stroke = 0; stroke < 10; stroke += 1) client.setTyping(456, true);
    await client.sendMessage(456, "hello");

    expect(peer.heard.map(([, event, data]) => [event, data.is_typing])).toEqual([
      ["typing", true],
      ["typing", false],
      ["send_message", undefined],
    ]);
  });

  it("says nothing of typing while it is not connected", async () => {
    const client = make();
    client.setTyping(456, true);
    client.connect();
    await until(() => client.isConnected);
    await client.emitWithAck("chat", "ping_peer");

    expect(peer.heard.map(([, event]) => event)).toEqual(["ping_peer"]);
  });

  it("lets a bounded number of events wait for the connection", () => {
    const client = make();
    const accepted = Array.from({ length: 300 }, () => client.emit("sns", "publish_start", {}));

    expect(accepted.filter(Boolean).length).toBe(256);
  });
});

describe("the end of a token", () => {
  it("is put off by a newer token, without losing the connection", async () => {
    let salt = 0;
    const client = await connected({ token: undefined as never, getToken: async () => token("7", String(++salt)) });
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
    const client = await connected({ token: undefined as never, getToken: async () => token("7", String(++salt)) });
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
    const client = await connected();
    peer.tell("chat", "auth_expired", { expires_at: "2026-11-23T00:01:00Z" });
    await until(() => client.state === "unauthorized");

    expect(peer.connects.length).toBe(4);
  });
});

describe("the server's stop", () => {
  it("is waited for as long as the server asks", async () => {
    const client = await connected();
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

describe("typing of others", () => {
  it("shows a typist once and ends it with the message", async () => {
    const client = await connected();
    const seen: unknown[] = [];
    client.on("chat", "user_typing", (event) => seen.push([event.user_id, event.is_typing]));
    client.on("chat", "message_received", ({ message }) => seen.push(message));
    peer.tell("chat", "user_typing", { user_id: 456, is_typing: true });
    peer.tell("chat", "user_typing", { user_id: 456, is_typing: true });
    peer.publish("chat", "message_received", { from_user_id: 456, message: "<i>hi</i>" });
    await until(() => seen.length === 3);

    expect(seen).toEqual([[456, true], [456, false], "<i>hi</i>"]);
  });
});
