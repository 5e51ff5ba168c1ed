"""`projector report queues` and `report agents`: the reports as a table, or as CSV."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from projector.cli.options import AS_OF, LAST_SHOWN, in_columns, the_service, times
from projector.cli.service_client import service_client
from projector.contract.names import IDLE_TIMES, KIND_OF_FIELD, NamesByKind
from projector.infrastructure.clock import now_ms
from projector.infrastructure.time_zones import time_zone

F = TypeVar("F", bound=Callable[..., Any])

DAY_BEFORE_MS = 86_400_000
_FILTERS = {
    "orgId": "org",
    "teamId": "team",
    "queueId": "queue",
    "channelType": "channel",
    "direction": "direction",
    "agentId": "agent",
}
_SHARES = {"serviceLevel", "abandonment", "occupancy"}
_MOMENTS = {"from", "to", "firstLogin", "lastLogout"}


@click.group()
def report() -> None:
    """Print what was counted of queues or agents, by period."""


def _options(command: F) -> F:
    """The options of both reports."""
    for name, option in reversed(_FILTERS.items()):
        command = click.option(
            f"--{option}", name, multiple=True, help="Only this one; may be repeated."
        )(command)
    command = times("from", "to", *AS_OF)(command)
    command = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in ms.")(command)
    command = click.option("--tz", default="UTC", show_default=True, help="Zone of the days.")(
        command
    )
    command = click.option(
        "--interval", default="1d", show_default=True, help="15m, 30m, 1h, 1d, 1w, or ms."
    )(command)
    return the_service(command)


@report.command()
@_options
def queues(*, url: str | None, as_csv: bool, **query: Any) -> None:
    """Print the waits and contacts of queues; of the last day, if no times are given."""
    _print("queues", url, query, as_csv=as_csv)


@report.command()
@_options
def agents(*, url: str | None, as_csv: bool, **query: Any) -> None:
    """Print the times of agents and their contacts; of the last day, if no times are given."""
    _print("agents", url, query, as_csv=as_csv)


def _print(name: str, url: str | None, query: dict[str, Any], *, as_csv: bool) -> None:
    path = f"/api/v1/reports/{name}"
    if query["to"] is None:
        query["to"] = now_ms()
    if query["from"] is None:
        query["from"] = max(0, query["to"] - DAY_BEFORE_MS)
    client = service_client(url)
    if as_csv:
        with client.stream(path, query, "text/csv") as answer:
            for part in answer.iter_bytes():
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        return
    rows, names = client.named_rows(path, query)
    table = in_columns([_shown(_named(row, names), query["tz"]) for row in rows])
    click.echo(table or "Nothing was counted.")


def _named(row: Mapping[str, Any], names: NamesByKind) -> dict[str, Any]:
    """A row whose ids are names, as far as they have one."""
    named = dict(row)
    for field, kind in KIND_OF_FIELD.items():
        if field in row:
            named[field] = names.get(kind, {}).get(row[field], row[field])
    if IDLE_TIMES in row:
        codes, times = names.get("idleCode", {}), Counter[str]()
        for code, ms in row[IDLE_TIMES].items():
            times[codes.get(code, code)] += ms  # two codes may have one name
        named[IDLE_TIMES] = dict(times)
    return named


def _shown(row: Mapping[str, Any], zone: str) -> dict[str, str]:
    """A row for the eye: local times, lengths as hours, minutes and seconds, shares in percent."""
    return {name.removesuffix("Ms"): _text(name, value, zone) for name, value in row.items()}


def _text(name: str, value: Any, zone: str) -> str:
    if value is None or value == {}:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_length(ms)}" for key, ms in value.items())
    if name in _MOMENTS and value <= LAST_SHOWN:
        return datetime.fromtimestamp(value / 1_000, time_zone(zone)).isoformat(timespec="seconds")
    if name in _SHARES:
        return f"{value:.1%}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _length(value) if name.endswith("Ms") else str(value)


def _length(ms: float) -> str:
    """Hours, minutes and seconds; what is left of a second is dropped."""
    return str(timedelta(seconds=ms // 1_000))
