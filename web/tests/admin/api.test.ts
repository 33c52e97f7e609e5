import { afterEach, expect, it, vi } from "vitest";
import { call } from "../../src/admin/api.js";
import { look, type Page, type View } from "../../src/admin/view.js";

afterEach(() => vi.unstubAllGlobals());

/** An answer whose body breaks off. */
const cut = () => new Response(new ReadableStream({ start: (body) => body.error(new TypeError("cut")) }));

const pageOf = (told: string[]): Page & { view: View } => ({
  view: {} as View,
  changed: () => {},
  say: () => {},
  failing: (why) => told.push(why),
  signOut: () => {},
});

it("takes an answer that breaks off for a server that is away, until a look succeeds", async () => {
  vi.stubGlobal("sessionStorage", { getItem: () => "token" });
  const answers = [cut(), Response.json({ at: "now" })];
  vi.stubGlobal("fetch", async () => answers.shift());
  const told: string[] = [];
  const page = pageOf(told);
  const work = async () => void (await call("GET", "/api/admin/overview"));

  await look(page, work);
  await look(page, work);

  expect(told).toEqual(["The server is not there. The page tries again.", ""]);
});

it("tells of no look that an earlier view had begun", async () => {
  vi.stubGlobal("sessionStorage", { getItem: () => "token" });
  vi.stubGlobal("fetch", async () => cut());
  const told: string[] = [];
  const page = pageOf(told);
  const looking = look(page, async () => void (await call("GET", "/api/admin/overview")));
  page.view = {} as View;
  await looking;

  expect(told).toEqual([]);
});
