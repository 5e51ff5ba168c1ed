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
