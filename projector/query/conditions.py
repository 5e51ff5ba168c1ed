"""Conditions that several queries over the read models share, with their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from projector.domain.fold import S
from projector.domain.state_names import LOGGED_OUT
from projector.projection.read_models import Key, Table
from projector.projection.snapshots import WAS_KNOWN
from projector.query.scope import names

# The subject had its first event as of both times: no event that was known then has a later time.
EXISTED = sql.SQL("first_event_time <= least(%(upto)s, %(recorded)s + max_clock_lead_ms)")
# A task that was open then is open now, or something of it happened or became known since.
MAY_BE_OPEN = sql.SQL(
    "(int8range(first_event_time, greatest(last_event_time, last_recorded_time), '[]')"
    " && int8range(%(since)s, %(upto)s, '[]')"
    """ OR facets @> '{"open": ["true"]}')"""
)


# Where an agent is shown ringing or wrapping up, or was logged in when the shortest of the long
# limits began: only then a deadline may have passed.
MAY_BE_OVERDUE = sql.SQL("""(
    coalesce((
        SELECT status IN ('ringing', 'wrapup') FROM agent_intervals AS i
        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start <= %(upto)s
        ORDER BY start DESC LIMIT 1
    ), FALSE)
    OR coalesce((
        SELECT status <> {logged_out} FROM agent_intervals AS i
        WHERE i.org_id = v.org_id AND i.id = v.id AND {was_known} AND start <= %(long_ago)s
        ORDER BY start DESC LIMIT 1
    ), FALSE)
)""").format(was_known=WAS_KNOWN, logged_out=LOGGED_OUT)

# The facets at the time ``%(now)s``, of a row ``v``.
SHOWN_FACETS = sql.SQL("""CASE WHEN v.deadline <= %(now)s THEN (
    SELECT stage->'facets' FROM jsonb_array_elements(v.later_facets) WITH ORDINALITY AS s(stage, n)
    WHERE (stage->>'from')::bigint <= %(now)s ORDER BY n DESC LIMIT 1
) ELSE v.facets END""")


def period_parameters(*, upto: int, recorded_time: int) -> dict[str, int]:
    """The parameters of ``EXISTED`` and ``MAY_BE_OPEN``: the two times, epoch ms."""
    return {
        "since": min(upto, recorded_time),
        "upto": upto,
        "recorded": recorded_time,
    }


def matches_facets(table: Table[S], state: S, filters: Mapping[str, Sequence[str]]) -> bool:
    """Whether a state has one of the values of each filter."""
    if not filters:
        return True
    facets = table.facets(state)
    return all(not {*values}.isdisjoint(facets[name]) for name, values in filters.items())


def among_ids(
    ids: Sequence[str] | None, after: Key | None
) -> tuple[Sequence[sql.Composable], dict[str, Any]]:
    """Conditions of rows with one of some ids, after a key, and their parameters."""
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
    """Conditions of the facets at the time ``%(now)s``, and their parameters but for ``now``."""
    conditions, parameters = [], dict[str, Any]()
    for number, (name, values) in enumerate(facets.items()):
        conditions.append(_facet_condition(f"facet{number}", len(values)))
        parameters |= _facet_parameters(f"facet{number}", name, values)
    return conditions, parameters


def _facet_condition(prefix: str, count: int) -> sql.Composed:
    """One of some values. They are joined by OR, since no index serves ``@> ANY``."""

    def any_of(facets: sql.Composable, suffix: str = "") -> sql.Composed:
        each = [
            sql.SQL("{} @> {}").format(facets, sql.Placeholder(f"{prefix}_{number}{suffix}"))
            for number in range(count)
        ]
        return sql.SQL(" OR ").join(each)

    return sql.SQL(
        "(((deadline IS NULL OR deadline > %(now)s) AND ({}))"
        " OR (deadline <= %(now)s AND ({}) AND ({})))"
    ).format(
        any_of(sql.SQL("facets")),
        any_of(sql.SQL("later_facets"), "_later"),  # an index serves this
        any_of(sql.SQL("({})").format(SHOWN_FACETS)),
    )


def _facet_parameters(prefix: str, name: str, values: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for number, value in enumerate(values):
        parameters[f"{prefix}_{number}"] = Jsonb({name: [value]})
        parameters[f"{prefix}_{number}_later"] = Jsonb([{"facets": {name: [value]}}])
    return parameters
