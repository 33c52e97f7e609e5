/** The way out where the keys in this browser can't be opened: what asks before this device is given up. */

import type { WebSocketClient } from "../client/client.js";
import { type EncryptionOptions, resetDevice } from "./encryption.js";
import { PANEL_STYLE } from "./panel_style.js";
import { button, element } from "./parts.js";

const TEXTS = {
  en: {
    help: "Reload the page first. If that does not help, reset this device: it gets new keys.",
    reset: "Reset this device",
    ask: "Nothing that was encrypted until now can be read in this browser any more, and everybody you write to is told of a new device. Reset it?",
    yes: "Reset",
    no: "Keep the keys",
    failed: "That can't be done now. Try again.",
  },
  ko: {
    help: "먼저 페이지를 새로고침해 주세요. 그래도 안 되면 이 기기를 초기화해 새 키를 만들 수 있습니다.",
    reset: "이 기기 초기화",
    ask: "지금까지 암호화된 메시지는 이 브라우저에서 더 이상 읽을 수 없고, 대화 상대에게 새 기기가 생겼다고 표시됩니다. 초기화할까요?",
    yes: "초기화",
    no: "키 유지",
    failed: "지금은 할 수 없습니다. 다시 시도해 주세요.",
  },
} as const;

/** What a user can do against a failure, by its `code`: an element, or null where there is nothing; `onDone` begins anew. */
export function remedyFor(
  code: string,
  client: Pick<WebSocketClient, "getToken">,
  { lang, onDone, ...options }: Pick<EncryptionOptions, "url"> & { lang: string; onDone: () => void },
): HTMLElement | null {
  if (code !== "keys_unreadable") return null;
  const texts = TEXTS[/^ko\b/i.test(lang) ? "ko" : "en"];
  const host = document.createElement("section");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(PANEL_STYLE);
  const box = element("div", { className: "warning" });
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  root.append(box);
  const say = (text: string, ...buttons: HTMLButtonElement[]) => {
    const row = element("div", { className: "row" }, ...buttons);
    const hadFocus = root.activeElement !== null;
    box.replaceChildren(element("p", {}, text), row);
    if (hadFocus) buttons.at(-1)?.focus();
  };
  const begin = (text: string) => say(text, button("reset", texts.reset, ask));
  const ask = () =>
    say(
      texts.ask,
      button("yes", texts.yes, () => void resetDevice(client, options).then(onDone, () => begin(texts.failed))),
      button("no", texts.no, () => begin(texts.help), "main"),
    );
  box.setAttribute("role", "status");
  begin(texts.help);
  return host;
}
