"""The event log: append, and the recorder of the `eventsourcing` library over it.

The rule of this file: an event is in the log exactly once, under its key, and whoever reads by
position misses none. To append is one call of an SQL function in ``migrations/``, which decides
what is a duplicate and what is a conflict. The library's contracts (notifications by position,
streams, subscriptions) hold on top of it; ``application`` opens them to projections of an
integrator's own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from projector.webex.webhook import Unusable

WAKE_SECONDS = 0.1  # a stopped subscription ends so much later

AppendOutcome = Literal["appended", "duplicate", "conflict"]

_APPEND_TYPES = (
    *("uuid[]", "text[]", "text[]", "text[]", "bytea[]", "text[]", "text[]", "bigint[]"),
    *("bigint[]", "text[]", "text[]", "smallint[]", "smallint[]", "bytea[]", "integer[]"),
    *("bigint[]", "bigint"),
)
_APPEND = f"SELECT * FROM append_events({', '.join(f'%b::{type_}' for type_ in _APPEND_TYPES)})"  # noqa: S608
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
                    for _ in connection.notifies(timeout=WAKE_SECONDS, stop_after=1):
                        self._has_been_notified.set()
        except BaseException as error:  # noqa: BLE001 - whoever iterates raises it
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
        """Append some requests in one transaction; the answer has a receipt for each.

        Raises StoreUnavailable if the database does not answer; then none of them is stored.
        """
        unusable = any(request.unusable for request in requests)
        # Without unusable parts there is one call. It is a transaction of its own: one round trip.
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction() if unusable else nullcontext(),
        ):
            cursor = connection.cursor(row_factory=tuple_row)
            self._quarantine(cursor, requests)
            outcomes, head = self._append(cursor, _columns(requests))
        remaining = iter(outcomes)
        return [
            Receipt(
                outcomes=list(islice(remaining, len(request.events))),
                quarantined=len(request.unusable),
                head=head,
            )
            for request in requests
        ]

    def _append(
        self, cursor: Cursor[TupleRow], columns: Sequence[Sequence[Any]]
    ) -> tuple[Sequence[AppendOutcome], int]:
        if not columns[0]:
            return (), self.head_of(cursor)
        cursor.execute(_APPEND, (*columns, self._clock()), prepare=True)
        row = cursor.fetchone()
        assert row is not None  # noqa: S101 - the function always answers one row
        return row[0], row[2]

    def _quarantine(self, cursor: Cursor[TupleRow], requests: Sequence[Request]) -> None:
        # Equal bodies are counted here, since a request may repeat one some hundred thousand times.
        first_deliveries: dict[bytes, tuple[str, int]] = {}  # reason, and number of the request
        deliveries: Counter[bytes] = Counter()
        for number, request in enumerate(requests, start=1):
            for part in request.unusable:
                first_deliveries.setdefault(part.body, (part.reason, number))
                deliveries[part.body] += 1
        if first_deliveries:
            cursor.execute(
                "SELECT quarantine_bodies(%s, %s, %s, %s, %s, %s)",
                (
                    list(first_deliveries),
                    [reason for reason, _ in first_deliveries.values()],
                    [number for _, number in first_deliveries.values()],
                    list(deliveries.values()),
                    [Jsonb(request.headers) for request in requests],
                    self._clock(),
                ),
            )

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
        columns = [
            [event.originator_id for event in stored_events],
            *[["" for _ in stored_events]],
            [event.topic for event in stored_events],
            [str(event.originator_id) for event in stored_events],
            [event.state for event in stored_events],
            *([[None] * len(stored_events)] * 4),
            [TimeSource.RECORDED.value] * len(stored_events),
            [Origin.IMPORT.value] * len(stored_events),
            *([[None] * len(stored_events)] * 2),
            [hashlib.sha256(event.state).digest()[:16] for event in stored_events],
            [0] * len(stored_events),
            [event.originator_version for event in stored_events],
        ]
        with self.datastore.get_connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute(_APPEND, (*columns, self._clock()))
            outcomes, positions, _ = cursor.fetchone() or ((), (), 0)
            if set(outcomes) != {"appended"}:
                raise IntegrityError("an event with this originator and version is stored already")
            return list(positions)


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


def _columns(requests: Sequence[Request]) -> list[list[Any]]:
    """The offered events of all requests as the arrays that the SQL function takes."""
    rows: list[tuple[Any, ...]] = []
    for request in requests:
        rows += _rows(request, len(rows))
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]]


def _rows(request: Request, first: int) -> Iterator[tuple[Any, ...]]:
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
            1,
        )


def _time(offered: Offered) -> tuple[int | None, str]:
    """When an event happened, epoch ms, and how we know; None stands for the time of recording."""
    if offered.created is not None:
        return offered.created, TimeSource.CREATED.value
    if offered.dispatched is not None:
        return offered.dispatched, TimeSource.DISPATCHED.value
    return None, TimeSource.RECORDED.value
