// Spans of time as the address names them: a day by its name, or from one moment to another. Pure.

import { midnight } from "./zones.js";

export const DAYS = { today: [0, 1], yesterday: [-1, 0], week: [-7, 0] };
export const OWN = "own";
export const ANY = "any";

const timeOf = (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : null);

// {name, from, to}: `from` and `to` are null of a span that is not given. `usual` counts where the
// address has none.
export function spanOf(params, zone, now, usual) {
  const [from, to] = [timeOf(params.get("from")), timeOf(params.get("to"))];
  if (from !== null || to !== null) return { name: OWN, from, to };
  const name = params.get("span") in DAYS ? params.get("span") : usual;
  if (!(name in DAYS)) return { name: ANY, from: null, to: null };
  const [first, last] = DAYS[name];
  return { name, from: midnight(now, zone, first), to: midnight(now, zone, last) };
}

export const isSound = ({ from, to }) => from === null || to === null || from < to;
