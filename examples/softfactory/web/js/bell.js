/** The guide's notification bell. It shows the inbox and keeps it right by the events of `/notifications`. */

import { el } from "./element.js";
import { api } from "./session.js";
import { texts } from "./texts.js";

const find = (id) => document.getElementById(id);

/** Newest first; what the list says is true up to the event `seq`. */
let inbox = { notifications: [], unread_count: 0, seq: 0 };
let loading;
let isLoaded = false;

export function startBell() {
  reload();
  // Events that come before the list wait for it: those that are in it already are then known by their seq.
  const on = (event, handle) =>
    window.ws.on(
      "notifications",
      event,
      (data) => void loading.then(() => data.seq > inbox.seq && handle(data)).then(draw),
    );
  on("notification", arrived);
  on("notification_read", wasRead);
  on("notification_deleted", wasDeleted);
  window.ws.on("*", "resync", reload);
  window.ws.on("*", "state", ({ state }) => state === "connected" && !isLoaded && reload());

  find("notification-bell").hidden = false;
  find("bell-button").addEventListener("click", () => toggleNotifications());
  find("read-all").addEventListener("click", () => void api("/api/notifications/read-all", { method: "POST" }));
  find("notification-bell").addEventListener("keydown", ({ key }) => key === "Escape" && toggleNotifications(false));
  document.addEventListener("pointerdown", ({ target }) => {
    const isOpen = !find("notification-panel").hidden;
    if (isOpen && !find("notification-bell").contains(target)) toggleNotifications(false);
  });
}

function reload() {
  // A server that is away now is asked again when it is back.
  loading = load().catch(() => {});
  void loading.then(draw);
}

async function load() {
  isLoaded = false;
  inbox = await api("/api/notifications?limit=50");
  isLoaded = true;
}

function arrived(data) {
  inbox = {
    seq: data.seq,
    notifications: [data, ...inbox.notifications],
    unread_count: inbox.unread_count + 1,
  };
  playNotificationSound();
}

function wasRead(data) {
  const known = inbox.notifications.find((one) => one.id === data.id);
  // What is beyond the page of the list has a part in the count, too.
  if (data.all || known === undefined) return reload();
  replace(data.seq, known, known.read ? 0 : -1, { ...known, read: true });
}

function wasDeleted(data) {
  const known = inbox.notifications.find((one) => one.id === data.id);
  if (known === undefined) return reload();
  replace(data.seq, known, known.read ? 0 : -1);
}

function replace(seq, known, unreadMore, ...others) {
  const notifications = inbox.notifications.flatMap((one) => (one === known ? others : [one]));
  inbox = { seq, notifications, unread_count: inbox.unread_count + unreadMore };
}

function draw() {
  const list = find("notification-list");
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(...inbox.notifications.slice(0, 50).map(notificationItem));
  find("no-notifications").hidden = inbox.notifications.length > 0;
  updateBadge();
  // The pressed button is gone: whoever uses the keyboard stays in the panel.
  if (hadFocus) find("notification-panel").focus();
}

function notificationItem(notification) {
  const path = `/api/notifications/${notification.id}`;
  return el(
    "li",
    { class: notification.read ? "notification-item" : "notification-item unread" },
    el(
      "div",
      {},
      el("strong", { dir: "auto" }, notification.title),
      el("p", { dir: "auto" }, notification.message),
      el("small", {}, new Date(notification.timestamp).toLocaleString(document.documentElement.lang)),
    ),
    !notification.read && iconButton("✓", texts.read(notification.title), () => api(`${path}/read`, { method: "PUT" })),
    iconButton("✕", texts.remove(notification.title), () => api(path, { method: "DELETE" })),
  );
}

function iconButton(sign, label, press) {
  const attributes = { class: "button small", type: "button", "aria-label": label, title: label };
  return el("button", { ...attributes, onclick: () => void press() }, sign);
}

function updateBadge() {
  const badge = find("unread-count");
  const unreadCount = inbox.unread_count;
  badge.textContent = unreadCount > 99 ? "99+" : String(unreadCount);
  badge.hidden = unreadCount === 0;
  find("bell-button").setAttribute("aria-label", texts.unread(unreadCount));
  find("notification-panel").setAttribute("aria-label", texts.notifications);
  find("read-all").disabled = unreadCount === 0;
}

function toggleNotifications(open = find("notification-panel").hidden) {
  find("notification-panel").hidden = !open;
  find("bell-button").setAttribute("aria-expanded", String(open));
  (open ? find("notification-panel") : find("bell-button")).focus();
}

function playNotificationSound() {
  // A browser plays nothing before the visitor's first click, and some have no MP3: the bell works without.
  new Audio("/sounds/notification.mp3").play().catch(() => {});
}
