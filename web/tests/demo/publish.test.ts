import { describe, expect, it } from "vitest";
import type { DemoEvent, Payload } from "../../demo/events.js";
import { applyToPosts, type PostState } from "../../demo/publish.js";

function stateAfter(...events: [string, Payload][]): PostState {
  const typed = events.map(([event, data]): DemoEvent => ({ namespace: "sns", event, data, source: "live", at: 0 }));
  return typed.reduce<PostState>(applyToPosts, []);
}

const STARTED = ["publish_started", { post_id: 1, platforms: ["x", "tiktok"], text: "새 글" }] satisfies [
  string,
  Payload,
];

describe("the posts", () => {
  it("go from publishing to published or failed, each platform for itself", () => {
    const [post] = stateAfter(
      STARTED,
      ["publish_success", { post_id: 1, platforms: ["x"] }],
      ["publish_failed", { post_id: 1, platforms: ["tiktok"], error: "too short" }],
    );

    expect(post?.platforms).toEqual([
      { name: "x", state: "published", error: "" },
      { name: "tiktok", state: "failed", error: "too short" },
    ]);
  });

  it("try one platform again and leave the others as they are", () => {
    const [post] = stateAfter(
      STARTED,
      ["publish_success", { post_id: 1, platforms: ["x"] }],
      ["publish_started", { post_id: 1, platforms: ["tiktok"], text: "새 글" }],
    );

    expect(post?.platforms.map((platform) => platform.state)).toEqual(["published", "publishing"]);
  });

  it("collect likes and comments, also of a post that the page has not seen", () => {
    const [post] = stateAfter(
      ["post_liked", { post_id: 5 }],
      ["post_commented", { post_id: 5, user_name: "서연", comment: "❤️" }],
    );

    expect([post?.likes, post?.comments]).toEqual([1, [{ by: "서연", comment: "❤️" }]]);
  });
});
