"""The transition tables, compared with what real contact centres did."""

from __future__ import annotations

import pytest

from projector.domain.agent import AGENT_TRANSITIONS
from projector.domain.fold import is_expected
from projector.domain.leg import LEG_TRANSITIONS, NO_LEG
from projector.domain.task import TASK_TRANSITIONS

# What came next in the vendor's own rows and pages, for each agent.
SEEN_IN_A_LEG = {
    NO_LEG: "ringing connected consulting",
    "ringing": "connected consulting not-responding available idle",
    "connected": "on-hold consulting conferencing wrapup available",
    "on-hold": "hold-done consulting wrapup",
    "hold-done": "on-hold consulting wrapup conference-done",
    "consulting": "consult-done conferencing wrapup connected",
    "consult-done": "hold-done on-hold wrapup available idle",
    "conferencing": "conference-done hold-done wrapup",
    "wrapup": "wrapup-done connected",
}
SEEN_OF_AN_AGENT = {
    "idle": "available connected ringing",
    "available": "ringing idle",
    "not-responding": "idle available",
    "wrapup-done": "available idle",
}
# Direct transitions of 77 real tasks, and the expected oddities.
SEEN_OF_A_TASK = {
    "new": "connect parked ended",
    "parked": "connect ended",
    "connect": "connected connect parked ended",
    "connected": "on-hold ended connect connected consult-done",
    "on-hold": "consulting hold-done",
    "consulting": "consult-done conferencing new connected",
    "conferencing": "hold-done conference-done",
    "ended": "ended hold-done new parked connect connected on-hold consulting conferencing",
    "failed": "new parked connect",
}
# Where one of these comes next, an event in between was lost.
NEVER_IN_A_LEG = {
    NO_LEG: "hold-done consult-done conference-done wrapup wrapup-done on-hold",
    "ringing": "on-hold hold-done wrapup wrapup-done conferencing consult-done",
    "connected": "ringing hold-done consult-done conference-done not-responding wrapup-done",
    "on-hold": "ringing not-responding conference-done wrapup-done",
    "consulting": "ringing not-responding wrapup-done conference-done",
    "conferencing": "ringing not-responding wrapup-done",
    "wrapup": "ringing on-hold hold-done conferencing consult-done not-responding",
}
NEVER_OF_AN_AGENT = {
    "idle": "hold-done wrapup-done consult-done conference-done not-responding",
    "available": "hold-done wrapup-done consult-done conference-done not-responding",
    "wrapup-done": "hold-done not-responding on-hold",
}
NEVER_OF_A_TASK = {
    "new": "hold-done consult-done conference-done on-hold consulting conferencing",
    "parked": "hold-done on-hold consulting conferencing conference-done",
    "connect": "hold-done on-hold consult-done conference-done conferencing",
    "on-hold": "conference-done conference-transferred",
    "failed": "hold-done on-hold consulting conference-done",
}


def cells(table, rows, *, expected):
    return [
        pytest.param(table, state, word, expected, id=f"{state}-{word}")
        for state, words in rows.items()
        for word in words.split()
    ]


@pytest.mark.parametrize(
    ("table", "state", "word", "expected"),
    [
        *cells(LEG_TRANSITIONS, SEEN_IN_A_LEG, expected=True),
        *cells(AGENT_TRANSITIONS, SEEN_OF_AN_AGENT, expected=True),
        *cells(TASK_TRANSITIONS, SEEN_OF_A_TASK, expected=True),
        *cells(LEG_TRANSITIONS, NEVER_IN_A_LEG, expected=False),
        *cells(AGENT_TRANSITIONS, NEVER_OF_AN_AGENT, expected=False),
        *cells(TASK_TRANSITIONS, NEVER_OF_A_TASK, expected=False),
    ],
)
def test_a_step_is_expected_where_it_was_seen(table, state, word, expected):
    """A transition that was seen is expected; one that needs a lost event is not."""
    assert expected is is_expected(table, state, word)
