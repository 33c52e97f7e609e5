/**
 * What the user has done and the stream has not told yet, laid over what is known.
 *
 * A change stays until an event has brought it, or the server refuses it: then it is as if it had never been. An event
 * that comes after the answer and says otherwise wins, for it is newer.
 */

import type { Notification } from "./notification.js";
import { type Change, type Inbox, touches, transform } from "./state.js";

/** A change of the notifications named by its `ids`. */
export interface Overlay {
  readonly change: Change & { readonly data: { readonly ids: readonly string[] } };
  /** An event has brought it, though another may have followed. */
  isSeen: boolean;
  isAnswered: boolean;
  readonly answer: Promise<unknown>;
}

export class Overlays {
  private all: Overlay[] = [];

  /** Lay a change over what is known, and ask for it. */
  add(change: Overlay["change"], base: Inbox, ask: () => Promise<unknown>): Overlay {
    const { ids } = change.data;
    const before = this.all.filter((one) => one.change.data.ids.some((id) => ids.includes(id)));
    // What was done before to the same ones may have to be asked for again, and would have the last word.
    const answer = Promise.allSettled(before.map((one) => one.answer)).then(ask);
    const overlay = { change, isSeen: isIn(base, change), isAnswered: false, answer };
    this.all.push(overlay);
    return overlay;
  }

  /** The server has taken the change. */
  answered(overlay: Overlay): void {
    overlay.isAnswered = true;
    this.all = this.all.filter((one) => one !== overlay || !one.isSeen);
  }

  /** The server refuses the change, or nobody waits for it any more. */
  drop(overlay: Overlay): void {
    this.all = this.all.filter((one) => one !== overlay);
  }

  /** What the server has taken by now: what is asked of it from now on has these. */
  get taken(): readonly Overlay[] {
    return this.all.filter((one) => one.isAnswered);
  }

  /** The base was loaded anew, with what had been taken when it was asked for. */
  rebase(taken: readonly Overlay[], base: Inbox): void {
    this.all = this.all.filter((one) => {
      one.isSeen ||= isIn(base, one.change);
      return !taken.includes(one) && !(one.isAnswered && one.isSeen);
    });
  }

  clear(): void {
    this.all = [];
  }

  /** An event was applied to the base. */
  heard({ data }: Change, base: Inbox): void {
    this.all = this.all.filter((one) => {
      one.isSeen ||= isIn(base, one.change);
      const isTouched = data.all === true || one.change.data.ids.some((id) => touches(data, id));
      return !(one.isAnswered && (one.isSeen || isTouched));
    });
  }

  over(base: Inbox): Inbox {
    return this.all.reduce((state, { change }) => transform(state, change), base);
  }
}

/** Whether the state is as the change wants it; instants are the server's, so only whether there is one counts. */
function isIn(state: Inbox, { event, data }: Overlay["change"]): boolean {
  return data.ids.every((id) => {
    const one = state.items.get(id);
    if (one === undefined || event === "notification_deleted") return one === undefined;
    return Object.entries(data).every(([name, value]) => name === "ids" || isSet(one, name) === (value !== null));
  });
}

function isSet(one: Notification, name: string): boolean {
  return name === "claim" ? (one.claim?.claimed_by ?? null) !== null : (one[name] ?? null) !== null;
}
