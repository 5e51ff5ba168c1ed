"""`projector parked`: subjects whose events cannot be folded, and what to do about them."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from projector.cli.exit_codes import BEHIND
from projector.cli.options import as_json, parted, the_organisation, the_service, the_subject
from projector.cli.service_client import Client, service_client
from projector.infrastructure.errors import ProjectorError

the_reason = click.option("--why", help="The reason; kept with what is left out, and logged.")


@click.group()
def parked() -> None:
    """List subjects that wait because an event of theirs cannot be folded; retry or skip it."""


@parked.command("list")
@the_service
@as_json
def list_parked(*, url: str | None, as_json: bool) -> None:
    """List the subjects that wait, for which event, and why."""
    rows = _rows(service_client(url))
    if as_json:
        click.echo(json.dumps(rows))
    else:
        click.echo("\n".join(map(_text, rows)) or "Nothing is parked.")


@parked.command()
@the_subject
@the_organisation
@the_reason
@the_service
@as_json
def retry(
    *, subject: str, org: str | None, why: str | None, url: str | None, as_json: bool
) -> None:
    """Fold the events that wait; exit with 3 if the subject is parked again."""
    _resume("retry", subject, org, why, url, as_json=as_json)


@parked.command()
@the_subject
@the_organisation
@the_reason
@the_service
@as_json
def skip(*, subject: str, org: str | None, why: str | None, url: str | None, as_json: bool) -> None:
    """Leave the parked event out of its subject for good, and fold the rest."""
    _resume("skip", subject, org, why, url, as_json=as_json)


def _rows(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/api/v1/parked", "data")["data"]
    return rows


def _resume(  # noqa: PLR0913 - the options of a command
    verb: str, subject: str, org: str | None, why: str | None, url: str | None, *, as_json: bool
) -> None:
    client = service_client(url)
    kind, id_ = parted(subject)
    orgs = [it["orgId"] for it in _rows(client) if (it["kind"], it["id"]) == (kind, id_)]
    if org is None and len(orgs) != 1:
        several = f"several organisations have it, say which by --org: {', '.join(orgs)}"
        raise ProjectorError(several if orgs else f"No {kind} {id_!r} is parked.")
    body = {"orgId": org or orgs[0], f"{kind}Id": id_, "why": why}
    done = client.post(f"/api/v1/parked/{verb}", "folded", body)
    text = f"{done['folded']} events folded" + (", parked again" if done["parked"] else "")
    click.echo(json.dumps(done) if as_json else text)
    if done["parked"]:
        sys.exit(BEHIND)


def _text(row: dict[str, Any]) -> str:
    return (
        f"{row['kind']}:{row['id']} of {row['orgId']}: {row['waiting']} events wait from position"
        f" {row['position']}; event {row['eventId']} at {row['eventPosition']}: {row['cause']}"
    )
