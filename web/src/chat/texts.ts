/** What the chat says, in English and Korean. */

import type { Conversation } from "./state.js";

export interface Texts {
  readonly chatWith: (name: string) => string;
  readonly messageTo: (name: string) => string;
  readonly typing: (name: string) => string;
  readonly lastSeen: (when: string) => string;
  readonly online: string;
  readonly offline: string;
  readonly send: string;
  readonly save: string;
  readonly cancel: string;
  readonly editing: string;
  readonly edit: string;
  readonly takeBack: string;
  readonly again: string;
  readonly sending: string;
  readonly failed: string;
  readonly sent: string;
  readonly delivered: string;
  readonly read: string;
  readonly edited: string;
  readonly deleted: string;
  readonly sealed: string;
  readonly encrypted: string;
  readonly clear: string;
  readonly unknownDevice: string;
  readonly lockOff: string;
  readonly lockOn: string;
  readonly lockOffName: string;
  readonly lockOnName: string;
  readonly opening: string;
  readonly isSealed: string;
  readonly encrypt: string;
  readonly writeClear: string;
  readonly held: string;
  readonly notLoaded: string;
  readonly empty: string;
  readonly block: string;
  readonly unblock: string;
  readonly attach: string;
  readonly notAttached: string;
  readonly blocked: string;
  readonly refused: string;
  readonly unreachable: string;
  readonly notDone: string;
  readonly signIn: string;
}

const ENGLISH: Texts = {
  chatWith: (name) => `Chat with ${name}`,
  messageTo: (name) => `Message to ${name}`,
  typing: (name) => `${name} is typing…`,
  lastSeen: (when) => `last seen ${when}`,
  online: "online",
  offline: "offline",
  send: "Send",
  save: "Save",
  cancel: "Cancel",
  editing: "Editing a message",
  edit: "Edit",
  takeBack: "Take back",
  again: "Try again",
  sending: "sending",
  failed: "not sent",
  sent: "sent",
  delivered: "delivered",
  read: "read",
  edited: "edited",
  deleted: "This message was taken back",
  sealed: "🔒 Encrypted message",
  encrypted: "encrypted",
  clear: "not encrypted",
  unknownDevice: "from a device that nobody has looked at",
  lockOff: "🔓 Encrypt",
  lockOn: "🔒 Encrypted",
  lockOffName: "Not encrypted: turn encryption on",
  lockOnName: "Encrypted: devices, safety number, turn off",
  opening: "Encryption is being loaded…",
  isSealed: "This conversation is encrypted.",
  encrypt: "Turn encryption on",
  writeClear: "Write without encryption",
  held: "Look at the new device first.",
  notLoaded: "Encryption could not be loaded.",
  empty: "No messages yet. Say hello!",
  block: "Block",
  unblock: "Unblock",
  attach: "Attach a file",
  notAttached: "The file could not be sent.",
  blocked: "You have blocked this person.",
  refused: "This person takes no messages from you.",
  unreachable: "The messages can't be loaded now. They come as soon as they can.",
  notDone: "That did not work. Try again.",
  signIn: "Sign in first.",
};

const KOREAN: Texts = {
  chatWith: (name) => `${name} 님과의 대화`,
  messageTo: (name) => `${name} 님에게 메시지`,
  typing: (name) => `${name} 님이 입력 중…`,
  lastSeen: (when) => `마지막 접속 ${when}`,
  online: "온라인",
  offline: "오프라인",
  send: "보내기",
  save: "저장",
  cancel: "취소",
  editing: "메시지 수정 중",
  edit: "수정",
  takeBack: "삭제",
  again: "다시 보내기",
  sending: "보내는 중",
  failed: "보내지 못함",
  sent: "보냄",
  delivered: "전달됨",
  read: "읽음",
  edited: "수정됨",
  deleted: "삭제된 메시지입니다",
  sealed: "🔒 암호화된 메시지",
  encrypted: "암호화됨",
  clear: "암호화되지 않음",
  unknownDevice: "확인하지 않은 기기에서 보냄",
  lockOff: "🔓 암호화하기",
  lockOn: "🔒 암호화됨",
  lockOffName: "암호화되지 않음: 암호화 켜기",
  lockOnName: "암호화됨: 기기, 안전 번호, 끄기",
  opening: "암호화를 불러오는 중…",
  isSealed: "암호화된 대화입니다.",
  encrypt: "암호화 켜기",
  writeClear: "암호화하지 않고 쓰기",
  held: "먼저 새 기기를 확인해 주세요.",
  notLoaded: "암호화를 불러오지 못했습니다.",
  empty: "아직 메시지가 없습니다. 인사를 건네 보세요!",
  block: "차단",
  unblock: "차단 해제",
  attach: "파일 첨부",
  notAttached: "파일을 보내지 못했습니다.",
  blocked: "차단한 사용자입니다.",
  refused: "이 사용자에게는 메시지를 보낼 수 없습니다.",
  unreachable: "지금은 메시지를 불러올 수 없습니다. 곧 다시 시도합니다.",
  notDone: "처리하지 못했습니다. 다시 시도해 주세요.",
  signIn: "먼저 로그인해 주세요.",
};

/** The texts of a language tag; English where there are none in it. */
export function textsOf(lang: string): Texts {
  return isKorean(lang) ? KOREAN : ENGLISH;
}

export function isKorean(lang: string): boolean {
  return /^ko\b/i.test(lang);
}

/** Whether somebody is there, or when they were; empty while nobody knows. */
export function tellPresence(
  { isOnline, lastSeenAt }: Pick<Conversation, "isOnline" | "lastSeenAt">,
  texts: Texts,
  lang: string,
): string {
  if (isOnline === null) return "";
  if (isOnline) return texts.online;
  if (lastSeenAt === null) return texts.offline;
  return texts.lastSeen(new Date(lastSeenAt).toLocaleString(lang, { dateStyle: "short", timeStyle: "short" }));
}

/** The line below the messages: a block, else what is wrong or being done, else whether the other is writing. */
export function tellStatus(
  { isBlocked, isTyping }: Pick<Conversation, "isBlocked" | "isTyping">,
  told: string,
  texts: Texts,
  name: string,
): string {
  if (isBlocked) return texts.blocked;
  if (told !== "") return told;
  return isTyping ? texts.typing(name) : "";
}
