/** Whose keys this device has met, and what has changed since people looked. */

import type { DeviceIdentity } from "./machine.js";
import type { Contact, KnownDevice, Vault } from "./vault.js";

/** Keys of a user changed: tell whoever talks to them. */
export interface KeyChange {
  /** Whose: the other's, or the own. */
  readonly user_id: string;
  /** Devices that nobody has accepted yet; they can read what is sent from now on. */
  readonly added: readonly DeviceIdentity[];
  /** Devices that are gone. */
  readonly removed: readonly string[];
  /** The safety number was compared before: nothing is sent until the change is accepted. */
  readonly wasVerified: boolean;
}

/**
 * Trust on first use: the devices of a first meeting are known, every later one is news.
 *
 * News stays news, over reloads too, until it is accepted.
 */
export class Contacts {
  private readonly met = new Map<string, Contact>();

  constructor(private readonly vault: Vault) {}

  /**
   * Compare what a user has now with what is known; null when nothing is new.
   *
   * A first meeting needs a device to meet, but of the own user (`isOwn`) none is an answer, too.
   */
  async examine(user: string, present: readonly DeviceIdentity[], isOwn = false): Promise<KeyChange | null> {
    const contact = await this.find(user);
    if (contact === undefined) {
      if (present.length > 0 || isOwn) await this.save({ user, devices: asKnown(present), wasVerified: false });
      return null;
    }
    // One that was removed and is there again is news, too: nobody expects it to read on.
    const added = present.filter(
      ({ device_id, fingerprint }) =>
        !isKnown(contact, device_id, fingerprint) || contact.devices[device_id]?.isRemoved === true,
    );
    const now = new Set(present.map(({ device_id }) => device_id));
    const removed = Object.keys(contact.devices).filter((id) => !now.has(id) && !contact.devices[id]?.isRemoved);
    if (removed.length > 0) {
      const gone = removed.map((id) => [id, { ...(contact.devices[id] as KnownDevice), isRemoved: true }]);
      await this.save({ ...contact, devices: { ...contact.devices, ...Object.fromEntries(gone) } });
    }
    if (added.length + removed.length === 0) return null;
    return { user_id: user, added, removed, wasVerified: contact.wasVerified };
  }

  /** Somebody has looked at these devices and goes on. */
  async accept(user: string, present: readonly DeviceIdentity[], isVerified: boolean): Promise<void> {
    const contact = await this.find(user);
    const wasVerified = isVerified || (contact?.wasVerified ?? false);
    await this.save({ user, devices: { ...contact?.devices, ...asKnown(present) }, wasVerified });
  }

  /** Whether a key was met before, and belongs to a device of this user, which may be gone by now. */
  async knows(user: string, deviceId: string, fingerprint: string): Promise<boolean> {
    const contact = await this.find(user);
    return contact !== undefined && isKnown(contact, deviceId, fingerprint);
  }

  /** Whose keys this device has met, itself included. */
  users(): Promise<readonly string[]> {
    return this.vault.contacts();
  }

  private async find(user: string): Promise<Contact | undefined> {
    const found = this.met.get(user) ?? (await this.vault.contact(user));
    if (found !== undefined) this.met.set(user, found);
    return found;
  }

  private async save(contact: Contact): Promise<void> {
    await this.vault.saveContact(contact);
    this.met.set(contact.user, contact);
  }
}

function isKnown(contact: Contact, deviceId: string, fingerprint: string): boolean {
  return contact.devices[deviceId]?.fingerprint === fingerprint;
}

function asKnown(devices: readonly DeviceIdentity[]): Record<string, KnownDevice> {
  return Object.fromEntries(
    devices.map(({ device_id, fingerprint }) => [device_id, { fingerprint, isRemoved: false }]),
  );
}
