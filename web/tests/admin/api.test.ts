import { afterEach, expect, it, vi } from "vitest";
import { call } from "../../src/admin/api.js";
import { look, type Page } from "../../src/admin/view.js";

afterEach(() => vi.unstubAllGlobals());

/** An answer whose body breaks off. */
const cut = () => new Response(new ReadableStream({ start: (body) => body.error(new TypeError("cut")) }));

it("takes an answer that breaks off for a server that is away, until a look succeeds", async () => {
  vi.stubGlobal("sessionStorage", { getItem: () => "token" });
  const answers = [cut(), Response.json({ at: "now" })];
  vi.stubGlobal("fetch", async () => answers.shift());
  const told: string[] = [];
  const page: Page = { changed: () => {}, say: () => {}, failing: (why) => told.push(why), signOut: () => {} };
  const work = async () => void (await call("GET", "/api/admin/overview"));

  await look(page, work);
  await look(page, work);

  expect(told).toEqual(["The server is not there. The page tries again.", ""]);
});
