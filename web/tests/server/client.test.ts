import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type ClientOptions, WebSocketClient } from "../../src/client/client.js";
import { NAMESPACES } from "../../src/client/namespace.js";
import { Tocsin } from "./tocsin.js";

const WAIT_MS = 30_000;

let server: Tocsin;
let clients: WebSocketClient[] = [];
let users = 0;

beforeAll(async () => {
  server = await Tocsin.start();
}, WAIT_MS);
afterEach(() => {
  for (const client of clients) client.disconnect();
  clients = [];
});
afterAll(() => server.remove(), WAIT_MS);

/** A user whom no other test knows. */
const newUser = () => `user-${++users}`;

async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: WAIT_MS, interval: 5 });
}

async function connected(user: string, options: ClientOptions = {}): Promise<WebSocketClient> {
  const client = new WebSocketClient({ url: server.url, token: server.token(user), storage: null, ...options });
  clients.push(client);
  const synced = new Set<string>();
  client.on("*", "sync", ({ namespace }) => synced.add(namespace));
  client.connect();
  await until(() => client.isConnected && synced.size === NAMESPACES.length);
  return client;
}

const order = (user: string, number: number) =>
  server.post("/api/events", {
    namespace: "/orders",
    event: "order_updated",
    user_id: user,
    data: { order_id: number, status: "shipped" },
  });

