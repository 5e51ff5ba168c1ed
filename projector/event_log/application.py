"""The log as an application of the `eventsourcing` library, for projections of an integrator's own.

Rule: the log is read and never written. `Projection`, `ProjectionRunner` and
`ApplicationSubscription` of the library run over `EventLog` as they are; docs/own-projection.md
shows how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent
from eventsourcing.postgres import PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from projector.domain.events import Recorded
from projector.event_log.store import Datastore, EventStore, LogNotification
from projector.infrastructure.database import open_pool
from projector.infrastructure.errors import ProjectorError

CONNECTIONS_PER_POOL = 4  # of each pool; one listens, one reads, one writes


class EventLogError(ProjectorError):
    """The log is used in a way that it does not allow, or its address is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event of the log, as the library hands it to a projection."""

    originator_id: UUID  # the key: organisation, type and id of the event
    originator_version: int  # always 1: each event is a stream of its own
    body: bytes  # of the webhook, as received
    recorded: Recorded  # what the body states, with its position, times and origin


class LogMapper(Mapper[UUID]):
    """Reads the log's rows; the bodies stay as they are."""

    def to_domain_event(self, stored_event: StoredEvent) -> LoggedEvent:
        """The event of a row; EventLogError where the row was not read by position."""
        if not isinstance(stored_event, LogNotification):
            raise EventLogError("Read the log by position: with a subscription or a projection.")
        return LoggedEvent(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            body=stored_event.state,
            recorded=stored_event.recorded(),
        )

    def to_stored_event(
        self,
        domain_event: DomainEventProtocol[UUID],  # noqa: ARG002 - the library's signature
    ) -> StoredEvent:
        """Always EventLogError: events come by webhook."""
        raise EventLogError("The log takes no events from a program: post them as webhooks.")


class LogFactory(PostgresFactory):
    """Builds recorders over the database that ``DATABASE_URL`` names.

    The log's recorder reads our schema. A projection's own recorder, and the tables that it makes,
    are in the schema that ``POSTGRES_SCHEMA`` names, and work with the rights of the address.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        # PostgresFactory's own takes the address in five parts, without TLS settings.
        InfrastructureFactory.__init__(self, env)
        url = self.env.get("DATABASE_URL")
        if not url:
            raise EventLogError("Set DATABASE_URL to the address of the projector's database.")
        self._url = url
        pool = ConnectionPool(
            url,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True, "connect_timeout": 5},
            min_size=1,
            max_size=CONNECTIONS_PER_POOL,
            open=False,  # the library opens it with the first connection
            configure=_do_not_wait_for_the_disk,
        )
        self.datastore = Datastore(pool, schema=self.env.get(self.POSTGRES_SCHEMA, ""))

    def application_recorder(self) -> EventStore:
        """The log's recorder; it works as the service's role where the user may."""
        recorder = EventStore(open_pool(self._url, max_size=CONNECTIONS_PER_POOL))
        self.datastore = recorder.datastore  # so that the application closes it
        return recorder


def _do_not_wait_for_the_disk(connection: Connection[DictRow]) -> None:
    """After a crash the rows of lost commits come again, since the position is lost with them."""
    connection.execute("SET synchronous_commit = off")


class EventLog(Application[UUID]):
    """The log, for the library's projections and subscriptions.

    ``env`` and the process's environment say where it is: ``DATABASE_URL``.
    """

    name = "projector"

    def construct_factory(self, env: Environment) -> InfrastructureFactory:
        """Our factory, whatever the environment names for other applications."""
        return cast("InfrastructureFactory", LogFactory(env))

    def construct_mapper(self) -> LogMapper:
        """The mapper that reads our rows."""
        return LogMapper(self.construct_transcoder())
