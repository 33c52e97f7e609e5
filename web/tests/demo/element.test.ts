// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { el, renderList } from "../../demo/element.js";

const MARKUP = "<img src=x onerror=alert(1)>";
const KEYED = { key: (item: string) => item, create: (item: string) => el("li", {}, item) };

describe("making elements", () => {
  it("takes markup as text, in children and in attributes", () => {
    const element = el("p", { "aria-label": MARKUP }, MARKUP);

    expect(element.children).toHaveLength(0);
    expect(element.textContent).toBe(MARKUP);
    expect(element.getAttribute("aria-label")).toBe(MARKUP);
  });

  it("keeps the element of an item that stays, wherever it moves", () => {
    const list = el("ul");
    renderList(list, ["a", "b", "c"], KEYED);
    const [a, , c] = list.children;

    renderList(list, ["c", "new", "a"], KEYED);

    expect([...list.children].map((child) => child.textContent)).toEqual(["c", "new", "a"]);
    expect([list.children[0], list.children[2]]).toEqual([c, a]);
  });
});
