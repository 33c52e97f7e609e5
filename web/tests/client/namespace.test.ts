import { describe, expect, it } from "vitest";
import { namespaceName, streamItem } from "../../src/client/namespace.js";

const DURABLE = { event_id: "0192", seq: 5, epoch: "e", status: "shipped" };

describe("namespaceName", () => {
  it("takes the name with and without its slash", () => {
    expect([namespaceName("orders"), namespaceName("/orders")]).toEqual(["orders", "orders"]);
  });

  it.each(["", "order", "ORDERS", "//orders", "toString"])("refuses %j", (name) => {
    expect(() => namespaceName(name)).toThrow(TypeError);
  });
});

describe("streamItem", () => {
  it("knows a durable event by event_id, seq and epoch", () => {
    expect(streamItem("order_updated", DURABLE)).toEqual({
      event: "order_updated",
      epoch: "e",
      seq: 5,
      payload: DURABLE,
    });
  });

  it("takes an event of a later server for durable when it is marked so", () => {
    expect(streamItem("order_returned", DURABLE)?.seq).toBe(5);
  });

  it("takes an event for durable that a publisher has had kept, though it usually is not", () => {
    expect(streamItem("user_online", DURABLE)?.seq).toBe(5);
  });

  it.each([undefined, null, "text", 7, {}, { seq: 5 }, { ...DURABLE, seq: 1.5 }, { ...DURABLE, epoch: 1 }])(
    "takes %j for no part of a stream",
    (payload) => {
      expect(streamItem("order_updated", payload)).toBeNull();
    },
  );
});
