"""Writes docs/states.md from the tables of the domain: `.venv/bin/python -m tools.states`."""

from __future__ import annotations

from pathlib import Path

from projector.domain.agent import AGENT_TRANSITIONS
from projector.domain.deadlines import (
    COMPLETION_LIMIT_MS,
    LEG_LIMITS_MS,
    SESSION_LIMIT_MS,
    TASK_LIMITS_MS,
)
from projector.domain.fold import Transitions
from projector.domain.leg import LEG_STATUS, LEG_TRANSITIONS
from projector.domain.task import STATE_AFTER_WORD, TASK_TRANSITIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "states.md"
HEAD = """\
# Expected transitions, and how long a state lasts

Drawn from the tables in `projector/domain/agent.py`, `leg.py`, `task.py` and `deadlines.py` by
`.venv/bin/python -m tools.states`; a test fails when it is out of date. An arrow is a word that may
come next. Any other known word also changes the state, and raises the anomaly
`unexpected-transition`. An unknown word raises the anomaly `unknown-state` if it is an agent's, and
none if it is a task's.

These need no arrow: the same word again while the leg or task is in that state, the first event of
a subject, and any word after an unknown word. A task's end by the system with the reason RONA ends
the offer only: the task stays as it is, and there is no anomaly. A leg is `none` again after
`wrapup-done`, `not-responding`, `idle` and `available`, and after the `consult-done` of an agent
who was only consulted. Two tables after the diagrams list the words that lead to a state with
another name. The last one says how long a state lasts.

Whatever the arrows say, the first [trace](glossary.md#the-fold) of a task that was not in
conversation before raises `unexpected-transition`, unless it is the task's first event.
"""
LIMITS_HEAD = """\
## How long a state lasts without news

By the channel type of the leg or task. [How events become state](state.md#the-passing-of-time)
says from when this counts, and of what it is not true.
"""
TABLES: tuple[tuple[str, str, Transitions], ...] = (
    ("The agent", "Of state events that name no task.", AGENT_TRANSITIONS),
    ("The leg", "Of state events that name a task: the agent's part in it.", LEG_TRANSITIONS),
    ("The task", "Of the task's own events.", TASK_TRANSITIONS),
)


def page() -> str:
    """The whole page."""
    sections = [f"## {title}\n\n{about}\n\n{diagram(table)}" for title, about, table in TABLES]
    return "\n".join([HEAD, *sections, _word_tables(), _limit_table()])


def diagram(table: Transitions) -> str:
    """A table as a Mermaid state diagram."""
    arrows = [f"    {_name(a)} --> {_name(b)}" for a in table for b in sorted(table[a])]
    states = sorted({*table, *(word for words in table.values() for word in words)})
    named = [f'    state "{state}" as {_name(state)}' for state in states if _name(state) != state]
    return "\n".join(["```mermaid", "stateDiagram-v2", *named, *arrows, "```", ""])


def _word_tables() -> str:
    leads = [f"| {word} | {state} |" for word, state in STATE_AFTER_WORD.items() if word != state]
    shown = [f"| {word} | {status} |" for word, status in LEG_STATUS.items()]
    return "\n".join(
        [
            "## Words that lead to another state than their own\n",
            *("| of a task | `currentState` |", "|---|---|", *leads, ""),
            *("| of a leg | `status` |", "|---|---|", *shown, ""),
        ]
    )


def _limit_table() -> str:
    rows = [
        (f"a leg in {f'`{state}`' if state else 'any other state'}", limits, "the leg closes")
        for state, limits in LEG_LIMITS_MS.items()
    ]
    rows += [
        ("a session without an open leg and an event", _always(SESSION_LIMIT_MS), "it ends"),
        ("a task that is not over, without an event", TASK_LIMITS_MS, "it is stale"),
        ("an ended task, with an agent at work", _always(COMPLETION_LIMIT_MS), "it is complete"),
    ]
    lines = [
        f"| {what} | {' | '.join(map(_duration, limits))} | {then} |" for what, limits, then in rows
    ]
    head = "| what lasts | `telephony` | no channel type | others | then |"
    return "\n".join([LIMITS_HEAD, head, "|---|---|---|---|---|", *lines, ""])


def _always(limit_ms: int) -> tuple[int, int, int]:
    """A limit for all channel types."""
    return limit_ms, limit_ms, limit_ms


def _duration(ms: int) -> str:
    """A limit in the largest unit of which it is a whole number, if that is more than one."""
    for unit, unit_ms in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms % unit_ms == 0 and ms > unit_ms:
            return f"{ms // unit_ms} {unit}"
    return f"{ms} ms"


def _name(state: str) -> str:
    return state.replace("-", "_")


if __name__ == "__main__":
    PAGE.write_text(page())
