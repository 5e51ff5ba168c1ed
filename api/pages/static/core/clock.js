// The service's clock: browsers' clocks differ, and a time in a state is counted from event times.

import { signal } from "./dom.js";

let ahead = 0; // how far the service's clock is ahead of this one, ms

export const now = () => Date.now() + ahead;
export const second = signal(now()); // changes each second

export function setServiceTime(time) {
  ahead = time - Date.now();
}

setInterval(() => (second.value = now()), 1000);
