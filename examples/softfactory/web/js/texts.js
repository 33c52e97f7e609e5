/** The page's own words in the user's language. */

const TEXTS = {
  en: {
    notifications: "Notifications",
    unread: (count) => `Notifications, ${count} unread`,
    readAll: "Mark all read",
    read: (title) => `Mark as read: ${title}`,
    remove: (title) => `Delete: ${title}`,
    noNotifications: "Nothing here yet.",
    signOut: "Sign out",
    connected: "Live",
    away: "Connecting…",
    orders: "Orders",
    item: "Item",
    order: "Order",
    advance: "Next step",
    advanceOf: (item) => `Next step of ${item}`,
    steps: ["Placed", "Packed", "Shipped", "Out for delivery", "Delivered"],
    posts: "Posts",
    writePost: "What is new?",
    publish: "Publish",
    platforms: "Platforms",
    publishing: (platforms) => `Publishing to ${platforms} …`,
    published: (platforms) => `Published to ${platforms}`,
    failed: (reason) => `Not published. ${reason}`,
    like: (count) => `♥ ${count}`,
    likeOf: (text, count) => `Like “${text}”, ${count} so far`,
    comment: "Comment",
    chatWith: (name) => `Chat with ${name}`,
    messageTo: (name) => `Message to ${name}`,
    typing: (name) => `${name} is typing…`,
    send: "Send",
    sending: "sending",
    sent: "sent",
    delivered: "delivered",
    seen: "read",
    edited: "edited",
    sealed: "🔒 Encrypted message",
    deleted: "This message was taken back",
    edit: "Edit",
    takeBack: "Take back",
    save: "Save",
    online: "online",
    offline: "offline",
    notSent: "not sent",
  },
  ko: {
    notifications: "알림",
    unread: (count) => `알림, 읽지 않음 ${count}개`,
    readAll: "모두 읽음",
    read: (title) => `읽음으로 표시: ${title}`,
    remove: (title) => `삭제: ${title}`,
    noNotifications: "아직 알림이 없습니다.",
    signOut: "로그아웃",
    connected: "연결됨",
    away: "연결 중…",
    orders: "주문",
    item: "상품",
    order: "주문하기",
    advance: "다음 단계",
    advanceOf: (item) => `다음 단계: ${item}`,
    steps: ["주문 접수", "포장 완료", "발송", "배송 중", "배송 완료"],
    posts: "게시물",
    writePost: "무슨 소식이 있나요?",
    publish: "게시",
    platforms: "플랫폼",
    publishing: (platforms) => `${platforms}에 게시하는 중…`,
    published: (platforms) => `${platforms}에 게시됨`,
    failed: (reason) => `게시하지 못했습니다. ${reason}`,
    like: (count) => `♥ ${count}`,
    likeOf: (text, count) => `“${text}” 좋아요, 지금까지 ${count}개`,
    comment: "댓글",
    chatWith: (name) => `${name} 님과의 대화`,
    messageTo: (name) => `${name} 님에게 메시지`,
    typing: (name) => `${name} 님이 입력 중…`,
    send: "보내기",
    sending: "보내는 중",
    sent: "보냄",
    delivered: "전달됨",
    seen: "읽음",
    edited: "수정됨",
    sealed: "🔒 암호화된 메시지",
    deleted: "삭제된 메시지입니다",
    edit: "수정",
    takeBack: "삭제",
    save: "저장",
    online: "온라인",
    offline: "오프라인",
    notSent: "보내지 못함",
  },
};

export let texts = TEXTS.en;

/** Speak a language from now on, also where the page is written in HTML. */
export function speak(lang) {
  texts = TEXTS[lang] ?? TEXTS.en;
  document.documentElement.lang = lang;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = texts[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", texts[element.dataset.label]);
    element.setAttribute("placeholder", texts[element.dataset.label]);
  }
}

export const time = (timestamp) =>
  new Date(timestamp).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
