import { describe, expect, it } from "vitest";
import type { Payload } from "../../demo/events.js";
import { applyToLog, EMPTY_LOG } from "../../demo/log.js";

describe("the event log", () => {
  const note = (event: string, data: Payload) =>
    applyToLog(EMPTY_LOG, { namespace: "notifications", event, data, source: "live", at: 0 }).entries[0]?.note;

  it("says why a notification is gone", () => {
    expect(note("notification_deleted", { id: "a", reason: "expired", unread_count: 1, seq: 1 })).toBe("expired");
  });

  it("says what has changed, and not what every event has", () => {
    const always = { seq: 1, epoch: "e", event_id: "i", timestamp: "t", updated_at: "t", unread_count: 1 };
    expect(note("notification_updated", { ...always, id: "a", title: "new", read_at: null })).toBe("title, read_at");
    expect(note("notification_updated", { ...always, all: true, category: null, seen_at: "t" })).toBe("seen_at");
  });

  it("says nothing of an object that comes whole", () => {
    expect(note("notification_updated", { id: "a", type: "t", title: "t", message: "m" })).toBe("");
    expect(note("notification", { id: "a", type: "t", title: "t" })).toBe("");
  });
});
