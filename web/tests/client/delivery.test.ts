import { afterEach, beforeEach, describe, expect, it } from "vitest";
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

describe("delivery", () => {
  it("resumes from its cursor after a cut: nothing lost, nothing twice, in order", async () => {
    const client = await connected(peer);
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
    const client = await connected(peer);
    const seen = orders(client);
    for (let count = 0; count < 5; count += 1) peer.publish("orders", "order_updated");
    await until(() => client.lastSeq("orders") === 5);

    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("has a gap replayed and shows what lies beyond it in order", async () => {
    const client = await connected(peer);
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
    const before = await connected(peer, { storage });
    peer.publish("orders", "order_updated");
    await until(() => before.lastSeq("orders") === 1);
    before.disconnect();
    peer.publish("orders", "order_updated");

    const after = make(peer, { storage });
    const seen = orders(after);
    after.connect();
    await until(() => seen.length > 0);
    expect(seen).toEqual([2]);
  });

  it("begins anew when another user signs in", async () => {
    let user = "7";
    const client = await connected(peer, { token: undefined as never, getToken: () => token(user) });
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
    const client = await connected(peer);
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
    const client = await connected(peer);
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
    const client = await connected(peer);
    for (let count = 0; count < 50; count += 1) peer.publish("orders", "order_updated");
    const acks = () => peer.heard.filter(([, event]) => event === "ack");
    await until(() => acks().length > 0);

    expect(acks()).toEqual([["orders", "ack", { seq: 50 }]]);
    expect(client.lastSeq("orders")).toBe(50);
  });

  it("acknowledges at once on the way out", async () => {
    const client = await connected(peer);
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
