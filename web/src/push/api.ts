/** The routes of Web Push, as the page calls them. */

import { failure, findProblem, TocsinError } from "../client/problem.js";

const TIMEOUT_MS = 20_000;

/** The server's public key, the 65 bytes of a point of P-256. */
export async function fetchPublicKey(token: string): Promise<Uint8Array<ArrayBuffer>> {
  const { public_key } = (await call("GET", "public-key", token)) as { public_key: string };
  return fromBase64Url(public_key);
}

/** Let the server push to this subscription; it belongs to the token's user from now on. */
export async function register(subscription: PushSubscription, token: string): Promise<void> {
  await call("POST", "subscriptions", token, subscription.toJSON());
}

/** Let the server forget a subscription of the token's user. */
export async function unregister(endpoint: string, token: string): Promise<void> {
  await call("DELETE", "subscriptions", token, { endpoint });
}

/** Rejects with a TocsinError; `unreachable` when there is no answer. */
async function call(method: string, path: string, token: string, body?: object): Promise<unknown> {
  const response = await fetch(`/api/webpush/${path}`, {
    method,
    headers: {
      Accept: "application/json",
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    // A page that signs out and leaves is still heard.
    keepalive: true,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error) => {
    throw failure("unreachable", `The server can't be reached: ${error}`, true);
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer;
  const problem = findProblem(answer);
  throw problem === null
    ? failure("http", `${method} ${path} answered ${response.status}`, response.status >= 500)
    : new TocsinError(problem);
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
}
