"""The journey of a task as of two times: its timeline, folded anew from its events.

Rule: one path for all questions. The stored facts are of all that is known, whatever ``at``, and no
table has the agents' stretches. So a journey is always folded from the task's first event, of which
there are few. Only a task with very many snapshots is folded from a later one, which bounds what is
read; the answer says from when on it is whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from projector.domain.timeline import TaskTimeline, fold_timeline
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.projection.read_models import TASKS, Key
from projector.projection.snapshots import BEFORE_ALL
from projector.query.as_of.reconstruct import AsOf, fold_start
from projector.query.as_of.team_moments import TeamMoments
from projector.query.own_fold import read_views
from projector.query.scope import Scope

MOST_SNAPSHOTS_BACK = 256  # about a thousand events; a task has a few dozen


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskJourney:
    """The timeline of a task. What was over by ``looked_from`` (epoch ms) is not in it."""

    timeline: TaskTimeline
    looked_from: int | None  # null: all events were folded


class Journeys:
    """Folds the journeys of tasks, each from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def of_task(self, key: Key, scope: Scope, as_of: AsOf) -> TaskJourney:
        """The journey of a task that existed as of both times, as far as a caller sees it."""
        with read_views(self._pool) as cur:
            start = fold_start(cur, self._store, TASKS, key, as_of, snapshots=MOST_SNAPSHOTS_BACK)
            timeline = fold_timeline(start.state, start.events, after=start.since, now=as_of.now)
            starts = [
                *(it.start for it in timeline.facts),
                *(it.start for it in timeline.stretches),
            ]
            moments = TeamMoments(cur, self._store, scope.team_ids, as_of)
            first = min(starts, default=as_of.now)
            timeline = timeline.seen_in(moments.periods(TASKS, key, start=first))
        is_whole = start.since == BEFORE_ALL
        return TaskJourney(timeline=timeline, looked_from=None if is_whole else start.since)
