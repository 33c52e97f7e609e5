/** The page of the inbox: two users with the elements of `/js/elements.js`, and a back end that tells them things. */

import type { WebSocketClient } from "../src/client/client.js";
import { el, setText } from "./element.js";
import type { UserId } from "./events.js";
import { type IconName, icon } from "./icons.js";
import { Newsroom } from "./newsroom.js";
import { type Call, Rest } from "./rest.js";
import { type DemoUser, fetchSession } from "./session.js";

/** What the elements have in common: they show what their client brings. */
type Element = HTMLElement & { client: WebSocketClient; nameOf?: (id: UserId) => string };

async function main(): Promise<void> {
  let session = await fetchSession();
  const renew = async () => {
    session = await fetchSession();
  };
  const { users } = session;
  const callHead = el("span", { class: "call-head" });
  const callBody = el("code", { class: "call-body" });
  const report = ({ method, path, body, status, ms }: Call) => {
    setText(callHead, `${method} ${path} → ${status === 0 ? "no answer" : status} in ${Math.round(ms)} ms`);
    setText(callBody, body === undefined ? "" : JSON.stringify(body));
    callHead.classList.toggle("bad", status === 0 || status >= 400);
  };
  const rest = new Rest({ current: () => session.publish_token, renew }, report);
  const ids = users.map((user) => user.id);
  const newsroom = new Newsroom(rest, ids);
  const button = (picture: IconName, label: string, act: () => Promise<unknown>) =>
    // What it came to is shown with the call.
    el("button", { class: "button", type: "button", onclick: () => void act().catch(() => {}) }, icon(picture), label);
  byId("controls").append(
    el("h2", { id: "controls-title" }, "Your back end"),
    el(
      "div",
      { class: "buttons" },
      button("bell", "Notification", () => newsroom.notify()),
      button("heart", "Like, grouped", () => newsroom.like()),
      button("retry", "Build, replaced", () => newsroom.build()),
      button("shield", "Work for one", () => newsroom.work()),
      button("burst", "Burst of 20", () => newsroom.burst(20)),
      button("share", "In 10 seconds", () => newsroom.later(10)),
      button("truck", "For 15 seconds", () => newsroom.brief(15)),
      button("check", "Edit the last", () => newsroom.edit()),
      button("close", "Take the last back", () => newsroom.retract()),
    ),
    el("p", { class: "call" }, callHead, callBody),
  );
  setText(callHead, "REST");
  setText(callBody, "Each button is a call to the back end's API. It is shown here.");
  const nameOf = (id: UserId) => users.find((user) => String(user.id) === String(id))?.name ?? String(id);
  byId("readers").append(
    ...users.map((user, index) => {
      const getToken = async () => {
        await renew();
        return (session.users[index] as DemoUser).token;
      };
      const client = new window.WebSocketClient({ getToken });
      const card = reader(user, client, nameOf);
      client.connect();
      return card;
    }),
  );
}

function reader(user: DemoUser, client: WebSocketClient, nameOf: (id: UserId) => string): HTMLElement {
  const headingId = `reader-${user.id}`;
  const element = (name: string) => {
    const made = document.createElement(name) as Element;
    made.client = client;
    return made;
  };
  const inbox = element("tocsin-inbox");
  inbox.nameOf = nameOf;
  return el(
    "article",
    { class: "reader card person", "aria-labelledby": headingId, lang: user.lang, "data-user": user.id },
    el(
      "header",
      { class: "reader-head" },
      el("span", { class: "avatar", "aria-hidden": "true" }, user.name.slice(0, 1)),
      el("h2", { id: headingId }, user.name),
      element("tocsin-bell"),
    ),
    element("tocsin-toasts"),
    inbox,
    el(
      "details",
      {},
      el("summary", {}, user.lang === "ko" ? "알림 설정" : "Preferences"),
      element("tocsin-preferences"),
    ),
  );
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

main().catch((error: unknown) => {
  const problem = byId("problem");
  problem.hidden = false;
  problem.textContent = `The demo could not start. ${error instanceof Error ? error.message : String(error)}`;
});
