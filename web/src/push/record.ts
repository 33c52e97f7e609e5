/** What this browser remembers of its subscription between two pages: for whom the server has it. */

import { TOKEN_KEY } from "../client/token.js";

export interface PushRecord {
  /** The `sub` of who turned notifications on. */
  readonly user: string;
  readonly endpoint: string;
  /** When the server was told last, in milliseconds since 1970. */
  readonly at: number;
  /** The token came from `localStorage.auth_token`: when that is gone, the user has signed out. */
  readonly isStored: boolean;
}

export const RECORD_KEY = "tocsin:push";

/** The record; null when there is none, or nothing can be stored here. */
export function loadRecord(): PushRecord | null {
  try {
    const value = JSON.parse(localStorage.getItem(RECORD_KEY) ?? "null") as PushRecord | null;
    return typeof value?.endpoint === "string" ? value : null;
  } catch {
    return null;
  }
}

export function saveRecord(record: PushRecord | null): void {
  try {
    if (record === null) localStorage.removeItem(RECORD_KEY);
    else localStorage.setItem(RECORD_KEY, JSON.stringify(record));
  } catch {
    // Storage is full or forbidden: the server is told again by the next page.
  }
}

/** The token of a page that keeps it in the storage. */
export function storedToken(): string | null {
  try {
    return localStorage.getItem(TOKEN_KEY) || null;
  } catch {
    return null;
  }
}
