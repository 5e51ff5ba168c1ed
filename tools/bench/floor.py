"""Reads of a large floor with a long history, beside the same floor with a short one.

They go through the routes in this process, so the figures have no web server and no network in
them. Both floors get the same requests in turn. Their clock stands at the time of the last event.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg import sql

from projector.infrastructure.clock import now_ms
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.projection.runner import Runner
from tests.conftest import Site, open_site
from tests.integration.driving import Clock
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import FILL_EVENTS, Bodies, drop_database, fill, new_database

PART = "floor"
AGENTS = 2_000
SHORT = 20_000  # events of the short history
PAGE = 1_000
LISTS, SINGLES = 10, 100  # requests of a turn
Read = Callable[[Site, Random], Sequence[float]]  # its measurements, ms


def measure(url: str, *, rounds: int, events: int) -> Iterator[CostComparison]:
    short, long = f"{SHORT:,} events", f"{events:,} events"
    with ExitStack() as stack:
        stack.enter_context(collecting_rarely())  # as the web server's process does
        sites = {
            name: stack.enter_context(
                open_floor(url, f"bench_floor_{count}", Bodies(AGENTS).iterate(count))
            )
            for name, count in ((short, SHORT), (long, events))
        }
        cases = [CostCase(part=PART, name=name, unit="ms", pairs=[(long, short)]) for name in READS]
        for number in range(-1, rounds):
            for case, read in zip(cases, READS.values(), strict=True):
                for name, site in sites.items():
                    measured = read(site, Random(number))
                    if number >= 0:  # the round before the first warms up
                        case.add(name, measured)
    for case in cases:
        yield from case.comparisons()


@contextmanager
def open_floor(url: str, name: str, bodies: Iterable[bytes]) -> Iterator[Site]:
    """A service over a log of some events, all of them folded; its clock is at the last one."""
    own_url, clock = new_database(url, name), Clock()
    clock.now = now_ms()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(own_url, Path(folder), clock=clock) as site,
    ):
        fill(site.service.store, bodies, request=FILL_EVENTS)
        Runner(site.service.store, own_url).catch_up()
        with psycopg.connect(own_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        _, clock.now = span(site)
        yield site
    drop_database(url, name)


def _list_agents(site: Site, _chance: Random) -> Sequence[float]:
    """The floor in two pages; each page is a measurement."""
    return [ms for _ in range(LISTS) for ms in _whole_floor(site, "")]


def _list_agents_at(site: Site, chance: Random) -> Sequence[float]:
    """The same as of times in the second half of the history."""
    return [ms for at in _times(site, chance) for ms in _whole_floor(site, f"&at={at}")]


def _times(site: Site, chance: Random) -> Sequence[int]:
    first, last = span(site)
    return [chance.randrange((first + last) // 2, last) for _ in range(LISTS)]


def span(site: Site) -> tuple[int, int]:
    """The times of the first and the last event (epoch ms)."""
    with psycopg.connect(site.url) as connection:
        row = connection.execute("SELECT min(time), max(time) FROM projector.log").fetchone()
    return row or (0, 0)


def _whole_floor(site: Site, parameters: str) -> Iterator[float]:
    seen, cursor = set[str](), ""
    for _ in range(AGENTS // PAGE):
        ms, page = _timed(site, f"/api/v1/agents?limit={PAGE}{parameters}{cursor}")
        seen |= {view["agentId"] for view in page["data"]}
        cursor = f"&cursor={page['meta']['nextCursor']}"
        yield ms
    assert len(seen) > 0.9 * AGENTS  # the last ones log in late in a short history


def _summarize(site: Site, _chance: Random) -> Sequence[float]:
    """The summary of the floor, with its metrics of the last half an hour."""
    return [_timed(site, "/api/v1/summary")[0] for _ in range(LISTS)]


def _summarize_at(site: Site, chance: Random) -> Sequence[float]:
    """The same as of times in the second half of the history."""
    return [_timed(site, f"/api/v1/summary?at={at}")[0] for at in _times(site, chance)]


def _view(table: str) -> Read:
    def read(site: Site, chance: Random) -> Sequence[float]:
        with psycopg.connect(site.url) as connection:
            query = sql.SQL("SELECT id FROM projector.{} ORDER BY id")
            rows = connection.execute(query.format(sql.Identifier(table)))
            ids = [id_ for (id_,) in rows]
        paths = [f"/api/v1/{table}/{id_}" for id_ in chance.choices(ids, k=SINGLES)]
        return [_timed(site, path)[0] for path in paths]

    return read


READS: Mapping[str, Read] = {
    f"agents, a page of {PAGE:,} of {AGENTS:,}": _list_agents,
    f"agents at a moment, a page of {PAGE:,} of {AGENTS:,}": _list_agents_at,
    "summary": _summarize,
    "summary at a moment": _summarize_at,
    "one agent": _view("agents"),
    "one task": _view("tasks"),
}


def _timed(site: Site, path: str) -> tuple[float, dict[str, Any]]:
    begin = time.monotonic()
    answer = site.get(path)
    ms = (time.monotonic() - begin) * 1_000
    assert answer.status_code == 200, answer.text
    return ms, answer.get_json()
