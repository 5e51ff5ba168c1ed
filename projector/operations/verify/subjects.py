"""Verify's reader: the rows and events of some subjects, from one database snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Generic

from psycopg import Connection, sql
from psycopg.rows import DictRow, tuple_row

from projector.domain.events import (
    Recorded,
)
from projector.domain.fold import S
from projector.event_log.store import EventStore
from projector.infrastructure.errors import ProjectorError
from projector.operations.verify.compare import Checked, Row, SubjectComparison
from projector.projection.read_models import Key, Table

ENDLESS = 2**62  # after every time and every position


class LogUnreadable(ProjectorError):  # noqa: N818 - named for what is found
    """A body of the log is no event any more."""


class Subjects(Generic[S]):
    """Checks some subjects of one kind, as one snapshot has them."""

    def __init__(  # noqa: PLR0913 - whose rows, and how much of them
        self,
        connection: Connection[DictRow],
        store: EventStore,
        table: Table[S],
        *,
        positions: Mapping[int, int],
        moments: int,
        seed: int,
    ) -> None:
        self._connection = connection
        self._store = store
        self._table = table
        self._positions = positions  # of each partition
        self._moments = moments
        self._seed = seed

    def check(self, keys: Sequence[Key]) -> Checked:
        """Compare all rows of some subjects, present in the log or not."""
        checked, waits = Checked(subjects=len(keys)), self._parked(keys)
        wanted = [
            (*key, -1, 2**62, min(self._position(key), waits.get(key, 2**62))) for key in keys
        ]
        told = self._told(wanted)
        rows = {name: self._rows(name, keys) for name in self._table.all_names}
        for key, events in zip(keys, told, strict=True):
            chance = Random(f"{self._seed} {key}")  # noqa: S311 - a shuffle that can be repeated
            chance.shuffle(events)
            own = {name: found.get(key, []) for name, found in rows.items()}
            checked.events += len(events)
            checked.rows += sum(map(len, own.values()))
            one = SubjectComparison(
                self._table, key, events, own, chance=chance, moments=self._moments
            )
            difference = one.difference()
            checked.moments += one.looked_at
            checked.left += one.left
            if difference is not None:
                checked.differences.append(difference)
        return checked

    def _told(self, wanted: Sequence[tuple[str, str, int, int, int]]) -> list[list[Recorded]]:
        try:
            with self._connection.cursor(row_factory=tuple_row) as cur:
                return self._store.between(
                    cur, self._table.column, wanted, condition=self._table.not_skipped
                )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise LogUnreadable(
                f"A body in the log is no event ({error!r}): `projector verify --seal` tells which."
            ) from error

    def _position(self, key: Key) -> int:
        return self._positions.get(self._table.partition_of(key), 0)

    def _parked(self, keys: Sequence[Key]) -> dict[Key, int]:
        query = (
            "SELECT org_id, id, position FROM parked JOIN unnest(%s::text[], %s::text[])"
            " AS k(org_id, id) USING (org_id, id) WHERE kind = %s"
        )
        rows = self._connection.execute(query, (*_columns(keys), self._table.name))
        return {(row["org_id"], row["id"]): row["position"] - 1 for row in rows}

    def _rows(self, name: str, keys: Sequence[Key]) -> dict[Key, list[Row]]:
        query = sql.SQL(
            "SELECT t.* FROM {} AS t JOIN unnest(%s::text[], %s::text[]) AS k(org_id, id)"
            " USING (org_id, id)"
        ).format(sql.Identifier(name))
        found: dict[Key, list[Row]] = {}
        for row in self._connection.execute(query, _columns(keys)):
            key = row.pop("org_id"), row.pop("id")
            found.setdefault(key, []).append(row)
        return found


def _columns(keys: Iterable[Key]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]
