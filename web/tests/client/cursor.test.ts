import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CursorStore, type KeyValueStorage } from "../../src/client/cursor.js";
import { MemoryStorage } from "./memory_storage.js";

const BROKEN: KeyValueStorage = {
  getItem() {
    throw new Error("SecurityError");
  },
  setItem() {
    throw new Error("QuotaExceededError");
  },
  removeItem() {
    throw new Error("SecurityError");
  },
};

describe("CursorStore", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("gives back what was saved, after a reload", () => {
    const storage = new MemoryStorage();
    const before = new CursorStore(storage, "");
    before.save("7", "chat", { epoch: "e", seq: 3 });
    before.flush();

    expect(new CursorStore(storage, "").load("7", "chat")).toEqual({ epoch: "e", seq: 3 });
  });

  it("keeps users, namespaces and servers apart", () => {
    const storage = new MemoryStorage();
    const store = new CursorStore(storage, "");
    store.save("7", "chat", { epoch: "e", seq: 3 });
    store.flush();

    expect(store.load("7", "orders")).toBeNull();
    expect(store.load("8", "chat")).toBeNull();
    expect(new CursorStore(storage, "https://other.example").load("7", "chat")).toBeNull();
  });

  it("writes at most once a second, the last value", () => {
    const storage = new MemoryStorage();
    const store = new CursorStore(storage, "");
    for (let seq = 1; seq <= 50; seq += 1) store.save("7", "chat", { epoch: "e", seq });
    expect(storage.writes).toBe(0);

    vi.advanceTimersByTime(1_000);
    expect(storage.writes).toBe(1);
    expect(store.load("7", "chat")).toEqual({ epoch: "e", seq: 50 });
  });

  it("survives a storage that throws", () => {
    const store = new CursorStore(BROKEN, "");
    store.save("7", "chat", { epoch: "e", seq: 3 });

    expect(() => store.flush()).not.toThrow();
    expect(store.load("7", "chat")).toBeNull();
  });

  it("works without a storage", () => {
    const store = new CursorStore(null, "");
    store.save("7", "chat", { epoch: "e", seq: 3 });

    expect(store.load("7", "chat")).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(["", "nonsense", "null", "[]", "7", '{"epoch":"e"}', '{"epoch":1,"seq":1}', '{"epoch":"e","seq":-1}'])(
    "takes a damaged value for none: %j",
    (text) => {
      const storage = new MemoryStorage();
      storage.setItem("tocsin:cursor::7:chat", text);

      expect(new CursorStore(storage, "").load("7", "chat")).toBeNull();
    },
  );
});
