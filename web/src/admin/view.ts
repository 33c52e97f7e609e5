/** What the views of the page have in common: where they draw, how they tell of a failure, where a link leads. */

import type { TemplateResult } from "lit-html";
import { Refused } from "./api.js";
import { token } from "./token.js";

export interface Page {
  /** The view that is shown. */
  readonly view: View;
  /** Draw again, soon. */
  changed: () => void;
  /** Say something that is read out; empty: nothing any more. */
  say: (text: string, isBad?: boolean) => void;
  /** Tell why the last look failed; empty: it did not. */
  failing: (why: string) => void;
  /** The token is not taken: ask for another one. */
  signOut: (why: string) => void;
}

/** One view; it is made when it is opened, and dropped when another one is. */
export interface View {
  title: string;
  draw: () => TemplateResult;
  /** Look again; called when it is opened, and every two seconds where `isLive`. */
  look: () => Promise<void>;
  isLive: boolean;
}

/** Carry out what the operator asked for; a refusal is told, and a token that is refused is asked for anew. */
export function attempt(page: Page, work: () => Promise<void>): Promise<boolean> {
  return carried(page, work, (why) => page.say(why, true));
}

/** Look: a refusal is told until a look succeeds. */
export async function look(page: Page, work: () => Promise<void>): Promise<void> {
  const { view } = page;
  let failure = "";
  await carried(page, work, (why) => {
    failure = why;
  });
  // What an earlier view was after says nothing of this one.
  if (page.view === view) page.failing(failure);
}

async function carried(page: Page, work: () => Promise<void>, refused: (why: string) => void): Promise<boolean> {
  const used = token();
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Somebody may have signed in with another since.
    if (error.isForToken && used === token()) page.signOut(error.message);
    else refused(error.message);
    return false;
  }
}

export const userLink = (userId: number | string): string => `#/user/${encodeURIComponent(userId)}`;

export const traceLink = (id: string, userId?: number | string): string =>
  `#/trace/${encodeURIComponent(id)}${userId === undefined ? "" : `/${encodeURIComponent(userId)}`}`;
