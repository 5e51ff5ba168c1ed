"""Posts the captured webhooks, shuffled and partly repeated, and shows what comes out.

    python -m projector.cli.commands.demo

The service must be running. It is looked for at HOST and PORT; the token is PROJECTOR_TOKEN, else
the one that the service keeps in its data directory.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx

from projector.infrastructure.errors import ProjectorError
from projector.webex.simulator import captured_webhooks as captured

SEED = 7
REPEATED = 12
GROUP_SIZES = (1, 1, 3, 1, 8)
NOTHING = "-"

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


class DemoError(ProjectorError):
    """The demo cannot go on; the message says what to do."""


def main() -> int:
    try:
        with httpx.Client(base_url=base_url(), timeout=30.0) as client:
            show(client)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    except httpx.HTTPError:
        print(f"No service answers at {base_url()}: start it with `make run`.", file=sys.stderr)
        return 1
    return 0


def show(client: httpx.Client) -> None:
    counts, position = post_all(client)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    headers = {"Authorization": f"Bearer {token()}", "X-Min-Position": position}
    print_table("Agents", AGENT_COLUMNS, [*read(client, "/api/v1/agents", headers)])
    print_table("Tasks", TASK_COLUMNS, [*read(client, "/api/v1/tasks", headers)])


# Writing


def post_all(client: httpx.Client) -> tuple[Counter[str], str]:
    """The sum of the answers, and the log's head after the last."""
    counts: Counter[str] = Counter()
    position = "0"
    for group in groups():
        answer = client.post("/webhooks/webex", json=group[0] if len(group) == 1 else group)
        refuse_unless(answer, 202, "take the webhooks")
        counts.update(answer.json())
        position = answer.headers.get("X-Position", position)
    return counts, position


def groups() -> Iterator[list[captured.Body]]:
    """All captured events and some of them again, out of order, single and in arrays."""
    rng = Random(SEED)
    bodies = [*captured.ALL, *rng.sample(captured.ALL, REPEATED)]
    rng.shuffle(bodies)
    while bodies:
        size = rng.choice(GROUP_SIZES)
        yield bodies[:size]
        del bodies[:size]


# Reading


def read(client: httpx.Client, path: str, headers: dict[str, str]) -> Iterator[Row]:
    cursor: str | None = None
    while True:
        params = {"limit": "1000"} if cursor is None else {"limit": "1000", "cursor": cursor}
        answer = client.get(path, params=params, headers=headers)
        refuse_unless(answer, 200, f"answer {path}")
        page = answer.json()
        yield from page["data"]
        cursor = page["meta"].get("nextCursor")
        if not cursor:
            return


def refuse_unless(answer: httpx.Response, wanted: int, what: str) -> None:
    if answer.status_code != wanted:
        raise DemoError(f"The service would not {what}: {answer.status_code} {detail(answer)}")


def detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.reason_phrase
    named = problem if isinstance(problem, dict) else {}
    return str(named.get("detail") or named.get("title") or answer.reason_phrase)


def base_url() -> str:
    host = os.environ.get("HOST", "127.0.0.1")
    return f"http://{host}:{os.environ.get('PORT', '8080')}"


def token() -> str:
    given = os.environ.get("PROJECTOR_TOKEN")
    kept = Path(os.environ.get("PROJECTOR_DATA_DIR", ".data")) / "operator-token"
    try:
        return given or kept.read_text().strip()
    except OSError as error:
        raise DemoError(f"No token: set PROJECTOR_TOKEN, or make {kept} readable.") from error


# Showing


def print_table(title: str, columns: tuple[Column, ...], rows: list[Row]) -> None:
    lines = [[name for name, _ in columns], *([cell(row) for _, cell in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title} ({len(rows)})")
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def text(name: str) -> Callable[[Row], str]:
    return lambda row: str(row[name]) if row[name] is not None else NOTHING


def moment(name: str) -> Callable[[Row], str]:
    return lambda row: readable(row[name])


def readable(time_ms: int | None) -> str:
    if time_ms is None:
        return NOTHING
    return f"{datetime.fromtimestamp(time_ms // 1_000, UTC):%Y-%m-%d %H:%M:%S}Z"


AGENT_COLUMNS: tuple[Column, ...] = (
    ("agent", text("agentId")),
    ("status", text("status")),
    ("since", moment("statusSince")),
    ("currentState", text("currentState")),
    ("task", text("taskId")),
    ("events", text("eventCount")),
)
TASK_COLUMNS: tuple[Column, ...] = (
    ("task", text("taskId")),
    ("status", text("status")),
    ("since", moment("stateSince")),
    ("currentState", text("currentState")),
    ("queue", text("queueId")),
    ("events", text("eventCount")),
)


if __name__ == "__main__":
    sys.exit(main())
