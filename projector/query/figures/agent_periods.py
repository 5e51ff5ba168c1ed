"""What an agent's stretches are in some periods: the time in each status, logins and logouts.

Rule: stretches lie side by side, and each is cut where a period ends. So what is counted in periods
side by side adds up.

It is done here rather than in the database, since a day of many agents has more pieces than rows,
and grouping them there took three times as long.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from projector.domain.metrics import IDLE_STATUS
from projector.domain.state_names import LOGGED_OUT

WITHOUT_CODE = "none"  # the key of time in idle that has no idle code


@dataclass(slots=True)
class AgentPeriod:
    """The times of one agent in one period, ms; ``number`` is that of the period, from 0."""

    number: int
    statuses: dict[str, int] = field(default_factory=dict)  # without logged-out
    idle_codes: dict[str, int] = field(default_factory=dict)
    doubtful_ms: int = 0
    first_login: int | None = None
    last_logout: int | None = None

    def _add(self, status: str, code: str | None, told_ms: int, doubtful_ms: int) -> None:
        self.doubtful_ms += doubtful_ms
        if told_ms and status != LOGGED_OUT:
            self.statuses[status] = self.statuses.get(status, 0) + told_ms
            if status == IDLE_STATUS:
                name = code or WITHOUT_CODE
                self.idle_codes[name] = self.idle_codes.get(name, 0) + told_ms


def cut_stretches(agent: Mapping[str, Any], edges: Sequence[int]) -> Sequence[AgentPeriod]:
    """The periods in which an agent had a stretch, in their order.

    ``agent`` has arrays: ``starts``, ``finishes``, ``told_untils``, ``statuses`` and
    ``idle_codes`` of the stretches, and the times of ``logins`` and ``logouts``, or null.
    """
    first = number = max(0, bisect_right(edges, agent["starts"][0]) - 1)
    since, upto = edges[number], edges[number + 1]
    periods = [AgentPeriod(number)]
    stretches = zip(
        *(agent[name] for name in ("starts", "finishes", "told_untils", "statuses", "idle_codes")),
        strict=True,
    )
    for start, finish, told_until, status, code in stretches:
        begin = max(start, since)
        while begin < finish:
            if begin == upto:
                number += 1
                upto = edges[number + 1]
                periods.append(AgentPeriod(number))
            end = min(finish, upto)
            told = min(max(told_until, begin), end)
            periods[-1]._add(status, code, told - begin, end - told)  # noqa: SLF001
            begin = end
        since = begin
    for login in reversed(agent["logins"] or ()):
        periods[bisect_right(edges, login) - 1 - first].first_login = login
    for logout in agent["logouts"] or ():
        periods[bisect_right(edges, logout) - 1 - first].last_logout = logout
    return periods
