/** The elements of `/js/elements.js`, as a user's card has them. */

import type { WebSocketClient } from "../src/client/client.js";
import type { UserId } from "./events.js";

type TocsinElement = HTMLElement & { client: WebSocketClient; nameOf?: (id: UserId) => string };

/** Make elements that show what a client brings, in its user's language. */
export class Elements {
  constructor(
    private readonly client: WebSocketClient,
    private readonly lang: string,
    private readonly nameOf: (id: UserId) => string,
  ) {}

  make(name: `tocsin-${string}`): HTMLElement {
    const { client, lang, nameOf } = this;
    return Object.assign(document.createElement(name) as TocsinElement, { client, lang, nameOf });
  }
}

/** Return a function that tells a user's name, or the id of a stranger. */
export function namesOf(users: readonly { id: UserId; name: string }[]): (id: UserId) => string {
  return (id) => users.find((user) => String(user.id) === String(id))?.name ?? String(id);
}
