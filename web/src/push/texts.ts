/** What the button says, in English and Korean. */

import type { PushState } from "./subscriber.js";

export interface Texts {
  readonly labels: Readonly<Record<PushState, string>>;
  readonly denied: string;
  readonly unsupported: string;
  /** iOS and iPadOS show notifications of installed sites only. */
  readonly install: string;
  readonly signIn: string;
  readonly failed: string;
}

const ENGLISH: Texts = {
  labels: {
    unsupported: "Notifications unavailable",
    denied: "Notifications blocked",
    off: "Turn on notifications",
    on: "Notifications on",
    busy: "One moment…",
  },
  denied: "They are blocked for this site. Allow them in the browser's site settings.",
  unsupported: "This browser can't show notifications while the page is closed.",
  install: "First add this page to the Home Screen (Share, then Add to Home Screen) and open it from there.",
  signIn: "Sign in first.",
  failed: "That did not work. Please try again.",
};

const KOREAN: Texts = {
  labels: {
    unsupported: "알림을 사용할 수 없음",
    denied: "알림이 차단됨",
    off: "알림 켜기",
    on: "알림 켜짐",
    busy: "잠시만요…",
  },
  denied: "이 사이트의 알림이 차단되어 있습니다. 브라우저의 사이트 설정에서 허용해 주세요.",
  unsupported: "이 브라우저는 페이지가 닫혀 있을 때 알림을 표시할 수 없습니다.",
  install: "먼저 공유 메뉴에서 ‘홈 화면에 추가’를 누른 다음, 홈 화면에서 열어 주세요.",
  signIn: "먼저 로그인해 주세요.",
  failed: "문제가 생겼습니다. 다시 시도해 주세요.",
};

/** The texts of a language tag; English where there are none in it. */
export function textsOf(lang: string): Texts {
  return isKorean(lang) ? KOREAN : ENGLISH;
}

export function isKorean(lang: string): boolean {
  return /^ko\b/i.test(lang);
}
