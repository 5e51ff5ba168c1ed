"""The library's own ProjectionRunner, doing the writes of the loop by hand: an event a time.

It follows the library's recorder, into which the log's bodies are copied beforehand, and reads
them with our reader instead of the library's JSON wrapping, which is in its favour. An event, what
it changes, and the tracking row are one transaction.
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
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from projector.domain.events import Event, Origin, Recorded, TimeSource
from projector.webex.simulator.payloads import ORGANISATION
from projector.webex.webhook import read_event
from tools.bench import by_hand
from tools.bench.measure import Sample

SCHEMA = "stock"
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Told:
    """What the library calls a domain event."""

    originator_id: UUID
    originator_version: int
    event: Event
    created: int


class Bodies(Mapper[UUID]):
    """The stored state is the body as received."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        topic, _, created = stored_event.topic.rpartition(" ")
        assert topic
        return Told(
            originator_id=stored_event.originator_id,  # type: ignore[arg-type]
            originator_version=stored_event.originator_version,
            event=read_event(bytes(stored_event.state), ORGANISATION),
            created=int(created),
        )


class Log(Application[UUID]):
    """The application that is followed."""

    name = "log"


class View(PostgresTrackingRecorder):
    """States and intervals, with the tracking row in the same transaction."""

    def apply(self, recorded: Recorded, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            with cursor.connection.cursor(row_factory=tuple_row, binary=True) as own:
                by_hand.apply(own, SCHEMA, [recorded])


class Floor(Projection[View]):
    name = "floor"
    last = 0
    done = threading.Event()

    def process_event(self, domain_event: Told, tracking: Tracking) -> None:
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
    """Tables of its own, and the first events of the log under the library's recorder."""
    by_hand.create(url, SCHEMA)
    Log(env=_environment(url)).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO {SCHEMA}.log_events (notification_id, originator_id, originator_version,"
            " topic, state) SELECT notification_id, originator_id, originator_version,"
            " topic || ' ' || created_time, state FROM projector.events"
            " WHERE notification_id <= %s ORDER BY notification_id".encode(),
            (events,),
        )


def timed(url: str, events: int) -> Sample:
    """Fold the first events once more."""
    _forget(url)
    Floor.last, begin = events, time.monotonic()
    Floor.done.clear()
    with ProjectionRunner(
        application_class=Log, projection_class=Floor, view_class=View, env=_environment(url)
    ) as runner:
        while not Floor.done.wait(1):
            assert not runner.is_interrupted.is_set(), runner._thread_error
            assert time.monotonic() < begin + PATIENCE_SECONDS
        seconds = time.monotonic() - begin
    return Sample(events=events, seconds=seconds)


def _forget(url: str) -> None:
    by_hand.forget(url, SCHEMA)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {SCHEMA}.floor_tracking".encode())


def _environment(url: str) -> dict[str, str]:
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "MAPPER_TOPIC": f"{__name__}:Bodies",
        "POSTGRES_DBNAME": given["dbname"],
        "POSTGRES_HOST": given["host"],
        "POSTGRES_PORT": given.get("port", "5432"),
        "POSTGRES_USER": given["user"],
        "POSTGRES_PASSWORD": given.get("password", ""),
        "POSTGRES_SCHEMA": SCHEMA,
    }
