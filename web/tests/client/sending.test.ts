import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connected, leaveAll, make, token, until } from "./clients.js";
import { Peer } from "./peer.js";

let peer: Peer;

beforeEach(async () => {
  peer = await Peer.start();
});
afterEach(async () => {
  leaveAll();
  await peer.stop();
});

const nested = (levels: number) => Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ inner }), {});

describe("sending", () => {
  const messages = () => peer.heard.filter(([, event]) => event === "send_message").map(([, , data]) => data);
  const receipt = { ok: true, id: "m1", seq: 9, created_at: "2026-11-23T00:00:00.000Z" };

  it("resolves with what the server stored", async () => {
    peer.answer = () => receipt;
    const client = await connected(peer);

    expect(await client.sendMessage(456, "안녕하세요 🔔")).toEqual({
      id: "m1",
      seq: 9,
      created_at: "2026-11-23T00:00:00.000Z",
    });
    expect(messages()).toMatchObject([{ to_user_id: 456, message: "안녕하세요 🔔" }]);
  });

  it("sends a message again over a new connection, under the same id, until it is acknowledged", async () => {
    peer.answer = (event) => (event === "send_message" ? undefined : { ok: true });
    const client = await connected(peer);
    const sent = client.sendMessage(456, "hello");
    await until(() => messages().length === 1);
    peer.answer = () => receipt;
    peer.cut();

    expect((await sent).id).toBe("m1");
    expect(messages().length).toBe(2);
    expect(messages()[0]?.client_msg_id).toBe(messages()[1]?.client_msg_id);
    expect(client.unsent).toBe(0);
  });

  it("gives a message an id of its own where the page gives none", async () => {
    peer.answer = () => receipt;
    const client = await connected(peer);
    await client.emitWithAck("chat", "send_message", { to_user_id: 456, message: "hello", client_msg_id: undefined });

    expect(messages()[0]?.client_msg_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("keeps what is sent before connecting", async () => {
    peer.answer = () => receipt;
    const client = make(peer);
    client.emit("chat", "send_message", { to_user_id: 456, message: "early" });
    const sent = client.sendMessage(456, "second");
    expect(client.unsent).toBe(2);
    client.connect();
    await sent;

    expect(messages().map(({ message }) => message)).toEqual(["early", "second"]);
  });

  it("keeps an event that is emitted before connecting", async () => {
    const client = make(peer);
    expect(client.emit("sns", "publish_start", { post_id: 1, platforms: [] })).toBe(true);
    client.connect();
    await until(() => client.isConnected);
    await client.emitWithAck("sns", "ping_peer");

    expect(peer.heard.map(([, event]) => event)).toEqual(["publish_start", "ping_peer"]);
  });

  it("sends nothing of one user as another", async () => {
    let user = "7";
    const client = await connected(peer, { token: undefined as never, getToken: () => token(user) });
    client.disconnect();
    client.emit("sns", "publish_start", { post_id: 1, platforms: [] });
    user = "8";
    client.connect();
    await until(() => client.isConnected);
    await client.emitWithAck("sns", "ping_peer");

    expect(peer.heard.map(([, event]) => event)).toEqual(["ping_peer"]);
  });

  it("rejects what the server refuses, and nobody has to listen", async () => {
    peer.answer = () => ({ ok: false, code: "invalid", detail: "too long", retryable: false });
    const client = await connected(peer);
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
    const client = await connected(peer);
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
    const client = await connected(peer);
    client.emit("sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] });
    await until(() => peer.heard.length === 1);

    expect(peer.heard).toEqual([["sns", "publish_start", { post_id: 123, platforms: ["instagram", "twitter"] }]]);
  });

  it("throws what JSON can't carry, or no server takes, back at the page, and connects all the same", async () => {
    const client = make(peer);
    expect(() => client.emit("sns", "publish_start", { post_id: 1n })).toThrow(TypeError);
    expect(() => client.emit("sns", "publish_start", { post_id: "보".repeat(400_000) })).toThrow("it exceeds 1 MB");
    expect(() => client.emit("sns", "publish_start", nested(64))).toThrow("nested deeper than 63 levels");
    await expect(client.emitWithAck("sns", "publish_start", { post_id: 1n })).rejects.toMatchObject({
      code: "invalid",
    });
    client.connect();
    await until(() => client.isConnected);
    // Sent again and again it would close every connection.
    await expect(client.sendMessage(456, nested(63) as never)).rejects.toMatchObject({ code: "invalid" });
    expect(messages()).toEqual([]);
  });

  it("does not let a message that JSON can't carry, or that no server takes, hold up the next", async () => {
    peer.answer = () => receipt;
    const client = await connected(peer);
    const bad = client.sendMessage(456n as never, "hello");
    const huge = client.sendMessage(456, "안".repeat(334_000));
    const good = client.sendMessage(456, "hello");

    await expect(bad).rejects.toMatchObject({ code: "invalid" });
    await expect(huge).rejects.toMatchObject({ code: "invalid" });
    expect((await good).id).toBe("m1");
  });

  it("says that it types once for many keystrokes, and stops with the message", async () => {
    peer.answer = () => receipt;
    const client = await connected(peer);
    for (let stroke = 0; stroke < 10; stroke += 1) client.setTyping(456, true);
    await client.sendMessage(456, "hello");

    expect(peer.heard.map(([, event, data]) => [event, data.is_typing])).toEqual([
      ["typing", true],
      ["typing", false],
      ["send_message", undefined],
    ]);
  });

  it("says nothing of typing while it is not connected", async () => {
    const client = make(peer);
    client.setTyping(456, true);
    client.connect();
    await until(() => client.isConnected);
    await client.emitWithAck("chat", "ping_peer");

    expect(peer.heard.map(([, event]) => event)).toEqual(["ping_peer"]);
  });

  it("says so when a message is emitted that it has no room for", () => {
    const client = make(peer);
    const accepted = Array.from({ length: 201 }, () =>
      client.emit("chat", "send_message", { to_user_id: 456, message: "hello" }),
    );

    expect(accepted.filter(Boolean).length).toBe(client.unsent);
    expect(accepted[200]).toBe(false);
  });

  it("lets a bounded number of events wait for the connection", () => {
    const client = make(peer);
    const accepted = Array.from({ length: 300 }, () => client.emit("sns", "publish_start", {}));

    expect(accepted.filter(Boolean).length).toBe(256);
  });
});

describe("typing of others", () => {
  it("shows a typist once and ends it with the message", async () => {
    const client = await connected(peer);
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
