"""Reports: the figures of queues and of agents, a row each and period.

Rule: a report is read in blocks of periods, all of one database snapshot. So its memory is bounded
however long it is, and what stops early has not read the rest.

A row depends on the two times of the question, and on nothing that was recorded later. So a report
as of a ``knownAt`` that is past has the same bytes whenever it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, Literal

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.domain.metrics import (
    AT_WORK_STATUSES,
    READY_STATUS,
    WAIT_COUNTS,
    Thresholds,
    metric_value,
)
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.read_models import Key
from projector.query.as_of.reconstruct import AsOf
from projector.query.figures.agent_periods import AgentPeriod
from projector.query.figures.agent_teams import AgentTeams
from projector.query.figures.agent_times import AgentTimes, first_interval
from projector.query.figures.fact_counts import (
    AgentShare,
    FigureQuestion,
    count_facts,
    count_shares,
    figures_as_of,
    next_counted,
)
from projector.query.figures.summary import FloorReader
from projector.query.own_fold import read_views
from projector.query.scope import Scope

PERIODS_TOGETHER = 96  # that are read at a time, at most
PERIODS_OF_A_PAGE = 16  # at most; the first ones are read one by one, two, and so on
AGENT_PERIODS_TOGETHER = 64_000  # agents times periods

ReportName = Literal["queues", "agents"]
FigureRow = dict[str, Any]  # by the names of the contract
RowKey = tuple[Any, ...]  # the beginning of a row's period, and what tells it from the others


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuestion:
    """What a report is of: the periods between ``edges`` (epoch ms), and filters of figures.

    ``after`` is the key of the last row that is not wanted.
    """

    scope: Scope
    filters: Mapping[str, Sequence[str]]
    as_of: AsOf
    edges: Sequence[int]
    after: RowKey | None = None


class Reports:
    """Reads reports; all rows of an answer are of one database snapshot."""

    def __init__(
        self, pool: Pool, store: EventStore, delays: ArrivalDelays, *, thresholds: Thresholds
    ) -> None:
        self._pool = pool
        self._store = store
        self._delays = delays
        self._thresholds = thresholds

    def rows(self, name: ReportName, question: ReportQuestion) -> Generator[FigureRow, None, None]:
        """All rows of a report in their order, however many; a block of them in memory."""
        return self._rows(name, question, PERIODS_TOGETHER, PERIODS_TOGETHER)

    def rows_within(
        self, cur: Cursor[TupleRow], name: ReportName, question: ReportQuestion
    ) -> Iterator[FigureRow]:
        """All rows, read in the caller's database snapshot."""
        return self._read(cur, name, question, PERIODS_TOGETHER, PERIODS_TOGETHER)

    def figure_question(self, cur: Cursor[TupleRow], question: ReportQuestion) -> FigureQuestion:
        """What the figures of a report are of."""
        return _figure_question(cur, self._store, question)

    def page(
        self, name: ReportName, question: ReportQuestion, limit: int
    ) -> tuple[Sequence[FigureRow], RowKey | None]:
        """Some rows, and the key after which to go on, null at the end."""
        # Most pages end within a period or two.
        with closing(self._rows(name, question, 1, PERIODS_OF_A_PAGE)) as rows:
            page = [*islice(rows, limit + 1)]
        if len(page) <= limit:
            return page, None
        return page[:limit], REPORTS[name].key(page[limit - 1])

    def _rows(
        self, name: ReportName, question: ReportQuestion, together: int, most: int
    ) -> Generator[FigureRow, None, None]:
        with read_views(self._pool) as cur:
            yield from self._read(cur, name, question, together, most)

    def _read(
        self,
        cur: Cursor[TupleRow],
        name: ReportName,
        question: ReportQuestion,
        together: int,
        most: int,
    ) -> Iterator[FigureRow]:
        kind = REPORTS[name]
        after = None if question.after is None else nulls_last(question.after)
        report = kind(cur, self._store, self._delays, question, self._thresholds)
        most = min(most, report.periods_together)
        for edges in _blocks(report, question, together, most):
            rows = report.read(edges)
            if after is not None:
                rows = (row for row in rows if nulls_last(kind.key(row)) > after)
            yield from rows


