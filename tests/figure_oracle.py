"""The reference counts of the reports: section 10 of the page, from facts and from intervals.

Every fact is counted once, at one moment, so windows side by side add up. All windows are
`[frm, to)`, in epoch milliseconds. Ratios are left to who divides the sums.

"Choice" in a comment marks what the page leaves open.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fact_oracle import TaskFact
from tests.oracle import Anomaly, words

FactsByTask = Mapping[str, Sequence[TaskFact]]
Thresholds = int | Mapping[str, int]  # for all, or by channel type with `*` for the rest
Place = tuple[str | None, str | None]  # queueId and channelType

COUNTS = words(
    "offered answered answeredInTime abandoned shortAbandoned unanswered moved unknown",
    "waitMs maxWaitMs abandonedWaitMs handled talkMs holdMs consultMs wrapUpMs doubtful",
)
OFFER_OUTCOMES = ("accepted", "refused", "withdrawn")
UNTOLD = ("missing-logout", "overdue")


def threshold(thresholds: Thresholds, channel_type: str | None) -> int | None:
    """The limit for a channel type; None where there is none.

    Choice: channel types are compared without case, as deadlines compare them.
    """
    if isinstance(thresholds, int):
        return thresholds
    by_type = {name.lower(): limit for name, limit in thresholds.items()}
    return by_type.get((channel_type or "*").lower(), by_type.get("*"))


def lies(time: int | None, frm: int, to: int) -> bool:
    return time is not None and frm <= time < to


def selected(
    facts: FactsByTask, kind: str, queue: str | None, channel_type: str | None
) -> list[TaskFact]:
    """The facts of a kind, of all tasks; a filter that is None selects all."""
    return [
        fact
        for task_facts in facts.values()
        for fact in task_facts
        if fact.kind == kind
        and queue in (None, fact.queue)
        and channel_type in (None, fact.channel_type)
    ]


def queue_figures(
    facts: FactsByTask,
    frm: int,
    to: int,
    queue: str | None = None,
    channel_type: str | None = None,
    *,
    service_level: Thresholds = 20_000,
    short_abandon: Thresholds = 0,
) -> dict[Place, dict[str, int]]:
    """Counts and sums of waits and contacts, by queue and channel type. Empty places are left out.

    Choices: a wait is offered in the channel type that it ends with, as the rest of it counts. The
    longest wait is of all that ended, whatever their outcome. `abandonedWaitMs` is of `abandoned`,
    without the short ones.
    """
    figures: dict[Place, dict[str, int]] = {}

    def row(fact: TaskFact) -> dict[str, int]:
        return figures.setdefault((fact.queue, fact.channel_type), dict.fromkeys(COUNTS, 0))

    for fact in selected(facts, "wait", queue, channel_type):
        if lies(fact.start, frm, to):
            row(fact)["offered"] += 1
        if fact.counted is not None and lies(fact.counted, frm, to):
            count_wait(
                row(fact),
                fact,
                fact.counted - fact.start,
                threshold(service_level, fact.channel_type),
                threshold(short_abandon, fact.channel_type),
            )
    for fact in selected(facts, "contact", queue, channel_type):
        if lies(fact.counted, frm, to):
            count_contact(row(fact), fact)
    return figures


def count_wait(
    figures: dict[str, int], fact: TaskFact, waited: int, in_time: int | None, short: int | None
) -> None:
    """Within a threshold is not longer than it, short is shorter."""
    outcome = str(fact.outcome)
    if outcome == "abandoned" and short is not None and waited < short:
        outcome = "shortAbandoned"
    figures[outcome] += 1
    figures["maxWaitMs"] = max(figures["maxWaitMs"], waited)
    if outcome == "answered":
        figures["waitMs"] += waited
        figures["answeredInTime"] += in_time is not None and waited <= in_time
    if outcome == "abandoned":
        figures["abandonedWaitMs"] += waited
    figures["doubtful"] += fact.doubtful


def count_contact(figures: dict[str, int], fact: TaskFact) -> None:
    figures["handled"] += 1
    figures["talkMs"] += fact.talk
    figures["holdMs"] += fact.hold
    figures["consultMs"] += fact.consult
    figures["wrapUpMs"] += fact.wrap_up
    figures["doubtful"] += fact.doubtful


def offer_figures(
    facts: FactsByTask,
    frm: int,
    to: int,
    queue: str | None = None,
    channel_type: str | None = None,
) -> dict[Place, dict[str, int]]:
    """Offers by their outcome, by queue and channel type. rona = refused / (accepted + refused)."""
    figures: dict[Place, dict[str, int]] = {}
    for fact in selected(facts, "offer", queue, channel_type):
        if lies(fact.counted, frm, to):
            place = (fact.queue, fact.channel_type)
            figures.setdefault(place, dict.fromkeys(OFFER_OUTCOMES, 0))[str(fact.outcome)] += 1
    return figures


# --- agents' times --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TimesOfAgent:
    """Milliseconds of a window. What is doubtful is in `doubtful` alone."""

    by_status: dict[str, int] = field(default_factory=dict)
    by_idle_code: dict[str | None, int] = field(default_factory=dict)  # of `idle`; None: no code
    doubtful: int = 0


def agent_times(
    rows: Iterable[Mapping[str, Any]],
    anomalies: Iterable[Anomaly],
    frm: int,
    to: int,
    clock: int,
) -> TimesOfAgent:
    """The times of one agent, of its intervals and its anomalies as of the clock.

    An anomaly that the passing of time raised has no event. From the agent's last event up to it
    all is doubtful, and counted once where several cover it.

    Choice: an open interval ends at the clock, and a closed one where it ends, also where that is
    ahead of the clock.
    """
    gaps = [
        one.gap
        for one in anomalies
        if one.kind in UNTOLD and one.event_id is None and one.gap is not None
    ]
    by_status: Counter[str] = Counter()
    by_code: Counter[str | None] = Counter()
    doubtful = 0
    for row in rows:
        end = clock if row["to"] is None else row["to"]
        start, end = max(row["from"], frm), min(end, to)
        if start >= end:
            continue
        untold = covered(gaps, start, end)
        doubtful += untold
        by_status[row["status"]] += end - start - untold
        if row["status"] == "idle":
            by_code[row["idleCodeId"]] += end - start - untold
    return TimesOfAgent(by_status=dict(+by_status), by_idle_code=dict(+by_code), doubtful=doubtful)


def covered(gaps: Iterable[tuple[int, int]], start: int, end: int) -> int:
    """How much of `[start, end)` the gaps cover, each part once."""
    length = 0
    for first, last in sorted(gaps):
        start = max(start, first)
        length += max(0, min(last, end) - start)
        start = max(start, last)
    return length
