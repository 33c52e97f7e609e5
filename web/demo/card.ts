/** One user's card: puts the parts together, and turns what the user does into calls. */

import { ChatView } from "./chat.js";
import { el, setText } from "./element.js";
import { Elements } from "./elements.js";
import type { UserId } from "./events.js";
import { icon } from "./icons.js";
import { LinkView } from "./link.js";
import { LogView } from "./log.js";
import { OrderView } from "./orders.js";
import type { Person } from "./person.js";
import { PlugView } from "./plug.js";
import { PublishView } from "./publish.js";
import type { Pull } from "./pull.js";

const DRAFTS: Record<string, string> = {
  en: "First kiln opening of the winter 🔥",
  ko: "새 작업실에서 첫 촬영 📸",
};

/** The card of one user. */
export class Card {
  readonly element: HTMLElement;
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly light = new LinkView();
  private readonly order: OrderView;
  private readonly publish: PublishView;
  private readonly chat: ChatView;
  private readonly log: LogView;
  private readonly plug: PlugView;

  constructor(
    private readonly person: Person,
    private readonly pull: Pull,
    nameOf: (id: UserId) => string,
  ) {
    const { user, other, client } = person;
    const elements = new Elements(client, user.lang, nameOf);
    const preferencesId = `preferences-${user.id}`;
    this.order = new OrderView(user.name);
    this.publish = new PublishView(
      user.name,
      {
        publish: (post, platforms) => this.attempt(() => this.publishNew(post, platforms)),
        retry: (post, platform) => this.attempt(() => this.startPublishing(post.postId, [platform])),
      },
      DRAFTS[user.lang] ?? "",
    );
    this.chat = new ChatView(
      other.name,
      {
        send: (body) => this.attempt(() => person.say(body)),
        typing: (isTyping) => client.setTyping(other.id, isTyping),
        seen: () => person.seeChat(),
      },
      person.sealing,
    );
    this.log = new LogView(user.name);
    this.plug = new PlugView(user.name, () => void this.attempt(() => pull.start()));
    const headingId = `person-${user.id}`;
    this.element = el(
      "article",
      { class: "person card", "aria-labelledby": headingId, "data-user": user.id },
      el(
        "header",
        { class: "person-head" },
        el("span", { class: "avatar", "aria-hidden": "true" }, user.name.slice(0, 1)),
        el("div", {}, el("h2", { id: headingId, lang: user.lang }, user.name), this.light.element),
        this.plug.button,
        elements.make("tocsin-bell"),
        el(
          "button",
          {
            class: "button quiet icon-only",
            type: "button",
            popovertarget: preferencesId,
            "aria-haspopup": "dialog",
            "aria-label": `Preferences of ${user.name}`,
            title: "Preferences",
          },
          icon("sliders"),
        ),
      ),
      el(
        "div",
        {
          class: "preferences",
          id: preferencesId,
          popover: true,
          role: "dialog",
          "aria-label": `Preferences of ${user.name}`,
          tabindex: -1,
          autofocus: true,
        },
        el(
          "button",
          {
            class: "button quiet icon-only",
            type: "button",
            popovertarget: preferencesId,
            popovertargetaction: "hide",
            "aria-label": "Close",
          },
          icon("close"),
        ),
        elements.make("tocsin-preferences"),
      ),
      this.plug.strip,
      el(
        "div",
        { class: "blocks" },
        elements.make("tocsin-toasts"),
        this.problem,
        this.order.element,
        this.publish.element,
        this.chat.element,
        this.log.element,
      ),
    );
  }

  /** Show the person's state. */
  render(): void {
    const { state } = this.person;
    this.light.render(state.link);
    this.plug.render(this.pull.state, Date.now());
    this.element.classList.toggle("unplugged", this.pull.state.phase === "out");
    this.order.render(state.order);
    this.publish.render(state.posts);
    this.chat.render(state.chat);
    this.log.render(state.log);
  }

  private async publishNew(post: string, platforms: string[]): Promise<void> {
    const { post_id } = await this.person.rest.call<{ post_id: string }>("POST", "/demo/posts", { text: post });
    await this.startPublishing(post_id, platforms);
  }

  private startPublishing(postId: string, platforms: string[]): Promise<unknown> {
    return this.person.client.emitWithAck("sns", "publish_start", { post_id: postId, platforms });
  }

  /** Resolves with whether it was done; says so when it was not. */
  private async attempt(action: () => Promise<unknown>): Promise<boolean> {
    this.problem.hidden = true;
    try {
      await action();
      return true;
    } catch (error) {
      this.problem.hidden = false;
      setText(this.problem, `That did not work. ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }
}
