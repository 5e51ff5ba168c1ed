"""The recorded demo: captured webhooks for a running service, and what they make.

The webhooks arrive shuffled, and some of them twice. The order is the same at each run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import click

from projector.cli.options import in_columns, shown_time
from projector.cli.service_client import Client
from projector.webex.simulator import captured_webhooks as captured
from projector.webex.simulator.payloads import WebhookBody

SEED = 7
REPEATED = 12
GROUP_SIZES = (1, 1, 3, 1, 8)
AGENT_FIELDS = ("agentId", "status", "statusSince", "currentState", "taskId", "eventCount")
TASK_FIELDS = ("taskId", "status", "stateSince", "currentState", "queueId", "eventCount")
TIMES = {"statusSince", "stateSince"}

Row = Mapping[str, Any]


def show_recorded(client: Client, *, as_json: bool) -> None:
    """Send captured webhooks, and show the agents and tasks that come of them."""
    counts = send_all(client)
    position = client.get("/api/v1/status", "head")["head"]["position"]
    agents, tasks = (client.rows(f"/api/v1/{it}", after=position) for it in ("agents", "tasks"))
    if as_json:
        click.echo(json.dumps({"counts": counts, "agents": agents, "tasks": tasks}))
        return
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    click.echo(f"\nAgents ({len(agents)})\n{_table(agents, AGENT_FIELDS)}")
    click.echo(f"\nTasks ({len(tasks)})\n{_table(tasks, TASK_FIELDS)}")


def send_all(client: Client) -> Counter[str]:
    """Send all groups; the sum of the service's answers."""
    counts: Counter[str] = Counter()
    for group in groups():
        body = group[0] if len(group) == 1 else group
        counts.update(client.post("/webhooks/webex", "received", body))
    return counts


def groups() -> Iterator[list[WebhookBody]]:
    """All captured events, and some of them again, out of order: single and in arrays."""
    chance = Random(SEED)  # noqa: S311 - an order that can be repeated
    bodies = [*captured.ALL, *chance.sample(captured.ALL, REPEATED)]
    chance.shuffle(bodies)
    while bodies:
        size = chance.choice(GROUP_SIZES)
        yield bodies[:size]
        del bodies[:size]


def _table(rows: Sequence[Row], fields: Sequence[str]) -> str:
    return in_columns([{field: _cell(field, row[field]) for field in fields} for row in rows])


def _cell(field: str, value: Any) -> str:
    if field in TIMES:
        return shown_time(value)
    return "-" if value is None else str(value)
