import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ChatClient } from "../../src/chat/element.js";
import type { Message } from "../../src/chat/state.js";
import { ConversationStore } from "../../src/chat/store.js";
import { Listeners } from "../../src/client/listeners.js";
import { failure } from "../../src/client/problem.js";

const tokenOf = (user: string) => `h.${btoa(JSON.stringify({ sub: user }))}.s`;

function message(id: string): Message {
  return { id, from_user_id: 7, to_user_id: 8, message: id, timestamp: "", read_at: null };
}

/** A client whose events a test gives, and a server that answers with what a test says, when it says so. */
class Stage {
  readonly listeners = new Listeners();
  readonly asked: string[] = [];
  readonly sent: string[] = [];
  user = "7";
  answers: (address: string) => unknown = () => ({ messages: [], has_before: false });
  deliver: (text: string) => Promise<unknown> = async (text) => ({ id: text });
  readonly client = {
    origin: "https://chat.example",
    isConnected: true,
    setTyping: () => {},
    getToken: async () => tokenOf(this.user),
    emitWithAck: async () => ({}),
    sendMessage: (_to: unknown, text: string) => {
      this.sent.push(`${text} as ${this.user}`);
      return this.deliver(text);
    },
    on: (namespace: string, event: string, callback: unknown) =>
      this.listeners.add(namespace, event, callback as () => void),
  } as unknown as ChatClient;
  readonly store = new ConversationStore(this.client, 8);

  constructor() {
    vi.stubGlobal("fetch", async (address: string) => {
      this.asked.push(address.replace(/\?.*/, ""));
      return Response.json(address.includes("/blocks") ? { user_ids: [] } : await this.answers(address));
    });
  }

  resync(): void {
    this.listeners.dispatch("*", "resync", { namespace: "chat" });
  }

  get shown(): string[] {
    return this.store.snapshot.conversation.messages.map((one) => one.id);
  }

  get waiting(): string[] {
    return this.store.snapshot.conversation.pending.map((one) => `${one.text}${one.isFailed ? " failed" : ""}`);
  }
}

