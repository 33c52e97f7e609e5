/** One message as the list shows it. All that users wrote is shown as text. */

import { type Attachment, isMine, type Message, type Pending, SEAL, type UserId } from "./state.js";
import type { Texts } from "./texts.js";

export interface MessageActions {
  edit: (message: Message) => void;
  takeBack: (message: Message) => void;
  again: (pending: Pending) => void;
}

/** Draw a message into its element, which may show it already. */
export function drawMessage(
  row: HTMLElement,
  one: Message,
  { peer, texts, lang, actions }: { peer: UserId; texts: Texts; lang: string; actions: MessageActions },
): void {
  const mine = isMine(one, peer);
  const isGone = one.deleted_at !== undefined;
  const seal = one[SEAL];
  row.setAttribute("part", mine ? "message own" : "message");
  // It is for the devices of both: without encryption there is no key here.
  const isShut = !isGone && one.ciphertext !== undefined && !seal?.isOpen;
  row.classList.toggle("gone", isGone || isShut);
  const meta: (Node | string)[] = [time(one.timestamp, lang)];
  if (seal?.isOpen) {
    meta.unshift(mark("🔒", texts.encrypted));
    if (!seal.isFromKnownDevice) meta.push(span(texts.unknownDevice, "failed"));
  }
  if (one.isClear) meta.push(span(texts.clear, "clear"));
  if (one.edited_at !== undefined && !isGone) meta.push(texts.edited);
  if (mine && !isGone) {
    const state = one.read_at !== null ? "read" : one.delivered_at !== undefined ? "delivered" : "sent";
    meta.push(span(texts[state], state));
    if (one.message !== "") meta.push(button(texts.edit, () => actions.edit(one)));
    meta.push(button(texts.takeBack, () => actions.takeBack(one)));
  }
  const files = isGone ? [] : (one.attachments ?? []).map(link).filter((file) => file !== null);
  const shut = seal?.note ? `🔒 ${seal.note}` : texts.sealed;
  row.replaceChildren(text(isGone ? texts.deleted : isShut ? shut : one.message), ...files, line(meta));
}

/** Draw what waits for the server, or was refused by it. */
export function drawPending(row: HTMLElement, one: Pending, texts: Texts, actions: MessageActions): void {
  row.setAttribute("part", "message own");
  const meta: (Node | string)[] = one.isFailed
    ? [span(texts.failed, "failed"), button(texts.again, () => actions.again(one))]
    : [texts.sending];
  row.replaceChildren(text(one.text), line(meta));
}

function text(body: string): HTMLElement {
  const paragraph = document.createElement("p");
  paragraph.className = "text";
  paragraph.dir = "auto";
  paragraph.textContent = body;
  paragraph.hidden = body === "";
  return paragraph;
}

function line(parts: readonly (Node | string)[]): HTMLElement {
  const meta = document.createElement("div");
  meta.className = "meta";
  meta.append(...parts.map((part) => (typeof part === "string" ? span(part) : part)));
  return meta;
}

function span(content: string, name = ""): HTMLElement {
  const element = document.createElement("span");
  element.textContent = content;
  element.className = name;
  return element;
}

/** A picture with a name. */
function mark(picture: string, name: string): HTMLElement {
  const element = span(picture, "mark");
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", name);
  element.title = name;
  return element;
}

function button(label: string, press: () => void): HTMLElement {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = label;
  element.addEventListener("click", press);
  return element;
}

/** A link to a file of the host; the server takes no other scheme, and neither does this. */
function link({ url, name }: Attachment): HTMLElement | null {
  if (!/^(https:\/\/|\/(?![/\\]))/.test(url)) return null;
  const anchor = document.createElement("a");
  anchor.className = "file";
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.textContent = name ?? url.split("/").pop() ?? url;
  return anchor;
}

function time(timestamp: string, lang: string): HTMLElement {
  const element = document.createElement("time");
  const at = new Date(timestamp);
  const isToday = at.toDateString() === new Date().toDateString();
  element.dateTime = timestamp;
  element.textContent = at.toLocaleString(lang, { ...(!isToday && { dateStyle: "short" }), timeStyle: "short" });
  return element;
}
