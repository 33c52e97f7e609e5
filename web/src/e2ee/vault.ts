/**
 * What this browser remembers beside the library's own store: which device it is, whose keys it has
 * met, and which messages it has seen. No secret is in here.
 */

/** A device of somebody, as it was met. */
export interface KnownDevice {
  readonly fingerprint: string;
  /** It is no longer in the directory; what it wrote stays its own. */
  readonly isRemoved: boolean;
}

/** A user whose keys this device has met. */
export interface Contact {
  readonly user: string;
  /** By device id; what is not in here is news to be told. */
  readonly devices: Readonly<Record<string, KnownDevice>>;
  /** The safety number was compared once: a change stops sending until somebody has looked. */
  readonly wasVerified: boolean;
}

/** Where a sealed message stands, and the latest of its versions. */
interface Seen {
  readonly place: string;
  readonly version: number;
}

const STORES = ["device", "contacts", "seen"] as const;
type StoreName = (typeof STORES)[number];

const DEVICE = "id";

export class Vault {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(user: string): Promise<Vault> {
    const opening = indexedDB.open(vaultName(user), 1);
    opening.onupgradeneeded = () => {
      for (const name of STORES) opening.result.createObjectStore(name);
    };
    return new Vault(await done(opening));
  }

  deviceId(): Promise<string | undefined> {
    return this.get("device", DEVICE) as Promise<string | undefined>;
  }

  async saveDeviceId(id: string): Promise<void> {
    await this.put("device", DEVICE, id);
  }

  contact(user: string): Promise<Contact | undefined> {
    return this.get("contacts", user) as Promise<Contact | undefined>;
  }

  async contacts(): Promise<readonly string[]> {
    const keys = await done(this.database.transaction("contacts").objectStore("contacts").getAllKeys());
    return keys as string[];
  }

  async saveContact(contact: Contact): Promise<void> {
    await this.put("contacts", contact.user, contact);
  }

  /**
   * Whether a sealed message stands in one place only, the first that this browser saw it in, and is no earlier
   * version of it than was seen.
   *
   * Its `inner` id is inside of what was sealed; `place` is the id that the server gave it.
   */
  async isFirst(room: string, sender: string, inner: string, place: string, version: number): Promise<boolean> {
    const key = JSON.stringify([room, sender, inner]);
    const transaction = this.database.transaction("seen", "readwrite");
    const store = transaction.objectStore("seen");
    const known = (await done(store.get(key))) as string | Seen | undefined;
    // Before texts could be changed the place alone was kept.
    const seen = typeof known === "string" ? { place: known, version: 0 } : known;
    if (seen !== undefined && (seen.place !== place || seen.version > version)) return false;
    if (seen?.version !== version) await done(store.put({ place, version } satisfies Seen, key));
    return true;
  }

  close(): void {
    this.database.close();
  }

  private get(store: StoreName, key: string): Promise<unknown> {
    return done(this.database.transaction(store).objectStore(store).get(key));
  }

  private async put(store: StoreName, key: string, value: unknown): Promise<void> {
    await done(this.database.transaction(store, "readwrite").objectStore(store).put(value, key));
  }
}

/** The name of the library's store of one device. */
export function keyStoreName(user: string, device: string): string {
  return `${vaultName(user)}/${device}`;
}

/** Delete the keys of a device that is one no more. Whose keys it has met stays known: nobody may make it forget that. */
export async function eraseKeys(user: string, device: string): Promise<void> {
  await erase(keyStoreName(user, device));
}

/** Delete all that this browser keeps of a user: keys, and what only they could read. */
export async function eraseAll(user: string): Promise<void> {
  await erase(vaultName(user));
}

/** Stores of a name, and those that the library has made of it. */
async function erase(name: string): Promise<void> {
  const found = (await indexedDB.databases()).flatMap((each) => each.name ?? []);
  const own = found.filter((each) => each === name || each.startsWith(`${name}/`) || each.startsWith(`${name}::`));
  for (const each of own) await done(indexedDB.deleteDatabase(each));
}

function vaultName(user: string): string {
  return `tocsin-e2ee/${encodeURIComponent(user)}`;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
