"""How tests over HTTP share one service: each example in organisations of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from projector.database import connect
from projector.runner import Runner
from projector.tables import TABLES
from tests.conftest import DERIVED, Site
from tests.examples import RECORDED
from tests.laws.memory import comparable, decided

ORGANISATIONS = ("acme", "umbra")  # that the strategies name


def tables(url: str) -> dict[str, list[Any]]:
    """All rows of all tables that are derived from the log."""
    with connect(url) as connection:
        return {
            name: [
                tuple(row.values())
                for row in connection.execute(f"SELECT * FROM {name} AS r ORDER BY r".encode())
            ]
            for name in DERIVED
        }


def follow(site: Site, stop: threading.Event, **options: Any) -> threading.Thread:
    """A runner in a thread of its own."""
    thread = threading.Thread(
        target=Runner(site.service.store, site.url, **options).run, args=(stop,)
    )
    thread.start()
    return thread


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


class Clock:
    """Stands at the moment of recording until the test reads."""

    now = RECORDED

    def __call__(self) -> int:
        return self.now


def set_apart(bodies: list[Any], example: int) -> list[Any]:
    """The same bodies under organisations of the example's own."""
    text = json.dumps(bodies)
    for organisation in ORGANISATIONS:
        text = text.replace(f'"{organisation}"', f'"{organisation}-{example}"')
    return json.loads(text)


def read_back(site: Site, example: int) -> dict[str, Any]:
    """All views, intervals and anomalies of an example, over HTTP."""
    query = "&".join(f"orgId={organisation}-{example}" for organisation in ORGANISATIONS)
    found = site.get(f"/api/v1/anomalies?{query}&limit=1000").json["data"]
    told: dict[str, Any] = {
        "anomalies": decided(
            (row["kind"], row["subject"], row["orgId"], row["eventId"]) for row in found
        )
    }
    for table in TABLES:
        name, path = f"{table.column[:-3]}Id", f"/api/v1/{table.name}"
        views = site.get(f"{path}?{query}&limit=1000").json["data"]
        told[table.name] = {(view["orgId"], view[name]): comparable(view) for view in views}
        told[table.intervals] = {
            (org, id_): site.get(f"{path}/{id_}/history?orgId={org}&limit=1000").json["data"]
            for org, id_ in told[table.name]
            if "/" not in id_  # such an id is reached by the list's filter alone
        }
    return told


def without_slashes(answers: dict[str, Any]) -> dict[str, Any]:
    """The histories that ``read_back`` can ask for."""
    reached = {
        table.intervals: {
            k: rows for k, rows in answers[table.intervals].items() if "/" not in k[1]
        }
        for table in TABLES
    }
    return answers | reached
