/**
 * The safety number of two users: what both see as the same digits, unless somebody stands between them.
 *
 * It is a digest of the public keys of all their devices and so changes with every device. It is
 * shown to people and nothing else: nothing is encrypted or signed with it.
 */

export interface FingerprintedDevice {
  readonly device_id: string;
  readonly fingerprint: string;
}

const GROUPS = 6;
const DIGITS = 5;
const BYTES_A_GROUP = 5;

/** Twelve groups of five digits, the same for both users. */
export async function safetyNumber(
  sides: readonly { user: string; devices: readonly FingerprintedDevice[] }[],
): Promise<string> {
  const halves = await Promise.all(sides.map(({ user, devices }) => half(user, devices)));
  return halves.sort().join(" ");
}

async function half(user: string, devices: readonly FingerprintedDevice[]): Promise<string> {
  const keys = devices.map(({ device_id, fingerprint }) => [device_id, fingerprint]);
  keys.sort(([one = ""], [other = ""]) => (one < other ? -1 : 1));
  const text = JSON.stringify(["tocsin safety number 1", user, keys]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", new TextEncoder().encode(text)));
  const groups = Array.from({ length: GROUPS }, (_, group) => {
    const bytes = digest.subarray(group * BYTES_A_GROUP, (group + 1) * BYTES_A_GROUP);
    const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    return String(number % 10 ** DIGITS).padStart(DIGITS, "0");
  });
  return groups.join(" ");
}
