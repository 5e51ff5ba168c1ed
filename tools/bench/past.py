"""One agent as of two times: a long history, a tenth of which came late, beside a short one.

The reads go through the routes in this process, as in floor.py. A late event came and was recorded
up to an hour after it happened: the log's clock follows the time of the history.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg

from projector.event_log.store import Request
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.projection.runner import Runner
from tests.conftest import Site, open_site
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import drop_database, new_database, parse
from tools.bench.lives import BenchLife

PART = "past"
SHORT = 1_000  # events of the short history
HOUR_MS = 3_600_000
LATE = 0.1  # of the events
TOGETHER = 50  # events in one request
READS = 100  # in a turn
QUESTIONS = (
    "at",
    "knownAt",
    "at and knownAt",
    "history, at and knownAt",
    "explain, at and knownAt",
)


@dataclass(frozen=True)
class _History:
    """A site with the history of one agent, and the times of its first and last arrival."""

    site: Site
    first: int
    last: int


def measure(url: str, *, rounds: int, events: int) -> Iterator[CostComparison]:
    short, long = f"{SHORT:,} events", f"{events:,} events"
    with ExitStack() as stack:
        stack.enter_context(collecting_rarely())  # as the web server's process does
        histories = {
            name: stack.enter_context(_history(url, f"bench_past_{count}", count))
            for name, count in ((short, SHORT), (long, events))
        }
        cases = [CostCase(part=PART, name=it, unit="ms", pairs=[(long, short)]) for it in QUESTIONS]
        for number in range(-1, rounds):
            for case in cases:
                for name, history in histories.items():
                    measured = [*_read(history, case.name, Random(number))]
                    if number >= 0:  # the round before the first warms up
                        case.add(name, measured)
    for case in cases:
        yield from case.comparisons()


@contextmanager
def _history(url: str, name: str, events: int) -> Iterator[_History]:
    own_url = new_database(url, name)
    arrivals = _arrivals(events)
    now = [0]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(own_url, Path(folder), clock=lambda: now[0]) as site,
    ):
        for start in range(0, len(arrivals), TOGETHER):
            part = arrivals[start : start + TOGETHER]
            now[0] = part[-1][0]
            site.service.store.append([Request(events=parse([body for _, body in part]))])
        Runner(site.service.store, own_url).catch_up()
        with psycopg.connect(own_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield _History(site, arrivals[0][0], arrivals[-1][0])
    drop_database(url, name)


def _arrivals(events: int) -> list[tuple[int, bytes]]:
    """The time of arrival of each body (epoch ms), and the body, in this order."""
    chance, arrivals = Random(events), []
    for body in BenchLife("past", events).history():
        happened = json.loads(body)["data"]["createdTime"]
        is_late = chance.random() < LATE
        arrivals.append((happened + (chance.randrange(HOUR_MS) if is_late else 300), body))
    return sorted(arrivals)


def _read(history: _History, question: str, chance: Random) -> Iterator[float]:
    """The time of each read of a turn (ms)."""
    part = question.partition(",")[0]
    path = "/api/v1/agents/one" + ("" if part == question else f"/{part}")
    for _ in range(READS):
        at = chance.randrange((history.first + history.last) // 2, history.last)
        both = {"at": at, "knownAt": min(history.last, at + chance.randrange(HOUR_MS))}
        query: Mapping[str, int] = {it: both[it] for it in both if it in question.split()}
        begin = time.monotonic()
        answer = history.site.get(path, query_string=query)
        yield (time.monotonic() - begin) * 1_000
        assert answer.status_code == 200, answer.text
