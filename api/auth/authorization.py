"""What a caller may see and do, by the role, the organisations and the teams of the token.

Rule: every route says its reach. What can be bounded by teams is bounded by them. What concerns
whole organisations is refused to a token of some teams, reading too: it would tell of other teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from api.auth.errors import AccessDenied
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.scope import Scope

# A role may do all that the roles before it may.
_ROLES = (Role.VIEWER, Role.AUDITOR, Role.OPERATOR)


class Reach(StrEnum):
    """How far a route reaches; the words say which token it needs."""

    TEAMS = "any token"  # the answer is bounded by the token's organisations and teams
    ORGANISATIONS = "a token for all teams"  # it is bounded by the token's organisations
    EVERYTHING = "a token for all organisations and teams"


def require(token: Token, role: Role, reach: Reach) -> None:
    """Let a token pass that has a role and reaches so far.

    Raises AccessDenied 403 where the token's role is a lower one, or its scope is too narrow.
    """
    if _ROLES.index(token.role) < _ROLES.index(role):
        detail = f"This needs the role {role.value}; the token has {token.role.value}."
        raise AccessDenied(403, detail)
    if not _reaches(token, reach):
        raise AccessDenied(403, f"This needs {reach.value}.")


def sees_everything(token: Token) -> bool:
    """Whether a token is for all organisations and teams."""
    return _reaches(token, Reach.EVERYTHING)


def _reaches(token: Token, reach: Reach) -> bool:
    if reach is Reach.EVERYTHING and token.org_ids is not None:
        return False
    return reach is Reach.TEAMS or token.team_ids is None


def scope_of(token: Token, org_ids: Sequence[str]) -> Scope:
    """What the caller may see of the organisations ``org_ids``; empty: of all the token's own.

    Raises AccessDenied 403 where the token does not cover one of them.
    """
    requested = frozenset(org_ids)
    if token.org_ids is not None and not requested <= token.org_ids:
        raise AccessDenied(403, "The token does not cover the organisation that is asked for.")
    return Scope(org_ids=requested or token.org_ids, team_ids=token.team_ids)
