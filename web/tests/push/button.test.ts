// @vitest-environment happy-dom

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TocsinPushButton } from "../../src/push/button.js";
import { PushSubscriber } from "../../src/push/subscriber.js";
import { token } from "../client/clients.js";
import { FakeClient, PushBrowser } from "./push_browser.js";

customElements.define("tocsin-push-button", TocsinPushButton);

let browser: PushBrowser;
let client: FakeClient;

beforeEach(() => {
  localStorage.clear();
  browser = new PushBrowser();
  browser.install();
  client = new FakeClient();
  client.token = token("mina");
});
afterEach(() => {
  document.body.replaceChildren();
  browser.remove();
});

function show(lang = "en") {
  const element = new TocsinPushButton();
  element.lang = lang;
  element.subscriber = new PushSubscriber({ client: () => client.typed });
  document.body.append(element);
  const root = element.shadowRoot as ShadowRoot;
  const button = root.querySelector("button") as HTMLButtonElement;
  const look = () => ({
    label: root.querySelector("[part=label]")?.textContent,
    hint: root.querySelector("[part=hint]")?.textContent,
    pressed: button.getAttribute("aria-pressed"),
    disabled: button.getAttribute("aria-disabled"),
  });
  return { element, button, look };
}

describe("<tocsin-push-button>", () => {
  it("turns notifications on and off, and says which", async () => {
    const { element, button, look } = show();
    expect(look()).toEqual({ label: "Turn on notifications", hint: "", pressed: "false", disabled: "false" });

    button.click();
    expect(look()).toEqual({ label: "One moment…", hint: "", pressed: "false", disabled: "true" });
    await expect.poll(look).toEqual({ label: "Notifications on", hint: "", pressed: "true", disabled: "false" });
    expect(element.dataset.state).toBe("on");

    button.click();
    await expect.poll(look).toEqual({ label: "Turn on notifications", hint: "", pressed: "false", disabled: "false" });
  });

  it("speaks Korean where the page does", async () => {
    const { button, look } = show("ko-KR");
    expect(look().label).toBe("알림 켜기");

    button.click();
    await expect.poll(() => look().label).toBe("알림 켜짐");
    expect(button.lang).toBe("ko");
  });

  it("explains what to do when notifications are blocked, and does nothing then", async () => {
    browser.answer = "denied";
    const { button, look } = show();
    button.click();

    await expect.poll(look).toEqual({
      label: "Notifications blocked",
      hint: "They are blocked for this site. Allow them in the browser's site settings.",
      pressed: "false",
      disabled: "true",
    });
    button.click();
    expect(browser.calls).toEqual([]);
  });

  it("explains a browser that can't", () => {
    browser.remove();

    expect(show().look()).toMatchObject({ label: "Notifications unavailable", disabled: "true" });
  });

  it("says to sign in first, and what failed", async () => {
    client.token = null;
    const { button, look } = show();
    button.click();
    await expect.poll(() => look().hint).toBe("Sign in first.");

    client.token = token("mina");
    browser.statuses.set("POST subscriptions", 403);
    button.click();
    await expect.poll(() => look().hint).toBe("That did not work. Please try again.");
  });

  it("no longer listens once it is taken off the page", async () => {
    const { element, look } = show();
    element.remove();
    await element.subscriber?.enable();

    expect(look().label).toBe("Turn on notifications");
  });
});
