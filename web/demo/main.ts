/** The demo page: fetches the two users, and ties models, views and controls together. */

import type { WebSocketClient } from "../src/client/client.js";
import { Card } from "./card.js";
import { Controls } from "./controls.js";
import { namesOf } from "./elements.js";
import type { UserId } from "./events.js";
import { Newsroom } from "./newsroom.js";
import { STEPS } from "./orders.js";
import { Person } from "./person.js";
import { Pull } from "./pull.js";
import { type Call, Rest } from "./rest.js";
import { fetchSession, type Session } from "./session.js";
import { Shop } from "./shop.js";

declare global {
  interface Window {
    /** `/js/websocket.js`, the same file that a product includes. */
    WebSocketClient: typeof WebSocketClient;
  }
}

const CHAT_LINES = ["Are you there?", "점심 같이 먹을래요? 🍜", "I kept your seat."];

/** The tokens in use; every reader asks here, so that renewed ones count everywhere. */
class Tokens {
  constructor(private session: Session) {}

  get publish(): string {
    return this.session.publish_token;
  }

  of(index: 0 | 1): string {
    return this.session.users[index].token;
  }

  async renew(): Promise<void> {
    this.session = await fetchSession();
  }
}

async function main(): Promise<void> {
  const session = await fetchSession();
  const tokens = new Tokens(session);
  // In the fragment, which no server sees; the dashboard takes it out of its address at once.
  byId("dashboard").setAttribute("href", `/admin#token=${encodeURIComponent(session.admin_token)}`);

  let report: (call: Call) => void = () => {};
  const rest = new Rest({ current: () => tokens.publish, renew: () => tokens.renew() }, (call) => report(call));
  const shop = new Shop(rest);
  const people = [makePerson(session, tokens, 0), makePerson(session, tokens, 1)] as const;
  const newsroom = new Newsroom(
    rest,
    session.users.map(({ id }) => id),
  );
  const controls = new Controls(byId("controls"), shop, newsroom, people);
  report = (call) => controls.report(call);

  const cards = people.map((person, index) => {
    const other = people[1 - index] as Person;
    const pull = new Pull(person, rest, traffic(shop, newsroom, person, other));
    return makeCard(person, pull, namesOf(session.users));
  });
  byId("people").append(...cards.map((card) => card.element));
  await Promise.all(people.map((person) => person.start()));
  for (const { user, state } of people) {
    if (state.order !== null) {
      shop.remember(user.id, state.order.orderId, state.order.item, STEPS.indexOf(state.order.step));
    }
  }
}

function makePerson(session: Session, tokens: Tokens, index: 0 | 1): Person {
  const [user, other] = [session.users[index], session.users[index === 0 ? 1 : 0]];
  const getToken = async () => {
    await tokens.renew();
    return tokens.of(index);
  };
  const client = new window.WebSocketClient({ getToken });
  return new Person(user, other, client, {
    current: () => tokens.of(index),
    renew: () => tokens.renew(),
  });
}

function makeCard(person: Person, pull: Pull, nameOf: (id: UserId) => string): Card {
  const card = new Card(person, pull, nameOf);
  let isScheduled = false;
  const render = () => {
    if (isScheduled) return;
    isScheduled = true;
    // One drawing for all that a burst brings; a timer, because a hidden page has no animation frames.
    setTimeout(() => {
      isScheduled = false;
      card.render();
    });
  };
  person.onChange = render;
  pull.onChange = render;
  card.render();
  return card;
}

function traffic(shop: Shop, newsroom: Newsroom, person: Person, other: Person): (() => Promise<unknown>)[] {
  const { id } = person.user;
  let line = 0;
  return [
    () => newsroom.notify([id]),
    () => other.say(CHAT_LINES[line++ % CHAT_LINES.length] as string),
    () => shop.moveOrder(id),
    () => shop.like(id, person.latestPostId),
    () => newsroom.notify([id]),
    () => shop.comment(id, person.latestPostId),
  ];
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
