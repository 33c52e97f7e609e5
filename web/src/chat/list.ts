/** Draws the messages of a conversation and what waits; who is at its end stays there. */

import type { Frame } from "./frame.js";
import { drawMessage, drawPending } from "./message.js";
import type { Rows } from "./rows.js";
import type { Sealing } from "./sealing.js";
import type { Conversation } from "./state.js";

export const NEAR_PX = 48;

export function drawList(
  { list, empty }: Frame,
  rows: Rows,
  { messages, pending }: Conversation,
  sealing: Sealing | null,
  words: Parameters<typeof drawMessage>[2],
): void {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
  const focused = list.querySelector("button:focus");
  const row = focused?.closest("[part]");
  const drawing = rows.begin(empty, words.lang);
  for (const message of messages) {
    const one = sealing?.view(message) ?? message;
    drawing.place(one.id, one, (row) => drawMessage(row, one, words));
  }
  for (const one of pending)
    drawing.place(`… ${one.key}`, one, (row) => drawPending(row, one, words.texts, words.actions));
  drawing.end();
  if (focused?.isConnected === false) {
    const again = [...list.querySelectorAll("button")].find(
      (one) => row?.contains(one) && one.textContent === focused.textContent,
    );
    (again ?? list).focus();
  }
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}
