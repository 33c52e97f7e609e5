/** What the views of the page have in common: where they draw, how they tell of a failure, where a link leads. */

import type { TemplateResult } from "lit-html";
import { Refused } from "./api.js";

export interface Page {
  /** Draw again, soon. */
  changed: () => void;
  /** Say something that is read out; empty: nothing any more. */
  say: (text: string, isBad?: boolean) => void;
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

/** Carry something out; a refusal is told, and a token that is refused is asked for anew. */
export async function attempt(page: Page, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.isForToken) page.signOut(error.message);
    else page.say(error.message, true);
    return false;
  }
}

export const userLink = (userId: number | string): string => `#/user/${encodeURIComponent(userId)}`;

export const traceLink = (id: string, userId?: number | string): string =>
  `#/trace/${encodeURIComponent(id)}${userId === undefined ? "" : `/${encodeURIComponent(userId)}`}`;
