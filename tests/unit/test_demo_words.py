"""What a demo says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from projector.cli.demo_totals import DemoTotals, counted
from projector.webex.simulator.sender import SendTotals


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks"), (1_000, "1000 tasks")]
)
def test_a_number_says_what_it_counts(count: int, words: str) -> None:
    assert words == counted(count, "task")


def test_people_are_several_persons() -> None:
    assert ["1 person", "2 people"] == [counted(n, "person", "people") for n in (1, 2)]


def test_the_summary_at_the_end_is_a_sentence_for_one_and_for_many() -> None:
    one = DemoTotals(sent=SendTotals(sent=1), reconciliations=1, reconciled=1, corrections=1)
    webhooks, reconciled = one.text().splitlines()
    assert webhooks.startswith("1 webhook acknowledged, 0 of them twice")
    assert (
        "1 reconciliation appended 1 event that no webhook had brought, and made 1 correction."
    ) == reconciled
    assert "0 reconciliations appended 0 events" in DemoTotals().text()


def test_a_line_counts_the_agents_that_it_is_given() -> None:
    """Those with a task are neither idle nor available."""

    def agent(status: str, *, logged_in: bool = True) -> dict[str, Any]:
        return {"status": status, "loggedIn": logged_in}

    agents = [agent("idle"), agent("connected"), agent("logged-out", logged_in=False)]
    line = DemoTotals().line(agents, {"open": 1, "waiting": 0})
    assert line.startswith("2 agents logged in, 1 of them with a task; 1 task open, 0 waiting.")
