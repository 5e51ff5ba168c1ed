"""`projector tokens`: make, list and take back the tokens of people and programs.

They are in the database, and whoever may use that may make them: no route of the service does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from projector.cli.database import owners_connection
from projector.cli.options import as_json, in_columns, shown_time
from projector.infrastructure.clock import DAY_MS, now_ms
from projector.infrastructure.settings import Role
from projector.operations.audit_trail import trailed
from projector.operations.caller_tokens import StoredToken, TokenStore


class Word(click.ParamType[str]):
    """A text that a table can show."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not text or not text.isprintable():
            self.fail("it must be a text without control characters", param, ctx)
        return text


@click.group()
def tokens() -> None:
    """Make a token for a person or program, list the tokens, or take one back."""


@tokens.command("create")
@click.option("--role", type=click.Choice([it.value for it in Role]), required=True)
@click.option("--note", type=Word(), required=True, help="Who or what it is for.")
@click.option(
    "--org",
    "orgs",
    multiple=True,
    type=Word(),
    help="Only this organisation; may be repeated.  [default: all]",
)
@click.option(
    "--team",
    "teams",
    multiple=True,
    type=Word(),
    help="Only this team; may be repeated.  [default: all]",
)
@click.option("--days", type=click.IntRange(1, 3_650), help="Until it expires.  [default: never]")
@as_json
def create_token(  # noqa: PLR0913 - one for each option
    *,
    role: str,
    note: str,
    orgs: Sequence[str],
    teams: Sequence[str],
    days: int | None,
    as_json: bool,
) -> None:
    """Make a token and show it, this one time."""
    expires_time = None if days is None else now_ms() + days * DAY_MS
    with owners_connection() as connection:
        asked = {"role": role, "note": note, "orgIds": orgs, "teamIds": teams, "days": days}
        with trailed(connection, "tokens create", asked) as answer:
            text, stored = TokenStore(connection).create(
                Role(role),
                note=note,
                org_ids=orgs or None,
                team_ids=teams or None,
                expires_time=expires_time,
            )
            answer["id"] = stored.id
    if as_json:
        click.echo(json.dumps({"token": text} | _fields(stored)))
        return
    click.echo(text)
    click.echo(f"Keep it now: it is not shown again. Its id is {stored.id}.", err=True)


@tokens.command("list")
@as_json
def list_tokens(*, as_json: bool) -> None:
    """List the tokens that were made, those that are over, too; not those of the settings."""
    with owners_connection() as connection:
        stored = TokenStore(connection).all()
    table = in_columns([_row(it) for it in stored]) or "There are no tokens."
    click.echo(json.dumps([_fields(it) for it in stored]) if as_json else table)


@tokens.command("revoke")
@click.argument("id")
@as_json
def revoke_token(*, id: str, as_json: bool) -> None:  # noqa: A002 - as the argument is called
    """Take the token with this ID back, and end its sessions. It ends within five seconds."""
    with owners_connection() as connection, trailed(connection, "tokens revoke", {"id": id}):
        stored = TokenStore(connection).revoke(id)
    told = f"The token {stored.id} ({stored.note}) is taken back."
    click.echo(json.dumps(_fields(stored)) if as_json else told)


def _fields(stored: StoredToken) -> dict[str, Any]:
    return {
        "id": stored.id,
        "role": stored.role.value,
        "orgIds": stored.org_ids,
        "teamIds": stored.team_ids,
        "note": stored.note,
        "createdTime": stored.created_time,
        "expiresTime": stored.expires_time,
        "revokedTime": stored.revoked_time,
        "lastUsedTime": stored.last_used_time,
    }


def _row(stored: StoredToken) -> dict[str, str]:
    now = now_ms()
    over = "revoked" if stored.revoked_time is not None else "expired"
    return {
        "id": stored.id,
        "role": stored.role.value,
        "organisations": _ids(stored.org_ids),
        "teams": _ids(stored.team_ids),
        "state": "valid" if stored.is_valid(now) else over,
        "expires": _time(stored.expires_time),
        "used": _time(stored.last_used_time),
        "note": stored.note,
    }


def _ids(ids: Sequence[str] | None) -> str:
    return "all" if ids is None else ", ".join(ids)


def _time(time: int | None) -> str:
    return "never" if time is None else shown_time(time)
