"""What a caller may see, as conditions of queries over the tables of views.

A query that uses them names the table of views ``v`` and passes ``parameters`` on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from projector.domain.fold import S
from projector.projection.read_models import AGENTS, TASKS, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The organisations and teams that a caller may see and asks for; null means all."""

    org_ids: frozenset[str] | None = None
    team_ids: frozenset[str] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"orgs": names(self.org_ids), "teams": names(self.team_ids)}

    def narrowed(self, team_ids: Iterable[str]) -> Scope:
        """Of these teams only, where the caller may see them."""
        asked = frozenset(team_ids)
        return replace(self, team_ids=asked if self.team_ids is None else asked & self.team_ids)

    def covers(self, org_id: str, teams: frozenset[str]) -> bool:
        """Whether a subject with ``teams_of`` it may be seen: the same, of one that was read."""
        return (self.org_ids is None or org_id in self.org_ids) and (
            self.team_ids is None or bool(self.team_ids & teams)
        )

    def organisations(self) -> sql.SQL:
        return sql.SQL("TRUE" if self.org_ids is None else "org_id = ANY(%(orgs)s)")

    def teams(self, table: Table[S]) -> sql.SQL:
        """Agents of the caller's teams, and tasks in which one of these takes part."""
        if self.team_ids is None:
            return sql.SQL("TRUE")
        of_team = "facets->'teamId' ?| %(teams)s"
        if table.name == "tasks":
            of_team = (
                "EXISTS (SELECT FROM agents AS a WHERE a.org_id = v.org_id"
                f" AND v.facets->'agentId' ? a.id AND a.{of_team})"
            )
        return sql.SQL(of_team)

    def events(self) -> sql.Composable:
        """Events that name an agent of the caller's teams, or a task in which one takes part.

        The table of events is ``e``.
        """
        if self.team_ids is None:
            return sql.SQL("TRUE")
        return sql.SQL(
            "(EXISTS (SELECT FROM agents AS v WHERE v.org_id = e.org_id AND v.id = e.agent_id"
            " AND {}) OR EXISTS (SELECT FROM tasks AS v WHERE v.org_id = e.org_id"
            " AND v.id = e.task_id AND {}))"
        ).format(self.teams(AGENTS), self.teams(TASKS))


def teams_of(table: Table[S]) -> sql.SQL:
    """The teams of an agent, or of those who take part in a task, as an array."""
    query = "SELECT jsonb_array_elements_text(v.facets->'teamId')"
    if table.name == "tasks":
        query = (
            "SELECT jsonb_array_elements_text(a.facets->'teamId') FROM agents AS a"
            " WHERE a.org_id = v.org_id"
            " AND a.id IN (SELECT jsonb_array_elements_text(v.facets->'agentId'))"
        )
    return sql.SQL(f"ARRAY({query})")


def names(given: Iterable[str] | None) -> list[str] | None:
    """Names to look for; one with NUL is nobody's, and the database would not take it."""
    return None if given is None else sorted(name for name in given if "\0" not in name)
