"""One agent as of two times, after a long life of which a tenth came late, beside a short one.

Through the routes as they are, in this process, as in floor.py. What was late came up to an hour
after it happened, and was recorded then: the clock of the log is that of the life.
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
from tools.bench.lives import Life

PART = "past"
SHORT = 1_000  # events of the short life
HOUR_MS = 3_600_000
LATE = 0.1  # share of the events
TOGETHER = 50  # events that are recorded at once
EACH = 100  # questions of a turn
QUESTIONS = (
    "at",
    "knownAt",
    "at and knownAt",
    "history, at and knownAt",
    "explain, at and knownAt",
)


@dataclass(frozen=True)
class _Lived:
    """A site with one agent's life, and the times between which it was lived."""

    site: Site
    first: int
    last: int


def measure(url: str, *, rounds: int, events: int) -> Iterator[CostComparison]:
    short, long = f"{SHORT:,} events", f"{events:,} events"
    with ExitStack() as stack:
        stack.enter_context(collecting_rarely())  # as the web server's process does
        lives = {
            name: stack.enter_context(_lived(url, f"bench_past_{count}", count))
            for name, count in ((short, SHORT), (long, events))
        }
        cases = [CostCase(part=PART, name=it, unit="ms", pairs=[(long, short)]) for it in QUESTIONS]
        for number in range(-1, rounds):
            for case in cases:
                for name, life in lives.items():
                    measured = [*_ask(life, case.name, Random(number))]
                    if number >= 0:  # the round before the first warms up
                        case.add(name, measured)
    for case in cases:
        yield from case.comparisons()


@contextmanager
def _lived(url: str, name: str, events: int) -> Iterator[_Lived]:
    own = new_database(url, name)
    arrivals = _arrivals(events)
    now = [0]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(own, Path(folder), clock=lambda: now[0]) as site,
    ):
        for start in range(0, len(arrivals), TOGETHER):
            part = arrivals[start : start + TOGETHER]
            now[0] = part[-1][0]
            site.service.store.append([Request(events=parse([body for _, body in part]))])
        Runner(site.service.store, own).catch_up()
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield _Lived(site, arrivals[0][0], arrivals[-1][0])
    drop_database(url, name)


def _arrivals(events: int) -> list[tuple[int, bytes]]:
    """When each body came, in that order."""
    chance, found = Random(events), []
    for body in Life("past", events).history():
        happened = json.loads(body)["data"]["createdTime"]
        late = chance.random() < LATE
        found.append((happened + (chance.randrange(HOUR_MS) if late else 300), body))
    return sorted(found)


def _ask(life: _Lived, question: str, chance: Random) -> Iterator[float]:
    """What each of some questions took, ms."""
    part = question.partition(",")[0]
    path = "/api/v1/agents/one" + ("" if part == question else f"/{part}")
    for _ in range(EACH):
        at = chance.randrange((life.first + life.last) // 2, life.last)
        known = {"at": at, "knownAt": min(life.last, at + chance.randrange(HOUR_MS))}
        query: Mapping[str, int] = {it: known[it] for it in known if it in question.split()}
        begin = time.monotonic()
        answer = life.site.get(path, query_string=query)
        yield (time.monotonic() - begin) * 1_000
        assert answer.status_code == 200, answer.text
