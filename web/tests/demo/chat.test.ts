import { describe, expect, it } from "vitest";
import { acknowledge, applyToChat, type ChatState, EMPTY_CHAT, write } from "../../demo/chat.js";
import type { DemoEvent, Payload } from "../../demo/events.js";

const OTHER = 2;

function apply(state: ChatState, name: string, data: Payload): ChatState {
  const event: DemoEvent = { namespace: "chat", event: name, data, source: "live", at: 0 };
  return applyToChat(state, event, OTHER);
}

const SENT = { id: "m1", client_msg_id: "c1", from_user_id: 1, to_user_id: OTHER, message: "안녕 👋", read_at: null };

describe("the chat", () => {
  it("shows a message once when the ack comes before message_sent", () => {
    const written = write(EMPTY_CHAT, "c1", "안녕 👋", "");
    const state = apply(acknowledge(written, "c1", "m1"), "message_sent", SENT);

    expect(state.messages.map((item) => [item.id, item.text, item.state])).toEqual([["m1", "안녕 👋", "sent"]]);
  });

  it("shows a message once when message_sent comes before the ack", () => {
    const written = write(EMPTY_CHAT, "c1", "안녕 👋", "");
    const state = acknowledge(apply(written, "message_sent", SENT), "c1", "m1");

    expect(state.messages.map((item) => [item.id, item.state])).toEqual([["m1", "sent"]]);
  });

  it("marks a message as read and keeps it so when a late ack comes", () => {
    const sent = apply(write(EMPTY_CHAT, "c1", "x", ""), "message_sent", SENT);
    const read = apply(sent, "message_read", { message_id: "m1", from_user_id: 1 });

    expect(acknowledge(read, "c1", "m1").messages.map((item) => item.state)).toEqual(["read"]);
  });

  it("takes a receipt for all before it, and never goes back", () => {
    const ids = ["m1", "m2", "m3"];
    const sent = ids.reduce(
      (state, id) => apply(state, "message_sent", { ...SENT, id, client_msg_id: id }),
      EMPTY_CHAT,
    );
    const read = apply(sent, "message_read", { message_id: "m1", from_user_id: 1 });
    const delivered = apply(read, "message_delivered", { message_id: "m2", from_user_id: 1 });

    expect(delivered.messages.map((item) => item.state)).toEqual(["read", "delivered", "sent"]);
  });

  it("ends the typing when the message arrives", () => {
    const typing = apply(EMPTY_CHAT, "user_typing", { user_id: OTHER, is_typing: true });
    const arrived = apply(typing, "message_received", { id: "m2", from_user_id: OTHER, to_user_id: 1, message: "hi" });

    expect([typing.isTyping, arrived.isTyping]).toEqual([true, false]);
  });

  it("ignores a conversation with somebody else", () => {
    expect(apply(EMPTY_CHAT, "message_received", { id: "m3", from_user_id: 9, message: "hi" })).toBe(EMPTY_CHAT);
    expect(apply(EMPTY_CHAT, "user_typing", { user_id: 9, is_typing: true })).toBe(EMPTY_CHAT);
  });
});
