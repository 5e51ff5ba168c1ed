"""Writes docs/states.md from the transition tables: `.venv/bin/python tools/states.py`."""

from __future__ import annotations

from pathlib import Path

from projector.domain.agent import AGENT_TRANSITIONS
from projector.domain.fold import Transitions
from projector.domain.leg import LEG_STATUS, LEG_TRANSITIONS
from projector.domain.task import STATE_AFTER_WORD, TASK_TRANSITIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "states.md"
HEAD = """\
# Expected transitions

Drawn from the tables in `projector/domain/agent.py`, `leg.py` and `task.py` by
`.venv/bin/python tools/states.py`; a test fails when it is stale. An arrow is a word that may come
next. Any other known word also changes the state, and raises the anomaly `unexpected-transition`.
An unknown word raises the anomaly `unknown-state` if it is an agent's, and none if it is a task's.

These need no arrow: the same word again while the leg or task is in that state, the first event of
a subject, and any word after an unknown word. A task's end by the system with the reason RONA ends
the offer only: the task stays as it is, and there is no anomaly. A leg is `none` again after
`wrapup-done`, `not-responding`, `idle` and `available`. The tables at the end list the words that
lead to a state with another name.
"""
TABLES: tuple[tuple[str, str, Transitions], ...] = (
    ("The agent", "Of state events that name no task.", AGENT_TRANSITIONS),
    ("The leg", "Of state events that name a task: the agent's part in it.", LEG_TRANSITIONS),
    ("The task", "Of the task's own events.", TASK_TRANSITIONS),
)


def page() -> str:
    """The whole page."""
    sections = [f"## {title}\n\n{about}\n\n{diagram(table)}" for title, about, table in TABLES]
    return "\n".join([HEAD, *sections, _word_tables()])


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


def _name(state: str) -> str:
    return state.replace("-", "_")


if __name__ == "__main__":
    PAGE.write_text(page())
