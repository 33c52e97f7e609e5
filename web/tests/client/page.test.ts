// @vitest-environment happy-dom

import { expect, it } from "vitest";
import { watchPage } from "../../src/client/page.js";

it("tells of the page's life until nobody wants to know any more", () => {
  const told: string[] = [];
  const unwatch = watchPage({ leave: () => told.push("leave"), comeBack: () => told.push("comeBack") });
  const live = () => {
    window.dispatchEvent(new Event("pagehide"));
    window.dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("visibilitychange"));
  };
  live();
  unwatch();
  live();

  expect(told).toEqual(["leave", "comeBack", "comeBack"]);
});