def _blocks(
    report: _Report, question: ReportQuestion, together: int, most: int
) -> Iterator[Sequence[int]]:
    """The edges of some periods at a time: ``together`` of them, then twice as many, up to most.

    Periods of which nothing is known are passed over, however many they are.
    """
    edges, begin = question.edges, 0
    if question.after is not None:
        begin = max(0, bisect_right(edges, question.after[0]) - 1)
    while begin < len(edges) - 1:
        known = report.next_known(edges[begin])
        if known is None or known >= edges[-1]:
            return
        begin = max(begin, bisect_right(edges, known) - 1)
        together = min(together, most)
        yield edges[begin : begin + together + 1]
        begin += together
        together *= 2


def nulls_last(key: RowKey) -> RowKey:
    """The key of a row as rows are ordered by it."""
    return tuple((part is None, part) for part in key)


def _figure_question(
    cur: Cursor[TupleRow], store: EventStore, question: ReportQuestion
) -> FigureQuestion:
    as_of = question.as_of
    return FigureQuestion(
        scope=question.scope,
        members=FloorReader(cur, store, question.scope, as_of, question.edges[0]).members(),
        filters=question.filters,
        as_of=figures_as_of(as_of),
    )


class _Report(ABC):
    """Makes the rows of one report, some periods at a time."""

    def __init__(
        self,
        cur: Cursor[TupleRow],
        store: EventStore,
        delays: ArrivalDelays,
        question: ReportQuestion,
        thresholds: Thresholds,
    ) -> None:
        self._cur = cur
        self._store = store
        self._thresholds = thresholds
        self._question = _figure_question(cur, store, question)
        self._teams = AgentTeams(cur, store, question.as_of)
        self._delays = delays
        self._is_of_queue = "queueId" in question.filters
        self._longest_delay = delays.longest_as_of(cur, question.as_of.position)

    @property
    def periods_together(self) -> int:
        """How many periods may be read at a time, so that their rows fit in memory."""
        return PERIODS_TOGETHER

    def next_known(self, start: int) -> int | None:
        """The first moment from a time on of which a row may tell (epoch ms)."""
        return next_counted(self._cur, self._question, start)

    @abstractmethod
    def read(self, edges: Sequence[int]) -> Iterator[FigureRow]:
        """The rows of the periods between the edges, in the order of the report."""

    @staticmethod
    @abstractmethod
    def key(row: FigureRow) -> RowKey:
        """What the rows are ordered by; null is the last."""

    def _is_settled(self, org_id: str, start: int, end: int) -> bool:
        """Whether later arrivals will probably not change a row of ``[start, end)``."""
        end, moment = min(end, self._question.as_of.now), self._question.as_of.known_time
        return moment - end > self._longest_delay or self._delays.covers(org_id, start, end, moment)


class QueueReport(_Report):
    """The waits and contacts of each queue and channel type."""

    @staticmethod
    def key(row: FigureRow) -> RowKey:
        return row["from"], row["orgId"], row["queueId"], row["channelType"]

    def read(self, edges: Sequence[int]) -> Iterator[FigureRow]:
        facts = count_facts(self._cur, self._question, self._thresholds, edges, by_queue=True)
        for totals in facts:
            # Offers are facts too, but no figure of a queue.
            if any(totals[name] for name in (*WAIT_COUNTS, "handled")):
                yield self._row(totals, *edges[totals["period"] :][:2])

    def _row(self, totals: Mapping[str, Any], start: int, end: int) -> FigureRow:
        return {
            "from": start,
            "to": end,
            "orgId": totals["org_id"],
            "queueId": totals["queue_id"],
            "channelType": totals["channel_type"],
            "offered": totals["offered"],
            "answered": totals["answered"],
            "answeredInTime": totals["answered_in_time"],
            "abandoned": totals["abandoned"],
            "shortAbandoned": totals["short_abandoned"],
            "unanswered": totals["unanswered"],
            "moved": totals["moved"],
            "unknown": totals["unknown"],
            "waitMs": totals["wait_ms"],
            "maxWaitMs": totals["max_wait_ms"],
            "abandonedWaitMs": totals["abandoned_wait_ms"],
            "handled": totals["handled"],
            "talkMs": totals["talk_ms"],
            "holdMs": totals["hold_ms"],
            "consultMs": totals["consult_ms"],
            "wrapUpMs": totals["wrap_up_ms"],
            "serviceLevel": metric_value("service_level", totals),
            "abandonment": metric_value("abandonment", totals),
            "asaMs": metric_value("asa_ms", totals),
            "ahtMs": metric_value("aht_ms", totals),
            "doubtful": totals["unknown"] + totals["doubtful_contacts"],
            "settled": self._is_settled(totals["org_id"], start, end),
        }


