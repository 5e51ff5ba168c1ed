"""Three ways to append the same events durably: ours, the library's own, and the driver by hand.

Each parses the bodies with the same functions, so that what differs is the store. The driver by
hand holds the same lock and wakes readers too, into a table of the same columns and indexes: it
promises what ours promises of positions, but not that they have no holes, and it tells no
duplicate from a conflict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from projector.domain.events import Offered, bucket
from projector.event_log.store import EventStore, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from tools.bench.ground import cpu_seconds, parse

SCHEMA = "bench"
BATCH = 50  # events of a call that is not small
OURS, OURS_EACH, RAW, STOCK = "ours", "ours, a request each", "raw psycopg", "stock library"
PARSE = "parse only"

_CREATE = f"""
    CREATE SCHEMA {SCHEMA};
    CREATE TABLE {SCHEMA}.raw_events (LIKE projector.events INCLUDING ALL);
    ALTER TABLE {SCHEMA}.raw_events ALTER notification_id ADD GENERATED ALWAYS AS IDENTITY;
"""
_ARRAYS = (
    ("org_id", "text"),
    ("originator_id", "uuid"),
    ("topic", "text"),
    ("state", "bytea"),
    ("event_id", "text"),
    ("agent_id", "text"),
    ("task_id", "text"),
    ("created_time", "bigint"),
    ("time", "bigint"),
    ("time_source", "text"),
    ("agent_bucket", "smallint"),
    ("task_bucket", "smallint"),
    ("fingerprint", "bytea"),
)
_NAMES = ", ".join(name for name, _ in _ARRAYS)
_INSERT = f"""
    INSERT INTO {SCHEMA}.raw_events ({_NAMES}, origin, recorded_time, request_position)
    SELECT {_NAMES}, 'webhook', %s, 0
    FROM unnest({", ".join(f"%b::{type_}[]" for _, type_ in _ARRAYS)}) AS u({_NAMES})
    ON CONFLICT (originator_id, originator_version, org_id) DO NOTHING
    RETURNING notification_id, originator_id
"""


class Contender(Protocol):
    """Appends bodies; each call is durable when it returns."""

    def append(self, bodies: Sequence[bytes]) -> int:
        """How many of them were new."""

    def server_cpu(self) -> float | None:
        """Seconds that the server's process for this contender has worked so far."""


class Ours:
    """EventStore.append, with the events as one request or each as its own."""

    def __init__(self, url: str, *, each: bool = False) -> None:
        self._each = each
        pool = open_pool(url, max_size=1)
        self._store = EventStore(pool)
        with pool.connection() as connection:
            self._server = connection.info.backend_pid

    def append(self, bodies: Sequence[bytes]) -> int:
        offered = parse(bodies)
        requests = [Request(events=[one]) for one in offered] if self._each else None
        receipts = self._store.append(requests or [Request(events=offered)])
        return sum(receipt.outcomes.count("appended") for receipt in receipts)

    def server_cpu(self) -> float | None:
        return cpu_seconds(self._server)


class Raw:
    """One INSERT written by hand, in a pipeline with lock and notification."""

    def __init__(self, url: str) -> None:
        self._connection: Connection[tuple[Any, ...]] = psycopg.connect(url, autocommit=True)

    def append(self, bodies: Sequence[bytes]) -> int:
        columns = [*zip(*map(_row, parse(bodies)), strict=True)]
        connection = self._connection
        cursor = connection.cursor()
        # Saved round trips are much of a single append, and nothing of a batch (see _Recorder).
        together = connection.pipeline() if len(bodies) < BATCH else nullcontext()
        with together, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(1)", prepare=True)
            cursor.execute(_INSERT, (now_ms(), *map(list, columns)), prepare=True)
            connection.execute("SELECT pg_notify('raw_events', '')", prepare=True)
        return len(cursor.fetchall())

    def server_cpu(self) -> float | None:
        return cpu_seconds(self._connection.info.backend_pid)


def _row(offered: Offered) -> tuple[object, ...]:
    event = offered.event
    if offered.created is not None:
        time_, source = offered.created, "created"
    elif offered.dispatched is not None:
        time_, source = offered.dispatched, "dispatched"
    else:
        time_, source = now_ms(), "recorded"
    return (
        event.org_id,
        offered.key,
        event.type,
        offered.body,
        event.id,
        event.agent_id,
        event.task_id,
        offered.created,
        time_,
        source,
        bucket("agent", event.org_id, event.agent_subject),
        bucket("task", event.org_id, event.task_subject),
        offered.fingerprint,
    )


class Stock:
    """The library's recorder as it comes: a stream for each event, the body as its state."""

    def __init__(self, url: str) -> None:
        self._recorder = _stock_recorder(url)
        self._recorder.datastore.register_type_adapters()
        with self._recorder.datastore.get_connection() as connection:
            self._server = connection.info.backend_pid

    def append(self, bodies: Sequence[bytes]) -> int:
        stored = [
            StoredEvent(
                originator_id=offered.key,
                originator_version=1,
                topic=offered.event.type,
                state=offered.body,
            )
            for offered in parse(bodies)
        ]
        return len(self._recorder.insert_events(stored) or ())

    def server_cpu(self) -> float | None:
        return cpu_seconds(self._server)


class Parse:
    """Stores nothing: what the three have in common."""

    def append(self, bodies: Sequence[bytes]) -> int:
        return len(parse(bodies))

    def server_cpu(self) -> float | None:
        return 0.0


class _Recorder(PostgresApplicationRecorder):
    """The library's recorder, kept from waiting for ever.

    The driver's pipeline (3.3.9) flushes once after the last command, whether or not all went
    out; over a Unix socket the rest of a batch of a few hundred events then stays behind.
    """

    def _insert_stored_events(
        self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> None:
        super()._insert_stored_events(curs, stored_events, **kwargs)
        if len(stored_events) >= BATCH and (pipeline := curs.connection._pipeline) is not None:
            pipeline.command_queue.extend([_flush(curs.connection)] * len(stored_events))


def _flush(connection: Connection[Any]) -> Callable[[], None]:
    def flush() -> None:
        connection.pgconn.flush()

    return flush


def _stock_recorder(url: str) -> PostgresApplicationRecorder:
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    datastore = PostgresDatastore(
        given["dbname"], given["host"], given["port"], given["user"], "", schema=SCHEMA
    )
    return _Recorder(datastore, events_table_name="stock_events")


def prepare(url: str) -> None:
    """Make the tables of the contenders that bring their own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CREATE)
    _stock_recorder(url).create_table()


def contenders(url: str) -> dict[str, Contender]:
    """All of them, each with one connection of its own that is open already."""
    return {
        OURS: Ours(url),
        OURS_EACH: Ours(url, each=True),
        RAW: Raw(url),
        STOCK: Stock(url),
        PARSE: Parse(),
    }


def timed(
    contender: Contender, batches: Sequence[Sequence[bytes]]
) -> tuple[float, float, float | None, int]:
    """Begin, end, processor time of both sides, and how many events were new."""
    server, client = contender.server_cpu(), time.process_time()
    begin = time.monotonic()
    new = sum(contender.append(batch) for batch in batches)
    end = time.monotonic()
    client_worked, after = time.process_time() - client, contender.server_cpu()
    if server is None or after is None:
        return begin, end, None, new
    return begin, end, client_worked + after - server, new
