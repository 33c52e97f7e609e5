/**
 * Light or dark: the visitor's system decides until the button does.
 *
 * A script of its own that runs before the first paint, so that a chosen theme never flashes the other one.
 */

import { icon } from "./icons.js";

const KEY = "tocsin_demo_theme";
type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

function current(): Theme {
  const chosen = root.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

function draw(button: HTMLElement): void {
  const other = current() === "dark" ? "light" : "dark";
  button.replaceChildren(icon(other === "dark" ? "moon" : "sun"));
  button.setAttribute("aria-label", `Switch to ${other} colours`);
  button.title = `Switch to ${other} colours`;
}

const stored = localStorage.getItem(KEY);
if (stored === "light" || stored === "dark") root.dataset.theme = stored;

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (button === null) return;
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, root.dataset.theme);
    draw(button);
  });
  system.addEventListener("change", () => draw(button));
  draw(button);
});
