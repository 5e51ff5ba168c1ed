"""`projector quarantine`: bodies that are no usable event, and what to do about them."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import click

from projector.cli.exit_codes import BEHIND
from projector.cli.options import as_json, in_columns, printable, shown_time, the_service
from projector.cli.service_client import service_client

PAGE_BODIES = 100  # of up to 1 MiB each
BodyRow = Mapping[str, Any]

_number = click.argument("number", type=click.IntRange(1))
_reason = click.option("--why", required=True, help="The reason; kept with the body.")


@click.group()
def quarantine() -> None:
    """List bodies that are no usable event; judge one again, or release it."""


@quarantine.command("list")
@the_service
@as_json
def list_bodies(*, url: str | None, as_json: bool) -> None:
    """List the bodies, by the time at which each first came."""
    rows = service_client(url).rows("/api/v1/quarantine", {"limit": PAGE_BODIES})
    table = in_columns([_columns(row) for row in rows]) or "Nothing is in quarantine."
    click.echo(json.dumps(rows) if as_json else table)


@quarantine.command()
@_number
@the_service
@as_json
def show(*, number: int, url: str | None, as_json: bool) -> None:
    """Show one body, how it came, and what was tried with it."""
    row = service_client(url).get(f"/api/v1/quarantine/{number}", "sha256")
    click.echo(json.dumps(row) if as_json else "\n".join(map(printable, _lines(row))))


@quarantine.command()
@_number
@_reason
@the_service
@as_json
def retry(*, number: int, why: str, url: str | None, as_json: bool) -> None:
    """Judge a body again, and append what it states; exit with 3 if it stays."""
    _attempt("retry", number, why, url, as_json=as_json)


@quarantine.command()
@_number
@_reason
@the_service
@as_json
def release(*, number: int, why: str, url: str | None, as_json: bool) -> None:
    """Append what a body states, although its time is far ahead; it cannot be taken back."""
    _attempt("release", number, why, url, as_json=as_json)


def _attempt(verb: str, number: int, why: str, url: str | None, *, as_json: bool) -> None:
    path = f"/api/v1/quarantine/{number}/{verb}"
    done = service_client(url).post(path, "elements", {"why": why})
    lines = [printable(_outcome(it)) for it in done["elements"]]
    click.echo(json.dumps(done) if as_json else "\n".join(lines))
    if done["resolution"] is None:
        sys.exit(BEHIND)


def _outcome(element: BodyRow) -> str:
    if element["position"] is None:
        return f"{element['outcome']}: {element['reason']}"
    return f"{element['outcome']}: position {element['position']}"


def _columns(row: BodyRow) -> dict[str, str]:
    resolution = row["resolution"]
    return {
        "id": str(row["id"]),
        "reason": row["reason"],
        "deliveries": str(row["deliveries"]),
        "first": shown_time(row["firstTime"]),
        "last": shown_time(row["lastTime"]),
        "resolved": f"{resolution['kind']} by {resolution['who']}" if resolution else "-",
        "positions": _positions(resolution) if resolution else "-",
    }


def _positions(resolution: BodyRow) -> str:
    return ",".join(map(str, resolution["positions"]))


def _lines(row: BodyRow) -> list[str]:
    """The fields of a body, then what operators tried, then the body itself."""
    resolution = row["resolution"]
    ended = (
        [_attempt_line(resolution) + f": position {_positions(resolution)}"] if resolution else []
    )
    return [
        *(f"{name:11}{value}" for name, value in _columns(row).items()),
        f"{'sha256':11}{row['sha256']}",
        f"{'headers':11}{json.dumps(row['headers'])}",
        *(_attempt_line({"kind": "retry", **it}) + f": {it['reason']}" for it in row["retries"]),
        *ended,
        b64decode(row["body"]).decode("utf-8", "replace"),
    ]


def _attempt_line(it: BodyRow) -> str:
    return f"{it['kind']} {shown_time(it['time'])} by {it['who']}, {json.dumps(it['why'])}"
