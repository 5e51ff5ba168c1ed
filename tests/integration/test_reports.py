"""The law of reports: rows are the count over folds, and windows side by side add up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.facts import Fact
from projector.domain.fold import Interval
from projector.projection.read_models import AGENTS, TASKS
from tests.conftest import Site, over_http, slow
from tests.independent_metrics import (
    AT_WORK,
    FigureWindow,
    Folds,
    Key,
    doubtful_stretches,
    told_stretches,
)
from tests.integration.driving import arrived, moments, stories
from tests.integration.test_summary import PARTS, facts_of
from tests.strategies import believable_deliveries, noisy_deliveries

SPANS = (1_000, 60_000, 1_800_000, 86_400_000, 40 * 86_400_000)
Rows = list[dict[str, Any]]
# Of two rows the longest wait is the longer one; figures are no sums.
NO_SUMS = {"from", "to", "maxWaitMs", "firstLogin", "lastLogout", "settled"}


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
@given(data=st.data())
def test_a_report_is_what_one_counts_and_its_windows_add_up(timed, lives, data):
    """For any arrival, any two times, any cut of any span and any part of the floor."""
    site, clock = timed
    log = arrived(site, clock, data, lives)
    agent_ids = sorted({id_ for _, id_ in log.of(AGENTS)})
    for _ in range(3):
        happened, known_at = moments(data, log, clock)
        now = next(time for time in (happened, known_at, clock.now) if time is not None)
        figures_clock = max(now, clock.now if known_at is None else known_at)
        part = data.draw(st.sampled_from([*PARTS, *({"agentId": it} for it in agent_ids)]))
        start, span = data.draw(spans(log)), data.draw(st.sampled_from(SPANS))
        interval = max(1_000, span // data.draw(st.integers(1, 9)))
        edges = [*range(start, start + span, interval), start + span]
        agents = stories(log, AGENTS, happened, known_at, clock.now)
        known_agents, known_tasks = (
            stories(log, table, None, known_at, figures_clock, advanced_to=figures_clock)
            for table in (AGENTS, TASKS)
        )
        counting = Counting(agents, known_agents, known_tasks, part, figures_clock)
        query = {"at": happened, "knownAt": known_at, "from": start, "to": start + span} | part
        for name, count in (("queues", counting.queues), ("agents", counting.agent_rows)):
            cut = read(site, name, query | {"interval": interval})
            assert [row for period in pairwise(edges) for row in count(*period)] == cut
            add_up(read(site, name, query | {"interval": span}), cut)
            for row in cut if name == "agents" else ():
                assert row["loggedInMs"] == sum(row["statusMs"].values()) <= row["to"] - row["from"]


def spans(log: Any) -> st.SearchStrategy[int]:
    """Beginnings near to an event."""
    times = sorted({it.time for it in log.events.values()}) or [0]
    return st.sampled_from(times).flatmap(
        lambda time: st.sampled_from([0, 1, 500, 30_000, 3_600_000]).map(
            lambda before: min(max(0, time - before), 10**14)
        )
    )


def read(site: Site, name: str, query: dict[str, Any]) -> Rows:
    """All rows, without `settled`."""
    answer = site.get(
        f"/api/v1/reports/{name}",
        query_string=query,
        headers={"Accept": "application/x-ndjson"},
    )
    assert 200 == answer.status_code, answer.text
    rows = [json.loads(line) for line in answer.data.split(b"\n")[:-1]]
    assert all(isinstance(row.pop("settled"), bool) for row in rows)
    return rows


def add_up(whole: Rows, cut: Rows) -> None:
    """The sums of the cut rows are those of the whole ones."""

    def sums(rows: Rows) -> Counter[Any]:
        total: Counter[Any] = Counter()
        for row in rows:
            subject = tuple(row.get(it) for it in ("orgId", "queueId", "channelType", "agentId"))
            for field, value in row.items():
                if isinstance(value, int) and field not in NO_SUMS:
                    total[subject, field] += value
                if isinstance(value, dict):
                    total.update({(subject, field, key): ms for key, ms in value.items()})
        return +total

    assert sums(whole) == sums(cut)


class Counting:
    """Counts facts and intervals of a part of the floor, as one would on paper."""

    def __init__(
        self, agents: Folds, known_agents: Folds, tasks: Folds, part: dict[str, str], clock: int
    ) -> None:
        self.now = agents
        self.clock = clock
        self.part = part
        self.members = {key for key, it in agents.items() if it.state.team_id == part.get("teamId")}
        self.intervals = {
            key: it.intervals for key, it in known_agents.items() if self.is_chosen(key)
        }
        without_team = {name: it for name, it in part.items() if name != "teamId"}
        of_members = {key: it for key, it in agents.items() if key in self.members}
        self.facts = [
            (key[0], fact)
            for key, it in tasks.items()
            for fact in facts_of({key: it}, of_members, part)
            if "agentId" not in part or part["agentId"] in fact.parts
        ]
        self.facts_of_agents = [
            (key[0], fact)
            for key, it in tasks.items()
            for fact in facts_of({key: it}, {}, without_team)
        ]

    def is_chosen(self, key: Key) -> bool:
        return (
            self.part.get("orgId") in {None, key[0]}
            and self.part.get("agentId") in {None, key[1]}
            and ("teamId" not in self.part or key in self.members)
        )

    def queues(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        by_queue: dict[Any, list[Fact]] = {}
        for org, fact in self.facts:
            by_queue.setdefault((org, fact.queue_id, fact.channel_type), []).append(fact)
        for org, queue, channel in sorted(
            by_queue, key=lambda it: (it[0], it[1] is None, it[1] or "", it[2] is None, it[2] or "")
        ):
            facts = by_queue[org, queue, channel]
            window = FigureWindow(start=start, end=end, clock=self.clock)
            for fact in facts:
                window.fact(fact)
            if not any(window.counts.values()):
                continue
            ended = [it for it in facts if self.counts(it, start, end)]
            waits = [(it.end - it.start, it.outcome) for it in ended if it.kind == "wait"]
            contacts = [it for it in ended if it.kind == "contact"]
            figures = window.figures
            yield {
                "from": start,
                "to": end,
                "orgId": org,
                "queueId": queue,
                "channelType": channel,
                **{
                    name: window.counts[name]
                    for name in ("offered", "answered", "answeredInTime", "abandoned",
                                 "shortAbandoned", "unanswered", "moved", "unknown")
                },
                "waitMs": sum(ms for ms, outcome in waits if outcome == "answered"),
                "maxWaitMs": max(
                    (ms for ms, outcome in waits if outcome != "unknown"), default=None
                ),
                "abandonedWaitMs": sum(ms for ms, outcome in waits if outcome == "abandoned"),
                "handled": len(contacts),
                "talkMs": sum(it.talk_ms for it in contacts),
                "holdMs": sum(it.hold_ms for it in contacts),
                "consultMs": sum(it.consult_ms for it in contacts),
                "wrapUpMs": sum(it.wrap_up_ms for it in contacts),
                **{
                    name: figures[name].as_json()["value"]
                    for name in ("serviceLevel", "abandonment", "asaMs", "ahtMs")
                },
                "doubtful": figures["asaMs"].doubtful + figures["ahtMs"].doubtful,
            }  # fmt: skip

    def counts(self, fact: Fact, start: int, end: int) -> bool:
        return fact.counted_time is not None and start <= fact.counted_time < min(
            end, self.clock + 1
        )

    def agent_rows(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        clock = min(end, self.clock)
        shares = self.shares(start, end)
        there = {key for key, it in self.intervals.items() if start < clock and it[0].start < clock}
        for key in sorted(there | shares.keys()):
            intervals = self.intervals.get(key, [])
            spent, idle = Counter[str](), Counter[str]()
            for status, code, since, until in told_stretches(intervals, clock):
                ms = max(0, until - max(since, start))
                if status != "logged-out":
                    spent[status] += ms
                if status == "idle":
                    idle[code or "none"] += ms
            at_work, ready = sum(spent[it] for it in AT_WORK), spent["available"]
            share = shares.get(key, Counter())
            logins, logouts = logins_and_logouts(intervals, start, clock)
            has_occupancy = "queueId" not in self.part and at_work + ready
            doubtful_ms = sum(
                max(0, until - max(since, start))
                for since, until in doubtful_stretches(intervals, clock)
            )
            if not (+spent or +share or logins or logouts or doubtful_ms):
                continue
            yield {
                "from": start,
                "to": end,
                "orgId": key[0],
                "agentId": key[1],
                "teamId": self.now[key].state.team_id if key in self.now else None,
                "loggedInMs": spent.total(),
                "statusMs": dict(+spent),
                "idleMs": dict(+idle),
                **{
                    name: share[name]
                    for name in ("offersAccepted", "offersRefused", "handled", "talkMs", "holdMs",
                                 "consultMs", "wrapUpMs")
                },
                "occupancy": at_work / (at_work + ready) if has_occupancy else None,
                "firstLogin": min(logins, default=None),
                "lastLogout": max(logouts, default=None),
                "doubtfulMs": doubtful_ms,
            }  # fmt: skip

    def shares(self, start: int, end: int) -> dict[Key, Counter[str]]:
        """What each agent had in offers and contacts."""
        shares: dict[Key, Counter[str]] = {}
        for org, fact in self.facts_of_agents:
            if fact.kind == "wait" or not self.counts(fact, start, end):
                continue
            for agent, part in fact.parts.items():
                if self.is_chosen((org, agent)):
                    share = shares.setdefault((org, agent), Counter())
                    share["offersAccepted"] += fact.outcome == "accepted"
                    share["offersRefused"] += fact.outcome == "refused"
                    share["handled"] += part.handled
                    share["talkMs"] += part.talk_ms
                    share["holdMs"] += part.hold_ms
                    share["consultMs"] += part.consult_ms
                    share["wrapUpMs"] += part.wrap_up_ms
        return shares


def logins_and_logouts(
    intervals: list[Interval], start: int, clock: int
) -> tuple[list[int], list[int]]:
    """When an agent was logged in, and logged out by an event."""
    logins, logouts = [], []
    was_in = False
    for it in intervals:
        is_in = it.display.status != "logged-out"
        if start <= it.start < clock:
            if is_in and not was_in:
                logins.append(it.start)
            if not is_in and it.event_id is not None:
                logouts.append(it.start)
        was_in = is_in
    return logins, logouts
