"""A projection as one would write it by hand for a log that is in order: read, fold, write, repeat.

It uses our fold and pages of the size of our batches. It writes the same rows of states, intervals
and anomalies, with its position in the same transaction. It leaves out what late events, a second
runner or an event that cannot be folded need: it has no snapshots, no known positions, no
partitions and no counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, LiteralString

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from projector.domain.events import Origin, Recorded, TimeSource
from projector.domain.fold import Fold, anomaly_keys, fold
from projector.infrastructure.gc_tuning import collecting_rarely
from projector.infrastructure.sql import Columns
from projector.projection.read_models import INTERVAL_COLUMNS, TABLES, Key, Table, interval_to_row
from projector.projection.runner import FOLD_BATCH_EVENTS
from projector.webex.webhook import read_event

Row = tuple[Any, ...]
Folds = dict[Key, Fold[Any]]

_CREATE_SCHEMA = """
    CREATE SCHEMA {schema};
    CREATE TABLE {schema}.position AS SELECT 0::bigint AS value;
"""
_CREATE_TABLES = """
    CREATE TABLE {schema}.{states} (LIKE projector.{states} INCLUDING ALL);
    ALTER TABLE {schema}.{states} DROP COLUMN partition, DROP COLUMN position,
        DROP COLUMN first_event_time, DROP COLUMN last_recorded_time, DROP COLUMN last_event_type,
        DROP COLUMN max_clock_lead_ms, DROP COLUMN max_lateness_ms, DROP COLUMN kpi_facts,
        DROP COLUMN waiting_since, DROP COLUMN last_known_time;
    CREATE TABLE {schema}.{intervals} (LIKE projector.{intervals} INCLUDING DEFAULTS);
    ALTER TABLE {schema}.{intervals} DROP COLUMN known_from, DROP COLUMN known_to,
        ADD PRIMARY KEY (org_id, id, start);
    CREATE TABLE {schema}.{anomalies} (LIKE projector.{anomalies} INCLUDING ALL);
"""
_EMPTY_TABLES = "TRUNCATE {schema}.{states}, {schema}.{intervals}, {schema}.{anomalies}"
_RESET_POSITION = "UPDATE {schema}.position SET value = 0"
_LOCK_POSITION = "SELECT value FROM {schema}.position FOR UPDATE"
_SET_POSITION = "UPDATE {schema}.position SET value = %(position)s"
_PAGE = b"""
    SELECT position, org_id, body, created_time, time, recorded_time, origin
    FROM projector.log WHERE position > %(after)s ORDER BY position LIMIT %(limit)s
"""
_SUBJECT_COLUMNS = Columns({"org_id": "text", "id": "text"})
_LOAD = """
    SELECT v.org_id, v.id, v.state, v.counters FROM {schema}.{states} AS v
    JOIN {rows} USING (org_id, id)
"""
_STATE_COLUMNS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "state": "text",
        "counters": "jsonb",
        "facets": "jsonb",
        "deadline": "bigint",
        "later_facets": "jsonb",
        "later_anomalies": "jsonb",
        "anomaly_time": "bigint",
        "last_event_time": "bigint",
    }
)
_SAVE_STATES = """
    INSERT INTO {schema}.{states} ({columns}) SELECT * FROM {rows}
    ON CONFLICT (org_id, id) DO UPDATE SET state = excluded.state, counters = excluded.counters,
        facets = excluded.facets, deadline = excluded.deadline,
        later_facets = excluded.later_facets, later_anomalies = excluded.later_anomalies,
        anomaly_time = excluded.anomaly_time, last_event_time = excluded.last_event_time
"""
_INTERVAL_ROW_COLUMNS = Columns(
    {
        "org_id": "text",
        "id": "text",
        **INTERVAL_COLUMNS.types,
    }
)
_SAVE_INTERVALS = """
    INSERT INTO {schema}.{intervals} ({columns}) SELECT * FROM {rows}
    ON CONFLICT (org_id, id, start) DO UPDATE SET event_id = excluded.event_id,
        status = excluded.status, current_state = excluded.current_state,
        task_id = excluded.task_id, queue_id = excluded.queue_id,
        idle_code_id = excluded.idle_code_id, silent_since = excluded.silent_since
"""
_ANOMALY_COLUMNS = Columns(
    {
        "org_id": "text",
        "id": "text",
        "position": "bigint",
        "kind": "text",
        "event_id": "text",
        "gap_from": "bigint",
        "gap_to": "bigint",
    }
)
_INSERT_ANOMALIES = "INSERT INTO {schema}.{anomalies} ({columns}) SELECT * FROM {rows}"
_SUMMARIZE = """
    SELECT count(*), sum(hashtextextended(r::text, 0)::numeric)
    FROM (SELECT {columns} FROM {schema}.{table} WHERE {condition}) AS r
"""
_ALL_ROWS, _CURRENT_ROWS = sql.SQL("true"), sql.SQL("known_to IS NULL")


def create(url: str, schema: str) -> None:
    """Make a schema whose tables have our columns, apart from those of what is left out."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(_CREATE_SCHEMA).format(schema=sql.Identifier(schema)))
        for table in TABLES:
            connection.execute(_composed(_CREATE_TABLES, schema, table))


