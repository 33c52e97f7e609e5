/** Orders that move while their buyer looks. */

import { el } from "./element.js";
import { api } from "./session.js";
import { texts } from "./texts.js";

const STEPS = ["placed", "packed", "shipped", "out_for_delivery", "delivered"];
const orders = new Map();

export function startOrders(catalog) {
  for (const event of ["order_updated", "shipment_update", "delivery_confirmed"]) {
    window.ws.on("orders", event, updateOrderUI);
  }
  window.ws.on("*", "resync", reload);
  window.ws.on("*", "state", ({ state }) => state === "connected" && reload());

  const form = document.getElementById("order-form");
  form.elements.sku.append(...Object.entries(catalog).map(([sku, name]) => el("option", { value: sku }, name)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void api("/api/orders", { method: "POST", body: { sku: form.elements.sku.value } });
  });
  reload();
}

function reload() {
  // A server that is away now is asked again when it is back.
  load().catch(() => {});
}

async function load() {
  const found = await api("/api/orders");
  for (const order of found.orders.reverse()) updateOrderUI(order);
}

/** Show an order as an event or the list tells it; an order never goes back, so what is older changes nothing. */
function updateOrderUI(order) {
  const known = orders.get(order.order_id);
  if (known !== undefined && STEPS.indexOf(known.status) > STEPS.indexOf(order.status)) return;
  orders.set(order.order_id, order);
  const newest = [...orders.values()].sort((a, b) => b.order_id - a.order_id);
  const list = document.getElementById("orders");
  const focused = document.activeElement?.closest("#orders li")?.dataset.id;
  list.replaceChildren(...newest.map(orderItem));
  if (focused === undefined) return;
  // An order that has arrived has no button any more: whoever uses the keyboard stays on the order.
  const item = list.querySelector(`[data-id="${CSS.escape(focused)}"]`);
  (item.querySelector("button") ?? item).focus();
}

function orderItem(order) {
  const reached = STEPS.indexOf(order.status);
  const advance = () => void api(`/api/orders/${order.order_id}/advance`, { method: "POST" });
  const button = { class: "button small", type: "button", onclick: advance, "aria-label": texts.advanceOf(order.item) };
  const steps = texts.steps.map((step, index) => {
    const look = index === reached ? "done current" : index < reached ? "done" : "";
    return el("li", { class: look, "aria-current": index === reached && "step" }, step);
  });
  return el(
    "li",
    { "data-id": order.order_id, tabindex: -1 },
    el(
      "div",
      { class: "between" },
      el("strong", { dir: "auto" }, order.item),
      reached < STEPS.length - 1 && el("button", button, texts.advance),
    ),
    el("ol", { class: "steps" }, ...steps),
    order.location &&
      el("small", {}, [order.location, order.carrier, order.tracking_number].filter(Boolean).join(" · ")),
  );
}
