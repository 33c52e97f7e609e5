import { describe, expect, it } from "vitest";
import { findSubject, TokenSource } from "../../src/client/token.js";
import { MemoryStorage } from "./memory_storage.js";

const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

describe("findSubject", () => {
  it.each(["7", "anna", "김철수 🔔", "a/b:c"])("reads the subject %j", (sub) => {
    expect(findSubject(jwt({ sub }))).toBe(sub);
  });

  it.each(["", "x", "a.b.c", "a.!!.c", jwt({}), jwt({ sub: 7 }), jwt({ sub: "" })])("finds none in %j", (token) => {
    expect(findSubject(token)).toBeNull();
  });
});

describe("TokenSource", () => {
  it("reads the storage anew at each connection", async () => {
    const storage = new MemoryStorage({ auth_token: "first" });
    const tokens = new TokenSource({ storage });
    expect(await tokens.get()).toBe("first");

    storage.setItem("auth_token", "second");
    expect(await tokens.get()).toBe("second");

    storage.removeItem("auth_token");
    expect(await tokens.get()).toBeNull();
  });

  it("offers a refused token to nobody, until the page wants to connect", async () => {
    const tokens = new TokenSource({ storage: new MemoryStorage({ auth_token: "bad" }) });
    await tokens.get();
    tokens.refuse();
    expect(tokens.isRenewable).toBe(false);
    expect(await tokens.get()).toBeNull();

    tokens.forget();
    expect(await tokens.get()).toBe("bad");
  });

  it("notices that the page has stored another token since", async () => {
    const storage = new MemoryStorage({ auth_token: "old" });
    const tokens = new TokenSource({ storage });
    await tokens.get();
    tokens.refuse();
    storage.setItem("auth_token", "new");

    expect(tokens.isRenewable).toBe(true);
    expect(await tokens.get()).toBe("new");
  });

  it("finds who is signed in without touching what is in use", async () => {
    const storage = new MemoryStorage({ auth_token: "first" });
    const tokens = new TokenSource({ storage });
    await tokens.get();
    storage.setItem("auth_token", "second");

    expect(await tokens.find()).toBe("second");
    expect(tokens.current).toBe("first");
    storage.removeItem("auth_token");
    expect(await tokens.find()).toBeNull();
  });

  it("finds the token in use before it asks the callback", async () => {
    let asked = 0;
    const tokens = new TokenSource({ getToken: () => (++asked > 2 ? null : `token ${asked}`), storage: null });
    expect(await tokens.find()).toBe("token 1");
    expect(await tokens.get()).toBe("token 2");
    expect(await tokens.find()).toBe("token 2");

    tokens.forget();
    expect(await tokens.find()).toBeNull();
  });

  it("asks the callback once, and again when the token is refused", async () => {
    let asked = 0;
    const tokens = new TokenSource({ getToken: async () => `token ${++asked}`, storage: null });
    expect(await tokens.get()).toBe("token 1");
    expect(await tokens.get()).toBe("token 1");

    tokens.refuse();
    expect(await tokens.get()).toBe("token 2");
  });

  it("keeps the token of the latest call when an earlier one is answered after it", async () => {
    const answers: ((token: string) => void)[] = [];
    const tokens = new TokenSource({ getToken: () => new Promise((resolve) => answers.push(resolve)), storage: null });
    const earlier = tokens.get();
    tokens.forget();
    const later = tokens.get();
    answers[1]?.("of the user now");
    await later;
    answers[0]?.("of the user before");
    await earlier;

    expect(tokens.current).toBe("of the user now");
  });

  it("holds nothing that is answered after the page has left", async () => {
    let answer = (_token: string | null) => {};
    const getToken = () =>
      new Promise<string | null>((resolve) => {
        answer = resolve;
      });
    const tokens = new TokenSource({ getToken, storage: null });
    const early = tokens.get();
    tokens.forget();
    answer("of who has signed out");
    await early;
    const found = tokens.find();
    answer(null);

    expect(await found).toBeNull();
  });

  it("takes a callback that gives the refused token again for one without a token", async () => {
    const tokens = new TokenSource({ getToken: () => "same", storage: null });
    await tokens.get();
    tokens.refuse();

    expect(await tokens.get()).toBeNull();
  });

  it("prefers the token that it was given, and the callback's after that", async () => {
    const tokens = new TokenSource({ token: "given", getToken: () => "asked", storage: null });
    expect(await tokens.get()).toBe("given");

    tokens.refuse();
    expect(await tokens.get()).toBe("asked");
  });

  it("renews only when there is another token", async () => {
    let next = "first";
    const tokens = new TokenSource({ getToken: () => next, storage: null });
    await tokens.get();
    expect(await tokens.renew()).toBeNull();

    next = "second";
    expect(await tokens.renew()).toBe("second");
    expect(tokens.current).toBe("first");
  });

  it("has no token where the storage throws", async () => {
    const storage = new MemoryStorage();
    storage.getItem = () => {
      throw new Error("SecurityError");
    };

    expect(await new TokenSource({ storage }).get()).toBeNull();
  });
});
