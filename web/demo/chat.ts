/** The chat between the two users: messages with ticks, and who is typing. */

import type { Sealing } from "../src/chat/sealing.js";
import { type Message as ChatMessage, SEAL } from "../src/chat/state.js";
import { el, renderList, setText } from "./element.js";
import { clock, type DemoEvent, text, type UserId } from "./events.js";
import { icon } from "./icons.js";
import { LockView } from "./lock.js";

export interface Message {
  /** The sender's own id of the message; it names a message before the server has. */
  clientId: string;
  id: string | null;
  mine: boolean;
  text: string;
  timestamp: string;
  state: "sending" | "sent" | "delivered" | "read";
  /** The message as it came, where its text is for devices alone. */
  sealed?: ChatMessage;
}

export interface ChatState {
  messages: readonly Message[];
  isTyping: boolean;
  online: boolean | null;
}

export const EMPTY_CHAT: ChatState = { messages: [], isTyping: false, online: null };

const KEPT = 200;

/** Return the state after an event of `/chat`, for the user who chats with `other`. */
export function applyToChat(state: ChatState, { event, data }: DemoEvent, other: UserId): ChatState {
  switch (event) {
    case "message_received":
      if (data.from_user_id !== other) return state;
      return { ...withMessage(state, message(data, false)), isTyping: false };
    case "message_sent":
      return data.to_user_id === other ? withMessage(state, message(data, true)) : state;
    case "message_delivered":
    case "message_read":
      return markUpTo(state, data, event === "message_read" ? "read" : "delivered", other);
    case "user_typing":
      return data.user_id === other ? { ...state, isTyping: data.is_typing === true } : state;
    case "user_online":
    case "user_offline":
      return data.user_id === other ? { ...state, online: event === "user_online" } : state;
    default:
      return state;
  }
}

/** Return the state with a message that the user has just written and the server does not know yet. */
export function write(state: ChatState, clientId: string, body: string, timestamp: string): ChatState {
  return withMessage(state, { clientId, id: null, mine: true, text: body, timestamp, state: "sending" });
}

/** Return the state after the server has acknowledged a message of the user. */
export function acknowledge(state: ChatState, clientId: string, id: string): ChatState {
  const messages = state.messages.map((item) =>
    item.clientId === clientId && item.state === "sending" ? { ...item, id, state: "sent" as const } : item,
  );
  return { ...state, messages };
}

/** Return the state without a message that was not sent. */
export function withdraw(state: ChatState, clientId: string): ChatState {
  const isKept = (item: Message) => item.clientId !== clientId || item.state !== "sending";
  return { ...state, messages: state.messages.filter(isKept) };
}

/** A receipt is for a message and for all of the same sender before it; it never goes back. */
function markUpTo(state: ChatState, data: DemoEvent["data"], to: "delivered" | "read", other: UserId): ChatState {
  const isMine = data.from_user_id !== other;
  const messages = state.messages.map((item) =>
    item.mine === isMine && item.id !== null && item.id <= text(data.message_id) && item.state !== "read"
      ? { ...item, state: to }
      : item,
  );
  return { ...state, messages };
}

function message(data: DemoEvent["data"], mine: boolean): Message {
  const id = text(data.id);
  return {
    clientId: text(data.client_msg_id, id),
    id,
    mine,
    text: text(data.message),
    timestamp: text(data.timestamp),
    state: typeof data.read_at === "string" ? "read" : typeof data.delivered_at === "string" ? "delivered" : "sent",
    ...(data.ciphertext === undefined ? {} : { sealed: data as unknown as ChatMessage }),
  };
}

function withMessage(state: ChatState, fresh: Message): ChatState {
  // The ack and `message_sent` tell of one message in either order: its own id makes them one.
  const known = state.messages.some((item) => same(item, fresh));
  const messages = known
    ? state.messages.map((item) => (same(item, fresh) && item.state === "sending" ? fresh : item))
    : [...state.messages, fresh].slice(-KEPT);
  return { ...state, messages };
}

function same(a: Message, b: Message): boolean {
  return a.mine === b.mine && (a.clientId === b.clientId || (a.id !== null && a.id === b.id));
}

