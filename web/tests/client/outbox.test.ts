import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Outbox, type OutgoingMessage, type SentMessage } from "../../src/client/outbox.js";
import { failure, TocsinError } from "../../src/client/problem.js";

const message = (client_msg_id: string): OutgoingMessage => ({ to_user_id: 7, message: "hello", client_msg_id });
const stored = (id: string): SentMessage => ({ id, seq: 1, created_at: "2026-11-23T00:00:00Z" });

describe("Outbox", () => {
  let sent: string[];
  let answers: (SentMessage | TocsinError)[];
  let outbox: Outbox;

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    answers = [];
    outbox = new Outbox(async ({ client_msg_id }) => {
      sent.push(client_msg_id);
      const answer = answers.shift() ?? stored(client_msg_id);
      if (answer instanceof TocsinError) throw answer;
      return answer;
    }, 3);
  });
  afterEach(() => vi.useRealTimers());

  it("keeps messages until there is a connection, then sends them in order", async () => {
    const results = Promise.all([outbox.send(message("a")), outbox.send(message("b"))]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toEqual([]);
    expect(outbox.size).toBe(2);

    outbox.open();
    expect((await results).map((each) => each.id)).toEqual(["a", "b"]);
    expect(outbox.size).toBe(0);
  });

  it("sends a message again under the same id until it is acknowledged", async () => {
    answers = [failure("timeout", "no answer", true), failure("overloaded", "later", true)];
    outbox.open();
    const result = outbox.send(message("a"));
    await vi.advanceTimersByTimeAsync(5_000);

    expect((await result).id).toBe("a");
    expect(sent).toEqual(["a", "a", "a"]);
  });

  it("waits as long as the server asks", async () => {
    answers = [new TocsinError({ code: "rate_limited", detail: "slowly", retryable: true, retry_after_s: 7 })];
    outbox.open();
    const result = outbox.send(message("a"));
    await vi.advanceTimersByTimeAsync(6_999);
    expect(sent).toEqual(["a"]);

    await vi.advanceTimersByTimeAsync(1);
    expect((await result).id).toBe("a");
  });

  it("sends again at once on a new connection", async () => {
    answers = [new TocsinError({ code: "overloaded", detail: "later", retryable: true, retry_after_s: 3_600 })];
    outbox.open();
    const result = outbox.send(message("a"));
    await vi.advanceTimersByTimeAsync(0);
    outbox.close();
    outbox.open();
    await vi.advanceTimersByTimeAsync(0);

    expect((await result).id).toBe("a");
  });

  it("gives up what the server refuses for good, and goes on", async () => {
    const refusal = failure("invalid", "too long");
    answers = [refusal];
    outbox.open();
    const refused = outbox.send(message("a"));
    const accepted = outbox.send(message("b"));

    await expect(refused).rejects.toBe(refusal);
    expect((await accepted).id).toBe("b");
  });

  it("refuses more than its limit", async () => {
    for (const id of ["a", "b", "c"]) outbox.send(message(id));

    await expect(outbox.send(message("d"))).rejects.toMatchObject({ code: "outbox_full" });
    expect(outbox.size).toBe(3);
  });

  it("rejects everything when somebody else signs in", async () => {
    const result = outbox.send(message("a"));
    outbox.abandon(failure("user_changed", "another user"));
    outbox.open();

    await expect(result).rejects.toMatchObject({ code: "user_changed" });
    expect(sent).toEqual([]);
  });
});
