/** One device a page: all conversations of a client go by the same encryption. */

import { failure, TocsinError } from "../client/problem.js";
import { findSubject } from "../client/token.js";
import { type ChatClient, type Encryption, type EncryptionOptions, enableEncryption } from "./encryption.js";
import { whenFree } from "./lock.js";

interface Opening {
  readonly encryption: Promise<Encryption>;
  isWaiting: boolean;
  readonly onWait: Set<() => void>;
}

const openings = new WeakMap<ChatClient, Opening>();

/**
 * What was opened for this client and its user before, else what is opened now; rejects as `enableEncryption` does.
 *
 * Where another tab of the browser has it open it waits for that tab, and calls `onWait`.
 */
export async function sharedEncryption(
  client: ChatClient,
  options: EncryptionOptions = {},
  onWait: () => void = () => {},
): Promise<Encryption> {
  const known = openings.get(client);
  if (known?.isWaiting) onWait();
  known?.onWait.add(onWait);
  const opened = await known?.encryption;
  if (opened !== undefined) {
    if (opened.user === (await userOf(client))) return opened;
    await opened.close();
  }
  // Whoever asked meanwhile has begun already.
  return await (openings.get(client) ?? begin(client, options, onWait)).encryption;
}

function begin(client: ChatClient, options: EncryptionOptions, onWait: () => void): Opening {
  const open = async (): Promise<Encryption> => {
    for (;;) {
      try {
        return await enableEncryption(client, { deviceName: browserName(), ...options });
      } catch (error) {
        if (!(error instanceof TocsinError && error.code === "in_use")) throw error;
        opening.isWaiting = true;
        for (const tell of opening.onWait) tell();
        await whenFree(await userOf(client));
        opening.isWaiting = false;
      }
    }
  };
  const opening: Opening = { encryption: open(), isWaiting: false, onWait: new Set([onWait]) };
  openings.set(client, opening);
  const forget = () => {
    if (openings.get(client) === opening) openings.delete(client);
  };
  opening.encryption.then((encryption) => encryption.on("closed", forget), forget);
  return opening;
}

async function userOf(client: ChatClient): Promise<string> {
  const token = await client.getToken();
  const user = token === null ? null : findSubject(token);
  if (user === null) throw failure("unauthenticated", "Nobody is signed in");
  return user;
}

/** As people know their devices apart: `Chrome, Windows`. */
function browserName(): string {
  const agent = navigator.userAgent;
  const browser = [/Firefox/, /Edg(?=\/|A|iOS)/, /Chrome|CriOS/, /Safari/].map((each) => each.exec(agent)?.[0]);
  const system = /Android|iPhone|iPad|Windows|Mac|Linux|CrOS/.exec(agent)?.[0];
  const name = browser
    .find((each) => each !== undefined)
    ?.replace("Edg", "Edge")
    .replace("CriOS", "Chrome");
  return [name ?? "Browser", ...(system === undefined ? [] : [system])].join(", ");
}
