/** What this browser remembers of one conversation's encryption. */

import type { UserId } from "./state.js";

/**
 * `on`: what is written is encrypted; `read`: it was on, and is still read; `off`: somebody was asked and writes
 * without it; null: nobody was asked.
 */
export type Choice = "on" | "read" | "off" | null;

export function findChoice(own: string, peer: UserId): Choice {
  try {
    const found = localStorage.getItem(nameOf(own, peer));
    return found === "on" || found === "read" || found === "off" ? found : null;
  } catch {
    return null;
  }
}

export function saveChoice(own: string, peer: UserId, choice: Exclude<Choice, null>): void {
  try {
    localStorage.setItem(nameOf(own, peer), choice);
  } catch {
    // Without a storage there are no keys either.
  }
}

function nameOf(own: string, peer: UserId): string {
  return `tocsin-encrypted ${JSON.stringify([own, String(peer)])}`;
}
