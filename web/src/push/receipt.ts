/** Tells the server what became of a push. */

export type ReceiptEvent = "shown" | "clicked" | "closed";

/** A browser ends a worker that takes long: three attempts, all within some seconds. */
const WAITS_MS = [0, 1_000, 4_000];
const TIMEOUT_MS = 5_000;

/**
 * Send a receipt; never rejects.
 *
 * Tried again where the network fails or the server is unwell (429, 5xx), three times in all.
 * The receipt is the proof: no token and no cookie goes with it.
 */
export async function sendReceipt(address: string, receipt: string | null, event: ReceiptEvent): Promise<void> {
  if (receipt === null) return;
  for (const wait of WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const { status } = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ receipt, event }),
        credentials: "omit",
        keepalive: true,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (status < 500 && status !== 429) return;
    } catch {
      // Not reached: once more, after the next wait.
    }
  }
}
