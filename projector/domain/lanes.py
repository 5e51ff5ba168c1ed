"""The lanes of an agent: session, shown status, legs and channel types, each as spans of time.

Rule: spans come from the same fold as the view. What a lane shows is compared after each event, and
after each deadline that passed, so a span knows what began it and whether time alone ended it. What
lasts no time has no span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from projector.domain.agent import AgentState, Session
from projector.domain.events import Recorded
from projector.domain.fold import DisplayState, Fold, Interval, ticks
from projector.domain.team_periods import Periods


class LaneKind(StrEnum):
    """What a lane is of; of one time, spans have this order."""

    SESSION = "session"
    STATUS = "status"
    LEG = "leg"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusContent:
    """What is shown of the agent, with the latest name of its idle code."""

    display: DisplayState
    idle_code_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegContent:
    """A state of a leg; what else is told of the leg is as of the end of the span."""

    state: str
    channel_id: str | None
    channel_type: str | None
    queue_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelContent:
    """A state of a channel type."""

    state: str
    idle_code_name: str | None


SpanContent = Session | StatusContent | LegContent | ChannelContent
LaneKey = tuple[LaneKind, str]  # the task of a leg, the channel type; empty where there is one lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a lane shows from ``start`` to ``end`` (epoch ms; None while it goes on)."""

    lane: LaneKey
    start: int
    end: int | None
    event_id: str | None  # of the event that began it; None where time did, or it is not known
    ended_by_time: bool
    content: SpanContent

    def overlaps(self, start: int, end: int) -> bool:
        """Whether a part of it lies in ``[start, end)``."""
        return (self.end is None or self.end > start) and max(self.start, start) < end

    def seen_in(self, periods: Periods) -> Iterator[Span]:
        """The parts that lie in some periods; nobody is told what began or ended beyond them."""
        for start, end in periods.cut(self.start, self.end):
            content, is_cut = self.content, end != self.end
            if is_cut and isinstance(content, Session):
                content = replace(content, logout_time=None, logged_out_by=None)
            yield replace(
                self,
                start=start,
                end=end,
                event_id=self.event_id if start == self.start else None,
                ended_by_time=self.ended_by_time and not is_cut,
                content=content,
            )


def fold_lanes(
    state: AgentState,
    ordered: Sequence[Recorded],
    *,
    after: int,
    now: int,
    shown_before: Sequence[Interval],
) -> list[Span]:
    """The spans of all lanes since ``after`` at the time ``now`` (epoch ms), in order.

    ``state``, which is changed in place, and ``ordered`` are as for ``fold``. ``shown_before`` has
    the interval in force at ``after``, if there is one. What was over by ``after`` is not told.
    """
    fold = _LaneFold(state, after)
    for time, events in ticks(ordered, after=after):
        fold.apply(time, events)
    fold.advance_to(now)
    spans = [*fold.spans(), *_status_spans([*shown_before, *fold.intervals], fold.idle_code_names)]
    return sorted(spans, key=span_order)


_KINDS_IN_ORDER = [*LaneKind]


def span_order(span: Span) -> tuple[int, int, str]:
    """The order of spans: by start, and of one time by lane."""
    kind, name = span.lane
    return span.start, _KINDS_IN_ORDER.index(kind), name


@dataclass(frozen=True, slots=True)
class _Lane:
    """What a lane shows of one state. It goes on while ``identity`` is the same."""

    since: int | None  # None where the state does not tell it
    identity: object
    content: SpanContent


def _lanes(state: AgentState) -> dict[LaneKey, _Lane]:
    """What the lanes of a state show, without the status: its spans are the fold's intervals."""
    lanes = {}
    if state.logged_in and (session := state.session) is not None:
        lanes[LaneKind.SESSION, ""] = _Lane(session.login_time, session, session)
    for task_id, leg in state.legs.items():
        lanes[LaneKind.LEG, task_id] = _Lane(
            leg.since,
            (leg.since, leg.state),
            LegContent(
                state=leg.state,
                channel_id=leg.channel_id,
                channel_type=leg.channel_type,
                queue_id=leg.queue_id,
            ),
        )
    for channel_type, channel in state.channels.items():
        content = ChannelContent(state=channel.current_state, idle_code_name=channel.idle_code_name)
        identity = (channel.since, content)
        lanes[LaneKind.CHANNEL, channel_type] = _Lane(channel.since, identity, content)
    return lanes


@dataclass(slots=True)
class _OpenSpan:
    """A span that goes on."""

    start: int
    event_id: str | None
    lane: _Lane


class _LaneFold(Fold[AgentState]):
    """The fold of an agent, which notes what each event and each deadline changed in a lane."""

    def __init__(self, state: AgentState, after: int) -> None:
        super().__init__(state)
        # By the start of the interval; None: of the one in force when the fold began.
        self.idle_code_names: dict[int | None, str | None] = {None: state.idle_code_name}
        self._ended: list[Span] = []
        self._open = {
            key: _OpenSpan(after if lane.since is None else lane.since, None, lane)
            for key, lane in _lanes(state).items()
        }

    def spans(self) -> Iterator[Span]:
        """Those of sessions, legs and channel types."""
        yield from self._ended
        for key, span in self._open.items():
            yield _span(key, span, None, by_time=False)

    def _apply_event(self, recorded: Recorded) -> None:
        super()._apply_event(recorded)
        self._note(recorded.time, recorded.event.id)

    def _pass_deadlines(self, time: int) -> None:
        super()._pass_deadlines(time)
        self._note(time, None)

    def _update_display(self, time: int, before: DisplayState | None, event_id: str | None) -> None:
        super()._update_display(time, before, event_id)
        start = self.intervals[-1].start if self.intervals else None
        self.idle_code_names[start] = self.state.idle_code_name

    def _note(self, time: int, event_id: str | None) -> None:
        """Note what changed at a time, by an event or, without one, by the passing of time."""
        lanes = _lanes(self.state)
        for key, span in [*self._open.items()]:
            lane = lanes.get(key)
            if lane is not None and lane.identity == span.lane.identity:
                span.lane = lane
                continue
            del self._open[key]
            if span.start < time:
                self._ended.append(_span(key, span, time, by_time=event_id is None))
        for key in lanes.keys() - self._open.keys():
            self._open[key] = _OpenSpan(time, event_id, lanes[key])


def _span(key: LaneKey, span: _OpenSpan, end: int | None, *, by_time: bool) -> Span:
    return Span(
        lane=key,
        start=span.start,
        end=end,
        event_id=span.event_id,
        ended_by_time=by_time,
        content=span.lane.content,
    )


def _status_spans(
    intervals: Sequence[Interval], idle_code_names: dict[int | None, str | None]
) -> Iterator[Span]:
    """Each interval up to the next one; the first may have begun before the fold."""
    following = [*intervals, None][1:]
    for interval, after in zip(intervals, following, strict=True):
        name = idle_code_names.get(interval.start, idle_code_names[None])
        yield Span(
            lane=(LaneKind.STATUS, ""),
            start=interval.start,
            end=None if after is None else after.start,
            event_id=interval.event_id,
            ended_by_time=after is not None and after.event_id is None,
            content=StatusContent(
                display=interval.display,
                idle_code_name=name if interval.display.status == "idle" else None,
            ),
        )
