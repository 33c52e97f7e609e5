import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sendReceipt } from "../../src/push/receipt.js";

const ADDRESS = "https://shop.example/api/webpush/receipts";
const fetched = vi.fn<(address: string, init: RequestInit) => Promise<Response>>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", fetched.mockReset());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function send(receipt: string | null = "r1"): Promise<void> {
  const sent = sendReceipt(ADDRESS, receipt, "shown");
  await vi.runAllTimersAsync();
  await sent;
}

describe("a receipt", () => {
  it("goes to the server without token and cookie, and outlives the worker", async () => {
    fetched.mockResolvedValue(new Response(null, { status: 204 }));
    await send();

    const [address, init] = fetched.mock.calls[0] ?? [];
    expect(address).toBe(ADDRESS);
    expect(init).toMatchObject({ method: "POST", credentials: "omit", keepalive: true });
    expect(init?.body).toBe('{"receipt":"r1","event":"shown"}');
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("is sent again when the network or the server fails, three times in all", async () => {
    fetched.mockRejectedValueOnce(new TypeError("no network"));
    fetched.mockResolvedValueOnce(new Response(null, { status: 503 }));
    fetched.mockResolvedValueOnce(new Response(null, { status: 429 }));
    await send();

    expect(fetched).toHaveBeenCalledTimes(3);
  });

  it("that is refused is not sent again", async () => {
    fetched.mockResolvedValue(new Response(null, { status: 403 }));
    await send();

    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("that the push did not bring is not sent", async () => {
    await send(null);

    expect(fetched).not.toHaveBeenCalled();
  });
});
