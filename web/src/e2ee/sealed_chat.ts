/**
 * A conversation as a chat shows it: the readings of its messages, sending that waits for the connection, and
 * the element that tells of devices.
 *
 * It is stricter than `Conversation`: a device that came since somebody looked stops sending until `accept`,
 * whether or not numbers were compared. The element asks for that.
 */

import { failure, TocsinError } from "../client/problem.js";
import type { Conversation } from "./conversation.js";
import type { ChatClient, Encryption, EncryptionOptions } from "./encryption.js";
import { Panel } from "./panel.js";
import type { ConversationMessage, SealedAttachment } from "./reading.js";
import type { StoredMessage } from "./server.js";
import { sharedEncryption } from "./shared.js";

export interface SealedChatOptions extends EncryptionOptions {
  /** What the other is called; the id by default. */
  name?: string;
  /** A language tag: Korean or, by default, English. */
  lang?: string;
  /** Called when a reading, the devices or `problem` have changed. */
  onChange?: () => void;
  /** Another tab of this browser has it open: it goes on here when that is closed. */
  onWait?: () => void;
  /** Somebody wants to write without encryption, and was asked twice; without it there is no such button. */
  onTurnOff?: () => void;
}

/** The part of a reading that a chat shows. */
export type Shown = Pick<ConversationMessage, "state" | "text" | "attachments" | "reason" | "isFromKnownDevice">;

interface Reading {
  readonly message: StoredMessage;
  shown: ConversationMessage | null;
}

const PAUSE_MS = 5_000;

/** Open the conversation of a page's client with a user; rejects as `enableEncryption` does. */
export async function openSealedChat(
  client: ChatClient,
  userId: number | string,
  options: SealedChatOptions = {},
): Promise<SealedChat> {
  const encryption = await sharedEncryption(client, options, () => options.onWait?.());
  return new SealedChat(client, encryption, await encryption.open(userId), options);
}

export class SealedChat {
  /** Shows a warning while there is one; devices and the safety number while `panel.isOpen`. Put it above the messages. */
  readonly panel: Panel;
  /** The code of what ended it, as `user_changed`; null while it works. */
  problem: string | null = null;
  private readonly readings = new Map<string, Reading>();
  private readonly written = new Map<string, string>();
  private readonly removers: (() => void)[];
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  /** Use `openSealedChat`. */
  constructor(
    private readonly client: ChatClient,
    encryption: Encryption,
    private readonly talk: Conversation,
    private readonly options: SealedChatOptions,
  ) {
    this.panel = new Panel(encryption, talk, { ...options, onToggle: () => this.changed() });
    this.removers = [
      talk.on("message", ({ id }) =>
        this.readAgain(({ message, shown }) => message.id === id && shown?.state === "unreadable"),
      ),
      talk.on("devices", () => {
        this.readAgain(({ shown }) => shown?.isFromKnownDevice === false);
        this.panel.refresh();
        this.changed();
      }),
      encryption.on("closed", (problem) => {
        this.problem = problem?.code ?? "closed";
        this.changed();
      }),
    ];
  }

  /** There is a device that nobody has looked at: nothing is sent before. */
  get isHeld(): boolean {
    return this.talk.keyChanges.length > 0;
  }

  /**
   * What this device reads in a message; null while it is being read, and `onChange` follows.
   *
   * What was written here is known before it is read.
   */
  find(message: StoredMessage): Shown | null {
    const known = this.readings.get(message.id);
    if (known === undefined || isOther(known.message, message)) {
      const reading: Reading = { message, shown: known?.shown ?? null };
      this.readings.set(message.id, reading);
      void this.read(reading);
    }
    const shown = this.readings.get(message.id)?.shown ?? null;
    const text = this.written.get(message.client_msg_id ?? "");
    if (shown !== null || text === undefined) return shown;
    return { state: "encrypted", text, attachments: [], reason: null, isFromKnownDevice: true };
  }

  /**
   * Encrypt and send, each after the one before, however long the connection is away.
   *
   * Rejects with a TocsinError, as `Conversation.send` does; `key_changed` while `isHeld`.
   */
  async send(text: string, options: { id: string; attachments?: readonly SealedAttachment[] }): Promise<void> {
    this.written.set(options.id, text);
    await this.inTurn(() => this.talk.send(text, { ...options, isStrict: true }));
  }

  /** Change the text of an own message that was read here. */
  async edit(message: StoredMessage, text: string): Promise<void> {
    const shown = this.readings.get(message.id)?.shown;
    if (shown?.state !== "encrypted") throw failure("unreadable", "This device has not read the message");
    await this.inTurn(() => this.talk.edit(shown, text, { isStrict: true }));
  }

  /** Somebody has looked at the devices that are new. */
  accept(): Promise<void> {
    return this.talk.accept();
  }

  /** Stop telling; the device stays for the other conversations of the page. */
  close(): void {
    this.isClosed = true;
    for (const remove of this.removers) remove();
    this.panel.close();
  }

  private inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const turn = this.last.then(() => this.persist(work));
    this.last = turn.catch(() => {});
    return turn;
  }

  private async persist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof TocsinError && error.problem.retryable)) throw error;
        await this.comesBack();
      }
    }
  }

  private comesBack(): Promise<void> {
    return new Promise((resolve) => {
      const remove = this.client.on("*", "sync", () => done());
      const timer = setTimeout(() => done(), PAUSE_MS);
      const done = () => {
        clearTimeout(timer);
        remove();
        resolve();
      };
    });
  }

  private readAgain(which: (reading: Reading) => boolean): void {
    for (const reading of this.readings.values()) if (which(reading)) void this.read(reading);
  }

  private async read(reading: Reading): Promise<void> {
    const work = async () => (this.isClosed ? null : await this.talk.read(reading.message));
    const shown = await this.persist(work).catch(() => null);
    if (shown === null || this.isClosed) return;
    this.written.delete(reading.message.client_msg_id ?? "");
    if (JSON.stringify(shown) === JSON.stringify(reading.shown)) return;
    reading.shown = shown;
    this.changed();
  }

  private changed(): void {
    if (!this.isClosed) this.options.onChange?.();
  }
}

function isOther(known: StoredMessage, message: StoredMessage): boolean {
  return known.edited_at !== message.edited_at || known.deleted_at !== message.deleted_at;
}