describe("the store of a conversation", () => {
  let stage: Stage;
  beforeEach(() => {
    vi.useFakeTimers();
    stage = new Stage();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const page = (...ids: string[]) => ({ messages: ids.map(message), has_before: true });

  it("loads again by itself what could not be loaded, no sooner than the server says", async () => {
    const busy = { code: "rate_limited", retryable: true, retry_after_s: 7 };
    vi.stubGlobal("fetch", async () => Response.json(busy, { status: 429 }));
    const end = stage.store.subscribe(() => {});
    await settle();
    const { isLoaded, problem } = stage.store.snapshot;
    let asked = 0;
    vi.stubGlobal("fetch", async (address: string) => {
      asked += 1;
      return Response.json(address.includes("/blocks") ? { user_ids: [] } : page("a"));
    });
    await vi.advanceTimersByTimeAsync(6_900);
    const early = asked;
    await vi.advanceTimersByTimeAsync(7_200);

    expect([isLoaded, problem?.code, early]).toEqual([false, "rate_limited", 0]);
    expect([stage.shown, stage.store.snapshot.problem, asked]).toEqual([["a"], null, 2]);
    end();
  });

  it("asks the client's server, not the page's", async () => {
    stage.store.subscribe(() => {});
    await settle();
    await stage.store.setBlocked(true);

    const api = "https://chat.example/api/chat";
    expect(stage.asked).toEqual([`${api}/messages`, `${api}/blocks`, `${api}/blocks/8`]);
  });

  it("loads again what it loaded before the connection", async () => {
    const client = stage.client as unknown as { isConnected: boolean };
    client.isConnected = false;
    stage.answers = () => page("a");
    stage.store.subscribe(() => {});
    await settle();
    client.isConnected = true;
    stage.answers = () => page("a", "b");
    for (let time = 0; time < 2; time += 1) {
      stage.listeners.dispatch("*", "sync", { namespace: "chat" });
      await settle();
    }

    expect(stage.shown).toEqual(["a", "b"]);
    expect(stage.asked.filter((path) => path.endsWith("/messages")).length).toBe(2);
  });

  it("shows the latest after a resync, whatever older page was on its way", async () => {
    stage.answers = () => page("m");
    stage.store.subscribe(() => {});
    await settle();
    let answer = (_page: object) => {};
    stage.answers = (address) => (address.includes("before=") ? new Promise((done) => (answer = done)) : page("z"));
    void stage.store.loadOlder();
    await settle();

    stage.resync();
    answer(page("a"));
    await settle();

    expect(stage.shown).toEqual(["z"]);
    expect(stage.store.snapshot.isLoaded).toBe(true);
  });

  for (const isAckFirst of [true, false])
    it(`lets a message go that a resync brings, ${isAckFirst ? "after" : "before"} its acknowledgement`, async () => {
      stage.store.subscribe(() => {});
      await settle();
      let stored = (_sent: object) => {};
      stage.deliver = () => new Promise((done) => (stored = done));
      void stage.store.send("m");
      await settle();
      let answer = (_page: object) => {};
      stage.answers = () => new Promise((done) => (answer = done));
      stage.resync();
      await settle();
      const waiting = stage.waiting;

      const both = [() => stored({ id: "m" }), () => answer(page("m"))];
      for (const come of isAckFirst ? both : both.reverse()) {
        come();
        await settle();
      }

      expect([waiting, stage.waiting, stage.shown]).toEqual([["m"], [], ["m"]]);
    });

  it("begins anew for somebody else, who sends nothing of what the one before wrote", async () => {
    stage.answers = () => page("a");
    stage.store.subscribe(() => {});
    await settle();
    let refuse = (_error: unknown) => {};
    stage.deliver = () => new Promise((_, fail) => (refuse = fail));
    void stage.store.send("waits");
    await settle();

    stage.user = "9";
    stage.answers = () => page("b");
    refuse(failure("user_changed", "Somebody else has signed in"));
    await settle();
    const waiting = stage.waiting;
    stage.listeners.dispatch("*", "state", { state: "connected" });
    await settle();

    expect([waiting, stage.shown]).toEqual([[], ["b"]]);
    expect(stage.sent).toEqual(["waits as 7"]);
    expect(stage.store.snapshot.problem).toBeNull();
  });

  it("sends nothing again of the user before, where the next one is not connected yet", async () => {
    stage.store.subscribe(() => {});
    await settle();
    stage.deliver = async () => {
      throw failure("outbox_full", "200 messages are waiting already");
    };
    void stage.store.send("waits");
    await settle();
    const again = () => stage.store.sendAgain(stage.store.snapshot.conversation.pending[0] as never);
    stage.user = "9";
    await again();
    stage.user = "7";
    await again();
    await settle();

    expect(stage.sent).toEqual(["waits as 7", "waits as 7"]);
    expect(stage.waiting).toEqual(["waits failed"]);
  });

  it("keeps what it has when the same user connects again", async () => {
    stage.answers = () => page("a");
    stage.store.subscribe(() => {});
    await settle();
    stage.listeners.dispatch("*", "state", { state: "connected" });
    await settle();

    expect(stage.asked).toHaveLength(2);
  });

  it("sends again once, however often that is asked for", async () => {
    stage.store.subscribe(() => {});
    await settle();
    stage.deliver = () => Promise.reject(failure("outbox_full", "too many"));
    await stage.store.send("hello");
    stage.deliver = async (text) => ({ id: text });
    const [failed] = stage.store.snapshot.conversation.pending;
    if (failed !== undefined) await Promise.all([stage.store.sendAgain(failed), stage.store.sendAgain(failed)]);

    expect(stage.sent).toHaveLength(2);
  });

  it("believes who tells of a block while it loads", async () => {
    let answer = (_page: unknown) => {};
    stage.answers = () => new Promise((resolve) => (answer = resolve));
    stage.store.subscribe(() => {});
    await settle();
    stage.listeners.dispatch("chat", "block_changed", { user_id: 8, is_blocked: true });
    answer(page("a"));
    await settle();

    expect(stage.store.snapshot.conversation).toMatchObject({ isBlocked: true, messages: [{ id: "a" }] });
  });
});
