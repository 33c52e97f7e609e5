import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { NotificationPayload } from "../../src/client/events.generated.js";
import { Listeners } from "../../src/client/listeners.js";
import { select } from "../../src/inbox/state.js";
import { ALL, type InboxClient, InboxStore } from "../../src/inbox/store.js";
import { made } from "./world.js";

const tokenOf = (user: string) => `h.${btoa(JSON.stringify({ sub: user }))}.s`;

/** A client whose events a test gives, and a server that answers what a test says. */
class Stage {
  readonly listeners = new Listeners();
  readonly calls: string[] = [];
  readonly bodies: unknown[] = [];
  user = "7";
  answers: (call: string) => unknown = () => ({});
  readonly client: InboxClient = {
    isConnected: true,
    emit: () => true,
    getToken: async () => tokenOf(this.user),
    on: (namespace, event, callback) => this.listeners.add(namespace, event, callback as () => void),
  };
  readonly store = new InboxStore(this.client);

  constructor() {
    vi.stubGlobal(
      "fetch",
      async (address: string, { method, headers, body }: RequestInit & { headers: Record<string, string> }) => {
        if (body) this.bodies.push(JSON.parse(body as string));
        const call = `${method} ${address.replace(/^.*\/api\//, "").replace(/\?.*/, "")}`;
        this.calls.push(`${call} ${JSON.parse(atob(headers.Authorization?.split(".")[1] ?? "")).sub}`);
        const answer = await this.answers(call);
        return answer instanceof Response ? answer : Response.json(answer);
      },
    );
  }

  tell(event: string, data: object): void {
    this.listeners.dispatch("notifications", event, { epoch: "e", ...data });
  }

  get shown(): string[] {
    return (select(this.store.snapshot.inbox, ALL) ?? []).map(
      (one) => `${one.id}${one.read_at === null ? "" : " read"}`,
    );
  }
}

function page(seq: number, ...notifications: NotificationPayload[]) {
  return { notifications, next_cursor: null, unread_count: notifications.length, epoch: "e", seq };
}

