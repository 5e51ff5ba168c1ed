"""The reckoning: what is of no subject, counted once more from the log.

The rule of this file: it counts what a snapshot of the log has, and believes of the tables only how
far the log was folded: the positions of the lanes, and who is parked or was skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projector.domain.events import BUCKETS, LANE_BUCKETS, LANES
from projector.operations.verify.subjects import Checked, Difference, Fields, Row, differing
from projector.projection.arrival_delays import HISTOGRAM
from projector.projection.partitions import NAME
from projector.projection.read_models import FOLD_VERSION, TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which subjects: null where any will do."""

    kind: str | None = None  # agents or tasks
    org: str | None = None
    id: str | None = None

    @property
    def parameters(self) -> dict[str, str | None]:
        return asdict(self)


EVERYTHING = Wanted()
OF_WANTED = sql.SQL(
    "(%(id)s::text IS NULL OR id = %(id)s) AND (%(org)s::text IS NULL OR org_id = %(org)s)"
)


def positions(connection: Connection[DictRow]) -> dict[int, int]:
    """How far each lane has folded the log."""
    rows = connection.execute("SELECT lane, position FROM projections WHERE name = %s", (NAME,))
    return {row["lane"]: row["position"] for row in rows}


def left_out(connection: Connection[DictRow], wanted: Wanted) -> Checked:
    """Events of subjects that no table has: not folded yet, waiting, skipped."""
    query = sql.SQL(_LEFT_OUT).format(of_wanted=OF_WANTED)
    (row,) = connection.execute(query, wanted.parameters | {"name": NAME}).fetchall()
    return Checked(**row)


def differences(connection: Connection[DictRow]) -> Iterator[Difference]:
    """Where lanes, counts and the sketch of delays are not what the log says."""
    (row,) = connection.execute("SELECT coalesce(max(notification_id), 0) AS it FROM events")
    head = row["it"]
    return chain(_lanes(connection, head), _buckets(connection), _delays(connection, head))


def _lanes(connection: Connection[DictRow], head: int) -> Iterator[Difference]:
    rows = connection.execute("SELECT * FROM projections").fetchall()
    found = {f"{row['name']} {row['lane']}": row for row in rows}
    expected = {
        f"{NAME} {lane}": {
            "position": min(row["counted"], head),
            "counted": row["position"],
            "fold": FOLD_VERSION,
        }
        for lane in range(LANES)
        for row in [found.get(f"{NAME} {lane}", _NOTHING_FOLDED)]
    }
    return _told("projections", expected, found)


def _buckets(connection: Connection[DictRow]) -> Iterator[Difference]:
    counted = {
        (row["kind"], row["bucket"]): {"stored": row["stored"], "projected": row["projected"]}
        for row in connection.execute(_COUNTED, {"name": NAME})
    }
    none = {"stored": 0, "projected": 0}
    expected = {
        f"{NAME} {table.name} {bucket}": counted.get((table.name, bucket), none)
        for table in TABLES
        for bucket in range(BUCKETS)
    }
    rows = connection.execute("SELECT * FROM bucket_counts")
    found = {f"{row['name']} {row['kind']} {row['bucket']}": row for row in rows}
    return _told("bucket_counts", expected, found)


def _delays(connection: Connection[DictRow], head: int) -> Iterator[Difference]:
    rows = connection.execute("SELECT position FROM delays_counted ORDER BY position").fetchall()
    counted = rows[0]["position"] if rows else 0
    yield from _told("delays_counted", {"": {"position": min(counted, head)}}, _numbered(rows))
    expected = connection.execute(_SKETCH, (counted,)).fetchall()
    found = connection.execute("SELECT * FROM arrival_delays").fetchall()
    yield from _told("arrival_delays", _by_bucket(expected), _by_bucket(found))


def _numbered(rows: list[DictRow]) -> dict[str, DictRow]:
    """The first has no number: there should be no other."""
    return {str(number or ""): row for number, row in enumerate(rows)}


def _by_bucket(rows: list[DictRow]) -> dict[str, Fields]:
    return {f"{row['type']} {row['bucket']}": {"events": row["events"]} for row in rows}


def _told(
    table: str, expected: Mapping[str, Fields], found: Mapping[str, Row]
) -> Iterator[Difference]:
    for place, field, wanted, there in differing(expected, found):
        yield Difference(
            table=table, org_id="", id=place, field=field, expected=wanted, found=there
        )


_NOTHING_FOLDED: Row = {"position": 0, "counted": 0, "fold": FOLD_VERSION}
_OF_LOG = f"""
    of_log AS (
        SELECT 'agents' AS kind, org_id, agent_id AS id, agent_bucket AS bucket, notification_id
        FROM events WHERE agent_bucket IS NOT NULL
        UNION ALL
        SELECT 'tasks', org_id, task_id, task_bucket, notification_id
        FROM events WHERE task_bucket IS NOT NULL
    ), folded AS (
        SELECT e.*, coalesce(l.position, 0) AS upto FROM of_log AS e
        LEFT JOIN projections AS l ON l.name = %(name)s AND l.lane = e.bucket / {LANE_BUCKETS}
    )
"""  # noqa: S608
_COUNTED = f"""
    WITH {_OF_LOG}
    SELECT kind, f.bucket, count(*) AS stored,
        count(*) FILTER (WHERE p.position IS NULL OR notification_id < p.position) AS projected
    FROM folded AS f LEFT JOIN parked AS p USING (kind, org_id, id)
    WHERE notification_id <= upto GROUP BY kind, f.bucket
"""  # noqa: S608
_LEFT_OUT = f"""
    WITH {_OF_LOG}
    SELECT count(*) FILTER (WHERE notification_id > upto) AS unfolded,
        count(*) FILTER (
            WHERE notification_id <= upto AND notification_id >= p.position AND s.position IS NULL
        ) AS waiting,
        count(s.position) FILTER (WHERE notification_id <= upto) AS skipped
    FROM folded AS f LEFT JOIN parked AS p USING (kind, org_id, id)
    LEFT JOIN skipped AS s ON s.kind = f.kind AND s.position = notification_id
    WHERE {{of_wanted}} AND (%(kind)s::text IS NULL OR f.kind = %(kind)s)
"""  # noqa: S608
_SKETCH = f"""
    SELECT type, bucket::smallint, events FROM (
        {HISTOGRAM} AND notification_id <= %s GROUP BY 1, 2
    ) AS counted
"""  # noqa: S608
