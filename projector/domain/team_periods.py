"""Periods: the times at which an agent is of some teams, or such an agent takes part in a task.

Rule: they come from the same fold as the view. The team at a moment is the one that the view as of
that moment shows, and so are the participants, who stay participants of the task for good. The
moment at which an event names another team belongs to that team.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from projector.domain.agent import AgentState
from projector.domain.events import Recorded
from projector.domain.fold import Fold, ticks
from projector.domain.task import TaskState

NO_END = 2**62  # the end of what goes on, in place of a time (epoch ms)


@dataclass(frozen=True, slots=True)
class Periods:
    """Stretches ``[start, end)`` of time (epoch ms), in order; no two of them touch."""

    stretches: Sequence[tuple[int, int]] = ()

    def include(self, time: int) -> bool:
        """Whether a moment lies in one of them."""
        index = bisect_right(self.stretches, (time, NO_END)) - 1
        return index >= 0 and time < self.stretches[index][1]

    def cut(self, start: int, end: int | None) -> Iterator[tuple[int, int | None]]:
        """The parts of ``[start, end)`` that lie in them; a null end: it goes on."""
        if start == end and self.include(start):
            yield start, end
        for begin, finish in self.stretches:
            since, upto = max(begin, start), min(finish, NO_END if end is None else end)
            if since < upto:
                yield since, None if upto == NO_END else upto

    def up_to(self, time: int) -> Periods:
        """What of them is before a time."""
        return Periods([(begin, min(end, time)) for begin, end in self.stretches if begin < time])


def union(all_periods: Iterable[Periods]) -> Periods:
    """The times of any of them."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(it for periods in all_periods for it in periods.stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return Periods(joined)


def periods_of_teams(
    state: AgentState,
    ordered: Sequence[Recorded],
    *,
    after: int,
    start: int,
    team_ids: Collection[str],
) -> Periods:
    """When an agent is of one of the teams, from ``start`` on.

    ``state``, which is changed in place, ``ordered`` and ``after`` are as for ``fold``.
    """
    fold, began = Fold(state), start if state.team_id in team_ids else None
    stretches = []
    for time, events in ticks(ordered, after=after):
        fold.apply(time, events)
        if (state.team_id in team_ids) == (began is not None):
            continue
        if began is None:
            began = max(time, start)
        else:
            if began < time:
                stretches.append((began, time))
            began = None
    if began is not None:
        stretches.append((began, NO_END))
    return union([Periods(stretches)])


def joined_times(
    state: TaskState, ordered: Sequence[Recorded], *, after: int, start: int
) -> Mapping[str, int]:
    """Since when each agent takes part in a task, by id; of those before, ``start``."""
    fold, joined = Fold(state), dict.fromkeys(state.participants, start)
    for time, events in ticks(ordered, after=after):
        fold.apply(time, events)
        if len(state.participants) > len(joined):
            joined |= dict.fromkeys(state.participants.keys() - joined.keys(), max(time, start))
    return joined
