// The status of the service: how far its views are, who is silent, which versions. Asked now and then.

import { get } from "./api.js";
import { signal } from "./dom.js";

const ASK_EVERY_MS = 10_000;

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
