// @vitest-environment happy-dom

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Peer } from "./peer.js";

const TOKEN = `e30.${Buffer.from('{"sub":"7"}').toString("base64url")}.c2ln`;

let peer: Peer;

beforeEach(async () => {
  peer = await Peer.start();
  vi.resetModules();
  localStorage.clear();
  (window as unknown as { happyDOM: { setURL(url: string): void } }).happyDOM.setURL(`${peer.url}/`);
});
afterEach(async () => {
  window.ws.disconnect();
  await peer.stop();
});

const load = () => import("../../src/client/browser.js");
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 25_000, interval: 5 });

describe("/js/websocket.js", () => {
  it("gives the page window.ws and WebSocketClient", async () => {
    await load();

    expect(window.ws).toBeInstanceOf(window.WebSocketClient);
    expect(window.ws.isConnected).toBe(false);
    expect(Object.keys(window.ws.sockets)).toEqual(["sns", "orders", "chat", "notifications"]);
  });

  it("connects by itself when somebody is signed in", async () => {
    localStorage.setItem("auth_token", TOKEN);
    await load();
    await until(() => window.ws.isConnected);

    expect(peer.connects.map(({ auth }) => auth.token)).toEqual([TOKEN, TOKEN, TOKEN, TOKEN]);
  });

  it("stays away when nobody is signed in", async () => {
    await load();

    expect(window.ws.state).toBe("disconnected");
  });

  it("leaves a Socket.IO that the page has loaded alone", async () => {
    const io = () => {};
    Object.assign(window, { io });
    await load();

    expect((window as unknown as { io: unknown }).io).toBe(io);
  });

  it("lets the page put a client of its own in place, as the guide does", async () => {
    localStorage.setItem("auth_token", TOKEN);
    await load();
    const first = window.ws;
    await until(() => first.isConnected);
    window.ws = new window.WebSocketClient();
    await until(() => window.ws.isConnected);

    expect(window.ws).not.toBe(first);
    expect(first.state).toBe("disconnected");
  });

  it("runs the guide's bell, with text as text", async () => {
    localStorage.setItem("auth_token", TOKEN);
    document.body.innerHTML = '<span id="unread-count">0</span><div id="notification-list"></div>';
    await load();
    let unreadCount = 0;
    window.ws.connect();
    window.ws.on("notifications", "notification", (data) => {
      const item = document.createElement("div");
      item.textContent = data.title;
      document.getElementById("notification-list")?.append(item);
      unreadCount++;
      (document.getElementById("unread-count") as HTMLElement).textContent = String(unreadCount);
    });
    await until(() => window.ws.isConnected);
    peer.publish("notifications", "notification", { title: "<img src=x onerror=alert(1)>" });
    await until(() => unreadCount === 1);

    expect(document.getElementById("notification-list")?.textContent).toBe("<img src=x onerror=alert(1)>");
    expect(document.querySelector("img")).toBeNull();
  });

  it("writes the cursor and acknowledges when the page is hidden", async () => {
    localStorage.setItem("auth_token", TOKEN);
    await load();
    await until(() => window.ws.isConnected);
    peer.publish("orders", "order_updated");
    await until(() => window.ws.lastSeq("orders") === 1);
    window.dispatchEvent(new Event("pagehide"));

    expect(JSON.parse(localStorage.getItem("tocsin:cursor::7:orders") ?? "null")).toEqual({ epoch: "e1", seq: 1 });
    await until(() => peer.heard.length > 0);
    expect(peer.heard).toEqual([["orders", "ack", { seq: 1 }]]);
  });

  it("comes back at once when the network does", async () => {
    localStorage.setItem("auth_token", TOKEN);
    await load();
    await until(() => window.ws.isConnected);
    const states: string[] = [];
    window.ws.on("*", "state", ({ state }) => {
      states.push(state);
      if (state === "waiting") window.dispatchEvent(new Event("online"));
    });
    peer.cut();
    await until(() => window.ws.isConnected && states.length > 0);

    expect(states.slice(0, 2)).toEqual(["waiting", "connecting"]);
  });
});
