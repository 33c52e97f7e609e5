import { describe, expect, it } from "vitest";
import type { Contacts } from "../../src/e2ee/contacts.js";
import type { Machine, Opened } from "../../src/e2ee/machine.js";
import { MESSAGE_TYPE, Reader } from "../../src/e2ee/reading.js";
import type { StoredMessage } from "../../src/e2ee/server.js";
import { explain, type Reason } from "../../src/e2ee/texts.js";
import type { Vault } from "../../src/e2ee/vault.js";

const OWN = { device_id: "MINE", fingerprint: "my key" };
const THEIRS = { device_id: "PHONE", fingerprint: "a key" };

function message(fields: Partial<StoredMessage> = {}): StoredMessage {
  return {
    id: "m-1",
    from_user_id: 8,
    to_user_id: 7,
    message: "",
    client_msg_id: "c-1",
    timestamp: "2026-11-27T12:00:00Z",
    read_at: null,
    ciphertext: { sealed: true },
    ...fields,
  };
}

function opened(fields: object = {}): Opened {
  return { type: MESSAGE_TYPE, content: { id: "c-1", text: "<b>Hi</b>" }, ...THEIRS, ...fields } as Opened;
}

/** A reader of user 7 whose library says this of every ciphertext; `known` may grow at a refresh. */
function reader(outcome: Opened, known: string[] = ["PHONE"], fresh: string[] = []) {
  const places = new Map<string, string>();
  const asked: string[] = [];
  const machine = {
    user: "7",
    decrypt: async (room: string, sender: string) => {
      asked.push(`${room} ${sender}`);
      return outcome;
    },
    is: ({ device_id }: { device_id: string }) => device_id === OWN.device_id,
  };
  const contacts = { knows: async (_: string, device_id: string) => known.includes(device_id) };
  const vault = {
    isFirst: async (...[room, sender, inner, place]: string[]) => {
      const key = [room, sender, inner].join();
      if (!places.has(key)) places.set(key, place as string);
      return places.get(key) === place;
    },
  };
  const made = new Reader(
    machine as unknown as Machine,
    contacts as unknown as Contacts,
    vault as unknown as Vault,
    async () => void known.push(...fresh),
  );
  return { reader: made, asked };
}

describe("reading a message", () => {
  it("shows what was sealed, and which device has sealed it", async () => {
    const { reader: reads, asked } = reader(opened());

    expect(await reads.read(message())).toEqual({
      id: "m-1",
      from_user_id: 8,
      to_user_id: 7,
      client_msg_id: "c-1",
      timestamp: "2026-11-27T12:00:00Z",
      state: "encrypted",
      text: "<b>Hi</b>",
      attachments: [],
      version: 0,
      reason: null,
      device_id: "PHONE",
      isFromKnownDevice: true,
    });
    expect(asked).toEqual(["!7~8:tocsin 8"]);
  });

  it("takes links by https and paths of the site out of what was sealed, and no others", async () => {
    const urls = [
      "https://a.example/1",
      "/files/5",
      "javascript:alert(1)",
      "//evil.example",
      "/\\evil",
      "http://a.example",
      7,
    ];
    const attachments = [...urls.map((url) => ({ url, name: "a file", onclick: "x" })), null, "text"];
    const { reader: reads } = reader(opened({ content: { id: "c-1", text: "", attachments } }));

    expect((await reads.read(message())).attachments).toEqual([
      { url: "https://a.example/1", name: "a file" },
      { url: "/files/5", name: "a file" },
    ]);
  });

  it("says of a text without ciphertext that it is plain", async () => {
    const { ciphertext: _, ...plain } = message({ message: "Hello" });

    expect(await reader(opened()).reader.read(plain)).toMatchObject({ state: "plain", text: "Hello", device_id: null });
  });

  it("shows of a deleted one its place", async () => {
    const deleted = message({ deleted_at: "2026-11-27T12:01:00Z" });

    expect(await reader(opened()).reader.read(deleted)).toMatchObject({ state: "deleted", text: null });
  });

  it("reads the same message again, and refuses a copy of it in another place", async () => {
    const { reader: reads } = reader(opened());
    await reads.read(message());

    expect((await reads.read(message())).state).toBe("encrypted");
    expect(await reads.read(message({ id: "m-2" }))).toMatchObject({
      state: "refused",
      reason: "replayed",
      text: null,
    });
  });

  it("refuses one that stands under another id than was sealed in it", async () => {
    const { reader: reads } = reader(opened());

    expect(await reads.read(message({ client_msg_id: "c-2" }))).toMatchObject({ state: "refused", reason: "replayed" });
    expect(await reads.read(message({ client_msg_id: null }))).toMatchObject({ state: "refused", reason: "replayed" });
  });

  it.each([
    { type: "m.room.message" },
    { content: null },
    { content: "text" },
    { content: { id: "c-1" } },
    { content: { id: 1, text: "Hi" } },
    { content: { id: "c-1", text: { toString: "Hi" } } },
  ])("refuses what was sealed and is no message: %o", async (wrong) => {
    expect(await reader(opened(wrong)).reader.read(message())).toMatchObject({ state: "refused", reason: "malformed" });
  });

  it.each<[Reason, string]>([
    ["before_device", "unreadable"],
    ["no_key", "unreadable"],
    ["withheld", "unreadable"],
    ["altered", "refused"],
    ["unknown_sender", "refused"],
  ])("tells %s as %s, with words for it", async (reason, state) => {
    expect(await reader({ reason }).reader.read(message())).toMatchObject({ state, reason, text: null });
    expect(explain(reason)).toMatch(/\.$/);
    expect(explain(reason, "ko-KR")).toMatch(/\p{Script=Hangul}.*\.$/u);
  });

  it("looks for a device that it does not know, and says when nobody has accepted it", async () => {
    expect((await reader(opened(), []).reader.read(message())).isFromKnownDevice).toBe(false);
    expect((await reader(opened(), [], ["PHONE"]).reader.read(message())).isFromKnownDevice).toBe(true);
  });

  it("knows this very device, and takes nobody else's for it", async () => {
    const own = reader(opened(OWN), []).reader;

    expect((await own.read(message({ from_user_id: 7, to_user_id: 8 }))).isFromKnownDevice).toBe(true);
    expect((await reader(opened(OWN), []).reader.read(message())).isFromKnownDevice).toBe(false);
  });
});
