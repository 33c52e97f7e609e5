/** Posts on their way to social platforms, with what people say of them: the events of `/sns`. */

import { el, renderList, setText } from "./element.js";
import { type DemoEvent, type Payload, text } from "./events.js";
import { icon } from "./icons.js";

export const PLATFORMS: Record<string, string> = { instagram: "Instagram", x: "X", tiktok: "TikTok" };

export interface Platform {
  name: string;
  state: "publishing" | "published" | "failed";
  error: string;
}

export interface Post {
  postId: string;
  text: string;
  platforms: readonly Platform[];
  likes: number;
  comments: readonly { by: string; comment: string }[];
}

/** The newest post first. */
export type PostState = readonly Post[];

const KEPT = 20;

/** Return the state after an event of `/sns`. */
export function applyToPosts(state: PostState, { event, data }: DemoEvent): PostState {
  switch (event) {
    case "publish_started":
      return update(state, data, (post) => ({
        ...post,
        text: text(data.text, post.text),
        platforms: merge(post.platforms, data, "publishing"),
      }));
    case "publish_success":
      return update(state, data, (post) => ({ ...post, platforms: merge(post.platforms, data, "published") }));
    case "publish_failed":
      return update(state, data, (post) => ({ ...post, platforms: merge(post.platforms, data, "failed") }));
    case "post_liked":
      return update(state, data, (post) => ({ ...post, likes: post.likes + 1 }));
    case "post_commented": {
      const said = { by: text(data.user_name, "Somebody"), comment: text(data.comment) };
      return update(state, data, (post) => ({ ...post, comments: [...post.comments, said] }));
    }
    default:
      return state;
  }
}

function update(state: PostState, data: Payload, change: (post: Post) => Post): PostState {
  const postId = text(data.post_id);
  if (state.some((post) => post.postId === postId)) {
    return state.map((post) => (post.postId === postId ? change(post) : post));
  }
  const fresh: Post = { postId, text: `Post ${postId}`, platforms: [], likes: 0, comments: [] };
  return [change(fresh), ...state].slice(0, KEPT);
}

function merge(platforms: readonly Platform[], data: Payload, state: Platform["state"]): readonly Platform[] {
  const named = Array.isArray(data.platforms) ? data.platforms.map((name) => text(name)).filter(Boolean) : [];
  const change = (name: string): Platform => ({ name, state, error: text(data.error) });
  const fresh = named.filter((name) => !platforms.some((platform) => platform.name === name));
  return [
    ...platforms.map((platform) => (named.includes(platform.name) ? change(platform.name) : platform)),
    ...fresh.map(change),
  ];
}

export interface PublishActions {
  publish: (postText: string, platforms: string[]) => void;
  retry: (post: Post, platform: string) => void;
}

/** The composer and the latest post; `render` shows a state. */
export class PublishView {
  private readonly input: HTMLInputElement;
  private readonly choices: HTMLInputElement[];
  private readonly list = el("ul", { class: "posts", role: "list", "aria-live": "polite" });
  private readonly empty = el("p", { class: "hint" }, "Nothing published yet.");
  readonly element: HTMLElement;

  constructor(
    owner: string,
    private readonly actions: PublishActions,
    suggestion: string,
  ) {
    this.input = el("input", {
      class: "field",
      name: "post",
      "aria-label": "Text of the post",
      maxlength: 200,
      autocomplete: "off",
      value: suggestion,
    });
    this.choices = Object.keys(PLATFORMS).map((name) => el("input", { type: "checkbox", name, checked: true }));
    this.element = el(
      "section",
      { class: "block publish", "aria-label": `Posts of ${owner}` },
      el("div", { class: "block-head" }, el("h3", {}, "Publish")),
      el(
        "form",
        { class: "composer", onsubmit: (event: SubmitEvent) => this.submit(event) },
        this.input,
        el("button", { class: "button small accent", type: "submit" }, icon("share"), "Publish"),
        el(
          "div",
          { class: "choices" },
          ...this.choices.map((box) => el("label", { class: "choice" }, box, PLATFORMS[box.name])),
        ),
      ),
      this.empty,
      this.list,
    );
  }

  render(state: PostState): void {
    this.empty.hidden = state.length > 0;
    renderList(this.list, state.slice(0, 1), {
      key: (post) => post.postId,
      create: () =>
        el(
          "li",
          { class: "post" },
          el("p", { class: "post-text", dir: "auto" }),
          el("ul", { class: "platforms", role: "list" }),
          el("p", { class: "likes" }, icon("heart"), el("span")),
          el("ul", { class: "comments", role: "list" }),
        ),
      update: (element, post) => this.drawPost(element, post),
    });
  }

  private drawPost(element: HTMLElement, post: Post): void {
    const part = (selector: string) => element.querySelector(selector) as HTMLElement;
    setText(part(".post-text"), post.text);
    part(".likes").hidden = post.likes === 0;
    setText(part(".likes span"), post.likes === 1 ? "1 like" : `${post.likes} likes`);
    renderList(part(".platforms"), post.platforms, {
      key: (platform) => `${platform.name} ${platform.state}`,
      create: (platform) => this.platform(post, platform),
    });
    const latest = post.comments.map((said, index) => ({ ...said, index })).slice(-2);
    renderList(part(".comments"), latest, {
      key: (said) => String(said.index),
      create: (said) => el("li", {}, el("strong", {}, said.by), " ", el("span", { dir: "auto" }, said.comment)),
    });
  }

  private platform(post: Post, { name, state, error }: Platform): HTMLElement {
    const label = PLATFORMS[name] ?? name;
    const retry =
      state === "failed" &&
      el(
        "button",
        {
          class: "button tiny",
          type: "button",
          "aria-label": `Publish to ${label} again`,
          onclick: () => this.actions.retry(post, name),
        },
        icon("retry"),
        "Again",
      );
    const mark =
      state === "publishing"
        ? el("span", { class: "spinner", "aria-hidden": "true" })
        : icon(state === "published" ? "check" : "close");
    return el(
      "li",
      { class: `platform ${state}` },
      mark,
      el("span", {}, `${label} ${state}`, error && `: ${error}`),
      retry,
    );
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const platforms = this.choices.filter((box) => box.checked).map((box) => box.name);
    const postText = this.input.value.trim();
    if (postText !== "" && platforms.length > 0) this.actions.publish(postText, platforms);
  }
}
