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
  /** Links to files, sealed with the text; the files are as the host keeps them. */
  readonly attachments: readonly SealedAttachment[];
  /** How often the text was changed, as its writer says; `Conversation.edit` takes the next number. */
  readonly version: number;
  /** The device that wrote it; null where nothing proves one. */
  readonly device_id: string | null;
  /** False: the device is new, and nobody has accepted it. */
  readonly isFromKnownDevice: boolean;
}

export const MESSAGE_TYPE = "tocsin.message";

/** A link to a file that the host keeps. */
export interface SealedAttachment {
  readonly url: string;
  readonly name?: string;
}

/**
 * What is sealed; `id` is the `client_msg_id` and makes a copy of the message known as one.
 *
 * A changed text is sealed under the same `id` and the next `version`, so that an earlier one is known as such.
 */
export interface SealedText {
  readonly id: string;
  readonly text: string;
  readonly attachments?: readonly SealedAttachment[];
  readonly version?: number;
}

const MAX_ATTACHMENTS = 10;
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
    const empty = { text: null, attachments: [], version: 0, reason: null, device_id: null, isFromKnownDevice: false };
    const nothing = { ...outside, ...empty };
    if (message.deleted_at !== undefined) return { ...nothing, state: "deleted" };
    if (ciphertext === undefined)
      return { ...nothing, state: "plain", text: message.message, attachments: links(message.attachments) };
    const sender = String(from_user_id);
    const room = roomOf(sender, String(to_user_id));
    const opened = await this.machine.decrypt(room, sender, id, Date.parse(timestamp), ciphertext);
    if ("reason" in opened) return this.unread(nothing, opened.reason);
    const sealed = sealedText(opened.type, opened.content);
    if (sealed === null) return this.unread(nothing, "malformed");
    const { text, attachments, version } = sealed;
    // The library opens a copy as well: who sealed it has said where it stands, and it stands there once.
    const isOriginal = sealed.id === client_msg_id && (await this.vault.isFirst(room, sender, sealed.id, id, version));
    if (!isOriginal) return this.unread(nothing, "replayed");
    const { device_id, fingerprint } = opened;
    const isFromKnownDevice = await this.knows(sender, device_id, fingerprint);
    return { ...nothing, state: "encrypted", text, attachments, version, device_id, isFromKnownDevice };
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

function sealedText(type: string, content: unknown): Required<SealedText> | null {
  if (type !== MESSAGE_TYPE || typeof content !== "object" || content === null) return null;
  const { id, text, attachments, version = 0 } = content as Record<string, unknown>;
  if (typeof id !== "string" || typeof text !== "string" || !Number.isSafeInteger(version)) return null;
  return { id, text, attachments: links(attachments), version: version as number };
}

/** The links to files in what somebody has written: https, or a path of the site. */
export function links(value: unknown): readonly SealedAttachment[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ATTACHMENTS).flatMap((each: unknown) => {
    const { url, name } = (each ?? {}) as Record<string, unknown>;
    if (typeof url !== "string" || !/^(https:\/\/|\/(?![/\\]))/.test(url)) return [];
    return [typeof name === "string" ? { url, name } : { url }];
  });
}
