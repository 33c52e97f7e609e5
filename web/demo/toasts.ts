/** Toasts: what has just arrived, for a few seconds; they hold nothing that the bell does not. */

import { el } from "./element.js";
import { icon } from "./icons.js";

const SHOWN_FOR_MS = 5_000;
const MOST = 3;

/** A stack of toasts over one user's card, announced politely. */
export class Toasts {
  readonly element = el("div", { class: "toasts", role: "status", "aria-live": "polite" });

  /** Show a toast until it is closed or its time is over; it waits while pointed at or focused. */
  show(title: string, message: string, tone: "info" | "bad" = "info"): void {
    const close = () => {
      clearTimeout(timer);
      toast.remove();
    };
    const toast = el(
      "div",
      { class: `toast ${tone}`, onpointerenter: () => clearTimeout(timer), onfocusin: () => clearTimeout(timer) },
      el("div", {}, el("strong", { dir: "auto" }, title), el("p", { dir: "auto" }, message)),
      el(
        "button",
        { class: "button icon-only quiet", type: "button", "aria-label": `Dismiss: ${title}`, onclick: close },
        icon("close"),
      ),
    );
    toast.addEventListener("pointerleave", () => {
      timer = setTimeout(close, SHOWN_FOR_MS / 2);
    });
    let timer = setTimeout(close, SHOWN_FOR_MS);
    while (this.element.childElementCount >= MOST) this.element.firstElementChild?.remove();
    this.element.append(toast);
  }
}
