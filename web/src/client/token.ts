/** Where the token comes from, and which one was refused. Nothing here trusts a token's content. */

import type { KeyValueStorage } from "./cursor.js";

/** Returns a fresh token, or null when the user is signed out. May throw: it is asked again later. */
export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

export const TOKEN_KEY = "auth_token";

export interface TokenOptions {
  token?: string | undefined;
  getToken?: GetToken | undefined;
  storage: KeyValueStorage | null;
}

/** The current token: a fixed one first, then the callback's, else `auth_token` of the storage. */
export class TokenSource {
  private held: string | null;
  private refused: string | null = null;
  private asked = 0;

  constructor(private readonly options: TokenOptions) {
    this.held = options.token ?? null;
  }

  /** The token in use; null before the first `get`. */
  get current(): string | null {
    return this.held;
  }

  /** The token to connect with; null when there is none, or none but the refused one. */
  async get(): Promise<string | null> {
    // What the page has stored since wins: somebody else may have signed in.
    if (this.options.token === undefined && this.options.getToken === undefined) this.held = this.stored();
    this.asked += 1;
    if (this.held !== null && this.held !== this.refused) return this.held;
    const asked = this.asked;
    const found = await this.fetch();
    // The callback may answer a later call first, and for another user.
    if (asked === this.asked) this.held = found;
    return found;
  }

  /** The token of who is signed in, connected or not; null when nobody is. What is in use stays as it is. */
  async find(): Promise<string | null> {
    const { token, getToken } = this.options;
    return (token ?? (getToken === undefined ? this.stored() : (this.held ?? (await getToken())))) || null;
  }

  /** Ask for a newer token than the current one; null when there is none. */
  async renew(): Promise<string | null> {
    const newer = await this.fetch();
    return newer === this.held ? null : newer;
  }

  /** The server has accepted this token on the open connection. */
  adopt(token: string): void {
    this.held = token;
  }

  /** The server refuses the current token: don't offer it again by ourselves. */
  refuse(): void {
    this.refused = this.held ?? this.refused;
    this.held = null;
  }

  /** True when asking again could give another token. */
  get isRenewable(): boolean {
    if (this.options.getToken !== undefined) return true;
    const stored = this.options.token === undefined ? this.stored() : null;
    return stored !== null && stored !== this.refused;
  }

  /** The page itself wants to connect: whatever was refused or cached before may be tried. */
  forget(): void {
    // What was asked for before is somebody's who may have signed out since.
    this.asked += 1;
    this.refused = null;
    this.held = this.options.token ?? null;
  }

  private async fetch(): Promise<string | null> {
    const { token, getToken } = this.options;
    const found = getToken === undefined ? (token ?? this.stored()) : await getToken();
    return found && found !== this.refused ? found : null;
  }

  private stored(): string | null {
    try {
      return this.options.storage?.getItem(TOKEN_KEY) || null;
    } catch {
      return null;
    }
  }
}

/**
 * The user (`sub`) that a JWT names, unchecked; null when it can't be read.
 *
 * Only chooses under which key the cursors are kept. The server chooses the
 * stream, from the token that it has verified.
 */
export function findSubject(token: string): string | null {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof sub === "string" && sub !== "" ? sub : null;
  } catch {
    return null;
  }
}
