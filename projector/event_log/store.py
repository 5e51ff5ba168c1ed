"""The event log: append, and the recorder of the `eventsourcing` library over it.

Rule: an event is in the log exactly once, under its key, and a reader by position misses none. To
append is one call of an SQL function in ``migrations/``, which decides what is a duplicate and what
is a conflict. A duplicate whose body is not that of the log byte for byte is compared afterwards,
and kept where it is a variation. The library's contracts (notifications by position,
streams, subscriptions) hold on top of it; ``application`` opens them to projections of an
integrator's own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    InterfaceError,
    Notification,
    OperationalError,
    StoredEvent,
    Subscription,
)
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresSubscription,
)
from eventsourcing.utils import retry
from psycopg import Cursor, sql
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb

from projector.domain.events import (
    Offered,
    Origin,
    Recorded,
    TimeSource,
    bucket,
)
from projector.event_log.reader import LogReader, recorded_from_row
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import EVENTS_CHANNEL, SCHEMA, Pool, translated
from projector.infrastructure.sql import Columns
from projector.webex.webhook import Unusable, differing_fields, read_data

SUBSCRIPTION_STOP_SECONDS = 0.1  # within which a stopped subscription ends
BODIES_TOGETHER = 100  # of the log that are read at a time, to be compared with duplicates

AppendOutcome = Literal["appended", "duplicate", "conflict"]
OfferedRow = tuple[Any, ...]  # the columns of ``_OFFERED``

_OFFERED = Columns(
    {
        "key": "uuid",
        "org_id": "text",
        "type": "text",
        "event_id": "text",
        "body": "bytea",
        "agent_id": "text",
        "task_id": "text",
        "created_time": "bigint",
        "time": "bigint",
        "time_source": "text",
        "origin": "text",
        "agent_bucket": "smallint",
        "task_bucket": "smallint",
        "fingerprint": "bytea",
        "request": "integer",
        "version": "bigint",
    }
)
_APPEND = (
    sql.SQL("SELECT outcomes, positions, head FROM append_events({offered}, %(now_ms)b::bigint)")
    .format(offered=_OFFERED.arrays)
    .as_bytes()
)
# Which of some bodies are not that of the log byte for byte, each by its number from 1.
_COMPARED = Columns({"position": "bigint", "sha256": "bytea"})
_UNEQUAL = (
    sql.SQL("""
    SELECT ordinal FROM {compared} JOIN log USING (position)
    WHERE sha256(log.body) <> c.sha256 ORDER BY ordinal
    """)
    .format(compared=_COMPARED.unnest("c", ordinal=True))
    .as_bytes()
)
_VARIATIONS = Columns({"org_id": "text", "position": "bigint", "body": "bytea"})
_KEEP_VARIATIONS = (
    sql.SQL("SELECT keep_variations({variations}, %(now_ms)s)")
    .format(variations=_VARIATIONS.arrays)
    .as_bytes()
)
_RELEASED = """
    SELECT q.body FROM quarantine AS q
    JOIN quarantine_attempts AS a ON a.quarantine_id = q.id AND a.reason IS NULL
    WHERE q.sha256 = ANY(%s) AND a.kind = 'release'
"""
_BODIES = "SELECT position, body FROM log WHERE position = ANY(%s)"
_UNUSABLE = Columns({"body": "bytea", "reason": "text", "request": "integer", "count": "bigint"})
_QUARANTINE_BODIES = (
    sql.SQL("SELECT quarantine_bodies({unusable}, %(headers)s::jsonb[], %(now_ms)s)")
    .format(unusable=_UNUSABLE.arrays)
    .as_bytes()
)
# The first three columns are the library's; the rest are those of an event as we read it.
_NOTIFICATIONS = """
    SELECT originator_id, originator_version, topic,
        notification_id, org_id, state, created_time, time, time_source, recorded_time, origin,
        request_position
    FROM events
    WHERE notification_id > %(after)s
        AND (%(stop)s::bigint IS NULL OR notification_id <= %(stop)s)
        AND (%(topics)s::text[] IS NULL OR topic = ANY(%(topics)s))
    ORDER BY notification_id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one HTTP request or program offers: its events, and its unusable parts.

    ``headers`` are those of the request; they are stored with the unusable parts.
    """

    events: Sequence[Offered] = ()
    unusable: Sequence[Unusable] = ()
    headers: Any = None
    origin: Origin = Origin.WEBHOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a request, once it is durable.

    ``outcomes`` has one element for each event, in their order. ``head`` is the last position of
    the log at that time.
    """

    outcomes: Sequence[AppendOutcome]
    quarantined: int
    head: int

    @property
    def counts(self) -> dict[str, int]:
        """How many elements were received, and how many of them have each outcome."""
        outcomes = [*self.outcomes]
        return {
            "received": len(outcomes) + self.quarantined,
            "appended": outcomes.count("appended"),
            "duplicates": outcomes.count("duplicate"),
            "conflicts": outcomes.count("conflict"),
            "quarantined": self.quarantined,
        }


