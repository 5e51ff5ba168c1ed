"""`projector migrate`: the schema, brought up to date."""

from __future__ import annotations

import json
import sys

import click

from projector.cli.database import reachable_database
from projector.cli.exit_codes import BEHIND
from projector.cli.options import as_json
from projector.infrastructure import migrations
from projector.infrastructure.settings import settings_from_environment


@click.command()
@click.option("--check", is_flag=True, help="Apply nothing; exit with 3 if anything is pending.")
@as_json
def migrate(*, check: bool, as_json: bool) -> None:
    """Bring the database's schema up to date."""
    with reachable_database(settings_from_environment()) as url:
        files = migrations.pending(url) if check else migrations.migrate(url)
    names = [file.name for file in files]
    done = "pending" if check else "applied"
    if as_json:
        click.echo(json.dumps({done: names}))
    else:
        click.echo("\n".join(f"{done} {name}" for name in names) or "The schema is up to date.")
    if check and names:
        sys.exit(BEHIND)
