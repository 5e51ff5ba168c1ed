"""Verify's counts: what belongs to no single subject, counted again from the log.

Rule: everything is counted from the log, in one database snapshot. Of the tables it believes only
how far the log was folded: the positions of partitions, and what is parked or was skipped. Of a
conflict it believes the body alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain
from typing import Literal, LiteralString

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.contract.events import ConflictKind
from projector.domain.events import BUCKETS, BUCKETS_PER_PARTITION, PARTITIONS
from projector.operations.verify.compare import (
    Fields,
    TableDifference,
    TableRow,
    VerifyResult,
    differing,
)
from projector.projection.arrival_delays import DELAY_HISTOGRAM
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import FOLD_VERSION, TABLES
from projector.webex.json_body import read_element
from projector.webex.webhook import Unusable, differing_fields, judge, read_data


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectFilter:
    """Which subjects are verified; null leaves out none."""

    kind: str | None = None  # agents or tasks
    org: str | None = None
    id: str | None = None

    @property
    def parameters(self) -> dict[str, str | None]:
        return asdict(self)


ALL_SUBJECTS = SubjectFilter()
MATCHES_FILTER = sql.SQL(
    "(%(id)s::text IS NULL OR id = %(id)s) AND (%(org)s::text IS NULL OR org_id = %(org)s)"
)


def positions(connection: Connection[DictRow]) -> dict[int, int]:
    """How far each partition has folded the log."""
    rows = connection.execute(
        "SELECT partition, position FROM projections WHERE name = %(name)s", {"name": PROJECTION}
    )
    return {row["partition"]: row["position"] for row in rows}


def left_out(connection: Connection[DictRow], subjects: SubjectFilter) -> VerifyResult:
    """How many events no table has: not folded yet, waiting, skipped."""
    (row,) = connection.execute(
        _EVENTS_LEFT_OUT, subjects.parameters | {"name": PROJECTION}
    ).fetchall()
    return VerifyResult(**row)


def differences(connection: Connection[DictRow]) -> Iterator[TableDifference]:
    """Where partitions, counts and the histogram of arrival delays differ from the log."""
    (row,) = connection.execute("SELECT coalesce(max(position), 0) AS head FROM log")
    head = row["head"]
    return chain(
        _partitions(connection, head),
        _buckets(connection),
        _ledgers(connection),
        _conflicts(connection),
        _delays(connection, head),
    )


def _partitions(connection: Connection[DictRow], head: int) -> Iterator[TableDifference]:
    rows = connection.execute("SELECT * FROM projections").fetchall()
    found = {f"{row['name']} {row['partition']}": row for row in rows}
    expected = {
        f"{PROJECTION} {partition}": {
            "position": min(row["counted_position"], head),
            "counted_position": row["position"],
            "fold_version": FOLD_VERSION if row["position"] else row["fold_version"],
        }
        for partition in range(PARTITIONS)
        for row in [found.get(f"{PROJECTION} {partition}", _NOTHING_FOLDED)]
    }
    return _table_differences("projections", expected, found)


def _buckets(connection: Connection[DictRow]) -> Iterator[TableDifference]:
    counted = {
        (row["kind"], row["bucket"]): {"stored": row["stored"], "projected": row["projected"]}
        for row in connection.execute(_COUNTS_OF_BUCKETS, {"name": PROJECTION})
    }
    ledgers = {
        "anomalies": Counter(_ledger_buckets(connection, "anomalies")),
        "corrections": Counter(_ledger_buckets(connection, "corrections")),
    }
    none = {"stored": 0, "projected": 0}
    expected = {
        f"{PROJECTION} {table.name} {bucket}": counted.get((table.name, bucket), none)
        | {name: rows[table.name, bucket] for name, rows in ledgers.items()}
        for table in TABLES
        for bucket in range(BUCKETS)
    }
    rows = connection.execute("SELECT * FROM bucket_counts")
    found = {f"{row['name']} {row['kind']} {row['bucket']}": row for row in rows}
    return _table_differences("bucket_counts", expected, found)


def _ledger_buckets(
    connection: Connection[DictRow], ledger: Literal["anomalies", "corrections"]
) -> Iterator[tuple[str, int]]:
    """The bucket of each row of a ledger."""
    for table in TABLES:
        rows = connection.execute(
            sql.SQL("SELECT org_id, id FROM {}").format(sql.Identifier(getattr(table, ledger)))
        )
        yield from ((table.name, table.bucket_of((row["org_id"], row["id"]))) for row in rows)


def _ledgers(connection: Connection[DictRow]) -> Iterator[TableDifference]:
    expected = {
        ledger: connection.execute(
            sql.SQL("SELECT count(*) AS count FROM {} WHERE {}").format(
                sql.Identifier(ledger), sql.SQL(condition)
            )
        ).fetchall()[0]
        for ledger, condition in _COUNTED_ROWS.items()
    }
    rows = connection.execute("SELECT * FROM ledger_counts").fetchall()
    return _table_differences("ledger_counts", expected, {row["ledger"]: row for row in rows})


def _conflicts(connection: Connection[DictRow]) -> Iterator[TableDifference]:
    with connection.cursor("conflicts") as cur:
        for row in cur.execute(_CONFLICTING_BODIES):
            kind = _conflict_kind(row["event_body"], row["body"], row["org_id"])
            digest = sha256(row["body"]).hexdigest()
            key = f"{row['org_id']} {row['position']} {row['sha256']}"
            yield from _table_differences(
                "conflicts",
                {key: {"kind": kind, "sha256": digest}} if kind else {},
                {key: {"kind": row["kind"], "sha256": row["sha256"]}},
            )


def _conflict_kind(event_body: bytes, body: bytes, org_id: str) -> ConflictKind | None:
    """What a body is beside that of the event in the log; None where it is neither."""
    try:
        event, other = (
            judge(it, read_element(it), now=_AFTER_ALL_TIMES, default_org=org_id)
            for it in (event_body, body)
        )
    except ValueError:
        return None  # no JSON
    if isinstance(event, Unusable) or isinstance(other, Unusable) or event.key != other.key:
        return None
    if event.fingerprint != other.fingerprint:
        return "conflict"
    return "variation" if differing_fields(read_data(event_body), read_data(body)) else None


def _delays(connection: Connection[DictRow], head: int) -> Iterator[TableDifference]:
    rows = connection.execute(
        "SELECT position FROM arrival_delays_checkpoint ORDER BY position"
    ).fetchall()
    counted = rows[0]["position"] if rows else 0
    yield from _table_differences(
        "arrival_delays_checkpoint", {"": {"position": min(counted, head)}}, _numbered(rows)
    )
    expected = connection.execute(_DELAYS_UP_TO, {"position": counted}).fetchall()
    found = connection.execute("SELECT * FROM arrival_delays").fetchall()
    yield from _table_differences("arrival_delays", _by_bucket(expected), _by_bucket(found))


def _numbered(rows: list[DictRow]) -> dict[str, DictRow]:
    """By number, the first by the empty text: there should be no other."""
    return {str(number or ""): row for number, row in enumerate(rows)}


def _by_bucket(rows: list[DictRow]) -> dict[str, Fields]:
    return {f"{row['type']} {row['bucket']}": {"events": row["events"]} for row in rows}


def _table_differences(
    table: str, expected: Mapping[str, Fields], found: Mapping[str, TableRow]
) -> Iterator[TableDifference]:
    for key, field, expected_value, found_value in differing(expected, found):
        yield TableDifference(
            table=table,
            org_id="",
            id=key,
            field=field,
            expected=expected_value,
            found=found_value,
        )


_NOTHING_FOLDED: TableRow = {"position": 0, "counted_position": 0, "fold_version": FOLD_VERSION}
_AFTER_ALL_TIMES = 2**63  # epoch ms, so that no time is too far in the future
_COUNTED_ROWS: Mapping[str, LiteralString] = {  # of each ledger; a variation is a duplicate
    "conflicts": "kind = 'conflict'",
    "duplicates": "true",
    "quarantine": "true",
}
_CONFLICTING_BODIES = """
    SELECT c.org_id, c.position, c.kind, encode(c.sha256, 'hex') AS sha256, c.body,
        e.body AS event_body
    FROM conflicts AS c JOIN log AS e USING (org_id, position)
