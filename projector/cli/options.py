"""Options that several commands share, and how they print times and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from projector.infrastructure.clock import now_ms

F = TypeVar("F", bound=Callable[..., Any])

NAMES = ("type", "orgId", "agentId", "taskId", "teamId", "queueId", "origin")
SPANS = ("from", "to", "recordedFrom", "recordedTo")
AS_OF = ("at", "knownAt")
LAST_SHOWN = 253_402_300_799_999  # epoch ms: the end of 9999


_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class TimeOption(click.ParamType[int]):
    """Epoch milliseconds, ISO 8601 with a zone, `now`, or a time ago: `90s`, `15m`, `2h`, `1d`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(text)
        ago = _AGO.fullmatch("0s" if text == "now" else text)
        if ago is not None:
            return now_ms() - int(ago[1]) * _UNITS_MS[ago[2]]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(
                f"{text!r} is neither epoch milliseconds nor ISO 8601 with a zone, nor as 15m",
                param,
                ctx,
            )
        return round(moment.timestamp() * 1_000)


_TIMES = {
    "from": "Begin of the time range.",
    "to": "End of the time range.",
    "recordedFrom": "The same, by the time of recording.",
    "recordedTo": "The same, by the time of recording.",
    "at": "Show what had happened by this time.  [default: now]",
    "knownAt": "Show what was known at this time.  [default: now]",
}


def times(*names: str) -> Callable[[F], F]:
    """An option for each of some times: as 2026-01-31T08:00Z, 15m (ago), now or epoch ms."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            option = click.option(f"--{_dashed(name)}", name, type=TimeOption(), help=_TIMES[name])
            command = option(command)
        return command

    return decorate


def filters(command: F) -> F:
    """The options that select events of the log."""
    command = click.option(
        "--to-position", "toPosition", type=int, help="Only events up to this position."
    )(command)
    command = times(*SPANS)(command)
    for name in reversed(NAMES):
        command = click.option(
            f"--{_dashed(name)}", name, multiple=True, help="Only this one; may be repeated."
        )(command)
    return command


def _dashed(name: str) -> str:
    return "".join(f"-{it.lower()}" if it.isupper() else it for it in name)


the_service = click.option("--url", help="The service's address.  [default: from HOST and PORT]")
the_organisation = click.option("--org", help="Its organisation, if several have this id.")
the_subject = click.argument("subject", metavar="agent:ID|task:ID")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def parted(subject: str) -> tuple[str, str]:
    """Kind and id of ``agent:ID`` or ``task:ID``."""
    kind, _, id_ = subject.partition(":")
    if kind not in {"agent", "task"} or not id_:
        raise click.UsageError("name the subject as agent:ID or task:ID")
    return kind, id_


def shown_time(time: int | None) -> str:
    """Epoch ms as UTC to the millisecond; a time that no calendar has as it is."""
    if time is None:
        return "-"
    if time > LAST_SHOWN:
        return str(time)
    text = datetime.fromtimestamp(time / 1_000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def in_columns(rows: list[Mapping[str, str]]) -> str:
    """Rows as a table with a line of names; control characters are escaped."""
    if not rows:
        return ""
    table = [[*rows[0]], *([printable(it) for it in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (zip(row, widths, strict=True) for row in table)
    return "\n".join("  ".join(f"{it:{width}}" for it, width in line).rstrip() for line in lines)


def printable(text: str) -> str:
    """A text with its control characters escaped, so that it cannot move a terminal."""
    return "".join(it if it.isprintable() else repr(it)[1:-1] for it in text)
