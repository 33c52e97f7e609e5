import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WebSocketClient } from "../../src/client/client.js";
import { NAMESPACES } from "../../src/client/namespace.js";
import type { Channel, Message } from "../../src/shared/channel.js";
import { token, until } from "../client/clients.js";
import { MemoryStorage } from "../client/memory_storage.js";
import { Peer } from "../client/peer.js";
import { closeBrowser, openBrowser, openTab } from "./tabs.js";

let peer: Peer;

beforeEach(async () => {
  peer = await Peer.start();
});
afterEach(async () => {
  closeBrowser();
  await peer.stop();
});

/** A tab of user 7 that has had five events, where user 8 once had two. */
async function tabOfTwoUsers() {
  let user = "7";
  const stored = JSON.stringify({ epoch: peer.epoch, seq: 2 });
  const storage = new MemoryStorage({ [`tocsin:cursor:${peer.url}:8:orders`]: stored });
  const tab = openTab(peer, { token: undefined as never, storage, getToken: () => token(user) });
  const seen: unknown[] = [];
  tab.on("orders", "order_updated", ({ seq }) => seen.push(seq));
  tab.connect();
  await until(() => tab.isConnected);
  for (let count = 0; count < 5; count += 1) peer.publish("orders", "order_updated");
  await until(() => seen.length === 5);
  seen.length = 0;
  const become = (other: string) => {
    user = other;
  };
  return { tab, seen, become };
}

const heard = (event: string) => peer.heard.filter(([, name]) => name === event);

for (const hasLocks of [true, false]) {
  describe(`a shared client ${hasLocks ? "with" : "without"} Web Locks`, () => {
    beforeEach(() => openBrowser({ hasLocks }));

    it("goes on from the place of the user who signs in next", async () => {
      const { tab, seen, become } = await tabOfTwoUsers();
      tab.disconnect();
      become("8");
      await new Promise((resolve) => setTimeout(resolve));
      tab.connect();
      await until(() => tab.isConnected && tab.lastSeq("orders") === 5);

      expect(peer.connects.filter(({ namespace }) => namespace === "orders").at(-1)?.auth.last_seq).toBe(2);
      expect(seen).toEqual([3, 4, 5]);
    });

    it("connects again in the same breath", async () => {
      const { tab, seen } = await tabOfTwoUsers();
      tab.disconnect();
      tab.connect();
      await new Promise((resolve) => setTimeout(resolve));
      await until(() => tab.isConnected);
      peer.publish("orders", "order_updated");
      await until(() => seen.length > 0);

      expect(tab.hasConnection).toBe(true);
      expect(seen).toEqual([6]);
    });

    it("goes on from the place of the same user", async () => {
      const { tab, seen } = await tabOfTwoUsers();
      tab.disconnect();
      await new Promise((resolve) => setTimeout(resolve));
      tab.connect();
      peer.publish("orders", "order_updated");
      await until(() => tab.isConnected && tab.lastSeq("orders") === 6);

      expect(seen).toEqual([6]);
    });

    it("notices another user when the connection comes back", async () => {
      const { tab, seen, become } = await tabOfTwoUsers();
      become("8");
      peer.admit = ({ auth }) =>
        auth.token === token("7") ? { code: "unauthenticated", detail: "signed out", retryable: false } : null;
      peer.cut();
      await until(() => seen.length > 0);
      await until(() => tab.isConnected && tab.lastSeq("orders") === 5);

      expect(seen).toEqual([3, 4, 5]);
    });
  });
}

