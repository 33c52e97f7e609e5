/** The four namespaces by the short names of the client's API. */

import { NAMESPACES, type ServerEvents } from "./events.generated.js";
import type { StreamItem } from "./stream.js";

export type NamespaceName = keyof ServerEvents;

export { NAMESPACES };

/** The short name of `"sns"` or `"/sns"`; TypeError for any other. */
export function namespaceName(name: string): NamespaceName {
  const short = name.replace(/^\//, "");
  const found = NAMESPACES.find((known) => known === short);
  if (found === undefined) throw new TypeError(`unknown namespace "${name}": use ${NAMESPACES.join(", ")}`);
  return found;
}

/**
 * The event as an item of its stream, or null for one that no stream keeps.
 *
 * The server alone sets the three fields that tell. The event's name does not: a
 * publisher may have any event kept, or not kept.
 */
export function streamItem(event: string, payload: unknown): StreamItem | null {
  if (typeof payload !== "object" || payload === null) return null;
  const { event_id, seq, epoch } = payload as Record<string, unknown>;
  if (typeof event_id !== "string" || typeof epoch !== "string" || !Number.isSafeInteger(seq)) return null;
  return { event, epoch, seq: seq as number, payload };
}
