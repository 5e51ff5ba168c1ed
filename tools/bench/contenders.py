"""Three ways to append the same events durably: our store, the eventsourcing library, raw psycopg.

All parse the bodies with the same functions, so only the store differs. Raw psycopg takes the same
lock, notifies readers too, and writes into a table with the same columns and indexes. Its positions
follow commit order like ours, but may have holes, and it does not tell a duplicate from a conflict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, Cursor, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from projector.domain.events import Offered, bucket
from projector.event_log.store import EventStore, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from projector.infrastructure.sql import Columns
from tools.bench.ground import cpu_seconds, parse

SCHEMA = "bench"
BATCH = 50  # events; calls of fewer are sent as a pipeline
OURS, OURS_EACH, RAW, STOCK = "ours", "ours, a request each", "raw psycopg", "stock library"
PARSE = "parse only"

_CREATE = sql.SQL("""
    CREATE SCHEMA {schema};
    CREATE TABLE {schema}.raw_events (LIKE projector.events INCLUDING ALL);
    ALTER TABLE {schema}.raw_events ALTER notification_id ADD GENERATED ALWAYS AS IDENTITY;
""").format(schema=sql.Identifier(SCHEMA))
_COLUMNS = Columns(
    {
        "org_id": "text",
        "originator_id": "uuid",
        "topic": "text",
        "state": "bytea",
        "event_id": "text",
        "agent_id": "text",
        "task_id": "text",
        "created_time": "bigint",
        "time": "bigint",
        "time_source": "text",
        "agent_bucket": "smallint",
        "task_bucket": "smallint",
        "fingerprint": "bytea",
    }
)
_INSERT = (
    sql.SQL("""
    INSERT INTO {schema}.raw_events ({columns}, origin, recorded_time, request_position)
    SELECT {columns}, 'webhook', %(now)s, 0 FROM {rows}
    ON CONFLICT (originator_id, originator_version, org_id) DO NOTHING
    RETURNING notification_id, originator_id
    """)
    .format(schema=sql.Identifier(SCHEMA), columns=_COLUMNS.names, rows=_COLUMNS.unnest("u"))
    .as_bytes()
)


class Contender(Protocol):
    """Appends bodies; each call is durable when it returns."""

    def append(self, bodies: Sequence[bytes]) -> int:
        """Append bodies of one event each; answer how many of the events were new."""

    def server_cpu(self) -> float | None:
        """Processor time (s) of the server's process for this contender so far, None if unknown."""


class Ours:
    """EventStore.append, with all events as one request or a request for each event."""

    def __init__(self, url: str, *, each: bool = False) -> None:
        self._each = each
        pool = open_pool(url, max_size=1)
        self._store = EventStore(pool)
        with pool.connection() as connection:
            self._server = connection.info.backend_pid

    def append(self, bodies: Sequence[bytes]) -> int:
        offered = parse(bodies)
        requests = [Request(events=[event]) for event in offered] if self._each else None
        receipts = self._store.append(requests or [Request(events=offered)])
        return sum(receipt.outcomes.count("appended") for receipt in receipts)

    def server_cpu(self) -> float | None:
        return cpu_seconds(self._server)


class Raw:
    """One INSERT written by hand, in a transaction with the lock and the notification."""

    def __init__(self, url: str) -> None:
        self._connection: Connection[tuple[Any, ...]] = psycopg.connect(url, autocommit=True)

    def append(self, bodies: Sequence[bytes]) -> int:
        parameters = _COLUMNS.parameters(map(_row, parse(bodies)))
        connection = self._connection
        cursor = connection.cursor()
        # Saved round trips matter for a single append and not for a batch (see _Recorder).
        pipeline = connection.pipeline() if len(bodies) < BATCH else nullcontext()
        with pipeline, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(1)", prepare=True)
            cursor.execute(_INSERT, {**parameters, "now": now_ms()}, prepare=True)
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
    """The library's recorder without changes: one stream per event, the body as its state."""

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
    """Stores nothing; it does what the other three have in common."""

    def append(self, bodies: Sequence[bytes]) -> int:
        return len(parse(bodies))

    def server_cpu(self) -> float | None:
        return 0.0


class _Recorder(PostgresApplicationRecorder):
    """The library's recorder, with more flushes, since without them it may wait without end.

    The pipeline of psycopg 3.3.9 flushes once after the last command, even if not all bytes could
    be sent. Over a Unix socket the rest of a batch of a few hundred events then stays unsent.
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
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    datastore = PostgresDatastore(
        parts["dbname"], parts["host"], parts["port"], parts["user"], "", schema=SCHEMA
    )
    return _Recorder(datastore, events_table_name="stock_events")


def prepare(url: str) -> None:
    """Make the tables of the contenders that have their own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CREATE)
    _stock_recorder(url).create_table()


def contenders(url: str) -> dict[str, Contender]:
    """All contenders by name, each with an open connection of its own."""
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
    """Append batches; answer begin and end (monotonic s), processor time (s) and the new events.

    Processor time is that of this process and of the server's process, None if unknown.
    """
    server, client = contender.server_cpu(), time.process_time()
    begin = time.monotonic()
    new = sum(contender.append(batch) for batch in batches)
    end = time.monotonic()
    client_seconds, server_end = time.process_time() - client, contender.server_cpu()
    if server is None or server_end is None:
        return begin, end, None, new
    return begin, end, client_seconds + server_end - server, new
