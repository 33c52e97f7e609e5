/** From what the server has of a message to what a page may show of it. */

import type { Contacts } from "./contacts.js";
import type { Machine } from "./machine.js";
import { roomOf } from "./names.js";
import type { StoredMessage } from "./server.js";
import type { Reason } from "./texts.js";
import type { Vault } from "./vault.js";

/**
 * A message as a page shows it.
 *
 * `state` is `encrypted` (and read), `plain` (the server can read it, too), `unreadable` or `refused`
 * (the `reason` says why), or `deleted`. The order and the `timestamp` are the server's word.
 */
export interface ConversationMessage {
  readonly id: string;
  readonly from_user_id: number | string;
  readonly to_user_id: number | string;
  readonly client_msg_id: string | null;
  readonly timestamp: string;
  readonly state: "encrypted" | "plain" | "unreadable" | "refused" | "deleted";
  /** Show it as text (`textContent`); null where there is none. */
  readonly text: string | null;
  readonly reason: Reason | null;
  /** The device that wrote it; null where nothing proves one. */
  readonly device_id: string | null;
  /** False: the device is new, and nobody has accepted it. */
  readonly isFromKnownDevice: boolean;
}

export const MESSAGE_TYPE = "tocsin.message";

/** What is sealed; `id` is the `client_msg_id` and makes a copy of the message known as one. */
export interface SealedText {
  readonly id: string;
  readonly text: string;
}

const UNREADABLE: ReadonlySet<Reason> = new Set<Reason>(["before_device", "no_key", "withheld"]);

export class Reader {
  constructor(
    private readonly machine: Machine,
    private readonly contacts: Contacts,
    private readonly vault: Vault,
    /** Ask for a user's devices anew. */
    private readonly refresh: (user: string) => Promise<void>,
  ) {}

  /** Read one message; never rejects for what stands in it. */
  async read(message: StoredMessage): Promise<ConversationMessage> {
    const { id, from_user_id, to_user_id, client_msg_id, timestamp, ciphertext } = message;
    const outside = { id, from_user_id, to_user_id, client_msg_id, timestamp };
    const nothing = { ...outside, text: null, reason: null, device_id: null, isFromKnownDevice: false };
    if (message.deleted_at !== undefined) return { ...nothing, state: "deleted" };
    if (ciphertext === undefined) return { ...nothing, state: "plain", text: message.message };
    const sender = String(from_user_id);
    const room = roomOf(sender, String(to_user_id));
    const opened = await this.machine.decrypt(room, sender, id, Date.parse(timestamp), ciphertext);
    if ("reason" in opened) return this.unread(nothing, opened.reason);
    const sealed = sealedText(opened.type, opened.content);
    if (sealed === null) return this.unread(nothing, "malformed");
    // The library opens a copy as well: who sealed it has said where it stands, and it stands there once.
    const isOriginal = sealed.id === client_msg_id && (await this.vault.isFirst(room, sender, sealed.id, id));
    if (!isOriginal) return this.unread(nothing, "replayed");
    const { device_id, fingerprint } = opened;
    const isFromKnownDevice = await this.knows(sender, device_id, fingerprint);
    return { ...nothing, state: "encrypted", text: sealed.text, device_id, isFromKnownDevice };
  }

  private async knows(user: string, device_id: string, fingerprint: string): Promise<boolean> {
    if (user === this.machine.user && this.machine.is({ device_id, fingerprint })) return true;
    if (await this.contacts.knows(user, device_id, fingerprint)) return true;
    await this.refresh(user);
    return await this.contacts.knows(user, device_id, fingerprint);
  }

  private unread(nothing: Omit<ConversationMessage, "state">, reason: Reason): ConversationMessage {
    return { ...nothing, state: UNREADABLE.has(reason) ? "unreadable" : "refused", reason };
  }
}

function sealedText(type: string, content: unknown): SealedText | null {
  if (type !== MESSAGE_TYPE || typeof content !== "object" || content === null) return null;
  const { id, text } = content as Record<string, unknown>;
  return typeof id === "string" && typeof text === "string" ? { id, text } : null;
}
