/** One encrypted conversation with one other user. */

import { newIdentifier } from "../client/identifier.js";
import { type Listener, Listeners } from "../client/listeners.js";
import { failure } from "../client/problem.js";
import type { Contacts, KeyChange } from "./contacts.js";
import type { ChatClient } from "./encryption.js";
import type { DeviceIdentity, Machine } from "./machine.js";
import { roomOf } from "./names.js";
import type { Queue } from "./queue.js";
import {
  type ConversationMessage,
  links,
  MESSAGE_TYPE,
  type Reader,
  type SealedAttachment,
  type SealedText,
} from "./reading.js";
import { safetyNumber } from "./safety.js";
import type { KeyServer, StoredMessage } from "./server.js";
import type { Vault } from "./vault.js";

export interface ConversationEvents {
  /** A message of either side came, or one that had no key has got it: the same `id` again. */
  message: ConversationMessage;
  /** Keys changed: show it where nobody overlooks it. */
  "key-change": KeyChange;
  /** What `keyChanges`, `isVerified` or `devices` tell has changed. */
  devices: null;
}

/** The devices of both sides, this one included. */
export interface ConversationDevices {
  readonly own: readonly DeviceIdentity[];
  readonly theirs: readonly DeviceIdentity[];
}

/** What a conversation needs from the encryption around it. */
export interface ConversationParts {
  readonly client: ChatClient;
  readonly server: KeyServer;
  readonly machine: Machine;
  readonly contacts: Contacts;
  readonly vault: Vault;
  readonly queue: Queue;
  readonly reader: Reader;
  /** Ask for devices anew, and tell every conversation that it concerns. */
  readonly refresh: (users: readonly string[]) => Promise<Map<string, readonly DeviceIdentity[]>>;
}

/** What `send` takes beside the text. */
export interface SendOptions {
  /** Links to files, sealed with the text; it may be empty then. */
  readonly attachments?: readonly SealedAttachment[];
  /** The `client_msg_id`: what is sent again under the same one is stored once. */
  readonly id?: string;
  /** Any key change that nobody has accepted stops sending, not only one after the safety number was compared. */
  readonly isStrict?: boolean;
}

const MAX_TEXT = 8_000;
const PAGE = 50;
const MAX_WAITING = 200;
const HERE = "conversation";

/** Made by `Encryption.open`. Every method rejects with a TocsinError. */
export class Conversation {
  private readonly listeners = new Listeners();
  private readonly changes = new Map<string, KeyChange>();
  private readonly waiting = new Map<string, StoredMessage>();
  private readonly room: string;
  private readonly present = new Map<string, readonly DeviceIdentity[]>();

  constructor(
    /** Whom it is with. */
    readonly user_id: number | string,
    private readonly parts: ConversationParts,
  ) {
    this.room = roomOf(this.own, this.peer);
  }

  /** Whether people have compared the safety number, and no device has come since. */
  get isVerified(): boolean {
    const theirs = this.present.get(this.peer) ?? [];
    const own = (this.present.get(this.own) ?? []).filter((each) => !this.parts.machine.is(each));
    return theirs.length > 0 && [...theirs, ...own].every(({ isVerified }) => isVerified);
  }

  /** Changes that nobody has accepted yet. */
  get keyChanges(): readonly KeyChange[] {
    return [...this.changes.values()];
  }

  /** Call back on each event; a key change that is not accepted is told at once. Returns what removes it. */
  on<E extends keyof ConversationEvents>(event: E, callback: (data: ConversationEvents[E]) => void): () => void {
    const remove = this.listeners.add(HERE, event, callback as Listener);
    if (event === "key-change") {
      for (const change of this.keyChanges) queueMicrotask(() => (callback as (data: KeyChange) => void)(change));
    }
    return remove;
  }

  /**
   * Encrypt a text for every device of both sides, and send it; resolves when the server has stored it.
   *
   * Rejects with `no_devices` when the other does not encrypt, with `key_changed` when a device has come
   * since the safety number was compared: the text was not sent then.
   */
  async send(
    text: string,
    { attachments = [], id: own = newIdentifier(), isStrict = false }: SendOptions = {},
  ): Promise<{ id: string; client_msg_id: string; created_at: string }> {
    if ((text === "" && attachments.length === 0) || text.length > MAX_TEXT)
      throw failure("invalid", `A message has 1 to ${MAX_TEXT} characters`);
    if (links(attachments).length !== attachments.length)
      throw failure("invalid", "An attachment is a link by https or a path of the site, ten at most");
    const sealed: SealedText = { id: own, text, ...(attachments.length === 0 ? {} : { attachments }) };
    const ciphertext = await this.parts.queue.run(() => this.seal(sealed, isStrict));
    const message = { to_user_id: this.user_id, message: "", client_msg_id: sealed.id, ciphertext };
    const { id, created_at } = (await this.parts.client.emitWithAck("chat", "send_message", message)) as {
      id: string;
      created_at: string;
    };
    return { id, client_msg_id: sealed.id, created_at };
  }

  /**
   * Change the text of an own message that this device has read; its links stay. Resolves when the server has it.
   *
   * Rejects as `send` does, and with `conflict` when the message was deleted.
   */
  async edit(
    message: Pick<ConversationMessage, "id" | "client_msg_id" | "version" | "attachments">,
    text: string,
    { isStrict = false }: Pick<SendOptions, "isStrict"> = {},
  ): Promise<void> {
    if (text === "" || text.length > MAX_TEXT) throw failure("invalid", `A message has 1 to ${MAX_TEXT} characters`);
    const { id, client_msg_id, version, attachments } = message;
    const sealed: SealedText = { id: client_msg_id ?? "", text, attachments, version: version + 1 };
    const ciphertext = await this.parts.queue.run(() => this.seal(sealed, isStrict));
    await this.parts.client.emitWithAck("chat", "edit_message", { message_id: id, message: "", ciphertext });
  }

