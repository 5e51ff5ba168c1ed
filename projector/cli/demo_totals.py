"""What a demo has done so far, in figures and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from projector.webex.simulator.sender import SendTotals

WITHOUT_TASK = ("idle", "available", "unknown")  # statuses of agents without a task


@dataclass(slots=True, kw_only=True)
class DemoTotals:
    """What happened to the webhooks of a demo, and what its reconciliations found."""

    sent: SendTotals = field(default_factory=SendTotals)
    fates: Counter[str] = field(default_factory=Counter)
    reconciliations: int = 0
    reconciled: int = 0  # events that no webhook had brought
    corrections: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.sent.as_dict(),
            **{name: self.fates[name] for name in ("late", "duplicated", "held", "lost")},
            **{
                name: count for name, count in asdict(self).items() if name not in {"sent", "fates"}
            },
        }

    def text(self) -> str:
        return (
            f"{counted(self.sent.sent, 'webhook')} acknowledged, {self._fates()}.\n"
            f"{counted(self.reconciliations, 'reconciliation')} appended"
            f" {counted(self.reconciled, 'event')} that no webhook had brought, and made"
            f" {counted(self.corrections, 'correction')}."
        )

    def _fates(self) -> str:
        fates = self.fates
        return (
            f"{fates['duplicated']} of them twice, {fates['late']} late, {fates['held']} held back"
            f" by storms; lost on purpose: {fates['lost']}"
        )

    def line(self, agents: Collection[dict[str, Any]], tasks: dict[str, int]) -> str:
        """The floor now, by the views of its agents and the counts of tasks, and its webhooks."""
        logged_in = [it for it in agents if it["loggedIn"]]
        busy = [it for it in logged_in if it["status"] not in WITHOUT_TASK]
        return (
            f"{counted(len(logged_in), 'agent')} logged in, {len(busy)} of them with a task;"
            f" {counted(tasks['open'], 'task')} open, {tasks['waiting']} waiting. Webhooks:"
            f" {self.sent.sent} sent, {self._fates()}; {counted(self.reconciled, 'event')}"
            " reconciled"
        )


def counted(count: int, one: str, several: str = "") -> str:
    """A number with what it counts: 1 task, 2 tasks; ``several`` where more than an s differs."""
    return f"{count} {one if count == 1 else several or f'{one}s'}"