"""
_FOLDED_EVENTS = sql.SQL("""
    of_log AS (
        SELECT 'agents' AS kind, org_id, agent_id AS id, agent_bucket AS bucket,
            position AS log_position
        FROM log WHERE agent_bucket IS NOT NULL
        UNION ALL
        SELECT 'tasks', org_id, task_id, task_bucket, position
        FROM log WHERE task_bucket IS NOT NULL
    ), folded AS (
        SELECT e.*, coalesce(l.position, 0) AS upto FROM of_log AS e
        LEFT JOIN projections AS l ON l.name = %(name)s AND l.partition = e.bucket / {width}
    )
""").format(width=BUCKETS_PER_PARTITION)
_COUNTS_OF_BUCKETS = sql.SQL("""
    WITH {folded}
    SELECT kind, f.bucket, count(*) AS stored,
        count(*) FILTER (WHERE p.position IS NULL OR log_position < p.position) AS projected
    FROM folded AS f LEFT JOIN parked AS p USING (kind, org_id, id)
    WHERE log_position <= upto GROUP BY kind, f.bucket
""").format(folded=_FOLDED_EVENTS)
_EVENTS_LEFT_OUT = sql.SQL("""
    WITH {folded}
    SELECT count(*) FILTER (WHERE log_position > upto) AS unfolded,
        count(*) FILTER (
            WHERE log_position <= upto AND log_position >= p.position AND s.position IS NULL
        ) AS waiting,
        count(s.position) FILTER (WHERE log_position <= upto) AS skipped
    FROM folded AS f LEFT JOIN parked AS p USING (kind, org_id, id)
    LEFT JOIN skipped AS s ON s.kind = f.kind AND s.position = log_position
    WHERE {matches_filter} AND (%(kind)s::text IS NULL OR f.kind = %(kind)s)
""").format(folded=_FOLDED_EVENTS, matches_filter=MATCHES_FILTER)
_DELAYS_UP_TO = sql.SQL("""
    SELECT type, bucket::smallint, events FROM (
        {histogram} AND position <= %(position)s GROUP BY 1, 2
    ) AS counted
""").format(histogram=DELAY_HISTOGRAM)
