/**
 * Users and conversations under the names that the library knows: `@<user>:tocsin`, `!<one>~<other>:tocsin`.
 *
 * These names are signed and sealed by devices, so both sides must make the same ones.
 */

import { failure } from "../client/problem.js";

const SERVER = ":tocsin";
const MAX_LENGTH = 120;

/** The library's name of a user; TocsinError `user_id_too_long` where it has no room for it. */
export function matrixUser(user: number | string): string {
  return `@${checked(user)}${SERVER}`;
}

/** Whether the library has a name for a user; who has none has no device. */
export function isNamed(user: number | string): boolean {
  return encoded(user).length <= MAX_LENGTH;
}

/** The user of a library's name. */
export function userOf(name: string): string {
  const bytes: number[] = [];
  const text = name.slice(1, name.lastIndexOf(SERVER));
  for (let place = 0; place < text.length; place += 1) {
    if (text[place] === "=") {
      bytes.push(Number.parseInt(text.slice(place + 1, place + 3), 16));
      place += 2;
    } else bytes.push(text.charCodeAt(place));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** The library's name of the conversation of two users, the same whoever asks. */
export function roomOf(one: string, other: string): string {
  return `!${[checked(one), checked(other)].sort().join("~")}${SERVER}`;
}

function checked(user: number | string): string {
  if (!isNamed(user)) throw failure("user_id_too_long", "This user's id is too long for encryption");
  return encoded(user);
}

/** Only what every part of the library takes stays as it is; any other byte becomes `=` and two digits. */
function encoded(user: number | string): string {
  const bytes = new TextEncoder().encode(String(user));
  const text = [...bytes].map((byte) => {
    const char = String.fromCharCode(byte);
    return /[a-z0-9._-]/.test(char) ? char : `=${byte.toString(16).padStart(2, "0")}`;
  });
  return text.join("");
}