def forget(url: str, schema: str) -> None:
    """Empty the tables, so that the loop begins with the first event again."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(_composed(_EMPTY_TABLES, schema, table))
        connection.execute(sql.SQL(_RESET_POSITION).format(schema=sql.Identifier(schema)))


def catch_up(url: str, schema: str) -> None:
    """Fold the log up to its end. Like our runner, it does not wait for the disk."""
    lock, set_position = (
        sql.SQL(statement).format(schema=sql.Identifier(schema)).as_bytes()
        for statement in (_LOCK_POSITION, _SET_POSITION)
    )
    with collecting_rarely(), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        while True:
            with (
                connection.transaction(),
                connection.cursor(row_factory=tuple_row, binary=True) as cur,
            ):
                (position,) = cur.execute(lock).fetchone() or (0,)
                page = {"after": position, "limit": FOLD_BATCH_EVENTS}
                rows = cur.execute(_PAGE, page, prepare=True).fetchall()
                if not rows:
                    return
                events = [_recorded(row) for row in _whole_ticks(rows)]
                apply(cur, schema, events)
                cur.execute(set_position, {"position": events[-1].position})


def _whole_ticks(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows without the last millisecond of a full page, which the next page may continue."""
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
    """Fold events into the stored states of their subjects, and write the result.

    The cursor is binary. No event is earlier than those that were folded before.
    """
    in_order = sorted(events, key=lambda recorded: recorded.order)
    for table in TABLES:
        subjects: dict[Key, list[Recorded]] = defaultdict(list)
        for recorded in in_order:
            subject = table.subject_of(recorded.event)
            if subject is not None:
                subjects[recorded.event.org_id, subject].append(recorded)
        if subjects:
            load = _composed(_LOAD, schema, table, _SUBJECT_COLUMNS)
            rows = cur.execute(load, _SUBJECT_COLUMNS.parameters(subjects), prepare=True)
            states = {(org, id_): table.load(text, counters) for org, id_, text, counters in rows}
            _write(
                cur,
                schema,
                table,
                {key: fold(states.get(key) or table.fresh(), own) for key, own in subjects.items()},
            )


def _write(cur: Cursor[Row], schema: str, table: Table[Any], folds: Folds) -> None:
    states = [_state_row(table, key, it.state) for key, it in folds.items()]
    intervals = [
        (*key, *interval_to_row(interval)) for key, it in folds.items() for interval in it.intervals
    ]
    anomalies = [
        (*key, position, it.kind, it.event_id, it.gap_from, it.gap_to)
        for key, folded in folds.items()
        for (position, _), it in anomaly_keys(folded.anomalies).items()
    ]
    for statement, columns, rows in (
        (_SAVE_STATES, _STATE_COLUMNS, states),
        (_SAVE_INTERVALS, _INTERVAL_ROW_COLUMNS, intervals),
        (_INSERT_ANOMALIES, _ANOMALY_COLUMNS, anomalies),
    ):
        if rows:
            query = _composed(statement, schema, table, columns)
            cur.execute(query, columns.parameters(rows), prepare=True)


def _state_row(table: Table[Any], key: Key, state: Any) -> Row:
    outlook = table.outlook(state)
    stages, anomalies = outlook.stages_to_json(), outlook.anomalies_to_json()
    return (
        *key,
        table.dump(state),
        Jsonb({name: count for name, count in sorted(state.counters.items()) if count}),
        Jsonb(table.facets(state)),
        state.deadline(),
        None if stages is None else Jsonb(stages),
        None if anomalies is None else Jsonb(anomalies),
        outlook.anomaly_time,
        state.last_event.time,
    )


def assert_equal(url: str, schema: str) -> None:
    """Both projections have the same states and the same current intervals, by count and hash."""
    with psycopg.connect(url) as connection:
        for table in TABLES:
            for name, columns, current in (
                (table.name, _STATE_COLUMNS.names, _ALL_ROWS),
                (table.intervals, _INTERVAL_ROW_COLUMNS.names, _CURRENT_ROWS),
            ):
                ours, theirs = (
                    connection.execute(
                        sql.SQL(_SUMMARIZE).format(
                            columns=columns,
                            schema=sql.Identifier(of_schema),
                            table=sql.Identifier(name),
                            condition=condition,
                        )
                    ).fetchone()
                    for of_schema, condition in (("projector", current), (schema, _ALL_ROWS))
                )
                assert ours == theirs, f"{name}: {ours} is not {theirs}"


def _composed(
    statement: LiteralString, schema: str, table: Table[Any], columns: Columns | None = None
) -> bytes:
    names = (table.name, table.intervals, table.anomalies)
    return _compose(statement, schema, names, columns)


@cache
def _compose(
    statement: LiteralString, schema: str, names: tuple[str, str, str], columns: Columns | None
) -> bytes:
    states, intervals, anomalies = names
    return (
        sql.SQL(statement)
        .format(
            schema=sql.Identifier(schema),
            states=sql.Identifier(states),
            intervals=sql.Identifier(intervals),
            anomalies=sql.Identifier(anomalies),
            columns=columns.names if columns else sql.SQL(""),
            rows=columns.unnest("k") if columns else sql.SQL(""),
        )
        .as_bytes()
    )
