"""Refolded: what changes views without a new position, for open streams and those that resume.

Rule: it is written by the transaction that changes the views, while it holds the locks of their
partitions. So a stream learns of it as surely as of what new events change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow, TupleRow
from psycopg.types.json import Jsonb

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import SCHEMA, VIEWS_CHANNEL
from projector.infrastructure.sql import Columns
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import KEY_COLUMNS, Key, Table
from projector.query.scope import teams_of

KEPT_MS = 24 * 3_600_000  # for streams that resume
DELETED_TOGETHER = 10_000

ShownByKey = Mapping[Key, Mapping[str, Any]]  # of each subject that has a view


def read_shown(cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]) -> ShownByKey:
    """By what filters and scopes find some subjects, to be read before they are folded again."""
    query = _SHOWN.format(
        views=sql.Identifier(table.name), keys=KEY_COLUMNS.unnest("k"), teams=teams_of(table)
    )
    return {
        (org_id, id_): {
            "facets": facets,
            "later_facets": later_facets or [],
            "teams": teams,
            "position": position,
        }
        for org_id, id_, facets, later_facets, teams, position in cur.execute(
            query, KEY_COLUMNS.parameters(keys)
        )
    }


_SHOWN = sql.SQL("""
    SELECT v.org_id, v.id, v.facets, v.later_facets, {teams}, v.position
    FROM {keys} JOIN {views} AS v USING (org_id, id)
""")


def tell_of_subjects(
    cur: Cursor[TupleRow], table: Table[Any], shown: ShownByKey, upto: Mapping[Key, int]
) -> None:
    """Tell streams that subjects were folded again, ``upto`` the positions of their partitions.

    ``shown`` is what the views showed before.
    """
    if not upto:
        return
    now = now_ms()
    rows = [
        (table.partition_of(key), position, table.name, *key, _json(shown.get(key)), now)
        for key, position in upto.items()
    ]
    cur.execute(_INSERT, _REFOLDED.parameters(rows))
    cur.execute(_DELETE_OLD, {"before": now - KEPT_MS, "limit": DELETED_TOGETHER})
    cur.execute(_NOTIFY, {"channel": VIEWS_CHANNEL, "position": str(max(upto.values()))})


def tell_of_other_tables(connection: Connection[DictRow], *, old_schema: str) -> None:
    """Tell streams that other tables serve now; those of before stand in ``old_schema``."""
    query = _INSERT_FOR_ALL.format(
        refolded=sql.Identifier(SCHEMA, "refolded"),
        projections=sql.Identifier(old_schema, "projections"),
    )
    connection.execute(query, {"projection": PROJECTION, "now": now_ms()})
    connection.execute(_NOTIFY, {"channel": VIEWS_CHANNEL, "position": "0"})


def _json(value: Mapping[str, Any] | None) -> Jsonb | None:
    return None if value is None else Jsonb(value)


_REFOLDED = Columns(
    {
        "partition": "smallint",
        "position": "bigint",
        "kind": "text",
        "org_id": "text",
        "id": "text",
        "before": "jsonb",
        "refolded_time": "bigint",
    }
)
_INSERT = sql.SQL("INSERT INTO refolded ({columns}) SELECT {values} FROM {rows}").format(
    columns=_REFOLDED.names, values=_REFOLDED.values, rows=_REFOLDED.unnest("k")
)
_INSERT_FOR_ALL = sql.SQL("""
    INSERT INTO {refolded} (partition, position, refolded_time)
    SELECT partition, position, %(now)s FROM {projections} WHERE name = %(projection)s
""")
# Several processes of a replay may delete at once, and must not wait for each other.
_DELETE_OLD = """
    DELETE FROM refolded WHERE number IN (
        SELECT number FROM refolded WHERE refolded_time < %(before)s
        ORDER BY refolded_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
"""
_NOTIFY = "SELECT pg_notify(%(channel)s, %(position)s)"