@dataclass(frozen=True)
class LogNotification(Notification):
    """A row of the log in the library's terms, with the columns that the library has no name for.

    ``state`` is the body as received, byte for byte.
    """

    originator_id: UUID  # the key
    row: TupleRow = field(repr=False, compare=False)

    def recorded(self) -> Recorded:
        """The event that the body states, with its times and its origin."""
        return recorded_from_row(self.row)


class Datastore(PostgresDatastore):
    """The library's datastore over a pool of ours, so that an address is read in one way only."""

    def __init__(self, pool: Pool, *, schema: str = SCHEMA) -> None:
        super().__init__(dbname="", host="", port="", user="", password="", schema=schema)
        self.pool = pool  # type: ignore[assignment]


class _LogSubscription(PostgresSubscription):
    """The library's subscription, which also sees what is committed while it begins to listen.

    The library reads the log first and listens afterwards. An event between the two would wait for
    the next one.
    """

    def _listen(self) -> None:
        try:
            with self._recorder.datastore.get_connection() as connection:
                channel = sql.Identifier(self._recorder.channel_name)
                connection.execute(sql.SQL("LISTEN {}").format(channel))
                self._has_been_notified.set()
                while not self._has_been_stopped and not self._thread_error:
                    for _ in connection.notifies(timeout=SUBSCRIPTION_STOP_SECONDS, stop_after=1):
                        self._has_been_notified.set()
        except BaseException as error:  # noqa: BLE001 - the iterating thread raises it
            self._thread_error = self._thread_error or error
            self.stop()


