// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ChatClient, TocsinChat } from "../../src/chat/element.js";
import type { Attachment } from "../../src/chat/state.js";
import { Listeners } from "../../src/client/listeners.js";
import { failure } from "../../src/client/problem.js";

const tokenOf = (user: string) => `h.${btoa(JSON.stringify({ sub: user }))}.s`;
const message = (id: string) => ({
  ...{ id, from_user_id: 7, to_user_id: 8, message: id, timestamp: "2026-01-01T00:00:00Z", read_at: null },
});
const page = (...ids: string[]) => ({ messages: ids.map(message), has_before: true });
const settle = () => new Promise((done) => setTimeout(done));

customElements.define("tocsin-chat", TocsinChat);

describe("<tocsin-chat>", () => {
  let listeners: Listeners;
  let user: string;
  let asked: string[];
  let sent: string[];
  let answers: (address: string) => unknown;
  let deliver: (text: string) => Promise<unknown>;
  let element: TocsinChat;

  beforeEach(async () => {
    listeners = new Listeners();
    [user, asked, sent] = ["7", [], []];
    answers = () => page("a");
    vi.stubGlobal("fetch", async (address: string) => {
      asked.push(address.replace(/\?.*/, ""));
      return Response.json(address.includes("/blocks") ? { user_ids: [] } : await answers(address));
    });
    element = document.createElement("tocsin-chat") as TocsinChat;
    element.setAttribute("with", "8");
    element.client = {
      origin: "https://chat.example",
      isConnected: true,
      setTyping: () => {},
      getToken: async () => tokenOf(user),
      emitWithAck: async (_: string, event: string) => {
        if (event === "send_message") sent.push(`a file as ${user}`);
        return {};
      },
      sendMessage: (_to: unknown, text: string) => {
        sent.push(`${text} as ${user}`);
        return deliver(text);
      },
      on: (namespace: string, event: string, callback: unknown) =>
        listeners.add(namespace, event, callback as () => void),
    } as unknown as ChatClient;
    document.body.append(element);
    await settle();
  });
  afterEach(() => {
    element.remove();
    vi.unstubAllGlobals();
  });

  const inside = <T extends Element>(selector: string) => [
    ...(element.shadowRoot?.querySelectorAll<T & Element>(selector) ?? []),
  ];
  const texts = () => inside("[part~=message] .text").map((one) => one.textContent);
  const write = (text: string) => {
    const [input] = inside<HTMLTextAreaElement>("textarea");
    if (input !== undefined) input.value = text;
    inside("form")[0]?.dispatchEvent(new Event("submit", { cancelable: true }));
    return settle();
  };

  it("loads again what it loaded before the connection: nobody has told of what was said between", async () => {
    const { client } = element as unknown as { client: { isConnected: boolean } };
    client.isConnected = false;
    element.setAttribute("with", "9");
    await settle();
    answers = () => page("a", "b");
    client.isConnected = true;
    for (let time = 0; time < 2; time += 1) {
      listeners.dispatch("*", "sync", { namespace: "chat" });
      await settle();
    }

    expect(texts()).toEqual(["a", "b"]);
    expect(asked.filter((path) => path.endsWith("/messages")).length).toBe(3);
  });

  it("takes no word of the server that it has not read a message", async () => {
    const seal = { isOpen: true, note: "", isFromKnownDevice: true };
    answers = () => ({
      messages: [
        { ...message("x"), seal },
        { ...message("y"), seal, ciphertext: {} },
      ],
    });
    element.setAttribute("with", "9");
    await settle();

    expect(inside("[role=img]")).toEqual([]);
    expect(texts()).toEqual(["x", "🔒 Encrypted message"]);
  });

  it("asks the client's server, not the page's", () => {
    expect(asked).toEqual(["https://chat.example/api/chat/messages", "https://chat.example/api/chat/blocks"]);
  });

  it("loads again by itself what could not be loaded, and says so meanwhile", async () => {
    vi.useFakeTimers();
    vi.stubGlobal("fetch", async () => Response.json({ code: "overloaded", retryable: true }, { status: 503 }));
    element.setAttribute("with", "9");
    await vi.advanceTimersByTimeAsync(0);
    const told = inside("[part=status]")[0]?.textContent;
    vi.stubGlobal("fetch", async (address: string) =>
      Response.json(address.includes("/blocks") ? { user_ids: [] } : page("b")),
    );
    await vi.advanceTimersByTimeAsync(5_000);
    vi.useRealTimers();

    expect(told).toContain("can't be loaded now");
    expect([texts(), inside("[part=status]")[0]?.textContent]).toEqual([["b"], ""]);
  });

  it("gives a change that was refused back to who wrote it, and says that it did not work", async () => {
    answers = () => ({ messages: [{ ...message("a"), to_user_id: 9, from_user_id: 7 }], has_before: false });
    element.setAttribute("with", "9");
    await settle();
    const { client } = element as unknown as { client: { emitWithAck: unknown } };
    client.emitWithAck = async () => {
      throw failure("rate_limited", "too many events", true);
    };
    inside<HTMLElement>("button")
      .find((one) => one.textContent === "Edit")
      ?.click();
    await write("b");

    expect(inside<HTMLTextAreaElement>("textarea")[0]?.value).toBe("b");
    expect(inside("[part=status]")[0]?.textContent).toBe("That did not work. Try again.");
  });

  it("begins anew for somebody else, who sends nothing of what the one before wrote", async () => {
    let refuse = (_error: unknown) => {};
    deliver = () => new Promise((_, fail) => (refuse = fail));
    await write("waits");
    const before = texts();

    user = "9";
    answers = () => page("b");
    refuse(failure("user_changed", "Somebody else has signed in"));
    await settle();
    const refused = texts();
    listeners.dispatch("*", "state", { state: "connected" });
    await settle();

    expect([before, refused, texts()]).toEqual([["a", "waits"], ["a"], ["b"]]);
    expect(sent).toEqual(["waits as 7"]);
  });

  it("sends nothing again, and no file, of the user before, where the next one is not connected yet", async () => {
    deliver = async () => {
      throw failure("outbox_full", "200 messages are waiting already");
    };
    await write("waits");
    let keep = (_link: Attachment) => {};
    element.upload = () => new Promise((done) => (keep = done));
    const [picker] = inside<HTMLInputElement>("input[type=file]");
    Object.defineProperty(picker, "files", { value: [new File([], "plan.txt")] });
    picker?.dispatchEvent(new Event("change"));
    const again = inside<HTMLElement>("button").find((one) => one.textContent === "Try again");
    user = "9";
    again?.click();
    keep({ url: "/files/5" });
    await settle();
    expect(sent).toEqual(["waits as 7"]);

    user = "7";
    again?.click();
    await settle();
    expect(sent).toEqual(["waits as 7", "waits as 7"]);
  });

  it("lets a message go that a resync brings before its acknowledgement", async () => {
    let stored = (_sent: object) => {};
    deliver = () => new Promise((done) => (stored = done));
    await write("m");
    answers = () => page("m");
    listeners.dispatch("*", "resync", { namespace: "chat" });
    await settle();
    stored({ id: "m" });
    await settle();

    expect(texts()).toEqual(["m"]);
  });

  it("shows the latest after a resync, whatever older page was on its way", async () => {
    let answer = (_page: object) => {};
    answers = (address) => (address.includes("before=") ? new Promise((done) => (answer = done)) : page("z"));
    inside("[part=messages]")[0]?.dispatchEvent(new Event("scroll"));
    await settle();
    listeners.dispatch("*", "resync", { namespace: "chat" });
    answer(page("0"));
    await settle();

    expect(texts()).toEqual(["z"]);
  });

  for (const [name, meanwhile] of [
    ["sends again once, however often it is pressed", () => element.shadowRoot],
    ["sends nothing again to the one it turns to", () => element.setAttribute("with", "9")],
  ] as const)
    it(name, async () => {
      deliver = () => Promise.reject(failure("outbox_full", "too many"));
      await write("hello");
      deliver = async () => ({ id: "b" });
      const { client } = element as unknown as { client: ChatClient };
      const waiting: (() => void)[] = [];
      const { getToken } = client;
      client.getToken = async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return tokenOf(user);
      };
      const again = () => inside<HTMLElement>("button").find((one) => one.textContent === "Try again");
      for (let press = 0; press < 2; press += 1) again()?.click();
      client.getToken = getToken;
      meanwhile();
      await settle();
      for (const resolve of waiting) resolve();
      await settle();

      expect(sent).toHaveLength(name.includes("once") ? 2 : 1);
    });

  for (const [name, next, isEncrypted, expected] of [
    ["sends what was written before the conversation has come, though it turns to another", "7", false, ["hi as 7"]],
    ["sends none of it for who signs in meanwhile", "9", false, []],
    ["sends none of it in clear where others encrypt", "7", true, []],
  ] as const)
    it(name, async () => {
      let come = (_page: unknown) => {};
      answers = () => new Promise((done) => (come = done));
      deliver = async () => ({ id: "b" });
      element.setAttribute("with", "9");
      await settle();
      await write("hi");
      answers = () => page("z");
      user = next;
      element.setAttribute("with", "8");
      await settle();
      come({ messages: [{ ...message("a"), ...(isEncrypted && { ciphertext: "YQ" }) }], has_before: false });
      await settle();

      expect(sent).toEqual(expected);
      expect(texts()).toEqual(["z"]);
    });

  it("sends no file in clear where others encrypt, though it has turned to another since", async () => {
    let keep = (_link: Attachment) => {};
    element.upload = () => new Promise((done) => (keep = done));
    answers = () => ({ messages: [{ ...message("x"), ciphertext: {} }] });
    element.setAttribute("with", "9");
    await settle();
    const [picker] = inside<HTMLInputElement>("input[type=file]");
    Object.defineProperty(picker, "files", { value: [new File([], "plan.txt")] });
    picker?.dispatchEvent(new Event("change"));
    answers = () => page("a");
    element.setAttribute("with", "8");
    await settle();
    keep({ url: "/files/5" });
    await settle();

    expect(sent).toEqual([]);
  });

  it("believes who tells of a block while it loads", async () => {
    let answer = () => {};
    answers = () => new Promise((resolve) => (answer = () => resolve(page("a"))));
    element.setAttribute("with", "9");
    await settle();
    listeners.dispatch("chat", "block_changed", { user_id: 9, is_blocked: true });
    answer();
    await settle();

    expect(inside("[part=block]")[0]?.textContent).toBe("Unblock");
  });
});
