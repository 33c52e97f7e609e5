/**
 * The service worker `/tocsin-sw.js`: shows what is pushed while no tab is open, and takes it back.
 *
 * Answers no fetch, so it slows no page down, and needs no scope of its own: any that no other worker of
 * the site has. What it remembers is kept in the notifications themselves, for a worker is stopped at any time.
 */

import { chooseTab, resolveLink } from "./links.js";
import { type CloseMessage, HAS_WAIT_MS, type WorkerMessage } from "./messages.js";
import { type Kept, readKept, readPush, type ShowPush } from "./payload.js";
import { type ReceiptEvent, sendReceipt } from "./receipt.js";

declare const self: ServiceWorkerGlobalScope;

// Not in TypeScript's library yet: https://notifications.spec.whatwg.org/#dictdef-notificationoptions
type ShowOptions = NotificationOptions & { timestamp?: number; renotify?: boolean };

const { origin } = self.location;
const APPLE = ".push.apple.com";
const GENERIC = { en: ["New notification", "Open the page to see it."], ko: ["새 알림", "페이지를 열어 확인하세요."] };

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("push", (event) => event.waitUntil(receive(textOf(event.data))));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(follow(readKept(event.notification.data)));
});
self.addEventListener("notificationclose", (event) => {
  event.waitUntil(prove(readKept(event.notification.data), "closed"));
});
self.addEventListener("message", (event) => {
  const message = event.data as CloseMessage | null;
  if (message?.type === "tocsin-close") event.waitUntil(inTurn(() => close(message)));
});
self.addEventListener("pushsubscriptionchange", (event) => {
  (event as ExtendableEvent).waitUntil(subscribeAgain(event as Event & { oldSubscription?: PushSubscription }));
});

let turn: Promise<void> = Promise.resolve();

/** Do one thing after the other: a push that takes another back must not overtake it. */
async function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => {});
  await done;
}

async function receive(body: string | undefined): Promise<void> {
  const push = readPush(body);
  await inTurn(() => obey(push));
  if (push?.kind === "show") await prove(push.kept, "shown");
}

async function obey(push: ReturnType<typeof readPush>): Promise<void> {
  if (push === null) {
    const [title, text] = self.navigator.language.startsWith("ko") ? GENERIC.ko : GENERIC.en;
    await self.registration.showNotification(title as string, { body: text as string, tag: "tocsin" });
  } else if (push.kind === "close") {
    await close(push);
    // A push that shows nothing: Apple revokes the permission after a few, Chromium has a small budget for them.
    if (await mustShow()) await flash();
  } else {
    const isKnown = await isOnScreen(push.kept.notification_id);
    if (push.badge !== null) void setBadge(push.badge);
    if (!isKnown || (await mustShow())) await show(push, isKnown);
  }
}

async function show(push: ShowPush, isKnown: boolean): Promise<void> {
  const options: ShowOptions = {
    body: push.body,
    data: { ...push.kept, timestamp: push.timestamp },
    silent: isKnown ? true : null,
    // The same tag again takes the place of what is shown, without another sound.
    ...(push.tag === null ? {} : { tag: push.tag, renotify: false }),
    ...(push.timestamp === null ? {} : { timestamp: push.timestamp }),
    ...(push.lang === null ? {} : { lang: push.lang }),
  };
  const icon = resolveLink(push.icon, origin);
  if (icon !== null) options.icon = icon;
  await self.registration.showNotification(push.title, options);
}

/** Whether the page that the user looks at says that it has the notification. */
async function isOnScreen(id: string | null): Promise<boolean> {
  const page = (await tabs()).find((tab) => tab.focused && tab.visibilityState === "visible");
  if (id === null || page === undefined) return false;
  return await new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data?.has === true);
    // A page without our script never answers.
    setTimeout(() => resolve(false), 2 * HAS_WAIT_MS);
    tell(page, { type: "tocsin-has", id }, [port2]);
  });
}

/** Apple's rule has no exception; others demand nothing while a page of the origin is seen. */
async function mustShow(): Promise<boolean> {
  const subscription = await self.registration.pushManager.getSubscription();
  return subscription !== null && new URL(subscription.endpoint).hostname.endsWith(APPLE);
}

/** Show something and take it back in the same breath. */
async function flash(): Promise<void> {
  await self.registration.showNotification("✓", { tag: "tocsin-closed", silent: true });
  await close({ tags: ["tocsin-closed"] });
}

async function close({ tags = [], before }: Pick<CloseMessage, "tags" | "before">): Promise<void> {
  const limit = before === undefined ? Number.NEGATIVE_INFINITY : Date.parse(before);
  for (const shown of await self.registration.getNotifications()) {
    const { notification_id, timestamp } = (shown.data ?? {}) as { notification_id?: string; timestamp?: number };
    const isNamed = tags.some((tag) => tag === notification_id || (tag !== "" && tag === shown.tag));
    if (isNamed || (timestamp ?? 0) <= limit) shown.close();
  }
}

async function follow(kept: Kept): Promise<void> {
  const link = resolveLink(kept.link, origin);
  const open = await tabs();
  const tab = chooseTab(open, link);
  const proof = prove(kept, "clicked");
  try {
    // Focusing and opening are allowed for a moment after the click: the receipt is not waited for.
    const page = tab === undefined ? await self.clients.openWindow(link ?? origin) : await tab.focus();
    if (page !== null)
      tell(page, { type: "tocsin-click", notification_id: kept.notification_id, link, data: kept.data });
  } finally {
    await proof;
  }
}

async function subscribeAgain({ oldSubscription }: { oldSubscription?: PushSubscription }): Promise<void> {
  // Only a page has the user's token, so only a page can register it: an open one now, else the next.
  try {
    const applicationServerKey = oldSubscription?.options.applicationServerKey ?? null;
    if (applicationServerKey !== null)
      await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  } finally {
    for (const page of await tabs()) tell(page, { type: "tocsin-subscription" });
  }
}

async function prove({ receipt }: Kept, event: ReceiptEvent): Promise<void> {
  await sendReceipt(`${origin}/api/webpush/receipts`, receipt, event);
}

async function tabs(): Promise<readonly WindowClient[]> {
  return await self.clients.matchAll({ type: "window", includeUncontrolled: true });
}

function tell(page: Client, message: WorkerMessage, ports: Transferable[] = []): void {
  page.postMessage(message, ports);
}

async function setBadge(count: number): Promise<void> {
  // Where the site is installed as an app; elsewhere it is missing or refuses.
  await self.navigator.setAppBadge?.(count).catch(() => {});
}

function textOf(data: PushMessageData | null): string | undefined {
  try {
    return data?.text();
  } catch {
    return undefined;
  }
}
