/** One tab at a time: two that write the same keys would each undo what the other has done. */

import { failure } from "../client/problem.js";

/** Resolves when no tab of this browser has a user's encryption open; another may be faster to open it. */
export async function whenFree(user: string): Promise<void> {
  await navigator.locks.request(nameOf(user), () => {});
}

/** Hold a user's encryption in this browser until what is returned is called; `in_use` when another tab does. */
export function holdOnly(user: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(nameOf(user), { ifAvailable: true }, (lock) => {
      if (lock === null) throw failure("in_use", "Encryption is open in another tab of this browser");
      return new Promise<void>((release) => resolve(() => release()));
    });
    held.catch(reject);
  });
}

function nameOf(user: string): string {
  return `tocsin-e2ee/${user}`;
}
