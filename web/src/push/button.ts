/**
 * `<tocsin-push-button>`: a button that turns notifications on and off.
 *
 * The class alone; `/js/push.js` defines the element. Its style goes by parts (`button`, `icon`, `label`, `hint`) and
 * custom properties (`--tocsin-push-…`), and is a constructed sheet: a page's policy needs no `unsafe-inline`.
 */

import { TocsinError } from "../client/problem.js";
import { STYLE } from "./button_style.js";
import type { PushState, PushSubscriber } from "./subscriber.js";
import { isKorean, type Texts, textsOf } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const BELL = "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4";
const STRUCK = "M4 4l16 16";

// A framework may import this where there is no page.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** Shows and changes the state of `subscriber`, or of `window.tocsinPush` when none is set. */
export class TocsinPushButton extends Base {
  static readonly observedAttributes = ["lang"];

  private readonly button = document.createElement("button");
  private readonly label = part("span", "label");
  private readonly hint = part("span", "hint");
  private readonly strike = document.createElementNS(SVG, "path");
  private own: PushSubscriber | undefined;
  private failure: unknown = null;
  private unwatch: (() => void) | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.button.type = "button";
    this.button.setAttribute("part", "button");
    this.button.setAttribute("aria-describedby", "hint");
    this.button.addEventListener("click", () => void this.press());
    this.hint.id = "hint";
    // Told by a screen reader as soon as it appears.
    this.hint.setAttribute("role", "status");
    this.button.append(this.icon(), this.label);
    root.append(this.button, this.hint);
  }

  get subscriber(): PushSubscriber | undefined {
    return this.own ?? (globalThis as { tocsinPush?: PushSubscriber }).tocsinPush;
  }

  set subscriber(subscriber: PushSubscriber | undefined) {
    this.own = subscriber;
    if (this.isConnected) this.connectedCallback();
  }

  connectedCallback(): void {
    this.unwatch?.();
    this.unwatch = this.subscriber?.on("change", () => this.render());
    this.render();
  }

  disconnectedCallback(): void {
    this.unwatch?.();
    this.unwatch = undefined;
  }

  attributeChangedCallback(): void {
    this.render();
  }

  private get state(): PushState {
    return this.subscriber?.state ?? "unsupported";
  }

  private async press(): Promise<void> {
    const { subscriber, state } = this;
    if (subscriber === undefined || (state !== "on" && state !== "off")) return;
    this.failure = null;
    try {
      await (state === "on" ? subscriber.disable() : subscriber.enable());
    } catch (error) {
      this.failure = error;
    }
    this.render();
  }

  private render(): void {
    const { state } = this;
    const lang = this.closest<HTMLElement>("[lang]")?.lang || navigator.language;
    const texts = textsOf(lang);
    const isFixed = state === "denied" || state === "unsupported";
    this.dataset.state = state;
    this.button.lang = this.hint.lang = isKorean(lang) ? "ko" : "en";
    this.label.textContent = texts.labels[state];
    this.hint.textContent = this.explain(state, texts);
    this.hint.hidden = this.hint.textContent === "";
    this.button.setAttribute("aria-pressed", String(state === "on"));
    this.button.setAttribute("aria-busy", String(state === "busy"));
    // Not `disabled`: that takes the focus away, and keeps the explanation from who goes by keyboard.
    this.button.setAttribute("aria-disabled", String(isFixed || state === "busy"));
    this.strike.toggleAttribute("hidden", !isFixed);
  }

  private explain(state: PushState, texts: Texts): string {
    if (state === "denied") return texts.denied;
    if (state === "unsupported") return needsInstalling() ? texts.install : texts.unsupported;
    if (state === "busy" || this.failure === null) return "";
    const isSignedOut = this.failure instanceof TocsinError && this.failure.code === "unauthenticated";
    return isSignedOut ? texts.signIn : texts.failed;
  }

  private icon(): SVGElement {
    const svg = document.createElementNS(SVG, "svg");
    const bell = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("part", "icon");
    svg.setAttribute("aria-hidden", "true");
    bell.setAttribute("d", BELL);
    this.strike.setAttribute("d", STRUCK);
    svg.append(bell, this.strike);
    return svg;
  }
}

function part(tag: string, name: string): HTMLElement {
  const element = document.createElement(tag);
  element.setAttribute("part", name);
  return element;
}

/** iPadOS calls itself a Mac, but no Mac has a touch screen. */
function needsInstalling(): boolean {
  const { userAgent, maxTouchPoints } = navigator;
  return /iPhone|iPad/.test(userAgent) || (userAgent.includes("Macintosh") && maxTouchPoints > 1);
}