class EventStore(LogReader, PostgresApplicationRecorder):
    """The log, over a pool of connections. ``clock`` gives the recorded time, epoch ms."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        super().__init__(Datastore(pool), events_table_name="events")
        self.channel_name = EVENTS_CHANNEL
        self._pool = pool
        self._clock = clock

    def append(self, requests: Sequence[Request]) -> list[Receipt]:
        """Append some requests together; the answer has a receipt for each.

        Raises StoreUnavailable if the database does not answer. Then none of them is stored, or
        what is missing are variations alone: the same requests can be appended again.
        """
        unusable = any(request.unusable for request in requests)
        # Without unusable parts there is one call. It is a transaction of its own: one round trip.
        # What follows it, for variations, has a transaction of its own too.
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction() if unusable else nullcontext(),
        ):
            cursor = connection.cursor(row_factory=tuple_row)
            self._quarantine(cursor, requests)
            outcomes, _, head = self._append(cursor, _offered_rows(requests))
        remaining = iter(outcomes)
        return [
            Receipt(
                outcomes=list(islice(remaining, len(request.events))),
                quarantined=len(request.unusable),
                head=head,
            )
            for request in requests
        ]

    def released(self, bodies: Collection[bytes]) -> set[bytes]:
        """Those of some bodies that an operator has released from quarantine.

        Raises StoreUnavailable if the database does not answer.
        """
        digests = [hashlib.sha256(body).digest() for body in bodies]
        with translated(), self._pool.connection() as connection:
            rows = connection.cursor(row_factory=tuple_row).execute(_RELEASED, [digests])
            return {bytes(body) for (body,) in rows}

    def append_within(
        self, cursor: Cursor[TupleRow], request: Request
    ) -> tuple[Sequence[AppendOutcome], Sequence[int], int]:
        """Append one request in the transaction of a cursor.

        The answer has the outcome and the position of each event, and the head of the log.
        """
        self._quarantine(cursor, [request])
        return self._append(cursor, _offered_rows([request]))

    def _append(
        self, cursor: Cursor[TupleRow], rows: Sequence[OfferedRow]
    ) -> tuple[Sequence[AppendOutcome], Sequence[int], int]:
        if not rows:
            return (), (), self.head_of(cursor)
        outcomes, positions, head = _call_append(cursor, rows, self._clock())
        duplicates = [
            (position, row)
            for outcome, position, row in zip(outcomes, positions, rows, strict=True)
            if outcome == "duplicate"
        ]
        if duplicates:
            self._keep_variations(cursor, _unequal(cursor, duplicates))
        return outcomes, positions, head

    def _keep_variations(
        self, cursor: Cursor[TupleRow], duplicates: Sequence[tuple[int, OfferedRow]]
    ) -> None:
        """Keep the bodies of those duplicates that differ in ``data`` from the log's event.

        Each comes with the position of that event.
        """
        rows_by_position: dict[int, list[OfferedRow]] = {}
        for position, row in duplicates:
            rows_by_position.setdefault(position, []).append(row)
        variations = []
        for positions in _parts([*rows_by_position], BODIES_TOGETHER):
            for position, body in cursor.execute(_BODIES, [positions], binary=True).fetchall():
                data = read_data(body)
                for _, org_id, _, _, other, *_ in rows_by_position[position]:
                    if differing_fields(data, read_data(other)):
                        variations.append((org_id, position, other))
        if variations:
            parameters = {**_VARIATIONS.parameters(variations), "now_ms": self._clock()}
            cursor.execute(_KEEP_VARIATIONS, parameters)

    def _quarantine(self, cursor: Cursor[TupleRow], requests: Sequence[Request]) -> None:
        # Equal bodies are counted here, since a request may repeat one some hundred thousand times.
        first_deliveries: dict[bytes, tuple[str, int]] = {}  # reason, and number of the request
        deliveries: Counter[bytes] = Counter()
        for number, request in enumerate(requests, start=1):
            for part in request.unusable:
                first_deliveries.setdefault(part.body, (part.reason, number))
                deliveries[part.body] += 1
        if first_deliveries:
            rows = [(body, *first, deliveries[body]) for body, first in first_deliveries.items()]
            headers = [Jsonb(request.headers) for request in requests]
            parameters = {"headers": headers, "now_ms": self._clock()}
            cursor.execute(_QUARANTINE_BODIES, {**_UNUSABLE.parameters(rows), **parameters})

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[LogNotification]:
        """At most ``limit`` rows of the log by position, from ``start`` up to ``stop`` included.

        Of some event types only, where ``topics`` names any. Raises the library's errors.
        """
        parameters = {
            "after": (start or 0) - inclusive_of_start,
            "stop": stop,
            "topics": list(topics) or None,
            "limit": limit,
        }
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row, binary=True)
            rows = cursor.execute(_NOTIFICATIONS, parameters, prepare=True)
            return [_notification(row) for row in rows]

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """The rows above a position, and then those that come, as they are committed."""
        return _LogSubscription(self, gt, topics)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **_: Any,
    ) -> Sequence[int] | None:
        """Append events of the library, all of them or none; the answer has their positions.

        They belong to no organisation and no subject. Raises IntegrityError if one of them is
        stored already.
        """
        if not stored_events:
            return []
        rows = [_stored_event_row(event) for event in stored_events]
        with self.datastore.get_connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            outcomes, positions, _head = _call_append(cursor, rows, self._clock())
            if set(outcomes) != {"appended"}:
                raise IntegrityError("an event with this originator and version is stored already")
            return list(positions)


def _call_append(
    cursor: Cursor[TupleRow], rows: Sequence[OfferedRow], now: int
) -> tuple[Sequence[AppendOutcome], Sequence[int], int]:
    """The outcome and the position of each event, and the head of the log afterwards."""
    row = cursor.execute(
        _APPEND, {**_OFFERED.parameters(rows), "now_ms": now}, prepare=True
    ).fetchone()
    assert row is not None  # noqa: S101 - the function always answers one row
    outcomes, positions, head = row
    return outcomes, positions, head


def _unequal(
    cursor: Cursor[TupleRow], duplicates: Sequence[tuple[int, OfferedRow]]
) -> Sequence[tuple[int, OfferedRow]]:
    """Those duplicates whose body is not that of the log byte for byte.

    Each comes with the position of the log's event.
    """
    compared = [
        (position, hashlib.sha256(body).digest()) for position, (_, _, _, _, body, *_) in duplicates
    ]
    ordinals = cursor.execute(_UNEQUAL, _COMPARED.parameters(compared), prepare=True)
    return [duplicates[ordinal - 1] for (ordinal,) in ordinals]


def _parts(values: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _notification(row: TupleRow) -> LogNotification:
    key, version, type_, position, _, body, *_ = row
    return LogNotification(
        originator_id=key,
        originator_version=version,
        topic=type_,
        state=bytes(body),
        id=position,
        row=row[3:],
    )


def _offered_rows(requests: Sequence[Request]) -> list[OfferedRow]:
    """The events of all requests as rows of ``_OFFERED``."""
    rows: list[OfferedRow] = []
    for request in requests:
        rows += _rows_of_request(request, len(rows))
    return rows


def _rows_of_request(request: Request, first: int) -> Iterator[OfferedRow]:
    for offered in request.events:
        event = offered.event
        yield (
            offered.key,
            event.org_id,
            event.type,
            event.id,
            offered.body,
            event.agent_id,
            event.task_id,
            offered.created,
            *_time(offered),
            request.origin.value,
            bucket("agent", event.org_id, event.agent_subject),
            bucket("task", event.org_id, event.task_subject),
            offered.fingerprint,
            first,
            1,  # one stream per event
        )


def _stored_event_row(event: StoredEvent) -> OfferedRow:
    """An event of the library as a row of ``_OFFERED``, without a subject."""
    return (
        event.originator_id,
        "",
        event.topic,
        str(event.originator_id),
        event.state,
        *(None, None, None, None),
        TimeSource.RECORDED.value,
        Origin.IMPORT.value,
        *(None, None),
        hashlib.sha256(event.state).digest()[:16],
        0,
        event.originator_version,
    )


def _time(offered: Offered) -> tuple[int | None, str]:
    """When an event happened, epoch ms, and how we know; None stands for the time of recording."""
    if offered.created is not None:
        return offered.created, TimeSource.CREATED.value
    if offered.dispatched is not None:
        return offered.dispatched, TimeSource.DISPATCHED.value
    return None, TimeSource.RECORDED.value
