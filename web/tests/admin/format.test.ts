import { expect, it } from "vitest";
import { exact, time } from "../../src/admin/format.js";

it("tells the milliseconds with the seconds, wherever a language puts what follows them", () => {
  const at = "2026-11-28T05:33:33.682Z";
  const seconds = /\d\d(?=\D*$)/;

  expect(exact(at)).toBe(time(at).replace(seconds, (found) => `${found}.682`));
});
