/** Who is signed in: the token in `localStorage.auth_token`, where `websocket.js` finds it too. */

const KEY = "auth_token";

export const isSignedIn = () => localStorage.getItem(KEY) !== null;

/** Call a route with the user's token; rejects with an Error that has the `status`. */
export async function api(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${localStorage.getItem(KEY)}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: JSON.stringify(body), cache: "no-store" });
  if (answer.status === 401 && isSignedIn() && path !== "/api/login") signOut();
  if (!answer.ok) throw Object.assign(new Error(`${method} ${path}: ${answer.status}`), { status: answer.status });
  return answer.status === 204 ? null : await answer.json();
}

export async function signIn(login, password) {
  const { auth_token } = await api("/api/login", { method: "POST", body: { login, password } });
  localStorage.setItem(KEY, auth_token);
  location.reload();
}

export function signOut() {
  localStorage.removeItem(KEY);
  window.ws.disconnect();
  location.reload();
}
