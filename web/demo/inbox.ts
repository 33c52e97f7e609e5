/** The page of the inbox: two users with the elements of `/js/elements.js`, and a back end that tells them things. */

import { el, setText } from "./element.js";
import { Elements, namesOf } from "./elements.js";
import type { Payload } from "./events.js";
import { type IconName, icon } from "./icons.js";
import { type Arrived, applyToArrived, DEEDS, Newsroom } from "./newsroom.js";
import { type Call, Rest } from "./rest.js";
import { type DemoUser, fetchSession } from "./session.js";

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
  const explain = (error: Error) => setText(callBody, error.message);
  const rest = new Rest({ current: () => session.publish_token, renew }, report);
  const ids = users.map((user) => user.id);
  const newsroom = new Newsroom(rest, ids);
  const arrived: Arrived[] = users.map(() => []);
  const button = (picture: IconName, label: string, act: () => Promise<unknown>) =>
    el("button", { class: "button", type: "button", onclick: () => void act().catch(explain) }, icon(picture), label);
  byId("controls").append(
    el("h2", { id: "controls-title" }, "Your back end"),
    el(
      "div",
      { class: "buttons" },
      button("bell", "Notification", () => newsroom.notify(ids)),
      button("burst", "Burst of 20", () => newsroom.burst(ids, 20)),
      ...DEEDS.map(([picture, label, act]) =>
        button(picture, label, () =>
          act(newsroom, { users: ids, newest: arrived.flatMap((each) => each.at(-1) ?? []) }),
        ),
      ),
    ),
    el("p", { class: "call" }, callHead, callBody),
  );
  setText(callHead, "REST");
  setText(callBody, "Each button is a call to the back end's API. It is shown here.");
  byId("readers").append(
    ...users.map((user, index) => {
      const getToken = async () => {
        await renew();
        return (session.users[index] as DemoUser).token;
      };
      const client = new window.WebSocketClient({ getToken });
      for (const event of ["notification", "notification_deleted"] as const)
        client.on("notifications", event, (data) => {
          arrived[index] = applyToArrived(arrived[index] ?? [], { event, data: data as Payload });
        });
      const own = new Rest({ current: () => (session.users[index] as DemoUser).token, renew });
      void own.read<{ notifications: { id: string }[] }>("/api/notifications").then(({ notifications }) => {
        arrived[index] = [...notifications.map(({ id }) => id).reverse(), ...(arrived[index] ?? [])];
      });
      const card = reader(user, new Elements(client, user.lang, namesOf(users)));
      client.connect();
      return card;
    }),
  );
}

function reader(user: DemoUser, elements: Elements): HTMLElement {
  const headingId = `reader-${user.id}`;
  return el(
    "article",
    { class: "reader card person", "aria-labelledby": headingId, lang: user.lang, "data-user": user.id },
    el(
      "header",
      { class: "reader-head" },
      el("span", { class: "avatar", "aria-hidden": "true" }, user.name.slice(0, 1)),
      el("h2", { id: headingId }, user.name),
      elements.make("tocsin-bell"),
    ),
    elements.make("tocsin-toasts"),
    elements.make("tocsin-inbox"),
    el(
      "details",
      {},
      el("summary", {}, user.lang === "ko" ? "알림 설정" : "Preferences"),
      elements.make("tocsin-preferences"),
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
