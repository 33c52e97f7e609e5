/**
 * One device of one user: the library's state machine, driven against the server.
 *
 * All encryption is the library's (Olm and Megolm of matrix-sdk-crypto). This module carries its
 * requests to the server in the server's words, and its answers back. Its methods must not overlap:
 * callers go through one Queue.
 */

import {
  CollectStrategy,
  DecryptionErrorCode,
  DecryptionSettings,
  type Device,
  DeviceId,
  DeviceLists,
  EncryptionSettings,
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  LocalTrust,
  MegolmDecryptionError,
  OlmMachine,
  RequestType,
  RoomId,
  type ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { failure } from "../client/problem.js";
import { isNamed, matrixUser, userOf } from "./names.js";
import type { KeyCounts, KeyServer } from "./server.js";
import type { Reason } from "./texts.js";
import { loadWasm } from "./wasm.js";

/** A device with its identity; `fingerprint` is its public Ed25519 key. */
export interface DeviceIdentity {
  readonly device_id: string;
  readonly device_name: string | null;
  readonly fingerprint: string;
  readonly isVerified: boolean;
}

/** What came out of a ciphertext, or why nothing did. */
export type Opened =
  | { readonly content: unknown; readonly type: string; readonly device_id: string; readonly fingerprint: string }
  | { readonly reason: Reason };

type MachineRequest = Awaited<ReturnType<OlmMachine["outgoingRequests"]>>[number] | KeysQueryRequest | KeysClaimRequest;

// A new key after so many messages or so long: who gets hold of one reads no more than that.
const MESSAGES_A_KEY = 50n;
const MICROSECONDS_A_KEY = 24n * 3_600n * 1_000_000n;
const ALGORITHM = "signed_curve25519";

export class Machine {
  /** When the directory got to know this device, by the server's clock, which also stamps messages. */
  private registeredAt = 0;

  private constructor(
    private readonly olm: OlmMachine,
    private readonly server: KeyServer,
    readonly user: string,
    readonly deviceId: string,
    private readonly deviceName: string | undefined,
  ) {}

  /**
   * Open the device, or make it when it is new, and let the server know its keys.
   *
   * Rejects with `conflict` when the server knows other keys of this device id, with `not_found`
   * when the device was removed: then it is a device no more.
   */
  static async open(options: {
    wasm: URL | string | undefined;
    server: KeyServer;
    user: string;
    deviceId: string;
    deviceName?: string | undefined;
    store: string;
    passphrase?: string | undefined;
  }): Promise<Machine> {
    await loadWasm(options.wasm);
    const { user, deviceId, server } = options;
    const olm = await openKeys(user, deviceId, options.store, options.passphrase);
    // Nobody is asked for old keys: a new device says openly what it can't read.
    olm.roomKeyRequestsEnabled = false;
    olm.roomKeyForwardingEnabled = false;
    const machine = new Machine(olm, server, user, deviceId, options.deviceName);
    try {
      await olm.updateTrackedUsers([new UserId(matrixUser(user))]);
      await machine.flush();
      await machine.receive();
    } catch (error) {
      olm.close();
      throw error;
    }
    return machine;
  }

  /** This device's public Ed25519 key. */
  get fingerprint(): string {
    return this.olm.identityKeys.ed25519.toBase64();
  }

  /** Whether this is it. */
  is({ device_id, fingerprint }: Pick<DeviceIdentity, "device_id" | "fingerprint">): boolean {
    return device_id === this.deviceId && fingerprint === this.fingerprint;
  }

  /** Take what waits in the inbox; returns how much it was. */
  async receive(): Promise<number> {
    let taken = 0;
    const counts = await this.server.counts(this.deviceId);
    for (;;) {
      const waiting = await this.server.inbox(this.deviceId);
      // Anybody may put anything in: what comes from no device must not keep back the rest.
      const events = waiting
        .filter(({ from_user_id }) => isNamed(from_user_id))
        .map(({ type, from_user_id, content }) => ({ type, sender: matrixUser(from_user_id), content }));
      await this.sync(events, counts);
      const last = waiting[waiting.length - 1];
      if (last === undefined) break;
      // The library has stored what it made of them: the server may forget.
      await this.server.acknowledge(this.deviceId, last.id);
      taken += waiting.length;
    }
    await this.flush();
    return taken;
  }

  /** Ask for the devices of users anew, and return those there are now. */
  async devices(users: readonly string[]): Promise<Map<string, readonly DeviceIdentity[]>> {
    await this.olm.updateTrackedUsers(users.map(named));
    await this.perform(this.olm.queryKeysForUsers(users.map(named)));
    await this.flush();
    const found = new Map<string, readonly DeviceIdentity[]>();
    for (const user of users) {
      const devices = await this.each(user, async (device) => identity(device));
      // The library has them in another order each time.
      found.set(
        user,
        devices.sort((one, other) => (one.device_id < other.device_id ? -1 : 1)),
      );
    }
    return found;
  }

  /** Note that people have compared the keys of a device. */
  async setVerified(user: string, deviceIds: ReadonlySet<string>): Promise<void> {
    await this.each(user, async (device) => {
      if (deviceIds.has(device.deviceId.toString())) await device.setLocalTrust(LocalTrust.Verified);
    });
  }

  /** Encrypt for all devices of both users; each has the key before this resolves. */
  async encrypt(room: string, users: readonly string[], type: string, content: object): Promise<object> {
    const claim = await this.olm.getMissingSessions(users.map(named));
    if (claim) await this.perform(claim);
    const settings = new EncryptionSettings();
    settings.sharingStrategy = CollectStrategy.allDevices();
    settings.rotationPeriodMessages = MESSAGES_A_KEY;
    settings.rotationPeriod = MICROSECONDS_A_KEY;
    for (const request of await this.olm.shareRoomKey(new RoomId(room), users.map(named), settings))
      await this.perform(request);
    return JSON.parse(await this.olm.encryptRoomEvent(new RoomId(room), type, JSON.stringify(content)));
  }

  /** Decrypt what a user has sealed for a conversation. */
  async decrypt(room: string, sender: string, id: string, sentAt: number, ciphertext: object): Promise<Opened> {
    const event = {
      type: "m.room.encrypted",
      event_id: `$${id}`,
      sender: matrixUser(sender),
      origin_server_ts: sentAt,
      content: ciphertext,
    };
    try {
      const opened = await this.olm.decryptRoomEvent(JSON.stringify(event), new RoomId(room), trustAnyDevice());
      const device = opened.senderDevice?.toString();
      const fingerprint = opened.senderClaimedEd25519Key;
      // The library leaves the device out when the key is not of the user whom the server names.
      if (device === undefined || fingerprint === undefined) return { reason: "unknown_sender" };
      const { type, content } = JSON.parse(opened.event) as { type: string; content: unknown };
      return { type, content, device_id: device, fingerprint };
    } catch (error) {
      return { reason: this.reasonOf(error, sentAt) };
    }
  }

  close(): void {
    this.olm.close();
  }

  private reasonOf(error: unknown, sentAt: number): Reason {
    if (!(error instanceof MegolmDecryptionError)) return "malformed";
    switch (error.code) {
      case DecryptionErrorCode.MissingRoomKey:
      case DecryptionErrorCode.UnknownMessageIndex:
        if (error.maybe_withheld !== undefined) return "withheld";
        return sentAt < this.registeredAt ? "before_device" : "no_key";
      case DecryptionErrorCode.UnableToDecrypt:
        return "altered";
      default:
        return "unknown_sender";
    }
  }

  private async each<T>(user: string, use: (device: Device) => Promise<T>): Promise<T[]> {
    const found = await this.olm.getUserDevices(named(user));
    const devices = found.devices();
    try {
      return await Promise.all(devices.map(use));
    } finally {
      // Each holds the store open, which could not be deleted before the collector comes by.
      for (const each of [...devices, found]) each.free();
    }
  }

  private async sync(events: readonly object[], counts: KeyCounts): Promise<void> {
    await this.olm.receiveSyncChanges(
      JSON.stringify(events),
      new DeviceLists(),
      new Map([[ALGORITHM, counts.one_time_keys]]),
      new Set(counts.has_unused_fallback_key ? [ALGORITHM] : []),
      trustAnyDevice(),
    );
  }

  /** Carry out what the library asks for by itself. */
  private async flush(): Promise<void> {
    for (const request of await this.olm.outgoingRequests()) await this.perform(request);
  }

  private async perform(request: MachineRequest): Promise<void> {
    const answer = await this.answer(request);
    if (answer === null || request.id === undefined) return;
    await this.olm.markRequestAsSent(request.id, request.type, JSON.stringify(answer));
  }

  private async answer(request: MachineRequest): Promise<object | null> {
    switch (request.type) {
      case RequestType.KeysUpload:
        return this.upload(JSON.parse((request as KeysUploadRequest).body));
      case RequestType.KeysQuery:
        return this.query(JSON.parse((request as KeysQueryRequest).body));
      case RequestType.KeysClaim:
        return this.claim(JSON.parse((request as KeysClaimRequest).body));
      case RequestType.ToDevice:
        return this.send(request as ToDeviceRequest);
      default:
        return null; // of features that are not used here
    }
  }

  private async upload(body: Record<string, unknown>): Promise<object> {
    const { device_keys, one_time_keys, fallback_keys } = body;
    const counts = await this.server.upload(this.deviceId, {
      ...(device_keys === undefined ? {} : { device_keys, device_name: this.deviceName }),
      one_time_keys: one_time_keys ?? {},
      fallback_keys: fallback_keys ?? {},
    });
    return { one_time_key_counts: { [ALGORITHM]: counts.one_time_keys } };
  }

  private async query(body: { device_keys: Record<string, unknown> }): Promise<object> {
    const found = await this.server.devices(Object.keys(body.device_keys).map(userOf));
    const own = found.get(this.user)?.find(({ device_id }) => device_id === this.deviceId);
    if (own !== undefined) this.registeredAt = Date.parse(own.created_at);
    const users = [...found].map(([user, devices]) => {
      const keys = devices.map(({ device_id, device_name, device_keys }) => {
        const unsigned = device_name === null ? {} : { device_display_name: device_name };
        return [device_id, { ...device_keys, unsigned }];
      });
      return [matrixUser(user), Object.fromEntries(keys)];
    });
    return { device_keys: Object.fromEntries(users), failures: {} };
  }

  private async claim(body: { one_time_keys: Record<string, Record<string, string>> }): Promise<object> {
    const wanted = Object.entries(body.one_time_keys).flatMap(([user, devices]) =>
      Object.keys(devices).map((device_id) => ({ user_id: userOf(user), device_id })),
    );
    const keys: Record<string, Record<string, Record<string, object>>> = {};
    for (const { user_id, device_id, key_id, key } of await this.server.claim(wanted)) {
      const name = matrixUser(user_id);
      keys[name] = { ...keys[name], [device_id]: { [key_id]: key } };
    }
    return { one_time_keys: keys, failures: {} };
  }

  private async send(request: ToDeviceRequest): Promise<object> {
    const { messages } = JSON.parse(request.body) as { messages: Record<string, Record<string, object>> };
    const sealed = Object.entries(messages).flatMap(([user, devices]) =>
      Object.entries(devices).map(([device_id, content]) => ({ user_id: userOf(user), device_id, content })),
    );
    await this.server.send(request.event_type, request.txn_id, sealed);
    return {};
  }
}

async function openKeys(user: string, device: string, store: string, passphrase: string | undefined) {
  try {
    return await OlmMachine.initialize(named(user), new DeviceId(device), store, passphrase);
  } catch {
    throw failure("keys_unreadable", "The keys of this device can't be opened: is the passphrase another one?");
  }
}

function named(user: string): UserId {
  return new UserId(matrixUser(user));
}

/** Which devices are trusted is for people to say, who are shown their keys. */
function trustAnyDevice(): DecryptionSettings {
  return new DecryptionSettings(TrustRequirement.Untrusted);
}

function identity(device: Device): DeviceIdentity {
  return {
    device_id: device.deviceId.toString(),
    device_name: device.displayName ?? null,
    fingerprint: device.ed25519Key?.toBase64() ?? "",
    isVerified: device.isLocallyTrusted(),
  };
}
