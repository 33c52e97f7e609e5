/** The parts of the chat's element, made once. */

import { part } from "./rows.js";
import type { Conversation } from "./state.js";
import { STYLE } from "./style.js";
import { type Texts, tellPresence } from "./texts.js";

/** What is shown beside the conversation's state. */
export interface Shown {
  readonly texts: Texts;
  readonly lang: string;
  readonly name: string;
  readonly isLoaded: boolean;
  readonly isEditing: boolean;
  readonly takesFiles: boolean;
}

export class Frame {
  readonly head = part("header", "head");
  readonly name = part("span", "name");
  readonly presence = part("span", "presence");
  readonly lock = part("button", "lock") as HTMLButtonElement;
  readonly block = part("button", "block") as HTMLButtonElement;
  /** Holds what encryption tells of devices. */
  readonly encryption = part("div", "encryption");
  readonly list = part("div", "messages");
  readonly empty = document.createElement("p");
  /** Asks how to go on where others have encrypted. */
  readonly notice = part("div", "notice");
  readonly encrypt = document.createElement("button");
  readonly writeClear = document.createElement("button");
  readonly status = part("p", "status");
  readonly form = document.createElement("form");
  readonly input = document.createElement("textarea");
  readonly attach = document.createElement("button");
  readonly picker = document.createElement("input");
  readonly send = document.createElement("button");
  readonly cancel = document.createElement("button");
  private readonly question = document.createElement("p");

  constructor(root: ShadowRoot) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.presence.setAttribute("role", "status");
    this.status.setAttribute("role", "status");
    this.list.setAttribute("role", "log");
    // Whoever has no mouse scrolls it by the arrow keys.
    this.list.tabIndex = 0;
    this.empty.className = "empty";
    this.list.append(this.empty);
    this.notice.append(this.question, this.encrypt, this.writeClear);
    this.input.rows = 1;
    this.input.maxLength = 8000;
    this.input.dir = "auto";
    for (const plain of [this.cancel, this.attach, this.lock, this.block, this.encrypt, this.writeClear])
      plain.type = "button";
    this.cancel.className = this.attach.className = "plain";
    this.attach.textContent = "＋";
    this.picker.type = "file";
    this.picker.hidden = true;
    this.attach.addEventListener("click", () => this.picker.click());
    this.encryption.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || this.lock.getAttribute("aria-expanded") !== "true") return;
      this.lock.click();
      this.lock.focus();
    });
    this.form.append(this.picker, this.attach, this.input, this.cancel, this.send);
    this.head.append(this.name, this.presence, this.lock, this.block);
    root.append(this.head, this.encryption, this.list, this.notice, this.status, this.form);
  }

  /** Show all but the messages and the status line. */
  show(state: Conversation, { texts, lang, name, isLoaded, isEditing, takesFiles }: Shown): void {
    this.name.textContent = name;
    this.presence.classList.toggle("online", state.isOnline === true);
    this.presence.textContent = tellPresence(state, texts, lang);
    this.block.textContent = state.isBlocked ? texts.unblock : texts.block;
    this.block.hidden = !isLoaded;
    this.list.setAttribute("aria-label", texts.chatWith(name));
    this.empty.textContent = isLoaded ? texts.empty : "";
    this.empty.hidden = state.messages.length + state.pending.length > 0;
    this.question.textContent = texts.isSealed;
    this.encrypt.textContent = texts.encrypt;
    this.writeClear.textContent = texts.writeClear;
    this.input.placeholder = texts.messageTo(name);
    this.input.setAttribute("aria-label", texts.messageTo(name));
    this.send.textContent = isEditing ? texts.save : texts.send;
    this.cancel.textContent = texts.cancel;
    this.cancel.hidden = !isEditing;
    this.attach.hidden = !takesFiles || isEditing;
    this.attach.title = texts.attach;
    this.attach.setAttribute("aria-label", texts.attach);
  }
}
