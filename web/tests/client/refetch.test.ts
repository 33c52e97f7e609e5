import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fetchSnapshot } from "../../src/client/refetch.js";

let server: Server;
let url: string;
let asked: string[];
let answers: [status: number, body: unknown][];

beforeEach(async () => {
  [asked, answers] = [[], []];
  server = createServer((request, response) => {
    asked.push(`${request.headers.authorization} ${request.url}`);
    const [status, body] = answers.shift() ?? [500, {}];
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => void server.close());

const fetched = (namespace: "notifications" | "orders", after = 0, signal = new AbortController().signal) =>
  fetchSnapshot(url, "t", namespace, { epoch: "e", seq: after }, signal);

describe("fetchSnapshot", () => {
  it("fetches the inbox with the user's token", async () => {
    const inbox = { notifications: [], unread_count: 0, next_cursor: null, epoch: "e", seq: 4 };
    answers = [[200, inbox]];

    expect(await fetched("notifications")).toEqual(inbox);
    expect(asked).toEqual(["Bearer t /api/notifications?limit=100"]);
  });

  it("reads the log page by page, also while it grows", async () => {
    answers = [
      [200, { events: [{ seq: 3 }, { seq: 4 }], epoch: "e", seq: 5, pruned: 2 }],
      [200, { events: [{ seq: 5 }, { seq: 6 }], epoch: "e", seq: 6, pruned: 2 }],
    ];

    expect(await fetched("orders", 1)).toEqual({
      epoch: "e",
      seq: 6,
      events: [{ seq: 3 }, { seq: 4 }, { seq: 5 }, { seq: 6 }],
    });
    expect(asked).toEqual([
      "Bearer t /api/stream/orders?after=1&limit=200",
      "Bearer t /api/stream/orders?after=4&limit=200",
    ]);
  });

  it("reads the log from its beginning when another life of it begins meanwhile", async () => {
    answers = [
      [200, { events: [{ seq: 3 }, { seq: 4 }], epoch: "e", seq: 9, pruned: 0 }],
      [200, { events: [], epoch: "new", seq: 2, pruned: 0 }],
      [200, { events: [{ seq: 1 }, { seq: 2 }], epoch: "new", seq: 2, pruned: 0 }],
    ];

    expect(await fetched("orders", 2)).toEqual({ epoch: "new", seq: 2, events: [{ seq: 1 }, { seq: 2 }] });
  });

  it("is at the head when the log holds nothing more", async () => {
    answers = [[200, { events: [], epoch: "e", seq: 7, pruned: 7 }]];

    expect(await fetched("orders", 3)).toEqual({ epoch: "e", seq: 7, events: [] });
  });

  it("rejects with the server's problem", async () => {
    answers = [[503, { code: "overloaded", detail: "later", retryable: true, retry_after_s: 2 }]];

    await expect(fetched("orders")).rejects.toMatchObject({
      code: "overloaded",
      problem: { retryable: true, retry_after_s: 2 },
    });
  });

  it.each([
    [502, true],
    [404, false],
  ])("takes a bare %i for retryable: %s", async (status, retryable) => {
    answers = [[status, {}]];

    await expect(fetched("orders")).rejects.toMatchObject({ code: "http", problem: { retryable } });
  });

  it("stops when it is told to", async () => {
    const session = new AbortController();
    session.abort();

    await expect(fetched("orders", 0, session.signal)).rejects.toMatchObject({ name: "AbortError" });
    expect(asked).toEqual([]);
  });
});
