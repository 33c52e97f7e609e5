import { describe, expect, it } from "vitest";
import { chooseTab, resolveLink } from "../../src/push/links.js";

const ORIGIN = "https://shop.example";

describe("a link", () => {
  for (const [link, target] of [
    ["/orders/7", "https://shop.example/orders/7"],
    ["orders?id=7#now", "https://shop.example/orders?id=7#now"],
    ["https://shop.example/a", "https://shop.example/a"],
    ["https://carrier.example/track", "https://carrier.example/track"],
    ["//carrier.example/track", "https://carrier.example/track"],
    ["http://carrier.example/", null],
    ["http://shop.example/", null],
    ["javascript:alert(1)", null],
    ["data:text/html,x", null],
    ["blob:https://shop.example/1", "blob"],
    ["https://", null],
    [null, null],
  ] as const) {
    it(`to ${link} leads to ${target}`, () => {
      if (target === "blob") expect(() => resolveLink(link, ORIGIN)).not.toThrow();
      else expect(resolveLink(link, ORIGIN)).toBe(target);
    });
  }

  it("of a page on plain http, as on this machine, leads to that page", () => {
    expect(resolveLink("/a", "http://127.0.0.1:8000")).toBe("http://127.0.0.1:8000/a");
  });
});

describe("the tab", () => {
  const tab = (url: string, focused = false) => ({ url, focused });

  it("is the one that has the link open", () => {
    const tabs = [tab("https://shop.example/", true), tab("https://shop.example/a#x"), tab("https://shop.example/a")];

    expect(chooseTab(tabs, "https://shop.example/a")).toBe(tabs[2]);
    expect(chooseTab(tabs, "https://shop.example/a#y")).toBe(tabs[1]);
    expect(chooseTab(tabs, "https://shop.example/b")).toBeUndefined();
  });

  it("without a link is any, the focused first", () => {
    const tabs = [tab("https://shop.example/"), tab("https://shop.example/a", true)];

    expect(chooseTab(tabs, null)).toBe(tabs[1]);
    expect(chooseTab(tabs.slice(0, 1), null)).toBe(tabs[0]);
    expect(chooseTab([], null)).toBeUndefined();
  });
});
