import { describe, expect, it } from "vitest";
import * as chat from "../../src/chat/state.js";

const PEER = 8;

function message(id: string, isMine = true, more: Partial<chat.Message> = {}): chat.Message {
  const [from_user_id, to_user_id] = isMine ? [7, PEER] : [PEER, 7];
  return { id, from_user_id, to_user_id, message: id, timestamp: "", read_at: null, ...more };
}

function apply(state: chat.Conversation, event: chat.ChatEvent, data: object): chat.Conversation {
  return chat.apply(state, event, data as chat.Payload, PEER);
}

const THREE = chat.merge(chat.EMPTY, [message("a"), message("b", false), message("c")]);

describe("a conversation", () => {
  it("is in the order of its ids, each once, however they come", () => {
    const state = ["c", "a", "b", "a"].reduce((known, id) => apply(known, "message_sent", message(id)), chat.EMPTY);

    expect(state.messages.map((one) => one.id)).toEqual(["a", "b", "c"]);
  });

  it("takes nothing of somebody else's", () => {
    const other = { from_user_id: 9, to_user_id: 7, user_id: 9, is_typing: true, is_blocked: true };
    for (const event of ["message_received", "user_typing", "user_online", "block_changed"] as const)
      expect(apply(THREE, event, { ...message("d"), ...other })).toBe(THREE);
    expect(apply(THREE, "message_edited", message("z")).messages).toHaveLength(3);
  });

  it("takes a receipt for all before it, and never goes back", () => {
    const read = apply(THREE, "message_read", { message_id: "a", from_user_id: 7, read_at: "1" });
    const delivered = apply(read, "message_delivered", { message_id: "c", from_user_id: 7, delivered_at: "2" });
    const again = apply(delivered, "message_read", { message_id: "a", from_user_id: 7, read_at: "3" });

    expect(again.messages.map((one) => [one.read_at, one.delivered_at])).toEqual([
      ["1", "1"],
      [null, undefined],
      [null, "2"],
    ]);
  });

  it("keeps what events have told when an older history comes", () => {
    const edited = apply(THREE, "message_edited", message("a", true, { message: "new", edited_at: "2" }));
    const gone = apply(edited, "message_deleted", { message_id: "b", deleted_at: "3" });
    const state = chat.merge(gone, THREE.messages);

    expect(state.messages.map((one) => [one.message, one.deleted_at])).toEqual([
      ["new", undefined],
      ["", "3"],
      ["c", undefined],
    ]);
  });

  it("lets what waits go when it arrives, once", () => {
    const waiting = chat.write(chat.write(chat.EMPTY, "1", "hi"), "2", "hi");
    const arrived = apply(waiting, "message_sent", message("a", true, { message: "hi" }));

    expect(arrived.pending.map((one) => one.key)).toEqual(["2"]);
    expect(chat.fail(arrived, "2").pending).toEqual([{ key: "2", text: "hi", isFailed: true }]);
  });

  it("lets only that go which the server has stored as the message, of two alike", () => {
    const waiting = chat.write(chat.write(chat.EMPTY, "1", "hi"), "2", "hi");
    const fetched = chat.merge(waiting, [message("a", true, { message: "hi" })]);
    const stored = chat.store(fetched, "1", "a");
    const told = apply(stored, "message_sent", message("a", true, { message: "hi" }));
    const other = apply(chat.store(waiting, "1", "a"), "message_sent", message("a", true, { message: "hi" }));

    for (const state of [stored, told, other]) expect(state.pending.map((one) => one.key)).toEqual(["2"]);
  });

  it("knows what was encrypted here by its id, as it comes back without a text", () => {
    const waiting = chat.write(chat.write(chat.EMPTY, "1", "hi"), "2", "hi");
    const sealed = message("a", true, { message: "", ciphertext: { any: 1 }, client_msg_id: "2" });

    expect(apply(waiting, "message_sent", sealed).pending.map((one) => one.key)).toEqual(["1"]);
  });

  it("knows the latest that is to be read", () => {
    expect(chat.latestUnread(THREE, PEER)?.id).toBe("b");
    const read = apply(THREE, "message_read", { message_id: "b", from_user_id: "8", read_at: "1" });
    expect(chat.latestUnread(read, PEER)).toBeUndefined();
  });
});
