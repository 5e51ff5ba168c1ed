"""Late events: one late event, folded alone, beside one event in order, folded alone.

Agents with histories of different lengths share one database and take turns event by event, so
noise disturbs all of them. Only Runner.process_batch is timed, with its commit; the append is not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from projector.event_log.store import EventStore, Request
from projector.infrastructure.database import become_service, connect, open_pool
from projector.projection.runner import Runner
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import FILL_EVENTS, Bodies, fill, parse
from tools.bench.lives import BenchLife
from tools.bench.plot import picture

PART = "late"
BY_HISTORY, BY_LATENESS = "a minute late, by history", "by lateness"
IN_ORDER = "in order"
HISTORIES = (1_000, 10_000, 100_000, 1_000_000)
LATENESS_HISTORY = 100_000
LATENESS = {"1 s": 1_000, "1 min": 60_000, "1 h": 3_600_000, "1 day": 86_400_000}
OTHER_EVENTS = 5_000  # of other agents
LATE_EVENTS = 200  # of each history
SPREAD_MS = 900  # the times of late events in one cycle differ by less than this


def measure(url: str, *, rounds: int, most: int) -> Iterator[CostComparison]:
    pool = open_pool(url, max_size=1)
    store = EventStore(pool)
    with connect(url) as connection:
        become_service(connection)
        bench = _LateBench(store, Runner(store, url), connection, url)
        fill(store, Bodies().take(OTHER_EVENTS))
        yield from _by_history(bench, [it for it in HISTORIES if it <= most], rounds)
        yield from _by_lateness(bench, min(LATENESS_HISTORY, most), rounds)
    pool.close()


def curve(comparisons: Iterable[CostComparison]) -> str | None:
    """An SVG of the cost of a late event by length of history; None if it was not measured."""
    sizes = {label(history): history for history in HISTORIES}
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for it in comparisons:
        if (it.part, it.case) == (PART, BY_HISTORY) and IN_ORDER in it.baseline:
            for percentile, costs in (("p99", it.p99), ("p50", it.p50)):
                lines[f"late, {percentile}"].append((sizes[it.contender], costs[0]))
            lines["in order, p50"].append((sizes[it.contender], it.p50[1]))
    if not lines:
        return None
    return picture(
        "Folding one event a minute late, commit included",
        "events of the agent before it",
        "ms",
        lines,
    )


def label(history: int) -> str:
    return f"{history:,} events"


def _by_history(
    bench: _LateBench, histories: Sequence[int], rounds: int
) -> Iterator[CostComparison]:
    lives = {label(events): BenchLife(f"late-{events}", events) for events in histories}
    for life in lives.values():
        bench.append_history(life)
    first, *others = lives
    case = CostCase(
        part=PART,
        name=BY_HISTORY,
        unit="ms",
        pairs=[*((it, first) for it in others), *((it, f"{it}, {IN_ORDER}") for it in lives)],
    )
    for _ in range(rounds):
        measured: Mapping[str, tuple[list[float], list[float]]] = {it: ([], []) for it in lives}
        for number in range(LATE_EVENTS // rounds):
            for name, life in lives.items():
                late, in_order = measured[name]
                in_order.append(bench.in_order(life))
                late.append(bench.late(life, LATENESS["1 min"], number))
        for name, (late, in_order) in measured.items():
            case.add(name, late)
            case.add(f"{name}, {IN_ORDER}", in_order)
    for life in lives.values():
        bench.assert_corrected(life)
    yield from case.comparisons()


def _by_lateness(bench: _LateBench, history: int, rounds: int) -> Iterator[CostComparison]:
    life = BenchLife("lateness", history)
    bench.append_history(life)
    first, *others = LATENESS
    case = CostCase(
        part=PART,
        name=f"{BY_LATENESS}, {label(history)}",
        unit="ms",
        pairs=[*((name, first) for name in others), (first, IN_ORDER)],
    )
    for _ in range(rounds):
        measured: Mapping[str, list[float]] = {name: [] for name in (IN_ORDER, *LATENESS)}
        for number in range(LATE_EVENTS // rounds):
            measured[IN_ORDER].append(bench.in_order(life))
            for name, lateness in LATENESS.items():
                measured[name].append(bench.late(life, lateness, number))
        for name, costs in measured.items():
            case.add(name, costs)
    bench.assert_corrected(life)
    yield from case.comparisons()


@dataclass
class _LateBench:
    """A runner on one connection, and the events that it folds."""

    store: EventStore
    runner: Runner
    connection: Connection[DictRow]
    url: str

    def __post_init__(self) -> None:
        self._late_counts: dict[str, int] = {}

    def append_history(self, life: BenchLife) -> None:
        fill(self.store, life.history(), request=FILL_EVENTS)
        self._catch_up()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def in_order(self, life: BenchLife) -> float:
        """Fold the next cycle; the time that its last event takes (ms)."""
        *others, last = life.next_cycle()
        fill(self.store, others, request=FILL_EVENTS)
        self._catch_up()
        return self._timed(last)

    def late(self, life: BenchLife, lateness: int, number: int) -> float:
        """Fold an event about ``lateness`` ms late; the time that it takes (ms).

        ``number`` makes sure that no two late events have the same time.
        """
        self._late_counts[life.org_id] = self._late_counts.get(life.org_id, 0) + 1
        return self._timed(life.late(life.last_time - lateness + 1 + number * 37 % SPREAD_MS))

    def assert_corrected(self, life: BenchLife) -> None:
        """Each late event has changed an interval, so the ledger of corrections has it."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT count(DISTINCT position) FROM projector.agent_corrections"
                " WHERE org_id = %(org_id)s",
                {"org_id": life.org_id},
            ).fetchone()
        assert row == (self._late_counts[life.org_id],)

    def _timed(self, body: bytes) -> float:
        self.store.append([Request(events=parse([body]))])
        begin = time.monotonic()
        has_worked = self.runner.process_batch(self.connection)
        ms = (time.monotonic() - begin) * 1_000
        assert has_worked
        return ms

    def _catch_up(self) -> None:
        while self.runner.process_batch(self.connection):
            pass
