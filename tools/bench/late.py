"""Late repair: one late event, folded alone, beside one event in order, folded alone.

Agents with histories of different length live in one database and take turns event by event, so
noise is shared. Only Runner.process_batch is timed, commit included; the append is not.
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
from tools.bench.lives import Life
from tools.bench.plot import picture

PART = "late"
BY_HISTORY, BY_LATENESS = "a minute late, by history", "by lateness"
IN_ORDER = "in order"
HISTORIES = (1_000, 10_000, 100_000, 1_000_000)
LATENESS_HISTORY = 100_000
LATENESS = {"1 s": 1_000, "1 min": 60_000, "1 h": 3_600_000, "1 day": 86_400_000}
OTHERS_EVENTS = 5_000  # of the rest of the floor
EACH = 200  # late events of a history
SPREAD_MS = 900  # late events of one cycle differ by less than this


def measure(url: str, *, rounds: int, most: int) -> Iterator[CostComparison]:
    pool = open_pool(url, max_size=1)
    store = EventStore(pool)
    with connect(url) as connection:
        become_service(connection)
        bench = _Bench(store, Runner(store, url), connection, url)
        fill(store, Bodies().take(OTHERS_EVENTS))
        yield from _by_history(bench, [it for it in HISTORIES if it <= most], rounds)
        yield from _by_lateness(bench, min(LATENESS_HISTORY, most), rounds)
    pool.close()


def curve(found: Iterable[CostComparison]) -> str | None:
    """The picture of what a late event costs by the length of the history, if it was measured."""
    sizes = {label(history): history for history in HISTORIES}
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in found:
        if (one.part, one.case) == (PART, BY_HISTORY) and IN_ORDER in one.baseline:
            for place, rank in (("p99", one.p99), ("p50", one.p50)):
                lines[f"late, {place}"].append((sizes[one.contender], rank[0]))
            lines["in order, p50"].append((sizes[one.contender], one.p50[1]))
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


def _by_history(bench: _Bench, histories: Sequence[int], rounds: int) -> Iterator[CostComparison]:
    lives = {label(events): Life(f"late-{events}", events) for events in histories}
    for life in lives.values():
        bench.live(life)
    first, *others = lives
    case = CostCase(
        part=PART,
        name=BY_HISTORY,
        unit="ms",
        pairs=[*((it, first) for it in others), *((it, f"{it}, {IN_ORDER}") for it in lives)],
    )
    for _ in range(rounds):
        found: Mapping[str, tuple[list[float], list[float]]] = {it: ([], []) for it in lives}
        for number in range(EACH // rounds):
            for name, life in lives.items():
                late, in_order = found[name]
                in_order.append(bench.in_order(life))
                late.append(bench.late(life, LATENESS["1 min"], number))
        for name, (late, in_order) in found.items():
            case.add(name, late)
            case.add(f"{name}, {IN_ORDER}", in_order)
    for life in lives.values():
        bench.assert_corrected(life)
    yield from case.comparisons()


def _by_lateness(bench: _Bench, history: int, rounds: int) -> Iterator[CostComparison]:
    life = Life("lateness", history)
    bench.live(life)
    first, *others = LATENESS
    case = CostCase(
        part=PART,
        name=f"{BY_LATENESS}, {label(history)}",
        unit="ms",
        pairs=[*((name, first) for name in others), (first, IN_ORDER)],
    )
    for _ in range(rounds):
        found: Mapping[str, list[float]] = {name: [] for name in (IN_ORDER, *LATENESS)}
        for number in range(EACH // rounds):
            found[IN_ORDER].append(bench.in_order(life))
            for name, lateness in LATENESS.items():
                found[name].append(bench.late(life, lateness, number))
        for name, measured in found.items():
            case.add(name, measured)
    bench.assert_corrected(life)
    yield from case.comparisons()


@dataclass
class _Bench:
    """One runner on one connection, and what it is given to fold."""

    store: EventStore
    runner: Runner
    connection: Connection[DictRow]
    url: str

    def __post_init__(self) -> None:
        self._late: dict[str, int] = {}

    def live(self, life: Life) -> None:
        fill(self.store, life.history(), request=FILL_EVENTS)
        self._catch_up()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def in_order(self, life: Life) -> float:
        """A cycle passes; its last event is timed (ms)."""
        *others, last = life.cycle()
        fill(self.store, others, request=FILL_EVENTS)
        self._catch_up()
        return self._timed(last)

    def late(self, life: Life, lateness: int, number: int) -> float:
        """An event that is so late, or a little less; ``number`` makes its moment its own."""
        self._late[life.org_id] = self._late.get(life.org_id, 0) + 1
        return self._timed(life.late(life.newest - lateness + 1 + number * 37 % SPREAD_MS))

    def assert_corrected(self, life: Life) -> None:
        """Each late event has disturbed what was shown, and is in the ledger."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT count(DISTINCT position) FROM projector.agent_corrections"
                " WHERE org_id = %s",
                (life.org_id,),
            ).fetchone()
        assert row == (self._late[life.org_id],)

    def _timed(self, body: bytes) -> float:
        self.store.append([Request(events=parse([body]))])
        begin = time.monotonic()
        taken = self.runner.process_batch(self.connection)
        ms = (time.monotonic() - begin) * 1_000
        assert taken
        return ms

    def _catch_up(self) -> None:
        while self.runner.process_batch(self.connection):
            pass
