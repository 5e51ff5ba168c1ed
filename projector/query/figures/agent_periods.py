"""What an agent's stretches are in some periods: the time in each status, logins and logouts.

Rule: stretches lie side by side, and each is cut where a period ends. So what is counted in periods
side by side adds up.

It is done here rather than in the database, since a day of many agents has more pieces than rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from projector.domain.metrics import IDLE_STATUS
from projector.domain.state_names import LOGGED_OUT

WITHOUT_CODE = "none"  # the key of time in idle that has no idle code


class AgentPeriod:
    """The times of one agent in one period, ms; ``number`` is that of the period, from 0."""

    __slots__ = (
        *("number", "statuses", "idle_codes", "doubtful_ms", "first_login", "last_logout"),
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.statuses: dict[str, int] = {}  # without logged-out
        self.idle_codes: dict[str, int] = {}
        self.doubtful_ms = 0
        self.first_login: int | None = None
        self.last_logout: int | None = None

    def add(self, status: str, code: str | None, ms: int) -> None:
        """Add time in a status."""
        self.statuses[status] = self.statuses.get(status, 0) + ms
        if status == IDLE_STATUS:
            name = code or WITHOUT_CODE
            self.idle_codes[name] = self.idle_codes.get(name, 0) + ms


def cut_stretches(agent: Mapping[str, Any], edges: Sequence[int]) -> Iterable[AgentPeriod]:
    """The periods in which an agent was logged in, or something else is to be told, in their order.

    ``agent`` has arrays: ``starts``, ``finishes``, ``told_untils``, ``statuses`` and
    ``idle_codes`` of the stretches, and the times of ``logins`` and ``logouts``, or null.
    """
    periods: dict[int, AgentPeriod] = {}

    def period_at(number: int) -> AgentPeriod:
        period = periods.get(number)
        if period is None:
            period = periods[number] = AgentPeriod(number)
        return period

    names = ("starts", "finishes", "told_untils", "statuses", "idle_codes")
    number, upto = -1, edges[0]
    for start, finish, told_until, status, code in zip(
        *(agent[name] for name in names), strict=True
    ):
        if status == LOGGED_OUT and told_until == finish:
            continue
        begin = max(start, edges[0])
        while begin < finish:
            if begin >= upto:
                number = bisect_right(edges, begin, lo=number + 1) - 1
                upto, period = edges[number + 1], period_at(number)
            end = min(finish, upto)
            told = end if told_until >= end else max(told_until, begin)
            period.doubtful_ms += end - told
            if told > begin and status != LOGGED_OUT:
                period.add(status, code, told - begin)
            begin = end
    for login in reversed(agent["logins"] or ()):
        period_at(bisect_right(edges, login) - 1).first_login = login
    for logout in agent["logouts"] or ():
        period_at(bisect_right(edges, logout) - 1).last_logout = logout
    return [periods[number] for number in sorted(periods)]
