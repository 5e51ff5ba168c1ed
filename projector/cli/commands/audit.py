"""`projector history`, `events` and `explain`: questions about the past."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from projector.cli.options import (
    AS_OF,
    as_json,
    filters,
    in_columns,
    parted,
    shown_time,
    the_organisation,
    the_service,
    the_subject,
    times,
)
from projector.cli.service_client import MOST_ROWS, service_client
from projector.infrastructure.errors import ProjectorError


@click.command()
@the_subject
@the_organisation
@times("from", "to", *AS_OF)
@the_service
@as_json
def history(
    *, subject: str, org: str | None, url: str | None, as_json: bool, **filters: int | None
) -> None:
    """Show the intervals of an agent or a task: in which state it was from when to when."""
    query = {"orgId": org} | filters
    rows = service_client(url).rows(f"{_path(subject)}/history", query)
    if as_json:
        click.echo(json.dumps({"data": rows}))
    else:
        click.echo(in_columns([_interval(row) for row in rows]) or "No interval.")


@click.command()
@filters
@click.option("--order", type=click.Choice(["created", "recorded"]), default="created")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=100, show_default=True)
@the_service
@as_json
def events(*, url: str | None, as_json: bool, **filters: Any) -> None:
    """Show events of the log, at most 1000; `projector export` has no limit."""
    answer = service_client(url).get("/api/v1/events", "data", filters)
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(in_columns([_event(row) for row in answer["data"]]) or "No event.")
        if answer["meta"]["nextCursor"]:
            click.echo("There are more: narrow it, or use `projector export`.", err=True)


@click.command()
@the_subject
@the_organisation
@times(*AS_OF)
@the_service
@as_json
def explain(
    *, subject: str, org: str | None, url: str | None, as_json: bool, **filters: int | None
) -> None:
    """Show which event set each field of an agent or a task, and what was unusual near it."""
    query = {"orgId": org} | filters
    answer = service_client(url).get(f"{_path(subject)}/explain", "fields", query)
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(in_columns([_field(*it) for it in answer["fields"].items()]))
    if answer["around"]:
        click.echo("\n" + in_columns([_around(it) for it in answer["around"]]))
    if answer["lookedFrom"] is not None:
        click.echo(f"\nWhat was set up to {shown_time(answer['lookedFrom'])} was not looked up.")


def _path(subject: str) -> str:
    kind, id_ = parted(subject)
    if "/" in id_:
        raise ProjectorError("An id with a slash is reached by the filters of lists alone.")
    return f"/api/v1/{kind}s/{quote(id_, safe='')}"


def _interval(row: Mapping[str, Any]) -> dict[str, str]:
    columns = {name: _text(row[name]) for name in row if name not in {"from", "to", "durationMs"}}
    seconds = "-" if row["durationMs"] is None else f"{row['durationMs'] / 1_000:.3f} s"
    return {
        "from": shown_time(row["from"]),
        "to": shown_time(row["to"]),
        "lasted": seconds,
    } | columns


def _event(row: Mapping[str, Any]) -> dict[str, str]:
    names = ("position", "type", "id", "orgId", "agentId", "taskId", "origin", "restates")
    moments = {"time": shown_time(row["time"]), "recorded": shown_time(row["recordedTime"])}
    return moments | {name: _text(row[name]) for name in names}


def _field(name: str, it: Mapping[str, Any]) -> dict[str, str]:
    return {
        "field": name,
        "set": shown_time(it["time"]),
        "event": _text(it["eventId"]),
        "position": _text(it["position"]),
        "value": _text(it["value"]),
    }


def _around(it: Mapping[str, Any]) -> dict[str, str]:
    return {
        "time": shown_time(it["time"]),
        "recorded": shown_time(it["recordedTime"]),
        "effect": it["effect"],
        "event": it["eventId"],
        "position": str(it["position"]),
    }


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
