import { afterEach, expect, it, vi } from "vitest";
import { PreferencesStore } from "../../src/inbox/preferences.js";
import type { InboxClient } from "../../src/inbox/store.js";
import { token } from "../client/clients.js";

afterEach(() => {
  vi.unstubAllGlobals();
});

function answer(preferences: object) {
  return { preferences, defaults: {}, effective: preferences, categories: ["*"] };
}

/** A store over a server that answers when a test says so. */
function open() {
  const waiting: { method: string; body: string | null; done: (response: Response) => void }[] = [];
  vi.stubGlobal("fetch", (_: string, { method, body }: { method: string; body: string | null }) => {
    return new Promise((done) => waiting.push({ method, body, done }));
  });
  let user = "7";
  const client = { on: () => () => {}, getToken: async () => token(user), isConnected: true, emit: () => true };
  const store = new PreferencesStore(client as unknown as InboxClient, () => {});
  store.follow();
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  const next = async (response: Response) => {
    await settle();
    const call = waiting.shift();
    call?.done(response);
    await settle();
    return [call?.method, call?.body];
  };
  const become = (other: string) => {
    user = other;
  };
  return { store, next, settle, become, waiting };
}

it("forgets what was asked before a change and comes after it", async () => {
  const { store, next } = open();
  await next(Response.json(answer({})));
  store.follow();
  await Promise.resolve();
  store.change((own) => ({ ...own, digest_hour: 9 }));
  await next(Response.json(answer({})));

  const during = store.snapshot.answer?.preferences;
  const saved = await next(Response.json(answer({ digest_hour: 9 })));

  expect(during).toEqual({ digest_hour: 9 });
  expect(saved).toEqual(["PUT", '{"digest_hour":9}']);
  expect(store.snapshot).toMatchObject({ hasSaved: true, answer: { preferences: { digest_hour: 9 } } });
});

it("takes nothing that was asked for during a change, and asks again", async () => {
  const { store, next } = open();
  await next(Response.json(answer({})));
  store.change((own) => ({ ...own, digest_hour: 9 }));
  await Promise.resolve();
  store.follow();

  await next(Response.json(answer({ digest_hour: 9 })));
  await next(Response.json(answer({})));
  const late = store.snapshot.answer?.preferences;
  const again = await next(Response.json(answer({ digest_hour: 9, locale: "ko" })));

  expect([late, again[0]]).toEqual([{ digest_hour: 9 }, "GET"]);
  expect(store.snapshot.answer?.preferences).toEqual({ digest_hour: 9, locale: "ko" });
});

it("saves one after the other, each over the one before, and takes the last back when it is refused", async () => {
  const { store, next } = open();
  await next(Response.json(answer({})));
  store.change((own) => ({ ...own, digest_hour: 9 }));
  store.change((own) => ({ ...own, locale: "ko" }));

  await next(Response.json(answer({ digest_hour: 9 })));
  const second = await next(Response.json({ code: "invalid", detail: "no" }, { status: 422 }));

  expect(second).toEqual(["PUT", '{"digest_hour":9,"locale":"ko"}']);
  expect(store.snapshot.answer?.preferences).toEqual({ digest_hour: 9 });
  expect(store.snapshot.problem?.code).toBe("invalid");
});

it("does not save what one user chose as another's", async () => {
  const { store, next, settle, become, waiting } = open();
  await next(Response.json(answer({ digest_hour: 9 })));
  store.change((own) => ({ ...own, locale: "ko" }));
  store.change((own) => ({ ...own, digest_hour: 10 }));
  await settle();
  become("8");
  await next(Response.json(answer({ digest_hour: 9, locale: "ko" })));

  expect(store.snapshot.answer).toBe(null);
  expect(waiting.map(({ method }) => method)).toEqual(["GET"]);
  await next(Response.json(answer({ digest_hour: 11 })));
  expect(store.snapshot.answer?.preferences).toEqual({ digest_hour: 11 });
});

it("shows nothing of the user before while the next one's can't be loaded", async () => {
  const { store, next, become } = open();
  await next(Response.json(answer({ digest_hour: 9 })));
  become("8");
  store.follow();
  await next(Response.json({ code: "unavailable", detail: "no", retryable: true }, { status: 503 }));
  expect(store.snapshot).toMatchObject({ answer: null, problem: { code: "unavailable" } });

  store.follow();
  await next(Response.json(answer({ digest_hour: 11 })));
  expect(store.snapshot.answer?.preferences).toEqual({ digest_hour: 11 });
});

it("takes no answer that was asked for before another", async () => {
  const { store, settle, waiting } = open();
  await settle();
  store.follow();
  await settle();
  const [earlier, later] = waiting;
  later?.done(Response.json(answer({ digest_hour: 10 })));
  await settle();
  earlier?.done(Response.json(answer({ digest_hour: 9 })));
  await settle();

  expect(store.snapshot.answer?.preferences).toEqual({ digest_hour: 10 });
});
