"""Reports of a working day of 2,000 agents in quarters of an hour, beside a page of 1,000 agents.

They go through the routes in this process, as those of ``floor``. A simulated floor has more events
a minute than a real one, so its times are stretched until they fill the day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice

from projector.infrastructure.clock import now_ms
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.webex.simulator import Simulation
from tests.conftest import Site
from tools.bench.costs import CostCase, CostComparison
from tools.bench.floor import AGENTS, PAGE, open_floor, span
from tools.bench.ground import HEAD_START_MS, compact

PART = "reports"
DAY_MS = 8 * 3_600_000
BASELINE = f"a page of {PAGE:,} agents"
CSV, NDJSON = "text/csv", "application/x-ndjson"
CASES = (("agents", CSV), ("agents", NDJSON), ("queues", CSV))


def measure(url: str, *, rounds: int, events: int) -> Iterator[CostComparison]:
    with ExitStack() as stack:
        stack.enter_context(collecting_rarely())
        site = stack.enter_context(open_floor(url, "bench_reports_day", _day(events)))
        cases = {
            (name, content_type): CostCase(
                part=PART,
                name=f"{name}, 8 hours in quarters, {content_type}, {events:,} events",
                unit="ms",
                pairs=[("report", BASELINE)],
            )
            for name, content_type in CASES
        }
        for number in range(-1, rounds):
            for (name, content_type), case in cases.items():
                page = _timed(site, f"/api/v1/agents?limit={PAGE}", "application/json")
                report = _timed(site, _path(site, name), content_type)
                if number >= 0:  # the round before the first warms up
                    case.add(BASELINE, [page])
                    case.add("report", [report])
    for case in cases.values():
        yield from case.comparisons()


def _day(events: int) -> Iterator[bytes]:
    """The bodies of a simulated floor, with their times stretched to a day."""
    start = now_ms() - HEAD_START_MS
    *_, last = islice(Simulation(AGENTS, start_ms=start), events)
    factor = DAY_MS / (last["data"]["createdTime"] - start)
    for body in islice(Simulation(AGENTS, start_ms=start), events):
        body["data"]["createdTime"] = start + round((body["data"]["createdTime"] - start) * factor)
        yield compact(body)


def _path(site: Site, name: str) -> str:
    first, last = span(site)
    return f"/api/v1/reports/{name}?from={first}&to={last + 1}&interval=15m"


def _timed(site: Site, path: str, content_type: str) -> float:
    """How long the whole answer takes, ms."""
    begin = time.monotonic()
    answer = site.get(path, headers={"Accept": content_type})
    body = answer.data
    ms = (time.monotonic() - begin) * 1_000
    assert answer.status_code == 200, answer.text
    assert content_type != "application/json" or json.loads(body)["data"]
    return ms
