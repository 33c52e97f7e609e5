/** What may be sent as the data of an event. */

/** The packet around the data is the rest of what the server takes. */
const MAX_BYTES = 999_000;

/**
 * Throw for what can't be sent: the server would close the connection over a bigger packet, and
 * what JSON can't carry, or a message that is sent again, would break every following one.
 */
export function checkData(data: unknown): void {
  if (new Blob([JSON.stringify(data)]).size > MAX_BYTES) throw new RangeError("it exceeds 1 MB");
}
