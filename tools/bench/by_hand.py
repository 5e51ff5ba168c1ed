"""The projection as one would write it for a log that is in order: a loop, the fold, four writes.

Same fold, same pages, same rows of states, intervals and anomalies, position in the transaction.
Left out is what a late event, a second runner or a poisonous event would need: no snapshots, no
knowledge times, no partitions, no counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from projector.domain.events import Origin, Recorded, TimeSource
from projector.domain.fold import Fold, fold
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.projection.read_models import PASSING_TIME, TABLES, Table
from projector.projection.runner import FOLD_BATCH_EVENTS
from projector.webex.webhook import read_event

Row = tuple[Any, ...]
Folded = dict[tuple[str, str], Fold[Any]]

_CREATE = """
    CREATE TABLE {schema}.{states} (LIKE projector.{states} INCLUDING ALL);
    ALTER TABLE {schema}.{states} DROP COLUMN partition, DROP COLUMN position,
        DROP COLUMN began, DROP COLUMN arrived, DROP COLUMN ahead, DROP COLUMN behind,
        DROP COLUMN newest, DROP COLUMN contact;
    CREATE TABLE {schema}.{intervals} (LIKE projector.{intervals} INCLUDING DEFAULTS);
    ALTER TABLE {schema}.{intervals} DROP COLUMN known_from, DROP COLUMN known_to,
        ADD PRIMARY KEY (org_id, id, start);
    CREATE TABLE {schema}.{anomalies} (LIKE projector.{anomalies} INCLUDING ALL);
"""
_PAGE = """
    SELECT notification_id, org_id, state, created_time, time, recorded_time, origin
    FROM projector.events WHERE notification_id > %b ORDER BY notification_id LIMIT %b
"""
_LOAD = """
    SELECT v.org_id, v.id, v.state, v.counters FROM {schema}.{states} AS v
    JOIN unnest(%b::text[], %b::text[]) AS k(org_id, id) USING (org_id, id)
"""
_STATES = """
    INSERT INTO {schema}.{states} (org_id, id, state, counters, facets, deadline, facets_after_deadline, last_event_time)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::jsonb[], %b::jsonb[],
        %b::bigint[], %b::jsonb[], %b::bigint[])
    ON CONFLICT (org_id, id) DO UPDATE SET state = excluded.state, counters = excluded.counters,
        facets = excluded.facets, due = excluded.deadline, facets_after_deadline = excluded.facets_after_deadline,
        changed = excluded.changed
"""
_INTERVALS = """
    INSERT INTO {schema}.{intervals} (org_id, id, start, event_id, status, current_state, task_id,
        queue_id, idle_code_id)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::text[], %b::text[],
        %b::text[], %b::text[], %b::text[], %b::text[])
    ON CONFLICT (org_id, id, start) DO UPDATE SET event_id = excluded.event_id,
        status = excluded.status, current_state = excluded.current_state,
        task_id = excluded.task_id, queue_id = excluded.queue_id,
        idle_code_id = excluded.idle_code_id
"""
_NOT_LEFT_BY_TIME = """
    DELETE FROM {schema}.{anomalies} AS a USING unnest(%b::text[], %b::text[]) AS k(org_id, id)
    WHERE a.org_id = k.org_id AND a.id = k.id AND a.position = 0
"""
_ANOMALIES = """
    INSERT INTO {schema}.{anomalies} (org_id, id, position, kind, event_id, gap_from, gap_to)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::text[], %b::text[],
        %b::bigint[], %b::bigint[])
"""


def create(url: str, schema: str) -> None:
    """Tables of the same columns as ours but for what is left out."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        connection.execute(f"CREATE TABLE {schema}.position AS SELECT 0::bigint AS value".encode())
        for table in TABLES:
            for statement in _named(_CREATE, schema, table).split(";"):
                connection.execute(statement.encode())


def forget(url: str, schema: str) -> None:
    names = [f"{schema}.{name}" for it in TABLES for name in (it.name, it.intervals, it.anomalies)]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(names)}".encode())
        connection.execute(f"UPDATE {schema}.position SET value = 0".encode())


def catch_up(url: str, schema: str) -> None:
    """The loop; like ours, it does not wait for the disk, and collects garbage rarely."""
    with collecting_rarely(), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        while True:
            with (
                connection.transaction(),
                connection.cursor(row_factory=tuple_row, binary=True) as cur,
            ):
                cur.execute(f"SELECT value FROM {schema}.position FOR UPDATE".encode())
                (position,) = cur.fetchone() or (0,)
                rows = cur.execute(_PAGE, (position, FOLD_BATCH_EVENTS), prepare=True).fetchall()
                if not rows:
                    return
                events = [_recorded(row) for row in _whole_moments(rows)]
                apply(cur, schema, events)
                cur.execute(
                    f"UPDATE {schema}.position SET value = %s".encode(), (events[-1].position,)
                )


