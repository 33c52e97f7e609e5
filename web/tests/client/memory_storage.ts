/** A storage in memory that counts its writes. */

import type { KeyValueStorage } from "../../src/client/cursor.js";

export class MemoryStorage implements KeyValueStorage {
  writes = 0;
  private readonly items = new Map<string, string>();

  constructor(items: Record<string, string> = {}) {
    this.items = new Map(Object.entries(items));
  }

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.writes += 1;
    this.items.set(key, value);
  }

  removeItem(key: string): void {
    this.items.delete(key);
  }
}
