/** The control strip: one button for each thing that a back end tells its users, and the call it made. */

import { el, setText } from "./element.js";
import { type IconName, icon } from "./icons.js";
import type { Person } from "./person.js";
import type { Call } from "./rest.js";
import type { Shop } from "./shop.js";

const BURST = 20;

/** Fills the strip and keeps showing the last call. */
export class Controls {
  private readonly choices: HTMLInputElement[];
  private readonly callHead = el("span", { class: "call-head" });
  private readonly callBody = el("code", { class: "call-body" });
  private readonly error = el("span", { class: "call-error", role: "status" });

  constructor(
    root: HTMLElement,
    shop: Shop,
    private readonly people: readonly Person[],
  ) {
    const names = [...people.map(({ user }) => [user.name, user.lang] as const), ["Both", "en"] as const];
    this.choices = names.map((_, index) =>
      el("input", { type: "radio", name: "to", value: index, checked: index === people.length }),
    );
    const recipients = el(
      "fieldset",
      { class: "segments" },
      el("legend", {}, "Send to"),
      ...names.map(([name, lang], index) => el("label", { lang }, this.choices[index], el("span", {}, name))),
    );
    const buttons = el(
      "div",
      { class: "buttons" },
      this.button("bell", "Notification", (person) => shop.notify(person.user.id)),
      this.button("truck", "Order step", (person) => shop.moveOrder(person.user.id)),
      this.button("heart", "Like", (person) => shop.like(person.user.id, person.latestPostId)),
      this.button("comment", "Comment", (person) => shop.comment(person.user.id, person.latestPostId)),
      this.button("burst", `Burst of ${BURST}`, (person) => shop.burst(person.user.id, BURST)),
      this.button("shield", "Markup in a title", (person) => shop.notifyUnsafely(person.user.id)),
    );
    root.append(
      el("h2", { id: "controls-title" }, "Your back end"),
      recipients,
      buttons,
      el("p", { class: "call" }, this.callHead, this.callBody, this.error),
    );
    setText(this.callHead, "REST");
    setText(this.callBody, "Each button is one call per user. It is shown here.");
  }

  /** Show a call that has just been answered. */
  report({ method, path, body, status, ms }: Call): void {
    setText(this.callHead, `${method} ${path} → ${status === 0 ? "no answer" : status} in ${Math.round(ms)} ms`);
    setText(this.callBody, body === undefined ? "" : JSON.stringify(body));
    this.callHead.classList.toggle("bad", status === 0 || status >= 400);
  }

  private button(picture: IconName, label: string, act: (person: Person) => Promise<unknown>): HTMLButtonElement {
    const click = () => {
      setText(this.error, "");
      for (const person of this.chosen()) {
        act(person).catch((error: unknown) =>
          setText(this.error, error instanceof Error ? error.message : String(error)),
        );
      }
    };
    return el("button", { class: "button", type: "button", onclick: click }, icon(picture), label);
  }

  private chosen(): readonly Person[] {
    const index = this.choices.findIndex((choice) => choice.checked);
    const person = this.people[index];
    return person === undefined ? this.people : [person];
  }
}
