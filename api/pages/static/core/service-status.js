// The status of the service: how far its views are, who is silent, which versions. Asked now and then.

import { get } from "./api.js";
import { second } from "./clock.js";
import { signal } from "./dom.js";

const ASK_EVERY_MS = 10_000;
const LAG_SHOWN_MS = 3_000;

export const serviceStatus = signal({ value: null, error: null });
let users = 0;
let timer = 0;

async function ask() {
  try {
    serviceStatus.value = { value: await get("/api/v1/status"), error: null };
  } catch (error) {
    serviceStatus.value = { ...serviceStatus.value, error };
  }
  if (users) timer = setTimeout(ask, ASK_EVERY_MS);
}

// Asks for it until the function that is returned is called.
export function watchStatus() {
  users += 1;
  if (users === 1) ask();
  return () => {
    users -= 1;
    if (users === 0) clearTimeout(timer);
  };
}

// How far the views are behind the log, ms; 0 where it is too little to be shown.
export function lagOf(status) {
  const [projection] = status.projections;
  const lag = projection.lagSeconds * 1000;
  return projection.lagEvents > 0 && lag > LAG_SHOWN_MS ? lag : 0;
}

// The time up to which the views know: now, but where they catch up. Times in a state are counted to it.
export function viewsTime() {
  const status = serviceStatus.value.value;
  return second.value - (status ? lagOf(status) : 0);
}
