"""`projector names`: what people call the vendor's ids; list them, or import a file of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from projector.cli.options import as_json, in_columns, shown_time, the_service
from projector.cli.service_client import NAMES_PATH, service_client
from projector.infrastructure.errors import ProjectorError

_COLUMNS = ("orgId", "kind", "id", "name")


class NamesRefused(ProjectorError):  # noqa: N818 - named for what is noticed
    """A file is no list of names."""


@click.group()
def names() -> None:
    """List what people call the vendor's ids, or import a file of such names."""


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
