/** Signs in, then starts the bell and the three views. */

import { startBell } from "./bell.js";
import { startOrders } from "./orders.js";
import { startPosts } from "./posts.js";
import { api, isSignedIn, signIn, signOut } from "./session.js";
import { speak, texts, time } from "./texts.js";

const find = (id) => document.getElementById(id);

if (isSignedIn()) void showShop();
else showLogin();

function showLogin() {
  find("login").hidden = false;
  find("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const problem = find("login-problem");
    problem.hidden = true;
    try {
      await signIn(form.elements.login.value, form.elements.password.value);
    } catch (error) {
      const isWrong = error.status === 401;
      problem.textContent = isWrong
        ? "Wrong name or password · 이름이나 비밀번호가 다릅니다"
        : "The server does not answer";
      problem.hidden = false;
    }
  });
}

async function showShop() {
  const { user, others, catalog, platforms } = await findMe();
  speak(user.lang);
  find("who").textContent = user.name;
  find("who").hidden = false;
  find("sign-out").hidden = false;
  find("sign-out").addEventListener("click", signOut);
  find("shop").hidden = false;
  showLight();
  startBell();
  startOrders(catalog);
  startPosts(user, platforms);
  const [other] = others;
  if (other !== undefined) {
    find("chat-title").textContent = texts.chatWith(other.name);
    const { mountChat } = await import("/dist/chat.js");
    mountChat(find("chat-root"), {
      userId: user.id,
      lang: user.lang,
      recipientId: other.id,
      recipientName: other.name,
      texts,
      time,
      loadHistory: async () => (await api(`/api/messages?with=${other.id}`)).messages,
    });
  }
}

/** Ask until the server answers: it may be starting again just now. */
async function findMe() {
  for (;;) {
    try {
      return await api("/api/me");
    } catch (error) {
      if (error.status !== undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
}

function showLight() {
  const light = find("light");
  const show = () => {
    light.dataset.state = window.ws.state;
    light.textContent = window.ws.isConnected ? texts.connected : texts.away;
    light.hidden = false;
  };
  window.ws.on("*", "state", ({ state }) => (state === "unauthorized" ? signOut() : show()));
  show();
}
