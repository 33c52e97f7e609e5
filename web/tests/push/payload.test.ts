import { describe, expect, it } from "vitest";
import { readKept, readPush } from "../../src/push/payload.js";

const PUSH = {
  v: 1,
  title: "Order shipped",
  body: "It is on its way",
  tag: "order-7",
  link: "/orders/7",
  icon: "/icon.png",
  badge: 3,
  notification_id: "n1",
  receipt: "r1",
  timestamp: "2026-01-02T03:04:05Z",
  data: { order_id: 7 },
};
const read = (fields: object) => readPush(JSON.stringify({ ...PUSH, ...fields }));

describe("a push", () => {
  it("is read whole", () => {
    expect(read({})).toEqual({
      kind: "show",
      title: "Order shipped",
      body: "It is on its way",
      tag: "order-7",
      icon: "/icon.png",
      lang: null,
      timestamp: Date.UTC(2026, 0, 2, 3, 4, 5),
      badge: 3,
      kept: { notification_id: "n1", link: "/orders/7", receipt: "r1", data: { order_id: 7 } },
    });
  });

  it("needs a title and no more", () => {
    expect(readPush('{"v":1,"title":"Hi"}')).toMatchObject({
      kind: "show",
      title: "Hi",
      body: "",
      tag: null,
      badge: null,
    });
  });

  it("without a tag is tagged by its notification: once more takes the place of the first", () => {
    expect(read({ tag: null })).toMatchObject({ tag: "n1" });
  });

  it("may close others", () => {
    expect(readPush('{"v":1,"close":["n1",7,null,"n2"]}')).toEqual({ kind: "close", tags: ["n1", "n2"] });
  });

  for (const body of [
    undefined,
    "",
    "{",
    "null",
    "7",
    "[]",
    '"v"',
    '{"v":2,"title":"Hi"}',
    '{"v":1}',
    '{"v":1,"title":7}',
  ]) {
    it(`that is ${body} is none`, () => {
      expect(readPush(body)).toBeNull();
    });
  }

  it("with fields of another type is shown without them", () => {
    const odd = {
      body: 7,
      tag: {},
      icon: [],
      badge: -1,
      timestamp: "soon",
      link: 7,
      data: "x",
      receipt: null,
      lang: 1,
    };

    expect(read(odd)).toEqual({
      kind: "show",
      title: "Order shipped",
      body: "",
      tag: "n1",
      icon: null,
      lang: null,
      timestamp: null,
      badge: null,
      kept: { notification_id: "n1", link: null, receipt: null, data: {} },
    });
  });

  it("that another shows keeps nothing for us", () => {
    expect(readKept(undefined)).toEqual({ notification_id: null, link: null, receipt: null, data: {} });
  });
});
