"""The quarantine: an operator lets stored bytes be judged again, or releases them.

Rule: what a body states is appended, and the attempt is noted with the operator's reason, in one
transaction. So a body leaves the quarantine once, whoever asks at the same time, and a crash in
between leaves it as it was. The row of the quarantine stays: nothing received becomes unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row

from projector.contract.ledgers import QuarantineResolution
from projector.domain.events import Offered
from projector.event_log.store import AppendOutcome, EventStore, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError
from projector.webex.cloudevents import UNSOUND_ATTRIBUTE, is_binary, read_binary
from projector.webex.json_body import NOT_JSON, Delivery, read_delivery, read_element
from projector.webex.webhook import LATEST_TIME, TIME_IN_THE_FUTURE, Unusable, judge

AttemptKind = Literal["retry", "release"]


class NotQuarantined(ProjectorError):  # noqa: N818 - named for what callers say
    """The quarantine has no such row."""


class NotResolvable(ProjectorError):  # noqa: N818 - named for what callers say
    """The body has left the quarantine before, or can be no event at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementOutcome:
    """What became of one element of a body: its position in the log, or why it makes no event."""

    outcome: AppendOutcome | Literal["quarantined"]
    position: int | None = None  # of the event with its key
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineAttempt:
    """The result of a retry or a release; ``resolution`` is null where the body stays."""

    elements: Sequence[ElementOutcome]
    resolution: QuarantineResolution | None
    head: int  # last position of the log afterwards


class Quarantine:
    """Lets bodies out of quarantine. ``clock`` gives the time of an attempt, epoch ms."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        *,
        default_org: str | None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._pool = pool
        self._store = store
        self._default_org = default_org
        self._clock = clock

    def retry(self, id_: int, *, who: str, why: str) -> QuarantineAttempt:
        """Judge a body again, as if it came now; it stays where it still makes no event.

        Raises NotQuarantined where there is none such, NotResolvable where it has left before.
        """
        return self._attempt(id_, "retry", who, why, latest=None)

    def release(self, id_: int, *, who: str, why: str) -> QuarantineAttempt:
        """Append what a body states, although its time is far ahead.

        Raises NotQuarantined where there is none such, NotResolvable where it has left before or
        cannot be an event.
        """
        return self._attempt(id_, "release", who, why, latest=LATEST_TIME)

    def _attempt(
        self, id_: int, kind: AttemptKind, who: str, why: str, *, latest: int | None
    ) -> QuarantineAttempt:
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as cur,
        ):
            body, reason, headers = _lock(cur, id_)
            now = self._clock()
            judged = self._judge(_read(body, reason, headers), now=now, latest=latest)
            events = [it for it in judged if isinstance(it, Offered)]
            unusable = [it for it in judged if isinstance(it, Unusable)]
            if not events and kind == "release":
                reason = unusable[0].reason
                if reason == TIME_IN_THE_FUTURE:
                    reason = f"its time is after {LATEST_TIME}, the last that is answered for"
                raise NotResolvable(f"The body {id_} can be no event: {reason}.")
            # What a body with some events holds beside them goes into quarantine on its own.
            request = Request(events=events, unusable=unusable if events else [], headers=headers)
            outcomes, positions, head = self._store.append_within(cur, request)
            attempt = {"kind": kind, "who": who, "why": why, "time": now, "positions": [*positions]}
            cur.execute(
                _NOTE, attempt | {"id": id_, "reason": None if events else unusable[0].reason}
            )
            appended = zip(outcomes, positions, strict=True)
            return QuarantineAttempt(
                elements=[_outcome(it, appended) for it in judged],
                resolution=QuarantineResolution.model_validate(attempt) if events else None,
                head=head,
            )

    def _judge(
        self, delivery: Delivery, *, now: int, latest: int | None
    ) -> Sequence[Offered | Unusable]:
        """What each element states, those that are not read at the end."""
        return [
            *(
                judge(text, element, now=now, default_org=self._default_org, latest=latest)
                for text, element in delivery.elements
            ),
            *(Unusable(body=text, reason=delivery.defect) for text in delivery.unreadable),
        ]


def _lock(cur: Cursor[TupleRow], id_: int) -> tuple[bytes, str, Mapping[str, str]]:
    """Body, first reason and headers of a body in quarantine, which waits for other attempts."""
    cur.execute(_LOCK, {"id": id_})
    row = cur.execute(_BODY, {"id": id_}).fetchone()
    if row is None:
        raise NotQuarantined(f"There is no body {id_} in quarantine.")
    body, reason, headers, kind, who = row
    if kind is not None:
        raise NotResolvable(f"The body {id_} has left the quarantine: {kind} by {who}.")
    return bytes(body), reason, headers


def _read(body: bytes, reason: str, headers: Mapping[str, str]) -> Delivery:
    """The elements of a stored body, as this release reads them.

    What could not be read may be the whole body of a request, and is read as such. Anything else is
    one element, whose own bytes are stored.
    """
    if reason in {NOT_JSON, UNSOUND_ATTRIBUTE}:
        return read_binary(body, headers) if is_binary(headers) else read_delivery(body)
    try:
        return Delivery(((body, read_element(body)),))
    except (ValueError, RecursionError):
        return Delivery(unreadable=(body,), defect=reason)


def _outcome(
    judged: Offered | Unusable, appended: Iterator[tuple[AppendOutcome, int]]
) -> ElementOutcome:
    if isinstance(judged, Unusable):
        return ElementOutcome(outcome="quarantined", reason=judged.reason)
    outcome, position = next(appended)
    return ElementOutcome(outcome=outcome, position=position)


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('projector.quarantine', %(id)s))"
_BODY = """
    SELECT q.body, q.reason, q.headers, a.kind, a.who
    FROM quarantine AS q
    LEFT JOIN quarantine_attempts AS a ON a.quarantine_id = q.id AND a.reason IS NULL
    WHERE q.id = %(id)s
"""
_NOTE = """
    INSERT INTO quarantine_attempts (quarantine_id, kind, who, why, time, reason, positions)
    VALUES (%(id)s, %(kind)s, %(who)s, %(why)s, %(time)s, %(reason)s, %(positions)s)
"""
