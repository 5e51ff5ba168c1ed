"""`projector rebuild`: fill shadow tables by another version of the fold, compare, and switch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from projector.cli.commands.follow import follow_log
from projector.cli.database import current_database
from projector.cli.exit_codes import BEHIND, DIFFERS
from projector.cli.options import as_json, printable
from projector.infrastructure.database import connect, translated
from projector.infrastructure.settings import settings_from_environment
from projector.operations import shadow_rebuild
from projector.operations.audit_trail import trailed


@click.group()
def rebuild() -> None:
    """Fold the log into shadow tables, compare them with the serving ones, and switch."""


@rebuild.command()
def begin() -> None:
    """Make empty shadow tables."""
    with _trailed("begin") as url:
        shadow_rebuild.begin(url)
    click.echo("There are empty shadow tables: `projector rebuild follow` fills them.")


@rebuild.command("follow")
def follow_shadow() -> None:
    """Fold the log into the shadow tables, until Ctrl-C; several may run."""
    with current_database(settings_from_environment()) as url:
        follow_log(url, shadow=True)


@rebuild.command()
@as_json
def status(*, as_json: bool) -> None:
    """How far both sets are; exit with 3 while the shadow tables are behind."""
    with (
        current_database(settings_from_environment()) as url,
        translated(),
        connect(url) as connection,
    ):
        serving, shadow = shadow_rebuild.progress(connection)
    if as_json:
        click.echo(json.dumps({"serving": asdict(serving), "shadow": asdict(shadow)}))
    else:
        for name, it in (("serving", serving), ("shadow", shadow)):
            behind = it.head - it.position
            click.echo(f"{name:8} fold {it.fold}, position {it.position}, {behind} behind")
    if shadow.position < shadow.head:
        sys.exit(BEHIND)


@rebuild.command()
@as_json
def diff(*, as_json: bool) -> None:
    """What the shadow tables show otherwise; exit with 4 if anything."""
    with current_database(settings_from_environment()) as url:
        comparison = shadow_rebuild.compare(url)
    if as_json:
        rows = [it.row() for it in comparison.first]
        changes = [it._asdict() | {"count": count} for it, count in comparison.changes.items()]
        click.echo(json.dumps(asdict(comparison) | {"changes": changes, "first": rows}))
    else:
        for it in comparison.first:
            click.echo(
                printable(
                    f"{it.kind}:{it.id} of {it.org_id}: {it.field} is {json.dumps(it.before)},"
                    f" in the shadow {json.dumps(it.after)}"
                    f"{f' (event {it.event_id})' if it.event_id else ''}"
                )
            )
        for change, count in comparison.changes.items():
            kind, field, before, after = map(printable, change)
            click.echo(f"{count:8} {kind}s: {field} {before} -> {after}")
        others = comparison.not_comparable
        click.echo(
            f"{comparison.count} of {comparison.subjects} subjects differ"
            f"{f', {others} not equally far' if others else ''}"
        )
    if comparison.count:
        sys.exit(DIFFERS)


@rebuild.command()
def switch() -> None:
    """Exchange the serving and the shadow tables in one transaction."""
    with _trailed("switch") as url:
        serving, shadow = shadow_rebuild.switch(url)
    click.echo(
        f"Fold {serving.fold} serves from position {serving.position} on; fold {shadow.fold} is the"
        " shadow: the same command switches back."
    )


@rebuild.command()
def drop() -> None:
    """Remove the shadow tables."""
    with _trailed("drop") as url:
        shadow_rebuild.drop(url)
    click.echo("There are no shadow tables.")


@contextmanager
def _trailed(command: str) -> Iterator[str]:
    """The address of the database; what the block does is in the audit trail."""
    with (
        current_database(settings_from_environment()) as url,
        connect(url) as connection,
        trailed(connection, f"rebuild {command}", {}),
    ):
        yield url
