import { afterEach, describe, expect, it, vi } from "vitest";
import { Person } from "../../demo/person.js";
import { Refused, Rest } from "../../demo/rest.js";
import { Listeners } from "../../src/client/listeners.js";

const TOKEN = { current: () => "h.e.s", renew: async () => {} };

afterEach(() => vi.unstubAllGlobals());

describe("a user of the demo", () => {
  it("is shown what comes while the log is read, though that was read before it was in there", async () => {
    const answers = new Map<string, (answer: Response) => void>();
    vi.stubGlobal("fetch", (path: string) => new Promise((resolve) => answers.set(path.replace(/\?.*/, ""), resolve)));
    const listeners = new Listeners();
    const client = { on: listeners.add.bind(listeners), connect: () => {} };
    const [mina, junho] = [1, 2].map((id) => ({ id, name: "", lang: "en", token: "" })) as [never, never];
    const person = new Person(mina, junho, client as never, TOKEN);
    const order = (seq: number, status: string) => ({ seq, order_id: "T-1", status });
    const starting = person.start();
    await vi.waitFor(() => expect(answers.size).toBe(4));

    listeners.dispatch("orders", "order_updated", order(2, "packed"));
    for (const [path, answer] of answers) {
      const first = { seq: 1, event: "order_updated", created_at: "2026-01-01T00:00:00Z", data: order(1, "placed") };
      const events = path.endsWith("/orders") ? [first] : [];
      answer(Response.json({ events, seq: events.length }));
    }
    await starting;

    await vi.waitFor(() => expect(person.state.order?.step).toBe("packed"));
  });
});

describe("a call of the demo", () => {
  it("says that the server is not there where it leaves in the middle of its answer", async () => {
    const text = () => Promise.reject(new TypeError("terminated"));
    vi.stubGlobal("fetch", async () => ({ ok: true, status: 200, text }));

    await expect(new Rest(TOKEN).call("GET", "/api/notifications")).rejects.toEqual(
      new Refused(0, "The server is not there."),
    );
  });
});
