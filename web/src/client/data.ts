/** What may be sent as the data of an event. */

/** The packet around the data is the rest of what the server takes. */
const MAX_BYTES = 999_000;
/** The list of the packet is one level more. */
const MAX_DEPTH = 63;

/**
 * Throw for what can't be sent: the server would close the connection over a bigger or deeper packet, and
 * what JSON can't carry, or a message that is sent again, would break every following one.
 */
export function checkData(data: unknown): void {
  if (new Blob([JSON.stringify(data)]).size > MAX_BYTES) throw new RangeError("it exceeds 1 MB");
  checkDepth(data, MAX_DEPTH);
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`);
  for (const each of Object.values(value)) checkDepth(each, left - 1);
}
