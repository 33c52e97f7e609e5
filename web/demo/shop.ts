/**
 * The demo's back end: what a shop would tell of its customers' orders and posts, through the real REST API.
 *
 * It keeps in mind how far each customer's order is, because a customer whose plug is out hears of it later.
 */

import type { UserId } from "./events.js";
import { STEPS } from "./orders.js";
import type { Rest } from "./rest.js";

const ITEMS = ["Celadon teapot", "Hanji lamp", "제주 감귤 5 kg 🍊", "Walnut tray"];

const COMMENTS = [
  ["Ada", "Love the glaze on this one 😍"],
  ["서연", "정말 예뻐요! 어디서 살 수 있나요?"],
  ["Noor", "Following for the kiln photos."],
  ["Luca", "Che bello ✨"],
] as const;

interface Progress {
  orderId: string;
  item: string;
  step: number;
}

/** Publishes one thing after another to one user. */
export class Shop {
  private readonly orders = new Map<UserId, Progress>();
  private items = 0;
  private reactions = 0;

  constructor(private readonly rest: Rest) {}

  /** Continue a customer's order where it was when the page was loaded. */
  remember(userId: UserId, orderId: string, item: string, step: number): void {
    if (!this.orders.has(userId)) this.orders.set(userId, { orderId, item, step });
  }

  /** Move the order one step on, or place the next one after a delivery. */
  moveOrder(userId: UserId): Promise<unknown> {
    const before = this.orders.get(userId);
    const fresh = before === undefined || before.step >= STEPS.length - 1;
    const order = fresh
      ? { orderId: `T-${Date.now().toString(36).slice(-5).toUpperCase()}`, item: pick(ITEMS, this.items++), step: 0 }
      : { ...before, step: before.step + 1 };
    this.orders.set(userId, order);
    const common = { order_id: order.orderId, item: order.item };
    switch (STEPS[order.step]) {
      case "placed":
        return this.publish("/orders", "order_updated", userId, { ...common, status: "placed", message: "Thank you!" });
      case "packed":
        return this.publish("/orders", "order_updated", userId, {
          ...common,
          status: "packed",
          message: "Wrapped with care",
        });
      case "shipped":
        return this.publish("/orders", "shipment_update", userId, {
          ...common,
          status: "shipped",
          location: "Icheon depot",
          carrier: "Hanjin",
          tracking_number: `HJ${order.orderId.slice(2)}`,
        });
      case "out_for_delivery":
        return this.publish("/orders", "shipment_update", userId, {
          ...common,
          status: "out_for_delivery",
          location: "서울 마포구",
        });
      default:
        return this.publish("/orders", "delivery_confirmed", userId, { ...common, message: "Left at the door 🏠" });
    }
  }

  like(userId: UserId, postId: string): Promise<unknown> {
    const [user_name] = pick(COMMENTS, this.reactions++);
    return this.publish("/sns", "post_liked", userId, { post_id: postId, user_name });
  }

  comment(userId: UserId, postId: string): Promise<unknown> {
    const [user_name, comment] = pick(COMMENTS, this.reactions++);
    return this.publish("/sns", "post_commented", userId, { post_id: postId, user_name, comment });
  }

  private publish(namespace: string, event: string, user_id: UserId, data: object): Promise<unknown> {
    return this.rest.call("POST", "/api/events", { namespace, event, user_id, data });
  }
}

function pick<Item>(items: readonly Item[], turn: number): Item {
  return items[turn % items.length] as Item;
}
