/** The order tracker: the user's latest order, step by step, from the events of `/orders`. */

import { el, renderList, setText } from "./element.js";
import { clock, type DemoEvent, text } from "./events.js";
import { type IconName, icon } from "./icons.js";

export const STEPS = ["placed", "packed", "shipped", "out_for_delivery", "delivered"] as const;
export type Step = (typeof STEPS)[number];

const LABELS: Record<Step, [string, IconName]> = {
  placed: ["Placed", "order"],
  packed: ["Packed", "box"],
  shipped: ["Shipped", "truck"],
  out_for_delivery: ["Out for delivery", "pin"],
  delivered: ["Delivered", "home"],
};

export interface Order {
  orderId: string;
  item: string;
  step: Step;
  note: string;
  timestamp: string;
  carrier: string;
}

/** The order that moved last, or null before the first. */
export type OrderState = Order | null;

/** Return the state after an event of `/orders`. */
export function applyToOrder(state: OrderState, { event, data }: DemoEvent): OrderState {
  const orderId = text(data.order_id);
  const known: Order =
    state?.orderId === orderId
      ? state
      : { orderId, item: `Order ${orderId}`, step: "placed", note: "", timestamp: "", carrier: "" };
  const moved = {
    ...known,
    item: text(data.item, known.item),
    timestamp: text(data.timestamp),
    note: text(data.message),
  };
  switch (event) {
    case "order_updated":
      return { ...moved, step: step(data.status) ?? known.step };
    case "shipment_update": {
      const carrier = [text(data.carrier), text(data.tracking_number)].filter(Boolean).join(" ");
      return {
        ...moved,
        step: step(data.status) ?? "shipped",
        note: text(data.location, moved.note),
        carrier: carrier || known.carrier,
      };
    }
    case "delivery_confirmed":
      return { ...moved, step: "delivered" };
    default:
      return state;
  }
}

function step(status: unknown): Step | undefined {
  return STEPS.find((name) => name === status);
}

/** The tracker; `render` shows a state. */
export class OrderView {
  private readonly title = el("p", { class: "order-item", dir: "auto" });
  private readonly steps = el("ol", { class: "steps", role: "list" });
  private readonly note = el("p", { class: "hint", dir: "auto", "aria-live": "polite" });
  readonly element: HTMLElement;

  constructor(owner: string) {
    this.element = el(
      "section",
      { class: "block orders", "aria-label": `Order of ${owner}` },
      el("div", { class: "block-head" }, el("h3", {}, "Order"), this.title),
      this.steps,
      this.note,
    );
  }

  render(state: OrderState): void {
    setText(this.title, state === null ? "" : `${state.item} · ${state.orderId}`);
    const reached = state === null ? -1 : STEPS.indexOf(state.step);
    renderList(this.steps, STEPS, {
      key: (name) => name,
      create: (name) => {
        const [label, picture] = LABELS[name];
        return el(
          "li",
          { class: "step" },
          el("span", { class: "step-mark" }, icon(picture)),
          el("span", { class: "step-label" }, label),
          el("span", { class: "visually-hidden step-state" }),
        );
      },
      update: (element, name) => {
        const index = STEPS.indexOf(name);
        element.classList.toggle("done", index <= reached);
        element.classList.toggle("current", index === reached);
        if (index === reached) element.setAttribute("aria-current", "step");
        else element.removeAttribute("aria-current");
        const spoken = element.querySelector(".step-state");
        if (spoken !== null) setText(spoken, index <= reached ? "done" : "to come");
      },
    });
    const parts = state === null ? ["No order yet."] : [state.note, state.carrier, clock(state.timestamp)];
    setText(this.note, parts.filter(Boolean).join(" · "));
  }
}
