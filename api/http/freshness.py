"""How fresh an answer must be: positions and times that the caller names, and the wait for them.

The views follow the log a moment later. A caller who has just sent an event names its position, and
the answer waits until the views have reached it.
"""

from __future__ import annotations

from flask import request

from api.http.parameters import WHOLE_NUMBER, AsOfQuery, is_position
from api.http.problems import RETRY_LATER, ParameterError, Problem
from api.service import service
from projector.query.as_of.reconstruct import AsOf
from projector.query.position_watch import TooManyWait

MIN_POSITION = "X-Min-Position"
LAST_EVENT_ID = "Last-Event-ID"
WAIT_SECONDS = 5.0


def min_position() -> int | None:
    """The position that the views must have reached; Problem 400 where it is none."""
    return _position(MIN_POSITION)


def last_event_id() -> int | None:
    """The position after which a stream resumes; Problem 400 where it is none."""
    return _position(LAST_EVENT_ID)


def require_recorded(last_event_id: int | None) -> None:
    """Problem 400 where a stream would resume after a position that the log does not have yet."""
    if last_event_id is not None and last_event_id > (head := service().store.head()):
        allowed = f"a position up to {head}, where the log ends"
        raise _bad_header(LAST_EVENT_ID, str(last_event_id), allowed)


def wait_for(position: int | None) -> None:
    """Wait until the views have reached a position.

    Problem 503 after ``WAIT_SECONDS``, and at once where too many wait.
    """
    if position is None:
        return
    try:
        is_there = service().position_watch.wait_for(position, WAIT_SECONDS)
    except TooManyWait as error:
        raise Problem(503, str(error), headers=RETRY_LATER) from None
    if not is_there:
        detail = f"The views have not reached position {position} yet."
        raise Problem(503, detail, headers=RETRY_LATER)


def times_of(query: AsOfQuery) -> AsOf:
    """The two times of a question, once the views have all that was recorded by ``knownAt``.

    Raises Problem 503 where they still lack some of it.
    """
    return resolved(query.at, query.known_at)


def resolved(at: int | None, known_at: int | None) -> AsOf:
    """Two times (epoch ms), as ``times_of`` has those of a query."""
    times = service().as_of_views.resolve(at, known_at)
    if known_at is not None:
        wait_for(times.position)
    return times


def _position(header: str) -> int | None:
    text = request.headers.get(header)
    if text is None:
        return None
    if not is_position(text):
        raise _bad_header(header, text, f"a position, {WHOLE_NUMBER}")
    return int(text)


def _bad_header(header: str, value: str, allowed: str) -> Problem:
    error = ParameterError(parameter=header, given=value, allowed=allowed)
    return Problem(400, f"Bad header: {header}.", errors=[error])
