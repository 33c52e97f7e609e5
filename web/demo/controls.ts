/** The control strip: one button for each thing that a back end tells its users, and the call it made. */

import { el, setText } from "./element.js";
import { type IconName, icon } from "./icons.js";
import { DEEDS, type Newsroom, type Target } from "./newsroom.js";
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
    newsroom: Newsroom,
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
    const shopButton = (picture: IconName, label: string, act: (person: Person) => Promise<unknown>) =>
      this.button(picture, label, (chosen) => Promise.all(chosen.map(act)));
    const newsButton = (picture: IconName, label: string, act: (to: Target) => Promise<unknown>) =>
      this.button(picture, label, (chosen) => act(target(chosen)));
    const title = el("h3", { id: "inbox-title" }, "Inbox");
    const inbox = DEEDS.map(([picture, label, act]) => newsButton(picture, label, (to) => act(newsroom, to)));
    root.append(
      el("h2", { id: "controls-title" }, "Your back end"),
      recipients,
      el(
        "div",
        { class: "buttons" },
        newsButton("bell", "Notification", ({ users }) => newsroom.notify(users)),
        shopButton("truck", "Order step", (person) => shop.moveOrder(person.user.id)),
        shopButton("heart", "Like", (person) => shop.like(person.user.id, person.latestPostId)),
        shopButton("comment", "Comment", (person) => shop.comment(person.user.id, person.latestPostId)),
        newsButton("burst", `Burst of ${BURST}`, ({ users }) => newsroom.burst(users, BURST)),
        newsButton("shield", "Markup in a title", ({ users }) => newsroom.notifyUnsafely(users)),
      ),
      el("div", { class: "buttons", role: "group", "aria-labelledby": "inbox-title" }, title, ...inbox),
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

  private button(
    picture: IconName,
    label: string,
    act: (chosen: readonly Person[]) => Promise<unknown>,
  ): HTMLButtonElement {
    const click = () => {
      setText(this.error, "");
      act(this.chosen()).catch((error: unknown) =>
        setText(this.error, error instanceof Error ? error.message : String(error)),
      );
    };
    return el("button", { class: "button", type: "button", onclick: click }, icon(picture), label);
  }

  private chosen(): readonly Person[] {
    const index = this.choices.findIndex((choice) => choice.checked);
    const person = this.people[index];
    return person === undefined ? this.people : [person];
  }
}

function target(people: readonly Person[]): Target {
  const newest = people.flatMap((person) => person.newest ?? []);
  return { users: people.map(({ user }) => user.id), newest };
}
