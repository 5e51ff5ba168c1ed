// The words of the page. A language is a file of `texts/`; what it lacks is shown in English.

import { signal } from "./dom.js";
import english from "../texts/en.js";

const KEY = "language";
export const languages = document.documentElement.dataset.languages.split(" ");
export const language = signal("en");
const texts = signal({});
let plurals = new Intl.PluralRules("en");

// The text of a key, with `{name}` replaced. A text by number is an object of plural forms.
export function t(key, values = {}) {
  let text = texts.value[key] ?? english[key] ?? key;
  if (typeof text === "object") text = text[plurals.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const has = (key) => key in texts.value || key in english;

// What comes from outside may be of any length; this much of it is shown.
const LONGEST = 100;
export const short = (text) =>
  typeof text === "string" && text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;

// A word of the vendor's as it is shown: known ones in the viewer's language, others as they came.
export const word = (kind, value) => (has(`${kind}.${value}`) ? t(`${kind}.${value}`) : short(value));

export async function setLanguage(tag) {
  const module = tag === "en" ? { default: english } : await import(`../texts/${tag}.js`);
  localStorage.setItem(KEY, tag);
  document.documentElement.lang = tag;
  plurals = new Intl.PluralRules(tag);
  language.value = tag;
  texts.value = module.default;
}

export async function chooseLanguage() {
  const wanted = [localStorage.getItem(KEY), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  await setLanguage(wanted.find((tag) => languages.includes(tag)) ?? "en");
}
