import { describe, expect, it } from "vitest";
import { Contacts } from "../../src/e2ee/contacts.js";
import type { Contact, Vault } from "../../src/e2ee/vault.js";

const device = (device_id: string, fingerprint = `key of ${device_id}`) => ({
  device_id,
  fingerprint,
  device_name: null,
  isVerified: false,
});

/** Contacts over a memory, which a second one may share, as after a reload. */
function contacts(kept = new Map<string, Contact>()) {
  const vault = {
    contact: async (user: string) => kept.get(user),
    contacts: async () => [...kept.keys()],
    saveContact: async (contact: Contact) => void kept.set(contact.user, contact),
  };
  return { kept, contacts: new Contacts(vault as unknown as Vault) };
}

describe("contacts", () => {
  it("take the devices of a first meeting as they are", async () => {
    const { contacts: met } = contacts();

    expect(await met.examine("8", [device("A"), device("B")])).toBeNull();
    expect(await met.examine("8", [device("A"), device("B")])).toBeNull();
    expect(await met.knows("8", "A", "key of A")).toBe(true);
    expect(await met.users()).toEqual(["8"]);
  });

  it("have not met who has no device", async () => {
    const { contacts: met } = contacts();

    await met.examine("8", []);

    expect(await met.users()).toEqual([]);
    expect(await met.examine("8", [device("A")])).toBeNull();
  });

  it("know of the own user that there was no other device", async () => {
    const { contacts: met } = contacts();

    await met.examine("7", [], true);

    expect((await met.examine("7", [device("A")], true))?.added).toEqual([device("A")]);
  });

  it("tell of a new device until it is accepted, over a reload too", async () => {
    const { kept, contacts: met } = contacts();
    await met.examine("8", [device("A")]);

    for (const each of [met, contacts(kept).contacts])
      expect(await each.examine("8", [device("A"), device("B")])).toEqual({
        user_id: "8",
        added: [device("B")],
        removed: [],
        wasVerified: false,
      });
    expect(await met.knows("8", "B", "key of B")).toBe(false);
    await met.accept("8", [device("B")], false);
    expect(await met.examine("8", [device("A"), device("B")])).toBeNull();
  });

  it("tell of another key under a known id", async () => {
    const { contacts: met } = contacts();
    await met.examine("8", [device("A")]);

    expect((await met.examine("8", [device("A", "another")]))?.added).toEqual([device("A", "another")]);
    expect(await met.knows("8", "A", "another")).toBe(false);
  });

  it("tell once that a device is gone, and of it as new when it is there again", async () => {
    const { contacts: met } = contacts();
    await met.examine("8", [device("A"), device("B")]);

    expect((await met.examine("8", [device("A")]))?.removed).toEqual(["B"]);
    expect(await met.examine("8", [device("A")])).toBeNull();
    expect(await met.knows("8", "B", "key of B")).toBe(true);
    expect((await met.examine("8", [device("A"), device("B")]))?.added).toEqual([device("B")]);
  });

  it("do not forget whose devices they knew when all are gone", async () => {
    const { contacts: met } = contacts();
    await met.examine("8", [device("A")]);
    await met.examine("8", []);

    expect((await met.examine("8", [device("B")]))?.added).toEqual([device("B")]);
  });

  it("remember that the number was compared, whatever is accepted later", async () => {
    const { contacts: met } = contacts();
    await met.accept("8", [device("A")], true);
    await met.accept("8", [device("B")], false);

    const change = await met.examine("8", [device("A"), device("B"), device("C")]);

    expect([change?.wasVerified, change?.added]).toEqual([true, [device("C")]]);
  });
});
