"""What a caller may see, as conditions of queries over the tables of views.

A query that uses them names the table of views ``v`` and takes ``parameters``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from projector.domain.fold import S
from projector.projection.read_models import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The organisations and teams that a caller may see and asks for; null is all of them."""

    org_ids: frozenset[str] | None = None
    team_ids: frozenset[str] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"orgs": names(self.org_ids), "teams": names(self.team_ids)}

    def narrowed(self, team_ids: Iterable[str]) -> Scope:
        """The same scope with these teams alone, as far as the caller may see them."""
        teams = frozenset(team_ids)
        return replace(self, team_ids=teams if self.team_ids is None else teams & self.team_ids)

    def covers(self, org_id: str, teams: frozenset[str]) -> bool:
        """Whether a subject of these teams, read before, is within the scope."""
        return self.covers_organisation(org_id) and (
            self.team_ids is None or bool(self.team_ids & teams)
        )

    def covers_organisation(self, org_id: str) -> bool:
        """Whether subjects of an organisation may be within the scope."""
        return self.org_ids is None or org_id in self.org_ids

    def organisations(self) -> sql.SQL:
        return sql.SQL("TRUE" if self.org_ids is None else "org_id = ANY(%(orgs)s)")

    def teams(self, table: Table[S]) -> sql.Composable:
        """The condition of agents of the scope's teams, and of tasks in which one takes part."""
        if self.team_ids is None:
            return sql.SQL("TRUE")
        return _TASK_OF_TEAMS if table.name == "tasks" else _AGENT_OF_TEAMS


EVERYTHING = Scope()


def teams_of(table: Table[S]) -> sql.SQL:
    """The expression for the teams of an agent, or of a task's agents, as an array."""
    return _TEAMS_OF_TASK if table.name == "tasks" else _TEAMS_OF_AGENT


def names(values: Iterable[str] | None) -> list[str] | None:
    """Names for a query. One with NUL names nobody, and PostgreSQL would refuse it."""
    return None if values is None else sorted(name for name in values if "\0" not in name)


_AGENT_OF_TEAMS = sql.SQL("v.facets->'teamId' ?| %(teams)s")
_TASK_OF_TEAMS = sql.SQL(
    "EXISTS (SELECT FROM agents AS a WHERE a.org_id = v.org_id"
    " AND v.facets->'agentId' ? a.id AND a.facets->'teamId' ?| %(teams)s)"
)
_TEAMS_OF_AGENT = sql.SQL("ARRAY(SELECT jsonb_array_elements_text(v.facets->'teamId'))")
_TEAMS_OF_TASK = sql.SQL(
    "ARRAY(SELECT jsonb_array_elements_text(a.facets->'teamId') FROM agents AS a"
    " WHERE a.org_id = v.org_id"
    " AND a.id IN (SELECT jsonb_array_elements_text(v.facets->'agentId')))"
)
