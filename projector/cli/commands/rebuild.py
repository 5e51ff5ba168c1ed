"""`projector rebuild`: a second set of tables, made by this version, and the switch to it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from projector.cli.commands.follow import follow_log
from projector.cli.database import current_database
from projector.cli.exit_codes import BEHIND, DIFFERS
from projector.cli.options import as_json, printable
from projector.infrastructure.database import connect, translated
from projector.infrastructure.settings import settings_from_environment
from projector.operations import shadow_rebuild as beside


@click.group()
def rebuild() -> None:
    """Fold the log into a second set of tables, compare both sets, and switch.

    One set serves and the other stands beside it; a second switch leads back.
    """


@rebuild.command()
def begin() -> None:
    """Make the second set, empty."""
    with current_database(settings_from_environment()) as url:
        beside.begin(url)
    click.echo("Empty tables stand beside: `projector rebuild follow` fills them.")


@rebuild.command("follow")
def follow_beside() -> None:
    """Fold the log into the second set until Ctrl-C; several may run."""
    with current_database(settings_from_environment()) as url:
        follow_log(url, beside=True)


@rebuild.command()
@as_json
def status(*, as_json: bool) -> None:
    """Show the position of both sets; exit with 3 while the second one is behind."""
    with (
        current_database(settings_from_environment()) as url,
        translated(),
        connect(url) as connection,
    ):
        serving, other = beside.sides(connection)
    if as_json:
        click.echo(json.dumps({"serving": asdict(serving), "beside": asdict(other)}))
    else:
        for name, side in (("serving", serving), ("beside", other)):
            behind = side.head - side.position
            click.echo(f"{name:8} fold {side.fold}, position {side.position}, {behind} behind")
    if other.position < other.head:
        sys.exit(BEHIND)


@rebuild.command()
@as_json
def diff(*, as_json: bool) -> None:
    """Compare both sets; exit with 4 if they differ."""
    with current_database(settings_from_environment()) as url:
        found = beside.compare(url)
    rows = [it.row() for it in found.first]
    if as_json:
        counts = {"subjects": found.subjects, "apart": found.apart, "count": found.count}
        click.echo(json.dumps({**counts, "first": rows}))
    else:
        for it in found.first:
            click.echo(
                printable(
                    f"{it.kind}:{it.id} of {it.org_id}: {it.field} is {json.dumps(it.before)},"
                    f" beside {json.dumps(it.after)} (event {it.event_id})"
                )
            )
        apart = f", {found.apart} not equally far" if found.apart else ""
        click.echo(f"{found.count} of {found.subjects} subjects differ{apart}")
    if found.count:
        sys.exit(DIFFERS)


@rebuild.command()
def switch() -> None:
    """Let the second set serve, in one transaction; what served is the second set then."""
    with current_database(settings_from_environment()) as url:
        serving, other = beside.switch(url)
    click.echo(
        f"Fold {serving.fold} serves from position {serving.position} on; fold {other.fold} stands"
        " beside: the same command leads back."
    )


@rebuild.command()
def drop() -> None:
    """Remove the second set."""
    with current_database(settings_from_environment()) as url:
        beside.drop(url)
    click.echo("No tables stand beside.")
