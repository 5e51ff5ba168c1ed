"""The projection: follows the log by pages into the tables of views and intervals.

The rule of this file: a page of the log, everything it changes, and the position after it are one
transaction. So a crash repeats a page or nothing, and two runners take turns and never fold an
event twice. A subject whose new events are all later than what it has folded goes on from its
stored state; any other is folded again from the log, up to the end of the page.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from threading import Event

from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow, tuple_row
from psycopg.types.json import Jsonb

from projector.database import (
    EVENTS_CHANNEL,
    VIEWS_CHANNEL,
    StoreUnavailable,
    become_service,
    connect,
    translated,
)
from projector.events import Recorded
from projector.machine import Interval, S, Story, fold
from projector.store import EventStore
from projector.tables import PASSING_TIME, TABLES, Table

NAME = "floor"
PAGE_EVENTS = 2_000
POLL_SECONDS = 1.0  # the safety net under a notification that was missed
RETRY_SECONDS = 0.5

Key = tuple[str, str]  # organisation and id of a subject
log = logging.getLogger(__name__)


class Runner:
    """Follows the log until told to stop; several may run, on one host or many."""

    def __init__(self, store: EventStore, url: str, *, page_events: int = PAGE_EVENTS) -> None:
        self._store = store
        self._url = url
        self._page_events = page_events

    def run(self, stop: Event) -> None:
        """Follow until told to stop; a database that goes away is waited for."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except StoreUnavailable as error:
                log.warning("the projection waits: %s", error)
                stop.wait(RETRY_SECONDS)
            except Exception:
                # Nothing that a page brings may end the runner; the page stays for the next try.
                log.exception("the projection failed and tries again")
                stop.wait(RETRY_SECONDS)

    def _follow(self, stop: Event) -> None:
        # LISTEN comes before the first read: what is appended in between wakes us.
        with translated(), connect(self._url) as connection:
            become_service(connection)
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(EVENTS_CHANNEL)))
            while not stop.is_set():
                if not self.take_page(connection):
                    for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass

    def catch_up(self) -> None:
        """Follow up to the head and return."""
        with translated(), connect(self._url) as connection:
            become_service(connection)
            while self.take_page(connection):
                pass

    def take_page(self, connection: Connection[DictRow]) -> bool:
        """Fold the next page; False at the head."""
        with connection.transaction(), connection.cursor(row_factory=tuple_row, binary=True) as cur:
            # Other runners wait here until this page is committed.
            cur.execute("SELECT position FROM projections WHERE name = %s FOR UPDATE", (NAME,))
            (position,) = cur.fetchone() or (0,)
            page = self._store.page(cur, position, self._page_events)
            if page is None:
                return False
            for table in TABLES:
                _project(cur, self._store, table, page.events, page.last_position)
            cur.execute(
                "UPDATE projections SET position = %s, recorded_time = %s WHERE name = %s",
                (page.last_position, page.last_recorded_time, NAME),
            )
            cur.execute("SELECT pg_notify(%s, %s)", (VIEWS_CHANNEL, str(page.last_position)))
            return True


def _project(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[S],
    events: Iterable[Recorded],
    upto: int,
) -> None:
    told = _by_subject(table, events)
    states = _states(cur, table, told)
    stories: dict[Key, Story[S]] = {}
    late: list[Key] = []
    for key, new in told.items():
        state = states.get(key)
        if state is None or state.is_before(new):
            stories[key] = fold(state or table.fresh(), new)
        else:
            late.append(key)
            stories[key] = fold(table.fresh(), store.of_subject(cur, table.column, *key, upto))
    for derived in (table.intervals, table.anomalies):
        _forget(cur, derived, late)
    outlooks = {key: table.when_due(story.state) for key, story in stories.items()}
    _write_states(cur, table, stories, outlooks)
    _write_intervals(cur, table, stories)
    _write_anomalies(cur, table, stories, outlooks)


def _by_subject(table: Table[S], events: Iterable[Recorded]) -> dict[Key, list[Recorded]]:
    told: dict[Key, list[Recorded]] = defaultdict(list)
    for recorded in events:
        subject = table.subject_of(recorded.event)
        if subject is not None:
            told[recorded.event.org_id, subject].append(recorded)
    for new in told.values():
        new.sort(key=lambda recorded: recorded.order)
    # In one order for all runners, so that they cannot wait for each other in a ring.
    return dict(sorted(told.items()))


