/** Who the demo's two users are, with their tokens: what `GET /demo/session` hands to this machine only. */

import type { UserId } from "./events.js";

export interface DemoUser {
  id: UserId;
  name: string;
  lang: string;
  token: string;
}

export interface Session {
  users: [DemoUser, DemoUser];
  /** A back end's token: it may publish for any user. */
  publish_token: string;
  admin_token: string;
}

/** Fetch fresh tokens. */
export async function fetchSession(): Promise<Session> {
  const answer = await fetch("/demo/session", { cache: "no-store" });
  if (!answer.ok) throw new Error(`The demo's server answered ${answer.status}.`);
  return (await answer.json()) as Session;
}
