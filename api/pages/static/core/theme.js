// Light, dark, or as the system says.

import { signal } from "./dom.js";

const KEY = "theme";
export const THEMES = ["auto", "light", "dark"];
export const theme = signal(localStorage.getItem(KEY) ?? "auto");

export function applyTheme(choice = theme.value) {
  theme.value = THEMES.includes(choice) ? choice : "auto";
  localStorage.setItem(KEY, theme.value);
  const root = document.documentElement;
  if (theme.value === "auto") root.removeAttribute("data-theme");
  else root.dataset.theme = theme.value;
}

// What a custom property of the style sheets is now, as a color that a canvas takes.
export function colorOf(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
