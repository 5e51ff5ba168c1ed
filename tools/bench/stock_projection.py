"""The ProjectionRunner of the eventsourcing library, with the writes of the loop by hand.

It takes one event at a time: the event's changes and its tracking row are one transaction. It
follows the library's recorder, into which the log's bodies are copied beforehand. It reads them
with our reader and not with the library's JSON mapper, which is in its favour.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from projector.domain.events import Event, Origin, Recorded, TimeSource
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.webhook import read_event
from tools.bench import by_hand
from tools.bench.measure import Sample

SCHEMA = "stock"
MAX_SECONDS = 600.0
_COPY = sql.SQL("""
    INSERT INTO {schema}.log_events (
        notification_id, originator_id, originator_version, topic, state
    )
    SELECT notification_id, originator_id, originator_version, topic || ' ' || created_time, state
    FROM projector.events WHERE notification_id <= %(events)s ORDER BY notification_id
""").format(schema=sql.Identifier(SCHEMA))
_DROP_TRACKING = sql.SQL("DROP TABLE IF EXISTS {schema}.floor_tracking").format(
    schema=sql.Identifier(SCHEMA)
)


@dataclass(frozen=True)
class WebhookEvent:
    """A domain event of the library, made of a webhook."""

    originator_id: UUID
    originator_version: int
    event: Event
    created: int


class BodyMapper(Mapper[UUID]):
    """Reads the stored state, which is the body as received; the topic ends in the created time."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        topic, _, created = stored_event.topic.rpartition(" ")
        assert topic
        return WebhookEvent(
            originator_id=stored_event.originator_id,  # type: ignore[arg-type]
            originator_version=stored_event.originator_version,
            event=read_event(bytes(stored_event.state), SIMULATED_ORG_ID),
            created=int(created),
        )


class CopiedLog(Application[UUID]):
    """The application that the projection follows."""

    name = "log"


class FloorTables(PostgresTrackingRecorder):
    """Writes states and intervals, with the tracking row in the same transaction."""

    def apply(self, recorded: Recorded, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            with cursor.connection.cursor(row_factory=tuple_row, binary=True) as binary_cursor:
                by_hand.apply(binary_cursor, SCHEMA, [recorded])


class FloorProjection(Projection[FloorTables]):
    name = "floor"
    last = 0
    done = threading.Event()

    def process_event(self, domain_event: WebhookEvent, tracking: Tracking) -> None:
        recorded = Recorded(
            event=domain_event.event,
            position=tracking.notification_id,
            time=domain_event.created,
            time_source=TimeSource.CREATED,
            created=domain_event.created,
            recorded_time=domain_event.created,
            origin=Origin.WEBHOOK,
        )
        self.view.apply(recorded, tracking)
        if tracking.notification_id == self.last:
            self.done.set()


def create(url: str, events: int) -> None:
    """Make its tables, and copy the first events of the log into the library's table."""
    by_hand.create(url, SCHEMA)
    CopiedLog(env=_environment(url)).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_COPY, {"events": events})


def timed(url: str, events: int) -> Sample:
    """Fold the first ``events`` events anew."""
    _forget(url)
    FloorProjection.last, begin = events, time.monotonic()
    FloorProjection.done.clear()
    with ProjectionRunner(
        application_class=CopiedLog,
        projection_class=FloorProjection,
        view_class=FloorTables,
        env=_environment(url),
    ) as runner:
        while not FloorProjection.done.wait(1):
            assert not runner.is_interrupted.is_set(), runner._thread_error
            assert time.monotonic() < begin + MAX_SECONDS
        seconds = time.monotonic() - begin
    return Sample(events=events, seconds=seconds)


def _forget(url: str) -> None:
    by_hand.forget(url, SCHEMA)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_DROP_TRACKING)


def _environment(url: str) -> dict[str, str]:
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "MAPPER_TOPIC": f"{__name__}:BodyMapper",
        "POSTGRES_DBNAME": parts["dbname"],
        "POSTGRES_HOST": parts["host"],
        "POSTGRES_PORT": parts.get("port", "5432"),
        "POSTGRES_USER": parts["user"],
        "POSTGRES_PASSWORD": parts.get("password", ""),
        "POSTGRES_SCHEMA": SCHEMA,
    }
