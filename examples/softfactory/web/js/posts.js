/** Posts: one's own on their way to the platforms, everybody's with likes and comments. */

import { el } from "./element.js";
import { api } from "./session.js";
import { texts } from "./texts.js";

const posts = new Map();
let me;
let loading;

export function startPosts(user, platforms) {
  me = user;
  reload();
  // An event tells how things stand now, not what to add: one that the list knows already changes nothing.
  on("publish_started", (data) => merge(data, { state: "publishing", platforms: data.platforms }));
  on("publish_success", (data) => merge(data, { state: "published", platforms: data.platforms }));
  on("publish_failed", (data) => merge(data, { state: "failed", error: data.error }));
  on("post_liked", (data) => merge(data, { likes: data.likes }));
  on("post_commented", (data) => {
    const known = posts.get(data.post_id)?.comments ?? [];
    const comment = { id: data.comment_id, user_name: data.user_name, comment: data.comment };
    if (!known.some((one) => one.id === comment.id)) merge(data, { comments: [...known, comment] });
  });
  // This one is the application's own event, and only live: what it told while the page was away is loaded anew.
  window.ws.on("sns", "feed_changed", reload);
  window.ws.on("*", "resync", reload);
  window.ws.on("*", "state", ({ state }) => state === "connected" && reload());

  const form = document.getElementById("post-form");
  const names = platforms.map((name) =>
    el("label", {}, el("input", { type: "checkbox", name: "platform", value: name, checked: name !== "tiktok" }), name),
  );
  document.getElementById("platforms").append(...names);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...new FormData(form).getAll("platform")];
    void publish(form.elements.text.value, chosen);
    form.elements.text.value = "";
  });
}

function on(event, handle) {
  window.ws.on("sns", event, (data) => void loading.then(() => handle(data)).then(draw));
}

async function publish(text, platforms) {
  const post = await api("/api/posts", { method: "POST", body: { text } });
  posts.set(post.post_id, post);
  draw();
  if (platforms.length > 0) window.ws.emit("sns", "publish_start", { post_id: post.post_id, platforms });
}

function reload() {
  // A server that is away now is asked again when it is back.
  loading = load().catch(() => {});
}

async function load() {
  const found = await api("/api/posts");
  for (const post of found.posts) posts.set(post.post_id, { ...posts.get(post.post_id), ...post });
  draw();
}

function merge({ post_id }, change) {
  if (posts.has(post_id)) posts.set(post_id, { ...posts.get(post_id), ...change });
}

function draw() {
  const list = document.getElementById("posts");
  const focused = document.activeElement?.closest("#posts [data-control]")?.dataset.control;
  const newest = [...posts.values()].sort((a, b) => b.post_id - a.post_id);
  const drafts = new Map([...list.querySelectorAll("input")].map((input) => [input.dataset.control, input.value]));
  list.replaceChildren(...newest.map(postItem));
  for (const input of list.querySelectorAll("input")) input.value = drafts.get(input.dataset.control) ?? "";
  if (focused !== undefined) list.querySelector(`[data-control="${CSS.escape(focused)}"]`)?.focus();
}

function postItem(post) {
  const isMine = post.author.id === me.id;
  return el(
    "li",
    {},
    el(
      "div",
      { class: "between" },
      el("div", {}, el("small", {}, post.author.name), el("p", { dir: "auto" }, post.text)),
      el(
        "button",
        {
          class: "button small",
          type: "button",
          disabled: isMine,
          "data-control": `like ${post.post_id}`,
          "aria-label": texts.likeOf(post.text, post.likes),
          onclick: () => void react(post, "like"),
        },
        texts.like(post.likes),
      ),
    ),
    post.state && el("p", { class: `state ${post.state}`, role: "status" }, progress(post)),
    el(
      "ul",
      { class: "comments", role: "list" },
      ...post.comments.map((one) => el("li", { dir: "auto" }, el("b", {}, one.user_name), ` ${one.comment}`)),
    ),
    !isMine && commentForm(post),
  );
}

function progress(post) {
  const platforms = (post.platforms ?? []).join(", ");
  if (post.state === "publishing") return texts.publishing(platforms);
  return post.state === "published" ? texts.published(platforms) : texts.failed(post.error);
}

function commentForm(post) {
  const label = texts.comment;
  const input = el("input", {
    class: "field",
    name: "text",
    "aria-label": label,
    placeholder: label,
    autocomplete: "off",
    required: true,
    maxlength: 280,
    "data-control": `comment ${post.post_id}`,
  });
  const submit = (event) => {
    event.preventDefault();
    const text = input.value;
    input.value = "";
    void react(post, "comments", { text });
  };
  return el("form", { class: "row", onsubmit: submit }, input);
}

async function react(post, what, body) {
  const changed = await api(`/api/posts/${post.post_id}/${what}`, { method: "POST", body });
  merge(changed, changed);
  draw();
}
