/** What the events of the chat do to the messages that a page shows; each returns the new list. */

/** The first that waits with this text has arrived; what was encrypted here is known by its id. */
export function without(outgoing, { message, ciphertext, client_msg_id }) {
  const arrived = ciphertext
    ? outgoing.find((one) => one.key === client_msg_id)
    : outgoing.find((one) => one.text === message && one.state !== "notSent");
  return outgoing.filter((one) => one !== arrived);
}

/** Ids of messages sort by their time (UUIDv7), so the history and the events may come in any order. */
export function merged(known, some) {
  const byId = new Map(known.map((one) => [one.id, one]));
  for (const one of some) byId.set(one.id, later(byId.get(one.id), one));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A receipt is for a message and for all of the same sender before it. */
export function markedUpTo(known, { message_id, from_user_id, ...data }, mark) {
  return known.map((one) => {
    if (one.from_user_id !== from_user_id || one.id > message_id || one[mark]) return one;
    return { ...one, [mark]: data[mark], delivered_at: one.delivered_at ?? data[mark] };
  });
}

/** The text is gone, the place stays. */
export function removed(known, { message_id, deleted_at }) {
  return known.map((one) => (one.id === message_id ? { ...one, message: "", ciphertext: null, deleted_at } : one));
}

/** A history may be older than what an event has told already. */
function later(known, one) {
  if (known === undefined) return one;
  if (known.deleted_at) return known;
  const isOlder = (known.edited_at ?? "") > (one.edited_at ?? "");
  const { read_at, delivered_at } = known;
  return {
    ...one,
    ...(isOlder && known),
    read_at: one.read_at ?? read_at,
    delivered_at: one.delivered_at ?? delivered_at,
  };
}
