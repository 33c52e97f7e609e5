/** The connection light: is this user's socket up, and has every stream caught up. */

import { el, setText } from "./element.js";
import { NAMESPACES, type Namespace } from "./events.js";

export interface LinkState {
  isConnected: boolean;
  /** The namespaces that have caught up, each with the `seq` that it had caught up to. */
  synced: ReadonlyMap<Namespace, number>;
}

export const NO_LINK: LinkState = { isConnected: false, synced: new Map() };

/** Return the state after the client reports that it is connected or not. */
export function withConnection(state: LinkState, isConnected: boolean): LinkState {
  return isConnected ? { ...state, isConnected } : NO_LINK;
}

/** Return the state after a namespace has caught up with its stream; what comes later is live. */
export function withSync(state: LinkState, namespace: Namespace, seq: number): LinkState {
  if (state.synced.has(namespace)) return state;
  return { isConnected: true, synced: new Map([...state.synced, [namespace, seq]]) };
}

/** Say whether nothing is missing anywhere. */
export function isLive(state: LinkState): boolean {
  return state.isConnected && NAMESPACES.every((name) => state.synced.has(name));
}

/** The light; `render` shows a state. */
export class LinkView {
  private readonly word = el("span");
  readonly element = el(
    "p",
    { class: "light", role: "status" },
    el("span", { class: "lamp", "aria-hidden": "true" }),
    this.word,
  );

  render(state: LinkState): void {
    const look = isLive(state) ? "live" : state.isConnected ? "syncing" : "down";
    this.element.dataset.look = look;
    setText(this.word, { live: "Live", syncing: "Catching up", down: "Connecting…" }[look]);
  }
}
