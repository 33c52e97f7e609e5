import { describe, expect, it } from "vitest";
import { applyToArrived } from "../../demo/newsroom.js";

describe("the ids of what has arrived", () => {
  const idsAfter = (...events: [event: string, id?: string][]) =>
    events.reduce<readonly string[]>((ids, [event, id]) => applyToArrived(ids, { event, data: { id } }), []);

  it("have the newest last, one that came back too", () => {
    expect(idsAfter(["notification", "a"], ["notification", "b"], ["notification", "a"])).toEqual(["b", "a"]);
  });

  it("lose what is deleted, so that the one before is the newest", () => {
    expect(idsAfter(["notification", "a"], ["notification", "b"], ["notification_deleted", "b"])).toEqual(["a"]);
  });

  it("stay for everything else", () => {
    expect(idsAfter(["notification", "a"], ["notification_read", "a"], ["notification_updated", "b"])).toEqual(["a"]);
  });
});
