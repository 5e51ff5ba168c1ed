"""What is counted over the life of a task, when it happens more than once."""

from __future__ import annotations

import pytest

from projector.domain.fold import AnomalyKind
from projector.projection.read_models import TASKS
from tests.examples import at, ended, task, v1, v2
from tests.folds import folded, kinds, view

COUNTS = ("offers", "rona", "holds", "consults", "conferences", "transfers")


def counted(*bodies):
    """The counts that are not zero."""
    counts = view(TASKS, folded(TASKS, *bodies))["counts"]
    assert set(COUNTS) == set(counts)
    return {name: count for name, count in counts.items() if count}


def steps(*words):
    return [task(1_000 * index, "t", word) for index, word in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("new connect connect", {"offers": 2}),
        ("connected on-hold hold-done on-hold hold-done", {"holds": 2}),
        ("connected consulting connected consulting", {"consults": 2}),
        ("connected conferencing conference-done conferencing", {"conferences": 2}),
        ("conferencing conference-transferred conferencing conference-transferred",
         {"conferences": 2, "transfers": 2}),
        ("connected parked connected parked", {"transfers": 2}),
        ("connected connect connected connect", {"offers": 2, "transfers": 2}),
        ("new parked parked", {}),
    ],
)  # fmt: skip
def test_each_time_is_counted(words, expected):
    """The second time too."""
    assert expected == counted(*steps(*words.split()))


def test_each_refusal_is_counted_once():
    """Both versions of the event report one refusal of an agent in a millisecond."""
    refusals = [v1(1, "ann", "not-responding", "t"), v2(1, "ann", "not-responding", "t")]
    assert {"rona": 1} == counted(*refusals)
    assert {"rona": 2} == counted(*refusals, v1(9, "ann", "not-responding", "t"))
    assert {"rona": 2} == counted(*refusals, v1(1, "bob", "not-responding", "t"))


def test_the_systems_word_counts_where_the_agents_is_lost():
    """Both report the same refusals, so the greater number is right."""
    ends = [ended(time, "t", "System", "RONA Timer Expired") for time in (5, 9)]
    assert {"rona": 2} == counted(*ends)
    assert {"rona": 2} == counted(v1(4, "ann", "not-responding", "t"), *ends)


@pytest.mark.parametrize(
    ("party", "reason"), [("Customer", "rona"), ("System", "Customer Left"), ("", "rona")]
)
def test_any_other_end_is_an_end(party, reason):
    """Only the system ends an offer, and only for RONA."""
    event = task(5, "t", "ended", terminatingParty=party, reason=reason)
    assert "ended" == folded(TASKS, event).state.current_state


def test_the_first_time_of_a_word_stays():
    """A task that is new, queued or offered again keeps its first times."""
    view_of_task = view(
        TASKS, folded(TASKS, *steps("new", "parked", "connect", "new", "parked", "connect"))
    )
    times = [view_of_task[name] for name in ("createdTime", "queuedTime", "offeredTime")]
    assert [at(0), at(1_000), at(2_000)] == times


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("new on-hold", 1),
        ("on-hold", 0),
        ("new customer-note", 0),
        ("new origin-updated", 0),
        ("new connect on-hold new", 1),
        ("new connect new on-hold", 2),
    ],
)
def test_a_word_that_leads_nowhere_is_never_unexpected(words, expected):
    """Nor is a first word. From the second on a word is compared with the state."""
    result = folded(TASKS, *steps(*words.split()))
    assert [AnomalyKind.UNEXPECTED_TRANSITION] * expected == kinds(result)