export interface ChatActions {
  /** Resolves with whether it was taken. */
  send: (body: string) => Promise<boolean>;
  typing: (isTyping: boolean) => void;
  /** The messages are on the screen. */
  seen: () => void;
}

/** The conversation; `render` shows a state. */
export class ChatView {
  readonly element: HTMLElement;
  private readonly presence = el("span", { class: "presence" });
  private readonly lock: LockView;
  private readonly list = el("div", { class: "messages", role: "log", tabindex: 0 });
  private readonly typing: HTMLElement;
  private readonly input: HTMLInputElement;
  private onScreen = false;

  constructor(
    private readonly other: string,
    private readonly actions: ChatActions,
    private readonly sealing: Sealing,
  ) {
    this.lock = new LockView(sealing);
    this.list.setAttribute("aria-label", `Messages with ${other}`);
    this.typing = el("p", { class: "typing", role: "status" });
    this.input = el("input", {
      class: "field",
      name: "message",
      placeholder: `Message to ${other}`,
      "aria-label": `Message to ${other}`,
      autocomplete: "off",
      maxlength: 2000,
      oninput: () => actions.typing(this.input.value !== ""),
      onblur: () => actions.typing(false),
    });
    this.element = el(
      "section",
      { class: "block chat", "aria-label": `Chat with ${other}` },
      el("div", { class: "block-head" }, el("h3", {}, `Chat with ${other}`), this.presence, this.lock.button),
      this.lock.place,
      this.list,
      this.typing,
      el(
        "form",
        { class: "composer", onsubmit: (event: SubmitEvent) => this.submit(event) },
        this.input,
        el(
          "button",
          { class: "button icon-only accent", type: "submit", "aria-label": `Send to ${other}` },
          icon("send"),
        ),
      ),
    );
    new IntersectionObserver(([entry]) => {
      this.onScreen = entry?.isIntersecting === true;
      this.tellSeen();
    }).observe(this.list);
    document.addEventListener("visibilitychange", () => this.tellSeen());
  }

  render(state: ChatState): void {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    renderList(this.list, state.messages, {
      key: (item) => `${item.mine ? "me" : "you"} ${item.clientId}`,
      create: (item) =>
        el(
          "div",
          { class: item.mine ? "message mine" : "message" },
          el("p", { dir: "auto" }),
          el("small", {}, el("span", { class: "sealed" }), el("time", {}), item.mine && el("span", { class: "tick" })),
        ),
      update: (element, item) => this.drawMessage(element, item),
    });
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
    setText(this.presence, state.online === null ? "" : state.online ? "online" : "offline");
    this.presence.classList.toggle("on", state.online === true);
    const said = this.lock.render();
    setText(this.typing, said || (state.isTyping ? `${this.other} is typing…` : ""));
    this.tellSeen();
  }

  private drawMessage(element: HTMLElement, item: Message): void {
    const view = item.sealed === undefined ? null : this.sealing.view(item.sealed);
    const note = view?.[SEAL]?.note || "Encrypted message";
    const isOpen = view?.[SEAL]?.isOpen === true;
    const body = element.querySelector("p");
    if (body !== null) setText(body, view === null ? item.text : isOpen ? view.message : `🔒 ${note}`);
    const lock = element.querySelector<HTMLElement>(".sealed");
    if (lock !== null) setText(lock, isOpen ? "🔒 encrypted " : "");
    const time = element.querySelector("time");
    if (time !== null) setText(time, clock(item.timestamp));
    const tick = element.querySelector<HTMLElement>(".tick");
    if (tick === null || tick.dataset.state === item.state) return;
    tick.dataset.state = item.state;
    const picture = item.state === "sending" ? "clock" : item.state === "sent" ? "check" : "checks";
    tick.replaceChildren(icon(picture), el("span", { class: "visually-hidden" }, item.state));
    tick.title = item.state;
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const body = this.input.value.trim();
    if (body === "") return;
    this.input.value = "";
    void this.actions.send(body).then((isTaken) => {
      if (!isTaken && this.input.value === "") this.input.value = body;
    });
  }

  private tellSeen(): void {
    if (this.onScreen && document.visibilityState === "visible") this.actions.seen();
  }
}
