/** What people are told of a message that has no text to show. */

/**
 * Why there is no text:
 * `before_device` it was sent before this device was added, `no_key` its key has not arrived (yet),
 * `withheld` its sender has kept the key from this device, `altered` nobody has sealed it like this,
 * `replayed` it was sent once and stands here a second time, `unknown_sender` it is not from whom the
 * server says, `malformed` it was sealed well and is no message.
 */
export type Reason = "before_device" | "no_key" | "withheld" | "altered" | "replayed" | "unknown_sender" | "malformed";

const ENGLISH: Readonly<Record<Reason, string>> = {
  before_device: "Sent before this device was added: it can't be read here.",
  no_key: "The key of this message has not arrived on this device.",
  withheld: "The sender has not sent this message to this device.",
  altered: "Refused: this message was altered on its way.",
  replayed: "Refused: this is a copy of an earlier message.",
  unknown_sender: "Refused: nobody knows who has written this message.",
  malformed: "Refused: this is not a message.",
};

const KOREAN: Readonly<Record<Reason, string>> = {
  before_device: "이 기기를 추가하기 전에 보낸 메시지라서 여기에서는 읽을 수 없습니다.",
  no_key: "이 메시지의 키가 아직 이 기기에 도착하지 않았습니다.",
  withheld: "보낸 사람이 이 기기에는 이 메시지를 보내지 않았습니다.",
  altered: "거부됨: 전송 도중 변경된 메시지입니다.",
  replayed: "거부됨: 이전 메시지의 복사본입니다.",
  unknown_sender: "거부됨: 누가 보낸 메시지인지 알 수 없습니다.",
  malformed: "거부됨: 메시지가 아닙니다.",
};

/** The reason in words, in English or Korean. */
export function explain(reason: Reason, language = "en"): string {
  return (language.toLowerCase().startsWith("ko") ? KOREAN : ENGLISH)[reason];
}

const FAILURES: Readonly<Record<string, readonly [english: string, korean: string]>> = {
  unsupported: [
    "Encryption needs a page that came by https, and a browser that stores keys.",
    "암호화에는 https로 연 페이지와 키를 저장할 수 있는 브라우저가 필요합니다.",
  ],
  in_use: [
    "Encryption is open in another tab of this browser. It goes on here when that is closed.",
    "이 브라우저의 다른 탭에서 암호화를 사용 중입니다. 그 탭을 닫으면 여기에서 이어집니다.",
  ],
  no_devices: [
    "Not sent: the other has no device yet that can read encrypted messages.",
    "보내지 않음: 상대방에게 암호화된 메시지를 읽을 수 있는 기기가 아직 없습니다.",
  ],
  key_changed: ["Not sent: look at the new device first.", "보내지 않음: 먼저 새 기기를 확인해 주세요."],
  conflict: [
    "You have as many devices as there can be. Remove one first.",
    "등록할 수 있는 기기 수를 넘었습니다. 먼저 기기 하나를 제거해 주세요.",
  ],
  keys_unreadable: ["The keys in this browser can't be opened.", "이 브라우저에 저장된 키를 열 수 없습니다."],
  not_found: [
    "This device was removed. Reload to add it as a new one.",
    "이 기기는 제거되었습니다. 새로고침하면 새 기기로 추가됩니다.",
  ],
  user_changed: ["Somebody else has signed in.", "다른 사용자가 로그인했습니다."],
};
const OTHER = ["Encryption can't be used here now.", "지금은 여기에서 암호화를 사용할 수 없습니다."] as const;

/** Why encryption, or sending, did not work: of the `code` of a TocsinError, in English or Korean. */
export function explainFailure(code: string, language = "en"): string {
  const [english, korean] = FAILURES[code] ?? OTHER;
  return language.toLowerCase().startsWith("ko") ? korean : english;
}