def _whole_moments(rows: Sequence[Row]) -> Sequence[Row]:
    """What happened in one millisecond is folded at once, so a full page ends before its last."""
    if len(rows) < FOLD_BATCH_EVENTS:
        return rows
    return [row for row in rows if row[4] < rows[-1][4]]


def _recorded(row: Row) -> Recorded:
    position, org_id, body, created, time, recorded_time, origin = row
    return Recorded(
        event=read_event(bytes(body), org_id),
        position=position,
        time=time,
        time_source=TimeSource.CREATED,
        created=created,
        recorded_time=recorded_time,
        origin=Origin(origin),
    )


def apply(cur: Cursor[Row], schema: str, events: Iterable[Recorded]) -> None:
    """Fold events, in order, into the stored states of their subjects, and write what comes of it.

    The cursor is binary.
    """
    events = sorted(events, key=lambda recorded: recorded.order)
    for table in TABLES:
        subjects: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
        for recorded in events:
            subject = table.subject_of(recorded.event)
            if subject is not None:
                subjects[recorded.event.org_id, subject].append(recorded)
        if subjects:
            found = cur.execute(
                _named(_LOAD, schema, table).encode(), _columns(subjects), prepare=True
            )
            states = {(org, id_): table.load(text, counters) for org, id_, text, counters in found}
            folded = {
                key: fold(states.get(key) or table.fresh(), own) for key, own in subjects.items()
            }
            _write(cur, schema, table, folded)


def _write(cur: Cursor[Row], schema: str, table: Table[Any], folded: Folded) -> None:
    later = {key: table.state_at_deadline(story.state) for key, story in folded.items()}
    states = [_state(table, key, story.state, later[key]) for key, story in folded.items()]
    intervals = [(*key, *_interval(one)) for key, it in folded.items() for one in it.intervals]
    left = {key: (later[key] or story.state).deadline_anomaly() for key, story in folded.items()}
    anomalies = [
        (*key, one.position or PASSING_TIME, one.kind, one.event_id, one.gap_from, one.gap_to)
        for key, story in folded.items()
        for one in (*story.anomalies, left[key])
        if one is not None
    ]
    for statement, rows in (
        (_STATES, states),
        (_INTERVALS, intervals),
        (_NOT_LEFT_BY_TIME, [*folded] if table.has_deadlines else []),
        (_ANOMALIES, anomalies),
    ):
        if rows:
            cur.execute(_named(statement, schema, table).encode(), _columns(rows), prepare=True)


def _state(table: Table[Any], key: tuple[str, str], state: Any, later: Any) -> Row:
    return (
        *key,
        table.dump(state),
        Jsonb({name: count for name, count in sorted(state.counters.items()) if count}),
        Jsonb(table.facets(state)),
        state.deadline(),
        None if later is None else Jsonb(table.facets(later)),
        state.last_event.time,
    )


def _interval(one: Any) -> Row:
    it = one.display
    return (
        *(one.start, one.event_id, it.status, it.current_state, it.task_id, it.queue_id),
        it.idle_code_id,
    )


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _named(statement: str, schema: str, table: Table[Any]) -> str:
    return statement.format(
        schema=schema, states=table.name, intervals=table.intervals, anomalies=table.anomalies
    )


_SHOWN = (
    (
        "{states}",
        "org_id, id, state, counters, facets, deadline, facets_after_deadline, last_event_time",
        "true",
    ),
    (
        "{intervals}",
        "org_id, id, start, event_id, status, current_state, task_id, queue_id, idle_code_id",
        "known_to IS NULL",
    ),
)


def assert_equal(url: str, schema: str) -> None:
    """Both hold the same states and the same intervals as they are known now."""
    with psycopg.connect(url) as connection:
        for table in TABLES:
            for name, columns, is_current in _SHOWN:
                ours, theirs = (
                    connection.execute(
                        _named(
                            "SELECT count(*), sum(hashtextextended(r::text, 0)::numeric)"
                            f" FROM (SELECT {columns} FROM {place}.{name} WHERE {which}) AS r",
                            schema,
                            table,
                        ).encode()
                    ).fetchone()
                    for place, which in (("projector", is_current), (schema, "true"))
                )
                assert ours == theirs, f"{table.name} {name}: {ours} is not {theirs}"
