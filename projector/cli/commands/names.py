"""`projector names`: what people call the vendor's ids; list, import and refresh them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from projector.bootstrap.worker import configured_names
from projector.cli.database import current_database
from projector.cli.exit_codes import FAILED
from projector.cli.options import as_json, in_columns, printable, shown_time, the_service
from projector.cli.service_client import NAMES_PATH, service_client
from projector.infrastructure.database import open_pool
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import settings_from_environment
from projector.webex.credential_store import NOTHING_CONFIGURED

_COLUMNS = ("orgId", "kind", "id", "name")


class NamesRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """A file is no list of names."""


@click.group()
def names() -> None:
    """List what people call the vendor's ids, import a file of such names, or ask the vendor."""


@names.command("list")
@click.option("--kind", multiple=True, help="Only this one; may be repeated.")
@the_service
@as_json
def list_names(*, kind: Sequence[str], url: str | None, as_json: bool) -> None:
    """List the directory by organisation, kind and id."""
    rows = service_client(url).rows(NAMES_PATH, {"kind": kind})
    table = in_columns([_shown(row) for row in rows]) or "There are no names."
    click.echo(json.dumps(rows) if as_json else table)


@names.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@the_service
@as_json
def import_names(*, file: Path, url: str | None, as_json: bool) -> None:
    """Import FILE: CSV with the columns kind, id, name and perhaps orgId, or a JSON list of such.

    A name that is empty takes back what was imported for its id.
    """
    entries = read_names(file)
    done = service_client(url).import_names(entries)
    told = f"{done['stored']} names imported, {done['removed']} taken back."
    click.echo(json.dumps(done) if as_json else told)


@names.command("refresh")
@as_json
def refresh_names(*, as_json: bool) -> None:
    """Read the names of the vendor's configuration now; a service does so each hour.

    It works on the database, with the vendor's credentials. Exits with 1 unless all was read.
    """
    settings = settings_from_environment()
    with current_database(settings) as url, closing(open_pool(url, max_size=1)) as pool:
        refreshed = configured_names(settings, pool).refresh()
    if refreshed is None:
        raise ProjectorError(NOTHING_CONFIGURED)
    told = ", ".join(f"{count} {kind}" for kind, count in refreshed.kept.items()) or "none"
    click.echo(json.dumps(asdict(refreshed)) if as_json else f"Names read: {told}.")
    for sentence in refreshed.failures:
        click.echo(printable(sentence), err=True)
    if refreshed.failures:
        sys.exit(FAILED)


def read_names(file: Path) -> list[dict[str, Any]]:
    """The names in a file; NamesRefused where it is neither CSV nor JSON of them."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NamesRefused(f"{file} is no UTF-8 text.") from None
    if text.lstrip().startswith(("[", "{")):
        return _from_json(file, text)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = reader.fieldnames or ()
    if not {"kind", "id", "name"} <= {*columns} <= {*_COLUMNS}:
        raise NamesRefused(
            f"{file} has the columns {', '.join(columns) or '(none)'}: it needs kind, id, name and"
            " perhaps orgId."
        )
    rows = [*reader]
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise NamesRefused(f"Row {number} of {file} has not as many cells as columns.")
    return [{name: it for name, it in row.items() if it or name != "orgId"} for row in rows]


def _from_json(file: Path, text: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise NamesRefused(f"{file} is no JSON: {error}.") from None
    entries = content.get("names") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise NamesRefused(f"{file} has no list of names.")
    return entries


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {
        "org": row["orgId"],
        "kind": row["kind"],
        "id": row["id"],
        "name": row["name"],
        "source": row["source"],
        "updated": shown_time(row["updatedTime"]),
    }
