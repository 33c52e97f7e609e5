import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Refused } from "../../src/admin/api.js";
import { keep } from "../../src/admin/token.js";
import { look, type Page } from "../../src/admin/view.js";
import { MemoryStorage } from "../client/memory_storage.js";

beforeEach(() => vi.stubGlobal("sessionStorage", new MemoryStorage()));
afterEach(() => vi.unstubAllGlobals());

it("does not sign out who has signed in since the token was refused", async () => {
  const reasons: string[] = [];
  const page = { view: {}, failing: () => {}, signOut: (why: string) => reasons.push(why) } as unknown as Page;
  keep("ended");
  let refuse = () => {};
  const looking = look(page, () => new Promise((_, reject) => (refuse = () => reject(new Refused(401, "ended")))));
  keep("new");
  refuse();
  await looking;

  expect(reasons).toEqual([]);
});
