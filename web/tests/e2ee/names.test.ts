import { describe, expect, it } from "vitest";
import { matrixUser, roomOf, userOf } from "../../src/e2ee/names.js";

describe("names", () => {
  it.each(["7", "mina", "Mina", "mina@example.com", "a:b", "=3d", "민아 🔒", "a~b", "~"])(
    "%s comes back as it was",
    (user) => {
      const name = matrixUser(user);

      expect(name).toMatch(/^@[a-z0-9._=-]+:tocsin$/);
      expect(userOf(name)).toBe(user);
    },
  );

  it("are of one user whether the id is a number or its digits", () => {
    expect(matrixUser(456)).toBe(matrixUser("456"));
  });

  it("name a conversation alike on both sides, and no two alike", () => {
    expect(roomOf("7", "8")).toBe(roomOf("8", "7"));
    expect(roomOf("a", "b~c")).not.toBe(roomOf("a~b", "c"));
  });

  it("refuse an id that has no room in them", () => {
    expect(() => matrixUser("민".repeat(40))).toThrow(expect.objectContaining({ code: "user_id_too_long" }));
  });
});
