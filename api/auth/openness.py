"""What the open routes may tell to a caller without a token.

Rule: they tell totals. Which subscriptions there are concerns their organisations, so it is told to
a token for all organisations and teams, and to everybody only where a setting says so.
"""

from __future__ import annotations

from contextlib import suppress

from api.auth.authentication import authenticate
from api.auth.authorization import sees_everything
from api.auth.errors import AccessDenied
from api.service import service


def may_name_subscriptions() -> bool:
    """Whether the answer to this request may have the names of subscriptions."""
    if service().settings.open_subscriptions:
        return True
    with suppress(AccessDenied):
        return sees_everything(authenticate())
    return False
