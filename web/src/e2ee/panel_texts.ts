/** What the element of devices and safety numbers says, in English and Korean. */

export interface PanelTexts {
  readonly title: string;
  readonly verified: string;
  readonly unverified: string;
  readonly alone: (name: string) => string;
  readonly number: string;
  readonly compare: (name: string) => string;
  readonly match: string;
  readonly changed: string;
  readonly yours: string;
  readonly theirs: (name: string) => string;
  readonly here: string;
  readonly compared: string;
  readonly unseen: string;
  readonly key: string;
  readonly remove: string;
  readonly removeAsk: (device: string) => string;
  readonly keep: string;
  readonly newTheirs: (name: string) => string;
  readonly newOwn: string;
  readonly numberChanged: string;
  readonly held: string;
  readonly heldOwn: string;
  readonly accept: string;
  readonly look: string;
  readonly turnOff: string;
  readonly turnOffAsk: string;
  readonly turnOffYes: string;
  readonly turnOffNo: string;
  readonly unreachable: string;
}

const ENGLISH: PanelTexts = {
  title: "Encryption",
  verified: "Verified: the safety number was compared.",
  unverified: "Encrypted. The safety number was not compared yet.",
  alone: (name) => `${name} has no device yet that can read encrypted messages.`,
  number: "Safety number",
  compare: (name) => `Compare it with what ${name} sees, face to face or by phone.`,
  match: "The numbers match",
  changed: "The number has changed meanwhile: compare this one.",
  yours: "Your devices",
  theirs: (name) => `Devices of ${name}`,
  here: "this device",
  compared: "verified",
  unseen: "new",
  key: "Key",
  remove: "Remove",
  removeAsk: (device) => `Remove ${device}? It can read nothing that is sent from then on.`,
  keep: "Keep it",
  newTheirs: (name) => `${name} has a new device`,
  newOwn: "You have a new device",
  numberChanged: "The safety number that you compared is another one now.",
  held: "It could read what you send from now on. Nothing is sent until you have looked at it.",
  heldOwn: "If it is not yours, remove it. Nothing is sent until you have looked at it.",
  accept: "I have looked, go on",
  look: "Devices and safety number",
  turnOff: "Turn encryption off",
  turnOffAsk: "The server can read what you write from then on. Turn encryption off?",
  turnOffYes: "Turn off",
  turnOffNo: "Keep it on",
  unreachable: "That can't be done now. Try again.",
};

const KOREAN: PanelTexts = {
  title: "암호화",
  verified: "확인됨: 안전 번호를 비교했습니다.",
  unverified: "암호화되었습니다. 안전 번호는 아직 비교하지 않았습니다.",
  alone: (name) => `${name} 님에게는 암호화된 메시지를 읽을 수 있는 기기가 아직 없습니다.`,
  number: "안전 번호",
  compare: (name) => `직접 만나거나 전화로 ${name} 님 화면의 번호와 비교해 보세요.`,
  match: "번호가 같습니다",
  changed: "그사이 번호가 바뀌었습니다. 이 번호를 비교해 주세요.",
  yours: "내 기기",
  theirs: (name) => `${name} 님의 기기`,
  here: "이 기기",
  compared: "확인됨",
  unseen: "새 기기",
  key: "키",
  remove: "제거",
  removeAsk: (device) => `${device} 기기를 제거할까요? 그 뒤에 보낸 메시지는 읽을 수 없게 됩니다.`,
  keep: "그대로 두기",
  newTheirs: (name) => `${name} 님에게 새 기기가 생겼습니다`,
  newOwn: "내 계정에 새 기기가 생겼습니다",
  numberChanged: "비교했던 안전 번호가 바뀌었습니다.",
  held: "이제부터 보내는 메시지를 이 기기에서 읽을 수 있습니다. 확인하기 전에는 아무것도 보내지 않습니다.",
  heldOwn: "내 기기가 아니라면 제거해 주세요. 확인하기 전에는 아무것도 보내지 않습니다.",
  accept: "확인했습니다, 계속하기",
  look: "기기와 안전 번호",
  turnOff: "암호화 끄기",
  turnOffAsk: "그 뒤에 쓰는 메시지는 서버에서 읽을 수 있습니다. 암호화를 끌까요?",
  turnOffYes: "끄기",
  turnOffNo: "계속 사용",
  unreachable: "지금은 할 수 없습니다. 다시 시도해 주세요.",
};

/** The texts of a language tag; English where there are none in it. */
export function panelTexts(lang: string): PanelTexts {
  return /^ko\b/i.test(lang) ? KOREAN : ENGLISH;
}
