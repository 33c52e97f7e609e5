/**
 * End-to-end encryption of one signed-in user in one browser: this device, and its conversations.
 *
 * Messages come by the page's own client. What devices seal for each other waits in an inbox on the
 * server, so nothing is lost while this module is not loaded.
 */

import type { WebSocketClient } from "../client/client.js";
import { type Listener, Listeners } from "../client/listeners.js";
import { failure, type Problem, TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import { Contacts, type KeyChange } from "./contacts.js";
import { Conversation } from "./conversation.js";
import { holdOnly } from "./lock.js";
import { type DeviceIdentity, Machine } from "./machine.js";
import { matrixUser } from "./names.js";
import { Queue } from "./queue.js";
import { Reader } from "./reading.js";
import { KeyServer, type StoredMessage } from "./server.js";
import { eraseAll, eraseKeys, keyStoreName, Vault } from "./vault.js";
import { findWasm } from "./wasm.js";

/** The part of `WebSocketClient` that is used. */
export type ChatClient = Pick<WebSocketClient, "getToken" | "on" | "emitWithAck">;

export interface EncryptionOptions {
  /** Origin of the server; that of the page by default. */
  url?: string | undefined;
  /** What users call this device; the server and everybody they talk to can read it. */
  deviceName?: string;
  /** Encrypts the keys in this browser's storage; without it whoever has the browser has the keys. */
  passphrase?: string;
  /** Where the WebAssembly part lies; by default `e2ee.wasm` beside `/js/e2ee.js`, in a bundle where the library has it. */
  wasm?: URL | string;
}

export interface EncryptionEvents {
  /** It works no longer: the device was removed, somebody else signed in, or `close` was called (null). */
  closed: Problem | null;
}

const HERE = "encryption";
const FINAL = new Set(["not_found", "user_changed"]);
const LOST = new Set(["not_found", "conflict"]);

/**
 * Make this browser a device that encrypts, for who is signed in, or take up the device it is already.
 *
 * Rejects with a TocsinError: `unsupported` (no secure page, no storage), `unauthenticated`,
 * `in_use` (another tab of this browser has it open), `keys_unreadable` (another passphrase), `conflict`
 * (the user has 20 devices), or what the server says.
 */
export async function enableEncryption(client: ChatClient, options: EncryptionOptions = {}): Promise<Encryption> {
  if (!globalThis.isSecureContext || !globalThis.indexedDB || !navigator.locks || !globalThis.WebAssembly)
    throw failure("unsupported", "Encryption needs a page that came by https, and storage");
  const token = await client.getToken();
  const user = token === null ? null : findSubject(token);
  if (user === null) throw failure("unauthenticated", "Nobody is signed in");
  matrixUser(user); // rejects now what could never be sent
  const release = await holdOnly(user);
  try {
    const origin = (options.url ?? location.origin).replace(/\/$/, "");
    const server = new KeyServer(origin, user, () => client.getToken());
    const { machine, vault } = await openDevice(user, server, options);
    const encryption = new Encryption(client, server, machine, vault, release);
    await encryption.start();
    return encryption;
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Give this device up where its keys can't be opened: they are deleted, and the next `enableEncryption` makes a new one.
 *
 * What only this device could read is lost. Whose keys it has met stays known. Rejects with `unauthenticated`, `in_use`
 * or what the server says; then nothing was deleted.
 */
export async function resetDevice(
  client: Pick<ChatClient, "getToken">,
  { url = location.origin }: Pick<EncryptionOptions, "url"> = {},
): Promise<void> {
  const token = await client.getToken();
  const user = token === null ? null : findSubject(token);
  if (user === null) throw failure("unauthenticated", "Nobody is signed in");
  const release = await holdOnly(user);
  try {
    const vault = await Vault.open(user);
    try {
      const device = await vault.deviceId();
      if (device === undefined) return;
      await removeDevice(new KeyServer(url.replace(/\/$/, ""), user, () => client.getToken()), device);
      // Others know the old id with its keys.
      await vault.saveDeviceId(newDeviceId());
      await eraseKeys(user, device);
    } finally {
      vault.close();
    }
  } finally {
    release();
  }
}

/** Somebody else may have removed it: its keys go all the same. */
async function removeDevice(server: KeyServer, device: string): Promise<void> {
  await server.remove(device).catch((error: unknown) => {
    if (!(error instanceof TocsinError && error.code === "not_found")) throw error;
  });
}

async function openDevice(user: string, server: KeyServer, options: EncryptionOptions) {
  const { deviceName, passphrase, wasm = findWasm() } = options;
  const vault = await Vault.open(user);
  const open = (deviceId: string) => {
    const store = keyStoreName(user, deviceId);
    return Machine.open({ wasm, server, user, deviceId, deviceName, store, passphrase });
  };
  try {
    const known = await vault.deviceId();
    if (known !== undefined) {
      try {
        return { vault, machine: await open(known) };
      } catch (error) {
        if (!(error instanceof TocsinError && LOST.has(error.code))) throw error;
        await eraseKeys(user, known);
      }
    }
    // A device that was removed, or has lost its keys, comes back as another one, of which everybody is told.
    const fresh = newDeviceId();
    await vault.saveDeviceId(fresh);
    return { vault, machine: await open(fresh) };
  } catch (error) {
    vault.close();
    throw error;
  }
}

export class Encryption {
  private readonly listeners = new Listeners();
  private readonly queue = new Queue();
  private readonly conversations = new Map<string, Conversation>();
  private readonly contacts: Contacts;
  private readonly reader: Reader;
  private removers: (() => void)[] = [];
  private ending: Promise<void> | null = null;

  /** Use `enableEncryption`. */
  constructor(
    private readonly client: ChatClient,
    private readonly server: KeyServer,
    private readonly machine: Machine,
    private readonly vault: Vault,
    private readonly release: () => void,
  ) {
    this.contacts = new Contacts(vault);
    this.reader = new Reader(machine, this.contacts, vault, async (user) => void (await this.refresh([user])));
  }

  /** Whose device this is. */
  get user(): string {
    return this.machine.user;
  }

  /** The id of this device. */
  get deviceId(): string {
    return this.machine.deviceId;
  }

  /** This device's public key, as others see it in their lists. */
  get fingerprint(): string {
    return this.machine.fingerprint;
  }

  /** Call back on an event; returns what removes it. */
  on<E extends keyof EncryptionEvents>(event: E, callback: (data: EncryptionEvents[E]) => void): () => void {
    return this.listeners.add(HERE, event, callback as Listener);
  }

  /**
   * Open a conversation, always the same object for one user; that is when its messages begin to be read.
   *
   * The other needs no device yet: who has none gets nothing, and `send` says so.
   */
  async open(userId: number | string): Promise<Conversation> {
    const peer = String(userId);
    if (peer === this.machine.user) throw failure("invalid", "A conversation is with somebody else");
    return await this.queue.run(async () => {
      const opened = this.conversations.get(peer) ?? this.make(userId);
      await this.refresh([this.machine.user, peer]);
      return opened;
    });
  }

  /** With whom this browser has opened a conversation and found a device: those a page opens again. */
  async users(): Promise<readonly string[]> {
    return (await this.contacts.users()).filter((user) => user !== this.machine.user);
  }

  /** The user's own devices, this one included. */
  async devices(): Promise<readonly DeviceIdentity[]> {
    const own = this.machine.user;
    return (await this.queue.run(() => this.refresh([own]))).get(own) ?? [];
  }

  /** Remove another device of the user: nothing is encrypted for it from the next message on. */
  async removeDevice(deviceId: string): Promise<void> {
    await this.server.remove(deviceId);
  }

  /** Stop; keys stay, for the next time. Another tab may open it then. */
  async close(): Promise<void> {
    await this.end(null);
  }

  /** Remove this device, and all keys and what only they can read from this browser: before signing out for good. */
  async forget(): Promise<void> {
    await removeDevice(this.server, this.deviceId);
    const erase = () => eraseAll(this.machine.user);
    await (this.ending === null ? this.end(null, erase) : this.ending.then(erase));
  }

  /** Called once, by `enableEncryption`. */
  async start(): Promise<void> {
    const { client } = this;
    this.removers = [
      client.on("chat", "message_received", (message) => this.take(String(message.from_user_id), message)),
      client.on("chat", "message_sent", (message) => this.take(String(message.to_user_id), message)),
      client.on("chat", "message_edited", (message) => {
        for (const user of [message.from_user_id, message.to_user_id]) this.take(String(user), message);
      }),
      client.on("chat", "to_device", ({ device_id }) => {
        if (device_id === this.deviceId) this.later(() => this.pull());
      }),
      client.on("chat", "devices_changed", ({ user_id }) => this.later(() => this.look(String(user_id)))),
      client.on("*", "sync", ({ namespace }) => {
        if (namespace === "chat") this.later(() => this.comeBack());
      }),
    ];
    await this.queue.run(() => this.refresh([this.machine.user]));
  }

  private make(userId: number | string): Conversation {
    const { client, server, machine, contacts, vault, queue, reader } = this;
    const refresh = (users: readonly string[]) => this.refresh(users);
    const parts = { client, server, machine, contacts, vault, queue, reader, refresh };
    const made = new Conversation(userId, parts);
    this.conversations.set(String(userId), made);
    return made;
  }

  private take(peer: string, message: StoredMessage): void {
    const conversation = this.conversations.get(peer);
    if (conversation !== undefined) this.later(() => conversation.receive(message));
  }

  private async pull(): Promise<void> {
    if ((await this.machine.receive()) === 0) return;
    for (const conversation of this.conversations.values()) await conversation.retry();
  }

  private async look(user: string): Promise<void> {
    if (user === this.machine.user || this.conversations.has(user)) await this.refresh([user]);
  }

  private async comeBack(): Promise<void> {
    await this.pull();
    await this.refresh([this.machine.user, ...this.conversations.keys()]);
  }

  /** Ask for devices anew, and tell each conversation what changed. Runs in the queue. */
  private async refresh(users: readonly string[]): Promise<Map<string, readonly DeviceIdentity[]>> {
    const found = await this.machine.devices(users);
    for (const [user, devices] of found) {
      const isOwn = user === this.machine.user;
      const others = isOwn ? devices.filter((each) => !this.machine.is(each)) : devices;
      const change: KeyChange | null = await this.contacts.examine(user, others, isOwn);
      for (const conversation of this.conversations.values()) conversation.update(user, devices, change);
    }
    return found;
  }

  /** Work that nobody waits for: what fails now is done again when the connection comes back. */
  private later(work: () => Promise<void>): void {
    this.queue.run(work).catch((error: unknown) => {
      if (error instanceof TocsinError && FINAL.has(error.code)) void this.end(error.problem);
    });
  }

  /** Resolves when another may open it, whoever has asked first; `last` is done before. */
  private end(problem: Problem | null, last = async (): Promise<void> => {}): Promise<void> {
    this.ending ??= this.finish(problem, last);
    return this.ending;
  }

  private async finish(problem: Problem | null, last: () => Promise<void>): Promise<void> {
    for (const remove of this.removers) remove();
    try {
      await this.queue.close(async () => {
        this.machine.close();
        this.vault.close();
      });
      await last();
    } finally {
      this.release();
      this.listeners.dispatch(HERE, "closed", problem);
    }
  }
}

/** Ten letters and digits: people compare them in lists. */
function newDeviceId(): string {
  const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  return [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => letters[byte % letters.length]).join("");
}