describe("a tab without the connection", () => {
  beforeEach(() => openBrowser({ hasLocks: true }));

  async function twoTabs() {
    const first = openTab(peer);
    first.connect();
    await until(() => first.isConnected);
    const second = openTab(peer);
    second.connect();
    await until(() => second.isConnected);
    expect(second.hasConnection).toBe(false);
    return { first, second };
  }

  it("does not repeat what the tab before had sent, but for messages", async () => {
    const { first, second } = await twoTabs();
    peer.answer = () => undefined;
    const edited = second.emitWithAck("chat", "edit_message", { message_id: "m1" }).catch(({ code }) => code);
    const sent = second.sendMessage("8", "hi");
    second.emit("chat", "send_message", { to_user_id: "8", message: "ho" });
    second.emit("orders", "look");
    await until(() => heard("edit_message").length === 1 && heard("look").length === 1);
    peer.answer = () => ({ ok: true, message_id: "m2" });
    first.disconnect();

    expect(await edited).toBe("disconnected");
    expect(await sent).toEqual({ message_id: "m2" });
    await until(() => heard("send_message").some(([, , { message }]) => message === "ho"));
    expect(second.hasConnection).toBe(true);
    expect([heard("edit_message").length, heard("look").length]).toEqual([1, 1]);
  });

  it("connects for all where somebody signs in again in it", async () => {
    const { first, second } = await twoTabs();
    peer.admit = () => ({ code: "unauthenticated", detail: "expired", retryable: false });
    peer.cut();
    await until(() => first.state === "unauthorized" && second.state === "unauthorized");
    peer.admit = () => null;
    second.connect();
    await until(() => first.isConnected && second.isConnected);

    expect([first.hasConnection, second.hasConnection]).toEqual([true, false]);
  });

  it("hears nothing of another user for whom the connection comes back", async () => {
    const { tab, become } = await tabOfTwoUsers();
    const other = openTab(peer);
    other.connect();
    await until(() => other.isConnected);
    expect(other.hasConnection).toBe(false);
    become("8");
    peer.admit = ({ auth }) =>
      tab.hasConnection && !other.hasConnection && auth.token === token("7")
        ? { code: "unauthenticated", detail: "signed out", retryable: false }
        : null;
    peer.cut();
    await until(() => tab.isConnected && other.isConnected && other.hasConnection && tab.hasConnection);

    expect([...new Set(peer.connects.map(({ auth }) => auth.token))]).toEqual([token("7"), token("8")]);
  });

  /** The second has missed an event and asks the log, which answers when it is told to. */
  async function missing() {
    const { first, second } = await twoTabs();
    const seen: unknown[] = [];
    second.on("orders", "order_updated", ({ seq }) => seen.push(seq));
    const reads: (() => Promise<void>)[] = [];
    const { fetch } = globalThis;
    vi.stubGlobal("fetch", (...asked: Parameters<typeof fetch>) => {
      return new Promise((resolve) => reads.push(async () => resolve(await fetch(...asked))));
    });
    const inside = second as unknown as { hear: (message: Message) => void };
    const { hear } = inside;
    inside.hear = () => {};
    peer.publish("orders", "order_updated");
    await until(() => first.lastSeq("orders") === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside.hear = hear;
    peer.publish("orders", "order_updated");
    await until(() => reads.length === 1);
    return { first, second, seen, reads };
  }

  it("shows nothing more once it has left, and all of it when it comes back", async () => {
    const { second, seen, reads } = await missing();
    second.disconnect();
    await reads[0]?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = [...seen];
    second.connect();
    await until(() => reads.length === 2);
    await reads[1]?.();
    await until(() => seen.length > 0 && second.lastSeq("orders") === 2);

    expect([after, seen]).toEqual([[], [1, 2]]);
  });

  it("waits for the log, however often it hears how far the stream is", async () => {
    const { first, second, seen, reads } = await missing();
    const resyncs: unknown[] = [];
    second.on("*", "resync", (event) => resyncs.push(event));
    for (let look = 0; look < 5; look += 1) document.dispatchEvent(new Event("visibilitychange"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const read of reads) await read();
    await until(() => second.lastSeq("orders") === 2);

    expect([seen, resyncs, reads.length, first.hasConnection]).toEqual([[1, 2], [], 1, true]);
  });

  it("sends what JSON takes and tabs do not, and refuses what JSON does not take", async () => {
    const { second } = await twoTabs();
    const reactive = new Proxy({ message_id: "m1", tags: new Proxy(["a"], {}) }, {});
    await second.emitWithAck("chat", "edit_message", reactive);
    await second.emitWithAck("orders", "look");
    const refused = second.emitWithAck("orders", "look", { count: 1n }).catch(({ code }) => code);

    expect(await refused).toBe("invalid");
    expect(heard("edit_message")).toEqual([["chat", "edit_message", { message_id: "m1", tags: ["a"] }]]);
    expect(heard("look").length).toBe(1);
  });

  it("throws for what can't be sent, as a client of its own does", async () => {
    for (const tab of Object.values(await twoTabs())) {
      expect(() => tab.emit("orders", "look", { count: 1n })).toThrow(TypeError);
      expect(() => tab.emit("orders", "look", { text: "x".repeat(1_000_000) })).toThrow(RangeError);
    }
  });
});

describe("a tab with the connection that sleeps", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval"], shouldAdvanceTime: true });
    openBrowser({ hasLocks: true });
  });
  afterEach(() => vi.useRealTimers());

  /** Two tabs, of which the first hears and says nothing any more, until it wakes. */
  async function sleep() {
    const first = openTab(peer);
    first.connect();
    await until(() => first.isConnected);
    const second = openTab(peer);
    second.connect();
    await until(() => second.isConnected);
    const inside = first as unknown as { channel: Channel; hear: (message: Message) => void };
    const { channel } = inside;
    const hear = inside.hear.bind(first);
    Object.assign(channel, { say: () => {} });
    Object.assign(first, { hear: (message: Message) => inside.channel !== channel && hear(message) });
    return { first, second };
  }

  const lookAtSecond = async () => {
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(5_000);
  };

  it("loses it to one that is looked at", async () => {
    const { first, second } = await sleep();
    const seen: number[] = [];
    second.on("orders", "order_updated", ({ seq }) => seen.push(seq as number));
    peer.publish("orders", "order_updated");
    await lookAtSecond();
    await until(() => second.hasConnection && second.isConnected && seen.length === 1);
    await until(() => !first.hasConnection && first.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => seen.length === 2 && first.lastSeq("orders") === 2);

    expect(seen).toEqual([1, 2]);
  });

  it("loses it once, however often the other is looked at", async () => {
    const { first, second } = await sleep();
    for (let look = 0; look < 3; look += 1) document.dispatchEvent(new Event("visibilitychange"));
    // Whoever is busy finds all that is due at once.
    vi.advanceTimersByTime(5_000);
    await until(() => !first.hasConnection && second.isConnected);
    await until(() => first.isConnected);

    expect([first.hasConnection, second.hasConnection]).toEqual([false, true]);
    expect(peer.connects).toHaveLength(2 * NAMESPACES.length);
  });

  it("has no say any more when it wakes", async () => {
    const first = openTab(peer);
    first.connect();
    await until(() => first.isConnected);
    // What comes to it asleep is done when it wakes.
    const due: (() => void)[] = [];
    const inside = first as unknown as Record<"hear" | "moveOver", (message?: Message) => void>;
    const { hear, moveOver } = inside;
    inside.hear = (message) => due.push(() => hear.call(first, message));
    inside.moveOver = () => due.push(() => moveOver.call(first));
    const second = openTab(peer);
    second.connect();
    await until(() => due.length === 1);
    await vi.advanceTimersByTimeAsync(5_000);
    await until(() => second.isConnected);
    peer.answer = () => undefined;
    void second.emitWithAck("orders", "look").catch(() => {});
    await until(() => heard("look").length === 1);

    const { client } = first as unknown as { client: WebSocketClient };
    const wake = [() => client.sockets.chat.io.engine.close(), ...due];
    for (const each of wake) {
      each();
      await new Promise((resolve) => setImmediate(resolve));
    }
    Object.assign(inside, { hear, moveOver });
    await until(() => !first.hasConnection && first.isConnected);

    expect([second.state, heard("look").length]).toEqual(["connected", 1]);
  });

  it("gives its messages to the one that follows", async () => {
    const { first, second } = await sleep();
    peer.answer = () => undefined;
    const sent = first.sendMessage("8", "hi");
    await until(() => peer.heard.some(([, event]) => event === "send_message"));
    peer.answer = () => ({ ok: true, id: "m1" });
    await lookAtSecond();
    await until(() => second.hasConnection);

    expect(await sent).toEqual({ id: "m1" });
    const ids = peer.heard.filter(([, event]) => event === "send_message").map(([, , data]) => data.client_msg_id);
    expect([ids.length > 1, new Set(ids).size]).toEqual([true, 1]);
  });

  it("keeps nobody waiting for an answer", async () => {
    const { second } = await sleep();
    const refused = second.emitWithAck("chat", "edit_message", {}, { timeoutMs: 50 }).catch(({ code }) => code);

    expect(await refused).toBe("timeout");
  });
});

it("has a connection of its own where no tab may have the lock", async () => {
  openBrowser({ hasLocks: true });
  navigator.locks.request = () => Promise.reject(new DOMException("denied", "SecurityError"));
  const tab = openTab(peer);
  tab.connect();

  await until(() => tab.isConnected);
});