  /** Read a message that a page has from elsewhere, as from an event; `on("message")` tells when its key has come. */
  read(message: StoredMessage): Promise<ConversationMessage> {
    return this.parts.queue.run(() => this.open(message));
  }

  /** A page of what was written, the oldest message first; `before` is the first id that is known. */
  async history({ before, limit = PAGE }: { before?: string; limit?: number } = {}): Promise<{
    messages: readonly ConversationMessage[];
    has_before: boolean;
  }> {
    const page = await this.parts.server.history(this.peer, before, limit);
    return await this.parts.queue.run(async () => {
      const messages: ConversationMessage[] = [];
      for (const message of page.messages) messages.push(await this.open(message));
      return { messages, has_before: page.has_before };
    });
  }

  /** The devices of both sides, as they are now. */
  devices(): Promise<ConversationDevices> {
    return this.parts.queue.run(async () => {
      const found = await this.parts.refresh([this.own, this.peer]);
      return { own: found.get(this.own) ?? [], theirs: found.get(this.peer) ?? [] };
    });
  }

  /** Sixty digits, the same on both sides; compare them where nobody can change them: face to face, by phone. */
  async safetyNumber(): Promise<string> {
    return await this.parts.queue.run(async () => this.numberOf(await this.parts.refresh([this.own, this.peer])));
  }

  /** People have compared this number; rejects with `key_changed` when it is another one by now. */
  async verify(number: string): Promise<void> {
    await this.parts.queue.run(async () => {
      const found = await this.parts.refresh([this.own, this.peer]);
      if ((await this.numberOf(found)) !== number)
        throw failure("key_changed", "The safety number has changed: compare the new one");
      for (const [user, devices] of found) {
        const others = devices.filter((each) => !this.parts.machine.is(each));
        await this.parts.contacts.accept(user, others, true);
        await this.parts.machine.setVerified(user, new Set(devices.map(({ device_id }) => device_id)));
      }
      await this.parts.refresh([this.own, this.peer]);
    });
  }

  /** Somebody has looked at the changes told until now, and goes on; the number is not compared by that. */
  async accept(): Promise<void> {
    const looked = this.keyChanges;
    await this.parts.queue.run(async () => {
      for (const { user_id, added } of looked) await this.parts.contacts.accept(user_id, added, false);
      await this.parts.refresh([this.own, this.peer]);
    });
  }

  /** Called by the encryption: a message of this conversation came. Runs in the queue. */
  async receive(message: StoredMessage): Promise<void> {
    let shown = await this.open(message);
    try {
      if (shown.state === "unreadable" && (await this.parts.machine.receive()) > 0) shown = await this.open(message);
    } finally {
      this.listeners.dispatch(HERE, "message", shown);
    }
  }

  /** Called by the encryption: keys came. Runs in the queue. */
  async retry(): Promise<void> {
    for (const message of [...this.waiting.values()]) {
      const shown = await this.open(message);
      if (shown.state !== "unreadable") this.listeners.dispatch(HERE, "message", shown);
    }
  }

  /** Called by the encryption: a user's devices as they are now, and what nobody has accepted. Runs in the queue. */
  update(user: string, devices: readonly DeviceIdentity[], change: KeyChange | null): void {
    if (user !== this.own && user !== this.peer) return;
    const before = JSON.stringify([this.present.get(user), this.changes.get(user)]);
    this.present.set(user, devices);
    this.note(user, change);
    if (JSON.stringify([devices, this.changes.get(user)]) !== before) this.listeners.dispatch(HERE, "devices", null);
  }

  private get own(): string {
    return this.parts.machine.user;
  }

  private get peer(): string {
    return String(this.user_id);
  }

  private note(user: string, change: KeyChange | null): void {
    const told = this.changes.get(user)?.added ?? [];
    if (change === null || change.added.length === 0) this.changes.delete(user);
    else this.changes.set(user, change);
    const isNews = change?.removed.length || change?.added.some((one) => !told.some((old) => isSame(one, old)));
    if (isNews) this.listeners.dispatch(HERE, "key-change", change);
  }

  private numberOf(found: ReadonlyMap<string, readonly DeviceIdentity[]>): Promise<string> {
    return safetyNumber([this.own, this.peer].map((user) => ({ user, devices: found.get(user) ?? [] })));
  }

  private async seal(sealed: SealedText, isStrict: boolean): Promise<object> {
    const found = await this.parts.refresh([this.own, this.peer]);
    if ((found.get(this.peer) ?? []).length === 0)
      throw failure("no_devices", "This user has no device that can read encrypted messages");
    if (this.keyChanges.some(({ wasVerified }) => wasVerified || isStrict))
      throw failure("key_changed", "Keys have changed: somebody has to look at them first");
    return await this.parts.machine.encrypt(this.room, [this.own, this.peer], MESSAGE_TYPE, sealed);
  }

  private async open(message: StoredMessage): Promise<ConversationMessage> {
    const shown = await this.parts.reader.read(message);
    this.waiting.delete(message.id);
    if (shown.state === "unreadable" && this.waiting.size < MAX_WAITING) this.waiting.set(message.id, message);
    return shown;
  }
}

function isSame(one: DeviceIdentity, other: DeviceIdentity): boolean {
  return one.device_id === other.device_id && one.fingerprint === other.fingerprint;
}
