"""Draw docs/states.md from the transition tables: `.venv/bin/python tools/states.py` writes it."""

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
next. Another of these words is taken all the same, changes the state as it says, and raises the
anomaly `unexpected-transition`; a word that nobody knows raises `unknown-state` instead where an
agent says it, and nothing where it is a task's.

Expected without an arrow: the same word again while the leg or task is in that state, a subject's
first event, and anything after a word that nobody knows. An end by the system that names RONA ends
an offer and leaves the task as it is; it raises nothing. A leg is `none` again after `wrapup-done`,
`not-responding`, `idle` and `available`; where a task's words lead elsewhere stands at the end.
"""
TABLES: tuple[tuple[str, str, Transitions], ...] = (
    ("The agent", "Of state events that name no task.", AGENT_TRANSITIONS),
    ("The leg", "Of state events that name a task: the agent's part in it.", LEG_TRANSITIONS),
    ("The task", "Of the task's own events.", TASK_TRANSITIONS),
)


def page() -> str:
    """The whole page."""
    sections = [f"## {title}\n\n{about}\n\n{diagram(table)}" for title, about, table in TABLES]
    return "\n".join([HEAD, *sections, _mapped()])


def diagram(table: Transitions) -> str:
    """A table as a Mermaid state diagram."""
    arrows = [f"    {_name(a)} --> {_name(b)}" for a in table for b in sorted(table[a])]
    states = sorted({*table, *(word for words in table.values() for word in words)})
    named = [f'    state "{state}" as {_name(state)}' for state in states if _name(state) != state]
    return "\n".join(["```mermaid", "stateDiagram-v2", *named, *arrows, "```", ""])


def _mapped() -> str:
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
