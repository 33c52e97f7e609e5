import { describe, expect, it } from "vitest";
import { catchUp } from "../../demo/plug.js";

const ANY = new Map();
const NONE = { notifications: [], orders: [], sns: [], chat: [] };

describe("the sum after a pulled plug", () => {
  it("is clean when every logged event was delivered once", () => {
    const report = catchUp({ ...NONE, orders: [8, 9], chat: [4] }, { ...NONE, orders: [8, 9], chat: [4] }, ANY);

    expect(report).toEqual({ missed: 3, lost: 0, twice: 0, ranges: ["/orders #8 to #9", "/chat #4"] });
  });

  it("does not call missed what came after the catching up", () => {
    const report = catchUp({ ...NONE, chat: [4, 5] }, { ...NONE, chat: [4, 5] }, new Map([["chat", 4]]));

    expect([report.missed, report.ranges]).toEqual([1, ["/chat #4"]]);
  });

  it("names what the log holds and nobody delivered", () => {
    expect(catchUp({ ...NONE, sns: [1, 2, 3] }, { ...NONE, sns: [1, 3] }, ANY).lost).toBe(1);
  });

  it("counts every further delivery of one event", () => {
    expect(catchUp({ ...NONE, sns: [1, 2] }, { ...NONE, sns: [1, 2, 2, 2] }, ANY).twice).toBe(2);
  });

  it("does not take another namespace's seq for the missing one", () => {
    expect(catchUp({ ...NONE, sns: [7] }, { ...NONE, chat: [7] }, ANY).lost).toBe(1);
  });
});