def _states(cur: Cursor[TupleRow], table: Table[S], keys: Iterable[Key]) -> dict[Key, S]:
    rows = cur.execute(
        sql.SQL(
            "SELECT org_id, id, state FROM {} JOIN unnest(%s::text[], %s::text[]) AS k(org_id, id)"
            " USING (org_id, id)"
        ).format(sql.Identifier(table.name)),
        _columns(keys),
    )
    return {(org_id, id_): table.load(text) for org_id, id_, text in rows}


def _write_states(
    cur: Cursor[TupleRow],
    table: Table[S],
    stories: Mapping[Key, Story[S]],
    outlooks: Mapping[Key, S | None],
) -> None:
    rows = []
    for key, story in stories.items():
        state, later = story.state, outlooks[key]
        rows.append(
            (
                *key,
                table.dump(state),
                Jsonb(table.facets(state)),
                state.due(),
                None if later is None else Jsonb(table.facets(later)),
                state.last_event.time if state.last_event else 0,
            )
        )
    if rows:
        cur.execute(
            sql.SQL(
                "INSERT INTO {} (org_id, id, state, facets, due, due_facets, changed)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[],"
                " %s::bigint[], %s::jsonb[], %s::bigint[]) ON CONFLICT (org_id, id) DO UPDATE SET"
                " state = excluded.state, facets = excluded.facets, due = excluded.due,"
                " due_facets = excluded.due_facets, changed = excluded.changed"
            ).format(sql.Identifier(table.name)),
            _columns(rows),
        )


def _forget(
    cur: Cursor[TupleRow], derived: str, keys: Collection[Key], *, position: int | None = None
) -> None:
    """Delete the subjects' rows, all of them or those of one position."""
    if keys:
        chosen = sql.SQL("AND d.position = {}").format(position)
        cur.execute(
            sql.SQL(
                "DELETE FROM {} AS d USING unnest(%s::text[], %s::text[]) AS k(org_id, id)"
                " WHERE d.org_id = k.org_id AND d.id = k.id {}"
            ).format(sql.Identifier(derived), sql.SQL("") if position is None else chosen),
            _columns(keys),
        )


def _write_intervals(
    cur: Cursor[TupleRow], table: Table[S], stories: Mapping[Key, Story[S]]
) -> None:
    rows = [
        _interval_row(key, interval)
        for key, story in stories.items()
        for interval in story.intervals
    ]
    if rows:
        cur.execute(
            sql.SQL(
                "INSERT INTO {} (org_id, id, start, status, current_state, task_id, queue_id,"
                " idle_code_id, event_id) SELECT * FROM unnest(%s::text[], %s::text[],"
                " %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
                " %s::text[])"
            ).format(sql.Identifier(table.intervals)),
            _columns(rows),
        )


def _write_anomalies(
    cur: Cursor[TupleRow],
    table: Table[S],
    stories: Mapping[Key, Story[S]],
    outlooks: Mapping[Key, S | None],
) -> None:
    if table.has_deadlines:
        _forget(cur, table.anomalies, stories, position=PASSING_TIME)
    rows = [
        (
            *key,
            PASSING_TIME if anomaly.position is None else anomaly.position,
            anomaly.kind.value,
            anomaly.event_id,
            anomaly.gap_from,
            anomaly.gap_to,
        )
        for key, story in stories.items()
        for anomaly in (*story.anomalies, (outlooks[key] or story.state).left_by_time())
        if anomaly is not None
    ]
    if rows:
        cur.execute(
            sql.SQL(
                "INSERT INTO {} (org_id, id, position, kind, event_id, gap_from, gap_to)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[],"
                " %s::text[], %s::bigint[], %s::bigint[])"
            ).format(sql.Identifier(table.anomalies)),
            _columns(rows),
        )


def _interval_row(key: Key, interval: Interval) -> tuple[object, ...]:
    shown = interval.stretch
    return (
        *key,
        interval.start,
        shown.status,
        shown.current_state,
        shown.task_id,
        shown.queue_id,
        shown.idle_code_id,
        interval.event_id,
    )


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[], []]
