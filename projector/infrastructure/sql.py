"""Rows as arrays: a statement takes many rows in one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

from psycopg import sql


class Columns:
    """Named columns with their PostgreSQL types, of rows that a statement takes as arrays.

    ``unnest`` is the source for the statement, ``parameters`` are its named parameters. Values go
    in the database's binary format. The values of a column of arrays are given as the text that
    the database reads, such as ``{1,2}``: an array of arrays would be one array of two dimensions.
    """

    def __init__(self, types: Mapping[str, LiteralString]) -> None:
        self.types = types

    @property
    def names(self) -> sql.Composed:
        """The columns, separated by commas."""
        return sql.SQL(", ").join(map(sql.Identifier, self.types))

    @property
    def values(self) -> sql.Composed:
        """The columns of ``unnest``, each cast to its type."""
        return sql.SQL(", ").join(
            sql.SQL("{}::{}").format(sql.Identifier(name), sql.SQL(type_))
            for name, type_ in self.types.items()
        )

    @property
    def arrays(self) -> sql.Composed:
        """A placeholder per column, cast to an array of the column's type."""
        return sql.SQL(", ").join(
            sql.SQL("{}::{}[]").format(
                sql.Placeholder(name, format="b"),
                sql.SQL("text" if type_.endswith("[]") else type_),
            )
            for name, type_ in self.types.items()
        )

    def unnest(self, alias: LiteralString, *, ordinal: bool = False) -> sql.Composed:
        """``unnest(…) AS alias(columns)``; with ``ordinal`` also each row's number from 1."""
        columns = [*map(sql.Identifier, self.types)]
        if ordinal:
            columns.append(sql.Identifier("ordinal"))
        return sql.SQL("unnest({}){} AS {}({})").format(
            self.arrays,
            sql.SQL(" WITH ORDINALITY" if ordinal else ""),
            sql.Identifier(alias),
            sql.SQL(", ").join(columns),
        )

    def parameters(self, rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
        """The rows, each with a value per column, as one array per column."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        return dict(zip(self.types, columns or [[] for _ in self.types], strict=True))