describe("the real server", { timeout: WAIT_MS * 2 }, () => {
  it.each(["websocket", "polling"] as const)("brings the guide's events over %s", async (transport) => {
    const user = newUser();
    const client = await connected(user, { transports: [transport] });
    const seen: unknown[] = [];
    client.on("notifications", "notification", ({ title }) => seen.push(title));
    client.on("sns", "publish_success", ({ post_id, platforms }) => seen.push([post_id, platforms]));
    client.on("orders", "order_updated", ({ order_id }) => seen.push(order_id));
    await server.post("/api/notifications", { user_id: user, type: "order", title: "<b>안녕 🔔</b>", message: "text" });
    const data = { post_id: 123, platforms: ["instagram"] };
    await server.post("/api/events", { namespace: "/sns", event: "publish_success", user_id: user, data });
    await order(user, 7);
    await until(() => seen.length === 3);

    expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(
      new Set(['"<b>안녕 🔔</b>"', '[123,["instagram"]]', "7"]),
    );
  });

  it("carries a message, and says who types", async () => {
    const [anna, boris] = [newUser(), newUser()];
    const sender = await connected(anna);
    const receiver = await connected(boris);
    const seen: unknown[] = [];
    receiver.on("chat", "user_typing", ({ user_id, is_typing }) => seen.push([user_id, is_typing]));
    receiver.on("chat", "message_received", ({ message, from_user_id }) => seen.push([from_user_id, message]));
    sender.setTyping(boris, true);
    await until(() => seen.length === 1);
    const sent = await sender.sendMessage(boris, "Привет <i>🔔</i>");
    await until(() => seen.length === 3);

    expect(Object.keys(sent).sort()).toEqual(["created_at", "id", "seq"]);
    expect(seen).toEqual([
      [anna, true],
      [anna, false],
      [anna, "Привет <i>🔔</i>"],
    ]);
  });

  it("shows presence once and in its place where a back end has it kept", async () => {
    const user = newUser();
    const client = await connected(user);
    const seen: unknown[] = [];
    client.on("sns", "user_online", ({ user_id }) => seen.push(user_id));
    client.on("sns", "post_liked", ({ post_id }) => seen.push(post_id));
    client.on("*", "gap", (gap) => seen.push(gap));
    const event = { namespace: "/sns", user_id: user };
    await server.post("/api/events", { ...event, event: "user_online", data: { user_id: 2 }, durable: true });
    await server.post("/api/events", { ...event, event: "post_liked", data: { post_id: "p1" } });
    await until(() => client.lastSeq("sns") === 2);

    expect(seen).toEqual([2, "p1"]);
  });

  it("refuses with the same problem as REST", async () => {
    const client = await connected(newUser());

    await expect(client.emitWithAck("notifications", "mark_read", { notification_id: "none" })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(client.sendMessage("somebody", "")).rejects.toMatchObject({ code: "invalid" });
  });

  it("answers what is nested as deep as a client sends it", async () => {
    const client = await connected(newUser());
    const data = Array.from({ length: 61 }).reduce<object>((inner) => [inner], []);

    await expect(client.emitWithAck("chat", "watch", { user_ids: data })).rejects.toMatchObject({ code: "invalid" });
    await expect(client.emitWithAck("chat", "watch", { user_ids: [data] })).rejects.toThrow("nested deeper");
    expect(client.isConnected).toBe(true);
  });

  it("tells a client with a wrong token to stop", async () => {
    const client = new WebSocketClient({ url: server.url, token: "not.a.token", storage: null });
    const problems: unknown[] = [];
    client.on("*", "state", ({ state, problem }) => problems.push([state, problem?.code]));
    client.connect();
    await until(() => client.state === "unauthorized");

    expect(problems).toEqual([
      ["connecting", undefined],
      ["unauthorized", "unauthenticated"],
    ]);
  });

  it("takes a newer token before the old one ends, and the connection lives on", async () => {
    const user = newUser();
    let asked = 0;
    const states: string[] = [];
    const client = new WebSocketClient({
      url: server.url,
      storage: null,
      getToken: () => server.token(user, { lifetimeS: asked++ === 0 ? 3 : 3_600 }),
    });
    clients.push(client);
    client.on("*", "state", ({ state }) => states.push(state));
    client.connect();
    await until(() => asked === 2);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await client.emitWithAck("notifications", "mark_all_read");

    expect(states).toEqual(["connecting", "connected"]);
  });

  it("ends with the token when there is no other", async () => {
    const user = newUser();
    const client = await connected(user, { token: server.token(user, { lifetimeS: 2 }) });
    await until(() => client.state === "unauthorized");

    expect(client.isConnected).toBe(false);
  });

  it("is asked again for the end of the log when more than it replays was missed", async () => {
    const user = newUser();
    const client = await connected(user);
    const shown: number[] = [];
    const snapshots: unknown[] = [];
    client.on("orders", "order_updated", ({ seq }) => shown.push(seq));
    client.on("*", "resync", ({ reason, snapshot }) => {
      if (snapshot !== null && "events" in snapshot) snapshots.push([reason, snapshot.events.map(({ seq }) => seq)]);
    });
    await order(user, 1);
    await until(() => shown.length === 1);
    client.disconnect();
    const numbers = Array.from({ length: 1_005 }, (_, index) => index + 2);
    while (numbers.length > 0) await Promise.all(numbers.splice(0, 50).map((number) => order(user, number)));
    client.connect();
    await until(() => snapshots.length === 1);
    await order(user, 2_000);
    await until(() => shown.length === 2);

    expect(snapshots).toEqual([["too_far_behind", Array.from({ length: 1_005 }, (_, index) => index + 2)]]);
    expect(shown).toEqual([1, 1_007]);
  });

  it("hands over the inbox after a new epoch", async () => {
    const user = newUser();
    const client = await connected(user);
    const titles = ["first", "second"];
    for (const title of titles) {
      await server.post("/api/notifications", { user_id: user, type: "order", title, message: "text" });
    }
    await until(() => client.lastSeq("notifications") === 2);
    const snapshots: unknown[] = [];
    client.on("*", "resync", ({ reason, snapshot }) => {
      if (snapshot !== null && "notifications" in snapshot) {
        snapshots.push([reason, snapshot.notifications.map(({ title }) => title), snapshot.unread_count]);
      }
    });
    await server.end("SIGKILL");
    server.run("db", "new-epoch");
    await server.start();
    await until(() => snapshots.length === 1);

    expect(snapshots).toEqual([["epoch_changed", ["second", "first"], 2]]);
  });

  it("may be killed again and again: nothing is lost, nothing comes twice, all is in order", async () => {
    const [user, friend] = [newUser(), newUser()];
    const client = await connected(user);
    const writer = await connected(friend);
    const orders: unknown[] = [];
    const messages: string[] = [];
    client.on("orders", "order_updated", ({ order_id }) => orders.push(order_id));
    client.on("chat", "message_received", ({ message }) => messages.push(message));
    const acknowledged: number[] = [];
    const sent: Promise<unknown>[] = [];
    let isOver = false;
    const producer = (async () => {
      for (let number = 1; !isOver; number += 1) {
        // A person writes less while the server is away; more than 200 would be refused.
        if (writer.unsent < 100) sent.push(writer.sendMessage(user, String(sent.length + 1)));
        try {
          await order(user, number);
          acknowledged.push(number);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    })();
    for (let kill = 0; kill < 3; kill += 1) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 30);
      await server.end("SIGKILL");
      await server.start();
    }
    isOver = true;
    await producer;
    await Promise.all(sent);
    const last = acknowledged[acknowledged.length - 1];
    await until(() => orders.includes(last) && messages.length >= sent.length);

    expect(acknowledged.filter((number) => !orders.includes(number))).toEqual([]);
    expect(orders.length).toBe(new Set(orders).size);
    expect(orders).toEqual([...orders].sort((a, b) => Number(a) - Number(b)));
    expect(messages).toEqual(sent.map((_, index) => String(index + 1)));
  });

  it("sends its clients away for a while when it is stopped, and they come back", async () => {
    const client = await connected(newUser());
    const waits: (number | null)[] = [];
    const notices: number[] = [];
    client.on("sns", "server_draining", ({ retry_in }) => notices.push(retry_in));
    client.on("*", "state", ({ state, retryInMs }) => {
      if (state === "waiting") waits.push(retryInMs);
    });
    await server.end("SIGTERM");
    await server.start();
    await until(() => client.isConnected && waits.length > 0);

    expect(notices.length).toBe(1);
  });
});