describe("the store of an inbox", () => {
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

  it("shows a deed at once, and takes it back when it is refused", async () => {
    stage.answers = (call) =>
      call.startsWith("GET") ? page(1, made("a")) : Response.json({ code: "forbidden", detail: "no" }, { status: 403 });
    stage.store.subscribe(() => {});
    await settle();

    const deed = stage.store.markRead("a");
    const before = stage.shown;

    await expect(deed).rejects.toMatchObject({ code: "forbidden" });
    expect([before, stage.shown]).toEqual([["a read"], ["a"]]);
    expect(stage.store.snapshot.problem?.code).toBe("forbidden");
  });

  it("keeps a deed until its event, and lets a later event have the last word", async () => {
    stage.answers = (call) => (call === "GET notifications" ? page(1, made("a")) : {});
    stage.store.subscribe(() => {});
    await settle();
    await stage.store.markRead("a");
    const answered = stage.shown;

    stage.tell("notification_read", { id: "a", read_at: "t", seq: 2, unread_count: 0 });
    stage.tell("notification_updated", { id: "a", read_at: null, seq: 3, unread_count: 1 });

    expect([answered, stage.shown]).toEqual([["a read"], ["a"]]);
    expect(stage.store.snapshot.inbox.unread).toBe(1);
  });

  it("repeats nothing for another user, and shows nothing of the one before", async () => {
    stage.answers = (call) => (call === "GET notifications" ? page(1, made("a")) : new Response("", { status: 503 }));
    stage.store.subscribe(() => {});
    await settle();
    const deed = stage.store.archiveAll();
    deed.catch(() => {});
    await settle();

    stage.user = "8";
    stage.answers = () => page(5, made("b"));
    stage.listeners.dispatch("*", "state", { state: "connected" });
    await vi.advanceTimersByTimeAsync(20_000);

    await expect(deed).rejects.toMatchObject({ code: "user_changed" });
    expect(stage.calls.filter((call) => call.startsWith("POST"))).toEqual(["POST notifications/archive-all 7"]);
    expect(stage.shown).toEqual(["b"]);
  });

  it("loads again by itself what could not be loaded, until it can be or nobody looks", async () => {
    const busy = () => new Response('{"code": "overloaded", "retryable": true}', { status: 503 });
    stage.answers = busy;
    const end = stage.store.subscribe(() => {});
    await settle();
    await stage.store.load({ tab: "unread", category: null });
    const failed = stage.store.snapshot.failed.size;
    stage.answers = () => page(1, made("a"));
    await vi.advanceTimersByTimeAsync(5_000);
    expect([failed, stage.store.snapshot.failed.size, stage.store.snapshot.inbox.unread]).toEqual([2, 0, 1]);

    stage.answers = busy;
    stage.listeners.dispatch("*", "resync", { namespace: "notifications" });
    await settle();
    end();
    const { length } = stage.calls;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(stage.calls.length).toBe(length);
  });

  it("loads anew where events are missing, and where the log is another one", async () => {
    const fresh = [page(1, made("a")), page(4, made("b")), { ...page(1, made("c")), epoch: "f" }];
    stage.answers = () => fresh.shift();
    stage.store.subscribe(() => {});
    await settle();

    stage.tell("notification", { ...made("b"), seq: 4 });
    await settle();
    const afterGap = stage.shown;
    stage.listeners.dispatch("*", "sync", { namespace: "notifications", epoch: "f", seq: 1 });
    await settle();

    expect([afterGap, stage.shown]).toEqual([["b"], ["c"]]);
    expect(fresh).toEqual([]);
  });

  it("asks once more where a page is of a log that the client does not know, and then believes it", async () => {
    stage.answers = () => page(1, made("a"));
    stage.store.subscribe(() => {});
    stage.listeners.dispatch("*", "sync", { namespace: "notifications", epoch: "before", seq: 9 });
    await vi.advanceTimersByTimeAsync(5_000);

    expect(stage.shown).toEqual(["a"]);
    expect(stage.calls).toHaveLength(2);
  });

  it("forgets how far the client was while nobody followed it: somebody else may have signed in", async () => {
    stage.answers = () => page(500, made("a"));
    const end = stage.store.subscribe(() => {});
    stage.listeners.dispatch("*", "sync", { namespace: "notifications", epoch: "e", seq: 500 });
    await settle();
    end();

    stage.user = "8";
    stage.answers = () => (stage.calls.length > 20 ? new Response("", { status: 429 }) : page(20, made("b")));
    stage.store.subscribe(() => {});
    await settle();

    expect(stage.shown).toEqual(["b"]);
    expect(stage.calls).toEqual(["GET notifications 7", "GET notifications 8"]);
  });

  it("tells of what comes while it is followed, as loud as the user wants", async () => {
    stage.answers = () => page(0);
    const heard: unknown[] = [];
    stage.store.onArrival(({ notification, toast, sound }) => heard.push([notification.id, toast, sound]));
    stage.store.subscribe(() => {});
    await settle();

    stage.tell("notification", { ...made("a"), seq: 1 });
    stage.tell("notification", { ...made("b"), seq: 2, toast: false, silent: true });
    stage.tell("notification", { ...made("c"), seq: 3, sound: "bells" });
    stage.tell("notification_updated", { ...made("d"), seq: 4 });

    expect(heard).toEqual([
      ["a", true, "default"],
      ["b", false, null],
      ["c", true, "bells"],
    ]);
  });

  it("takes no late word of who was signed in", async () => {
    const tokens: ((token: string) => void)[] = [];
    stage.client.getToken = () => new Promise((resolve) => tokens.push(resolve));
    stage.answers = () => page(1, made("a"));
    stage.store.subscribe(() => {});
    stage.listeners.dispatch("*", "state", { state: "connected" });
    stage.client.getToken = async () => tokenOf("8");
    tokens[1]?.(tokenOf("8"));
    await settle();
    tokens[0]?.(tokenOf("7"));
    await settle();

    expect([stage.store.snapshot.owner, stage.calls]).toEqual(["8", ["GET notifications 8"]]);
  });

  it("loads nothing once nobody follows it: what came until somebody does would be missing", async () => {
    stage.answers = () => page(1, made("a"));
    stage.store.subscribe(() => {})();
    const end = stage.store.subscribe(() => {});
    await settle();
    end();
    const { length } = stage.calls;
    stage.store.subscribe(() => {})();
    await settle();

    expect(stage.calls).toHaveLength(length);
  });

  it("does not bring back what was deleted while it was asked for", async () => {
    let found: unknown = made("old");
    let answer = () => {};
    stage.answers = (call) => {
      if (call === "GET notifications") return page(1);
      const response = Response.json(found, { status: found === null ? 404 : 200 });
      return new Promise((resolve) => {
        answer = () => resolve(response);
      });
    };
    stage.store.subscribe(() => {});
    await settle();
    stage.tell("notification_updated", { id: "old", archived_at: null, seq: 2 });
    await settle();
    const late = answer;
    found = null;
    stage.tell("notification_deleted", { id: "old", seq: 3 });
    late();
    await settle();
    answer();
    await settle();

    expect(stage.shown).toEqual([]);
  });

  it("keeps a deed that a page is older than", async () => {
    let answer = (_page: unknown) => {};
    stage.answers = (call) => (call === "GET notifications" ? page(1, made("a")) : {});
    stage.store.subscribe(() => {});
    await settle();
    stage.answers = (call) =>
      call === "GET notifications"
        ? new Promise((resolve) => {
            answer = resolve;
          })
        : {};
    stage.listeners.dispatch("*", "resync", { namespace: "notifications" });
    await settle();
    await stage.store.markRead("a");
    answer(page(1, made("a")));
    await settle();
    const late = stage.shown;
    stage.tell("notification_read", { id: "a", read_at: "t", seq: 2, unread_count: 0 });
    stage.tell("notification_updated", { id: "a", read_at: null, seq: 3, unread_count: 1 });

    expect([late, stage.shown]).toEqual([["a read"], ["a"]]);
  });

  it("lets the last deed be the last, whatever has to be tried again", async () => {
    stage.answers = () => page(1, made("a"));
    stage.store.subscribe(() => {});
    await settle();
    stage.answers = () => (stage.bodies.length === 1 ? new Response("", { status: 503 }) : {});
    const deeds = [stage.store.archive("a"), stage.store.unarchive("a")];
    await vi.advanceTimersByTimeAsync(20_000);
    await Promise.all(deeds);

    expect(stage.bodies).toEqual([{ archived: true }, { archived: true }, { archived: false }]);
  });
});
