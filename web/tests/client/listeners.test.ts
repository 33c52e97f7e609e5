import { afterEach, describe, expect, it, vi } from "vitest";
import { asListener, Listeners } from "../../src/client/listeners.js";

describe("Listeners", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("calls those who listen to the event of the namespace, and nobody else", () => {
    const listeners = new Listeners();
    const heard: string[] = [];
    listeners.add("chat", "user_online", () => heard.push("chat"));
    listeners.add("sns", "user_online", () => heard.push("sns"));
    listeners.add("chat", "user_offline", () => heard.push("offline"));
    listeners.dispatch("chat", "user_online", {});

    expect(heard).toEqual(["chat"]);
  });

  it("calls the others when one throws, and reports the error", () => {
    const reported: unknown[] = [];
    vi.stubGlobal("reportError", (error: unknown) => reported.push(error));
    const listeners = new Listeners();
    const heard: unknown[] = [];
    const fault = new Error("handler");
    listeners.add("chat", "message_received", () => {
      throw fault;
    });
    listeners.add("chat", "message_received", (data) => heard.push(data));
    listeners.dispatch("chat", "message_received", "hello");

    expect(heard).toEqual(["hello"]);
    expect(reported).toEqual([fault]);
  });

  it("calls a callback once however often it was added", () => {
    const listeners = new Listeners();
    let calls = 0;
    const callback = () => {
      calls += 1;
    };
    listeners.add("chat", "message_received", callback);
    listeners.add("chat", "message_received", callback);
    listeners.dispatch("chat", "message_received", {});

    expect(calls).toBe(1);
  });

  it("removes one callback, or with null all of the event", () => {
    const listeners = new Listeners();
    const heard: string[] = [];
    const first = () => heard.push("first");
    listeners.add("chat", "message_received", first);
    listeners.add("chat", "message_received", () => heard.push("second"));
    listeners.add("chat", "message_read", () => heard.push("read"));

    listeners.remove("chat", "message_received", first);
    listeners.dispatch("chat", "message_received", {});
    expect(heard).toEqual(["second"]);

    listeners.remove("chat", "message_received", null);
    listeners.dispatch("chat", "message_received", {});
    listeners.dispatch("chat", "message_read", {});
    expect(heard).toEqual(["second", "read"]);
  });

  it("returns a function that removes the callback", () => {
    const listeners = new Listeners();
    let calls = 0;
    const remove = listeners.add("chat", "message_received", () => {
      calls += 1;
    });
    remove();
    listeners.dispatch("chat", "message_received", {});

    expect(calls).toBe(0);
  });

  it("calls everybody who listened when the event came, even if one removes another", () => {
    const listeners = new Listeners();
    const heard: string[] = [];
    listeners.add("chat", "message_received", () => listeners.remove("chat", "message_received", null));
    listeners.add("chat", "message_received", () => heard.push("second"));
    listeners.dispatch("chat", "message_received", {});

    expect(heard).toEqual(["second"]);
  });

  it("are functions, and not what a page has forgotten or called already", () => {
    for (const wrong of [undefined, null, "show"]) expect(() => asListener(wrong)).toThrow("needs a function");
  });
});
