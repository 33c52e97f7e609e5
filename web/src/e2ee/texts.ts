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
