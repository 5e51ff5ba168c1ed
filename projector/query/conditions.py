"""Conditions that several queries over the read models share, with their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from projector.domain.fold import S
from projector.projection.read_models import Key, Table
from projector.query.scope import names

# No event that was known then has a later time.
EXISTED = sql.SQL("first_event_time <= least(%(upto)s, %(recorded)s + max_clock_lead_ms)")
# A task that was open is open still, or something of it happened or was learned since.
MAY_BE_OPEN = sql.SQL(
    "(int8range(first_event_time, greatest(last_event_time, last_recorded_time), '[]')"
    " && int8range(%(since)s, %(upto)s, '[]')"
    """ OR facets @> '{"open": ["true"]}')"""
)


def period_parameters(*, upto: int, recorded_time: int) -> dict[str, int]:
    """What ``EXISTED`` and ``MAY_BE_OPEN`` ask with."""
    return {
        "since": min(upto, recorded_time),
        "upto": upto,
        "recorded": recorded_time,
    }


def fits(table: Table[S], state: S, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether a state is found by some facets."""
    if not wanted:
        return True
    facets = table.facets(state)
    return all(not {*values}.isdisjoint(facets[name]) for name, values in wanted.items())


def among_ids(
    ids: Sequence[str] | None, after: Key | None
) -> tuple[Sequence[sql.Composable], dict[str, Any]]:
    """Conditions of rows with some ids, after a key, and their parameters."""
    conditions, parameters = [], dict[str, Any]()
    if ids is not None:
        conditions.append(sql.SQL("id = ANY(%(ids)s)"))
        parameters["ids"] = names(ids)
    if after is not None:
        conditions.append(sql.SQL("(org_id, id) > (%(after_org)s, %(after_id)s)"))
        parameters["after_org"], parameters["after_id"] = after
    return conditions, parameters


def with_facets(
    facets: Mapping[str, Sequence[str]],
) -> tuple[Sequence[sql.Composable], dict[str, Any]]:
    """Conditions of the facets at the moment ``now``, and their parameters."""
    conditions, parameters = [], dict[str, Any]()
    for number, (name, values) in enumerate(facets.items()):
        conditions.append(_facet_condition(f"facet{number}", len(values)))
        parameters |= _facet_parameters(f"facet{number}", name, values)
    return conditions, parameters


def _facet_condition(prefix: str, count: int) -> sql.Composed:
    """Any of some values; written out, since the index serves no ANY."""

    def any_of(column: str) -> sql.Composed:
        each = [
            sql.SQL("{} @> {}").format(
                sql.Identifier(column), sql.Placeholder(f"{prefix}_{number}")
            )
            for number in range(count)
        ]
        return sql.SQL(" OR ").join(each)

    return sql.SQL(
        "(((deadline IS NULL OR deadline > %(now)s) AND ({})) OR (deadline <= %(now)s AND ({})))"
    ).format(any_of("facets"), any_of("facets_after_deadline"))


def _facet_parameters(prefix: str, name: str, values: Sequence[str]) -> dict[str, Any]:
    return {f"{prefix}_{number}": Jsonb({name: [value]}) for number, value in enumerate(values)}
