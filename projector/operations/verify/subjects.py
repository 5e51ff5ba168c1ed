"""Verify's reader: the rows and events of some subjects, from one database snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Generic

from psycopg import Connection, sql
from psycopg.rows import DictRow, tuple_row

from projector.domain.events import Recorded
from projector.domain.fold import S
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.errors import ProjectorError
from projector.operations.verify.compare import SubjectComparison, TableRow, VerifyResult
from projector.projection.read_models import KEY_COLUMNS, Key, Table


class LogUnreadable(ProjectorError):  # noqa: N818 - named for what is found
    """A body in the log cannot be read as an event."""


class Subjects(Generic[S]):
    """Checks subjects of one kind in one database snapshot."""

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

    def check(self, keys: Sequence[Key]) -> VerifyResult:
        """Compare all rows of some subjects, present in the log or not."""
        result, parked = VerifyResult(subjects=len(keys)), self._last_before_parked(keys)
        events_of_subjects = self._events(
            [
                (
                    *key,
                    -1,
                    ENDLESS,
                    min(self._position(key), parked.get(key, ENDLESS)),
                )
                for key in keys
            ]
        )
        rows = {name: self._rows(name, keys) for name in self._table.all_names}
        for key, events in zip(keys, events_of_subjects, strict=True):
            chance = Random(f"{self._seed} {key}")  # noqa: S311 - a shuffle that can be repeated
            chance.shuffle(events)
            subject_rows = {name: by_key.get(key, []) for name, by_key in rows.items()}
            result.events += len(events)
            result.rows += sum(map(len, subject_rows.values()))
            comparison = SubjectComparison(
                self._table, key, events, subject_rows, chance=chance, moments=self._moments
            )
            difference = comparison.difference()
            result.moments += comparison.moments
            result.left += comparison.left
            if difference is not None:
                result.differences.append(difference)
        return result

    def _events(self, subjects: Sequence[tuple[str, str, int, int, int]]) -> list[list[Recorded]]:
        try:
            with self._connection.cursor(row_factory=tuple_row) as cur:
                return self._store.between(
                    cur, self._table.column, subjects, condition=self._table.not_skipped
                )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise LogUnreadable(
                f"A body in the log is no event ({error!r}): `projector verify --seal` tells which."
            ) from error

    def _position(self, key: Key) -> int:
        return self._positions.get(self._table.partition_of(key), 0)

    def _last_before_parked(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Of each parked subject the last position up to which it is folded."""
        query = sql.SQL(
            "SELECT org_id, id, position FROM parked JOIN {keys} USING (org_id, id)"
            " WHERE kind = %(kind)s"
        ).format(keys=KEY_COLUMNS.unnest("k"))
        parameters = KEY_COLUMNS.parameters(keys) | {"kind": self._table.name}
        rows = self._connection.execute(query, parameters)
        return {(row["org_id"], row["id"]): row["position"] - 1 for row in rows}

    def _rows(self, name: str, keys: Sequence[Key]) -> dict[Key, list[TableRow]]:
        query = sql.SQL("SELECT t.* FROM {table} AS t JOIN {keys} USING (org_id, id)").format(
            table=sql.Identifier(name), keys=KEY_COLUMNS.unnest("k")
        )
        rows: dict[Key, list[TableRow]] = {}
        for row in self._connection.execute(query, KEY_COLUMNS.parameters(keys)):
            key = row.pop("org_id"), row.pop("id")
            rows.setdefault(key, []).append(row)
        return rows
