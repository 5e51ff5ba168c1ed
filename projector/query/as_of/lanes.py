"""The lanes of an agent as of two times, folded anew from the agent's events around a window.

Rule: one path for all questions. The fold begins about a thousand events before the window, so that
it passes the beginning of what goes on in it. It ends when all of the window has ended, and not at
the last event of years. Both are bounded; the answer says where the fold began and ended.

A fold that ends early lacks the webhooks of the following 2,000 ms, to which a reconciled event may
give way. So what ended in them has not ended for certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.domain.agent import AgentState
from projector.domain.events import RECONCILIATION_TOLERANCE_MS
from projector.domain.fold import Fold
from projector.domain.lanes import ChannelContent, Span, fold_lanes, span_order
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.projection.read_models import AGENTS, Key
from projector.projection.snapshots import BEFORE_ALL
from projector.query.as_of.reconstruct import (
    AsOf,
    Reconstructed,
    fold_start,
    intervals_as_of,
    reconstruct,
)
from projector.query.as_of.team_moments import TeamMoments
from projector.query.own_fold import read_views
from projector.query.scope import Scope

_DAY_MS = 24 * 3_600_000
SNAPSHOTS_BEFORE = 256  # the window: about a thousand events, as many as of a task's journey
MOST_SNAPSHOTS = 4_096  # about 16,000 events; a busy agent has a thousand a day
TAILS_MS = (_DAY_MS, 8 * _DAY_MS, 64 * _DAY_MS)  # after the window, try by try; then all


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLanes:
    """The spans of an agent's lanes that overlap a window. Times are epoch ms."""

    spans: Sequence[Span]
    looked_from: int | None  # what was over by then may be missing; null: nothing is
    looked_to: int | None  # what goes on then may have ended since; null: nothing has


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """The lanes of an agent in ``[start, end)``, and the agent's state as of both times."""

    key: Key
    as_of: AsOf
    start: int
    end: int
    agent: AgentState


class Lanes:
    """Folds the lanes of agents, each answer from one database snapshot."""

    def __init__(self, pool: Pool, store: EventStore) -> None:
        self._pool = pool
        self._store = store

    def of_agent(self, key: Key, scope: Scope, as_of: AsOf, *, start: int, end: int) -> AgentLanes:
        """The lanes in ``[start, end)`` of an agent that existed as of both times.

        Spans are cut to the moments that a caller of some teams sees.
        """
        with read_views(self._pool) as cur:
            agent = reconstruct(cur, self._store, AGENTS, [key], as_of)[key].state
            question = _Question(key=key, as_of=as_of, start=start, end=end, agent=agent)
            first, *following = _tries(as_of, end)
            found = self._folded(cur, question, first)
            for tried in following:
                if found.looked_to is None:
                    break
                longer = self._folded(cur, question, tried)
                if (longer.looked_from or 0) > start:
                    break  # too many events since
                found = longer
            if scope.team_ids is not None:
                moments = TeamMoments(cur, self._store, scope.team_ids, as_of)
                found = _seen(found, question, moments)
        return found

    def _folded(self, cur: Cursor[TupleRow], question: _Question, as_of: AsOf) -> AgentLanes:
        """The lanes as of a time, which may be earlier than that of the question."""
        key = question.key
        base = fold_start(
            cur,
            self._store,
            AGENTS,
            key,
            as_of,
            snapshots=SNAPSHOTS_BEFORE,
            before=question.start,
            most=MOST_SNAPSHOTS,
        )
        subject = Reconstructed(base.since, Fold(base.state))
        before = intervals_as_of(cur, AGENTS, key, as_of, subject, first=base.since + 1, limit=1)
        spans = [
            span
            for span in fold_lanes(
                base.state, base.events, after=base.since, now=as_of.now, shown_before=before
            )
            if span.overlaps(question.start, question.end)
        ]
        is_whole = as_of is question.as_of or all(
            _is_certain(span, question.agent, as_of.upto) for span in spans
        )
        return AgentLanes(
            spans=spans,
            looked_from=None if base.since == BEFORE_ALL else base.since,
            looked_to=None if is_whole else as_of.upto,
        )


def _seen(lanes: AgentLanes, question: _Question, moments: TeamMoments) -> AgentLanes:
    """What a caller sees of lanes: nothing of before the fold began, nor of long after the window.

    So as many events are read as for the lanes themselves.
    """
    if not lanes.spans:
        return lanes
    as_of, looked_to = question.as_of, lanes.looked_to
    if looked_to is None and min(as_of.now, as_of.upto) > question.end + TAILS_MS[1]:
        looked_to = question.end + TAILS_MS[1]
    first = max(min(it.start for it in lanes.spans), lanes.looked_from or BEFORE_ALL)
    periods = moments.periods(AGENTS, question.key, start=first, end=looked_to)
    seen = [
        part
        for span in lanes.spans
        for part in span.seen_in(periods)
        if part.overlaps(question.start, question.end)
    ]
    return replace(lanes, spans=sorted(seen, key=span_order), looked_to=looked_to)


def _tries(as_of: AsOf, end: int) -> Iterator[AsOf]:
    """The same question as of ever later times after the window, and at last as it was asked."""
    for tail in TAILS_MS:
        upto = end + tail
        if upto < min(as_of.now, as_of.upto):
            yield replace(as_of, at=upto, now=upto)
    yield as_of


def _is_certain(span: Span, agent: AgentState, upto: int) -> bool:
    """Whether a span has ended for certain, or goes on at the time of the question.

    A channel type that is used no more goes on in the same state for ever. In a state with the name
    of an idle code that is not certain, since it may have had another one in between.
    """
    if span.end is not None:
        return span.end <= upto - RECONCILIATION_TOLERANCE_MS
    content = span.content
    if not isinstance(content, ChannelContent) or content.idle_code_name is not None:
        return False
    channel = agent.channels.get(span.lane[1])
    return channel is not None and (channel.since, channel.current_state) == (
        span.start,
        content.state,
    )