class AgentReport(_Report):
    """The times of each agent, and the agent's own part in offers and contacts."""

    @staticmethod
    def key(row: FigureRow) -> RowKey:
        return row["from"], row["orgId"], row["agentId"]

    @property
    def periods_together(self) -> int:
        row = self._cur.execute("SELECT count(*) FROM agents").fetchone()
        return max(1, AGENT_PERIODS_TOGETHER // max(1, row[0] if row else 0))

    def next_known(self, start: int) -> int | None:
        """From the first interval on some agent is there, up to the clock."""
        counted = super().next_known(start)
        there = max(start, self._first_interval)
        if there >= self._question.as_of.now:
            return counted
        return there if counted is None else min(there, counted)

    @cached_property
    def _first_interval(self) -> int:
        first = first_interval(self._cur, self._question)
        return ENDLESS if first is None else first

    def read(self, edges: Sequence[int]) -> Iterator[FigureRow]:
        shares: list[dict[Key, AgentShare]] = [{} for _ in edges[1:]]
        for number, key, share in count_shares(self._cur, self._question, edges):
            if any(share):
                shares[number][key] = share
        times: list[dict[Key, AgentPeriod]] = [{} for _ in edges[1:]]
        for key, periods in AgentTimes(self._cur, self._store, self._question, edges).by_agent():
            for period in periods:
                times[period.number][key] = period
        for number, (start, end) in enumerate(pairwise(edges)):
            yield from self._period(start, end, times[number], shares[number])

    def _period(
        self,
        start: int,
        end: int,
        times: Mapping[Key, AgentPeriod],
        shares: Mapping[Key, AgentShare],
    ) -> Iterator[FigureRow]:
        """The rows of one period."""
        keys = sorted(times.keys() | shares.keys()) if shares.keys() - times.keys() else [*times]
        teams = self._teams.of(keys)
        settled = {
            org_id: self._is_settled(org_id, start, end)
            for org_id in {org_id for org_id, _ in keys}
        }
        for key in keys:
            spent = times.get(key, _NO_TIMES)
            accepted, refused, handled, talk, hold, consult, wrap_up = shares.get(key, _NO_SHARE)
            statuses, idle_codes, org_id = spent.statuses, spent.idle_codes, key[0]
            # In the order of the names, not in that in which they were met.
            if len(statuses) > 1:
                statuses = dict(sorted(statuses.items()))
            if len(idle_codes) > 1:
                idle_codes = dict(sorted(idle_codes.items()))
            yield {
                "from": start,
                "to": end,
                "orgId": org_id,
                "agentId": key[1],
                "teamId": teams[key],
                "loggedInMs": sum(statuses.values()),
                "statusMs": statuses,
                "idleMs": idle_codes,
                "offersAccepted": accepted,
                "offersRefused": refused,
                "handled": handled,
                "talkMs": talk,
                "holdMs": hold,
                "consultMs": consult,
                "wrapUpMs": wrap_up,
                "occupancy": self._occupancy(statuses) if statuses else None,
                "firstLogin": spent.first_login,
                "lastLogout": spent.last_logout,
                "doubtfulMs": spent.doubtful_ms,
                "settled": settled[org_id],
            }

    def _occupancy(self, statuses: Mapping[str, int]) -> float | None:
        """Null for a queue: which agents serve it is not known."""
        if self._is_of_queue:
            return None
        at_work = sum([ms for status, ms in statuses.items() if status in AT_WORK_STATUSES])
        totals = {"at_work_ms": at_work, "ready_ms": statuses.get(READY_STATUS, 0)}
        return metric_value("occupancy", totals)


_NO_TIMES = AgentPeriod(-1)
_NO_SHARE = AgentShare()
REPORTS: Mapping[ReportName, type[_Report]] = {"queues": QueueReport, "agents": AgentReport}
