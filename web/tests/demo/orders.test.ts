import { describe, expect, it } from "vitest";
import type { DemoEvent, Payload } from "../../demo/events.js";
import { applyToOrder, type OrderState } from "../../demo/orders.js";

function stateAfter(...events: [string, Payload][]): OrderState {
  const typed = events.map(([event, data]): DemoEvent => ({ namespace: "orders", event, data, source: "live", at: 0 }));
  return typed.reduce<OrderState>(applyToOrder, null);
}

describe("the order tracker", () => {
  it("goes from placed to delivered with the guide's three events", () => {
    const steps = [
      ["order_updated", { order_id: 7, status: "placed" }],
      ["order_updated", { order_id: 7, status: "packed" }],
      ["shipment_update", { order_id: 7, location: "Depot" }],
      ["shipment_update", { order_id: 7, status: "out_for_delivery" }],
      ["delivery_confirmed", { order_id: 7 }],
    ] satisfies [string, Payload][];

    const seen = steps.map((_, index) => stateAfter(...steps.slice(0, index + 1))?.step);

    expect(seen).toEqual(["placed", "packed", "shipped", "out_for_delivery", "delivered"]);
  });

  it("keeps what an event leaves out, and forgets it for another order", () => {
    const item = { order_id: 7, item: "Teapot", status: "placed" };

    expect(stateAfter(["order_updated", item], ["delivery_confirmed", { order_id: 7 }])?.item).toBe("Teapot");
    expect(stateAfter(["order_updated", item], ["order_updated", { order_id: 8, status: "packed" }])).toMatchObject({
      item: "Order 8",
      step: "packed",
    });
  });

  it("stays where it is on a status that it does not know", () => {
    expect(
      stateAfter(["order_updated", { order_id: 7, status: "packed" }], ["order_updated", { order_id: 7, status: "?" }])
        ?.step,
    ).toBe("packed");
  });
});
