"""What a caller may see and do, by the role, the organisations and the teams of the token."""

from __future__ import annotations

from collections.abc import Sequence

from api.auth.authentication import authenticate
from api.auth.errors import AccessDenied
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token
from projector.query.scope import Scope

# A role may do all that the roles before it may.
_ROLES = (Role.VIEWER, Role.AUDITOR, Role.OPERATOR)


def admit(role: Role) -> Token:
    """The caller's token, for what needs a role.

    Raises AccessDenied 401 without a valid token, 403 where the token's role is a lower one.
    """
    token = authenticate()
    require_role(token, role)
    return token


def require_role(token: Token, role: Role) -> None:
    """Raise AccessDenied 403 where the token's role is a lower one."""
    if _ROLES.index(token.role) < _ROLES.index(role):
        detail = f"This needs the role {role.value}; the token has {token.role.value}."
        raise AccessDenied(403, detail)


def require_all_teams(token: Token) -> None:
    """Raise AccessDenied 403 for a token of some teams: replays and reconciliations change all."""
    if token.team_ids is not None:
        raise AccessDenied(403, "This needs a token for all teams.")


def require_full_scope(token: Token) -> None:
    """Raise AccessDenied 403 for a token of some organisations or teams."""
    if token.org_ids is not None or token.team_ids is not None:
        raise AccessDenied(403, "This needs a token for all organisations and teams.")


def scope_of(token: Token, org_ids: Sequence[str]) -> Scope:
    """What the caller may see of the organisations ``org_ids``; empty: of all the token's own.

    Raises AccessDenied 403 where the token does not cover one of them.
    """
    requested = frozenset(org_ids)
    if token.org_ids is not None and not requested <= token.org_ids:
        raise AccessDenied(403, "The token does not cover the organisation that is asked for.")
    return Scope(org_ids=requested or token.org_ids, team_ids=token.team_ids)
