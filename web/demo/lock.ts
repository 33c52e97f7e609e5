/** The lock of a chat: turns encryption on, then shows devices and the safety number. */

import type { Sealing } from "../src/chat/sealing.js";
import { el, setAttribute, setText } from "./element.js";

export class LockView {
  readonly button: HTMLButtonElement;
  readonly place = el("div", { class: "encryption" });

  constructor(private readonly sealing: Sealing) {
    this.button = el("button", { class: "button quiet lock", type: "button", onclick: () => sealing.press() });
  }

  /** Show how it stands; returns what there is to say of it. */
  render(): string {
    const { isOn, isOpening, panel, problem } = this.sealing;
    setText(this.button, isOn ? "🔒 Encrypted" : "🔓 Encrypt");
    setAttribute(this.button, "aria-expanded", isOn && panel !== null ? String(panel.isOpen) : null);
    this.place.hidden = !isOn;
    if (panel !== null && panel.element.parentNode !== this.place) this.place.replaceChildren(panel.element);
    return problem || (isOn && isOpening ? "Encryption is being loaded…" : "");
  }
}
