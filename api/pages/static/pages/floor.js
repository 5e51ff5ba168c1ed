// The floor: who does what, who waits and for how long, live or at any moment of the past.

import { query } from "../core/address.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../core/dom.js";
import { filtersOf } from "../core/floor.js";
import * as live from "../core/live.js";
import { useLoad } from "../core/load.js";
import { differences, floorAt } from "../core/past.js";
import { viewsTime } from "../core/service-status.js";
import { figureFilters, readSummary, useLiveSummary } from "../core/summary.js";
import { t } from "../core/texts.js";
import { FloorScene } from "../parts/floor-scene.js";
import { Scrubber, timesOf } from "../parts/scrubber.js";
import { Failure, Loading } from "../parts/states.js";

export default function Floor() {
  const times = timesOf(query.value);
  const busy = useRef(false); // whether a moment of the past is on its way
  return html`
    <h1 class="hidden">${t("page.floor")}</h1>
    <${Scrubber} isBusy=${() => busy.current} />
    ${times ? html`<${PastFloor} times=${times} busy=${busy} />` : html`<${LiveFloor} />`}`;
}

function LiveFloor() {
  useEffect(() => live.follow(), []);
  const summary = useLiveSummary(filtersOf(query.value));
  live.version.value;
  const state = live.connection.value.state;
  const isEmpty = live.agents.size === 0 && live.tasks.size === 0;
  if (isEmpty && state === "connecting") return html`<${Loading} what=${t("floor.loading")} />`;
  return html`<${FloorScene}
    floor=${{ names: live.names, now: viewsTime(), isLive: true, isOld: state === "lost", params: "" }}
    agents=${[...live.agents.values()]} tasks=${[...live.tasks.values()]}
    summary=${summary} />`;
}

function PastFloor({ times, busy }) {
  const load = useLoad((signal) => floorAt(times, signal), [times.at, times.knownAt]);
  busy.current = load.loading;
  const filters = filtersOf(query.value);
  const figures = useLoad(
    (signal) => readSummary(filters, { at: times.at, knownAt: times.knownAt }, { signal }),
    [times.at, times.knownAt, JSON.stringify(figureFilters(filters))],
  );
  // The other knowledge of the same time: what was shown then, or what is known today.
  const latest = useSignal(times.isThen ? null : times.knownAt);
  useEffect(() => {
    if (!times.isThen) latest.value = times.knownAt;
  }, [times.knownAt]);
  const otherKnown = times.isThen ? latest.value : times.at;
  const other = useLoad(
    (signal) => floorAt({ at: times.at, knownAt: otherKnown }, signal),
    [times.at, otherKnown],
  );
  const marked = useMemo(
    () => (load.value && other.value && other.value.at === load.value.at
      ? differences(load.value.agents, other.value.agents) : new Map()),
    [load.value, other.value],
  );
  if (load.error && !load.value) return html`<${Failure} error=${load.error} retry=${load.reload} />`;
  if (!load.value) return html`<${Loading} what=${t("floor.loading")} />`;
  return html`<${FloorScene}
    floor=${{ ...load.value, now: load.value.at, isLive: false, times, known: [times.knownAt, otherKnown], params: timesOfLinks(times) }}
    agents=${load.value.agents} tasks=${load.value.tasks} marked=${marked}
    summary=${{ value: figures.value, to: times.at }} />`;
}

// What links to agents and tasks end with, so that they lead to the same moment.
const timesOfLinks = ({ at, knownAt }) => `&at=${at}${knownAt === null ? "" : `&knownAt=${knownAt}`}`;
