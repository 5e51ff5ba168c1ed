"""LISTEN: following the database's notifications, also over times when it does not answer.

Whoever follows the log, the read models or the jobs uses this loop. Only the subscription of the
eventsourcing library has one of its own (`event_log/store.py`).

Rule: LISTEN comes before the first read, so whatever is committed in between wakes the listener. A
notification can still be missed, so every wait has an end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.infrastructure.database import (
    StoreUnavailable,
    become_service,
    connect,
    translated,
)

# The database notices within seconds that a process is gone, and frees its locks.
_KEEPALIVES = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3}
_SERVER_KEEPALIVES = b"""
    SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3
"""

SAY_AGAIN_SECONDS = 60.0  # before the same reason to wait is logged again

log = logging.getLogger(__name__)


@contextmanager
def listening(url: str, channel: str, *schemas: str) -> Iterator[Connection[DictRow]]:
    """A connection of the service's role that listens to a channel.

    StoreUnavailable where the database does not answer, also later in the block.
    """
    with translated(), connect(url, **_KEEPALIVES) as connection:
        become_service(connection, *schemas)
        connection.execute(_SERVER_KEEPALIVES)
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield connection


def await_notice(connection: Connection[DictRow], seconds: float) -> bool:
    """Wait for a notification; whether one came in time."""
    return bool([*connection.notifies(timeout=seconds, stop_after=1)])


def drain_notices(connection: Connection[DictRow]) -> None:
    """Take all notifications that wait, so that they wake the listener once."""
    for _ in connection.notifies(timeout=0):
        pass


def keep_following(
    follow: Callable[[], None],
    *,
    who: str,
    is_needed: Callable[[], bool],
    rest: Callable[[], object],
    waits_for: type[Exception] = StoreUnavailable,
) -> None:
    """Call ``follow`` again whenever it ends, as long as it is needed, and rest after an error.

    StoreUnavailable and ``waits_for`` are expected: the same sentence is logged once a minute at
    most. Other errors are logged as faults. No error ends the loop.
    """
    said, said_at = "", 0.0
    while is_needed():
        try:
            follow()
        except (StoreUnavailable, waits_for) as error:
            if str(error) != said or time.monotonic() > said_at + SAY_AGAIN_SECONDS:
                said, said_at = str(error), time.monotonic()
                log.warning("%s waits: %s", who, error)
            rest()
        except Exception:
            log.exception("%s failed and tries again", who)
            rest()
