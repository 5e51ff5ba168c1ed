"""`projector history`, `events` and `explain`, and how the terminal's times are read and shown."""

from __future__ import annotations

import json
from time import time_ns
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from projector.cli.main import main
from projector.cli.options import TimeOption, in_columns, shown_time
from tests.conftest import served
from tests.examples import at, login, story, task, v1


@pytest.fixture
def asked(site):
    """Asks a running service that was told of a late event."""
    login_, talk, late = story(
        login(0, "ann/1", "Available"),
        v1(20_000, "ann/1", "connected", "t"),
        v1(10_000, "ann/1", "idle", idleCodeId="lunch"),
    )
    for it in (login_, talk, late, *story(task(0, "t", "new"))):
        site.post(it | {"id": f"{it['type']} {it['data']['createdTime']}"})
        site.project()
    with served(site.client.application) as address:

        def ask(command: str, *arguments: str) -> Result:
            environment = {"PROJECTOR_DATA_DIR": str(site.service.settings.data_dir)}
            words = [command, "--url", address, *arguments]
            return CliRunner().invoke(main, words, env=environment)

        yield ask


def test_events_are_columns(asked):
    """As the log tells them, filtered; with a word where there are more."""
    lines = asked("events", "--agent-id", "ann/1").output.splitlines()
    assert ["time", "recorded", "position", "type"] == lines[0].split()[:4]
    assert ["1", "3", "2"] == [line.split()[2] for line in lines[1:]]
    assert lines[1].startswith("2026-01-01T00:00:00.000Z  20")
    assert "No event.\n" == asked("events", "--type", "none").output
    result = asked("events", "--limit", "1", "--order", "recorded")
    assert (2, True) == (len(result.stdout.splitlines()), "There are more" in result.stderr)
    assert 4 == json.loads(asked("events", "--json").output)["meta"]["count"]


def test_an_explanation_is_columns(asked):
    """Fields, and what is around; an id may hold anything that a path may."""
    result = asked("explain", "task:t")
    lines = [line.split() for line in result.output.splitlines()]
    assert ["field", "set", "event", "position", "value"] == lines[0]
    assert ["taskId"] == [line[0] for line in lines if line and line[0] == "taskId"]
    told = json.loads(asked("explain", "task:t", "--json", "--at", str(at(20_000))).output)
    assert told["fields"]["taskId"]["value"] == "t"


def test_a_history_is_columns(asked):
    """Of all pages, as of the times that are asked for."""
    result = asked("history", "task:t")
    assert ["from", "to", "lasted", "status", "currentState", "eventId"] == (
        result.output.splitlines()[0].split()
    )
    assert 2 == len(result.output.splitlines())
    at_first = asked("history", "task:t", "--at", "2026-01-01T00:00:00Z", "--json")
    assert [None] == [row["to"] for row in json.loads(at_first.output)["data"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["history", "t"], 2, "agent:ID or task:ID"),
        (["history", "task:t", "--at", "yesterday"], 2, "ISO 8601"),
        (["history", "task:t", "--at", "2026-01-01T00:00:00"], 2, "ISO 8601"),
        (["history", "task:none"], 1, "404"),
        (["history", "agent:ann/1"], 1, "slash"),
        (["events", "--origin", "guess"], 1, "origin is webhook, reconciliation or import"),
        (["explain", "task:t", "--known-at", "0"], 1, "404"),
    ],
)
def test_what_cannot_be_answered_is_said(asked, arguments, code, said):
    """In one line, with an exit code."""
    result = asked(*arguments)
    assert (code, True) == (result.exit_code, said in result.stderr)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("0", 0),
        ("1767225600000", at(0)),
        ("2026-01-01T00:00:00Z", at(0)),
        ("2026-01-01T01:00:00.123+01:00", at(123)),
    ],
)
def test_a_time_is_a_number_or_iso(text, time):
    """With a zone: a time without one could be anybody's."""
    assert time == TimeOption().convert(text, None, None)
    assert time == TimeOption().convert(shown_time(time), None, None)


@pytest.mark.parametrize(
    "text", ["", "-1", "later", "15 m", "-5m", "5w", "2026-01-01", "2026-01-01T00:00:00"]
)
def test_anything_else_is_no_time(text):
    """And is refused."""
    with pytest.raises(click.BadParameter, match="ISO 8601"):
        TimeOption().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "ago"), [("now", 0), ("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000),
                      ("1d", 86_400_000)],
)  # fmt: skip
def test_a_time_may_be_so_long_ago(text, ago):
    """By this machine's clock."""
    now = time_ns() // 1_000_000
    assert now - ago <= TimeOption().convert(text, None, None) <= time_ns() // 1_000_000 - ago


@pytest.mark.parametrize(("time", "shown"), [(None, "-"), (2**53 - 1, str(2**53 - 1))])
def test_what_no_calendar_has_is_shown_as_it_is(time, shown):
    """Nothing, or a number."""
    assert shown == shown_time(time)


def test_columns_are_as_wide_as_their_widest():
    """And nothing trails."""
    rows: list[Any] = [{"a": "x", "bb": "1"}, {"a": "long", "bb": ""}]
    assert "a     bb\nx     1\nlong" == in_columns(rows)
    assert "" == in_columns([])


def test_nothing_in_a_column_moves_the_terminal():
    """An id is anybody's text."""
    assert "a\n\\x1b[31m\\n" == in_columns([{"a": "\x1b[31m\n"}])
