"""`projector alerts`: what is amber or red now, and a test of the address that alerts go to."""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import uuid4

import click

from projector.bootstrap.worker import alert_receiver
from projector.cli.exit_codes import FAILED
from projector.cli.options import as_json, in_columns, printable, shown_time, the_service
from projector.cli.service_client import service_client
from projector.contract.alerts import Alert
from projector.contract.base import to_json
from projector.contract.thresholds import CountingAgentThreshold
from projector.infrastructure.clock import now_ms
from projector.infrastructure.settings import settings_from_environment
from projector.operations.alerts.receiver import NoAlertReceiver, message_text

_TEST_STATUS, _TEST_LIMIT_MS = "idle", 900_000


@click.group()
def alerts() -> None:
    """List what is amber or red now, or test the address that alerts are posted to."""


@alerts.command("list")
@the_service
@as_json
def list_alerts(*, url: str | None, as_json: bool) -> None:
    """List the agents and queues that have reached a limit: red first, then the oldest."""
    rows = service_client(url).get("/api/v1/alerts", "data")["data"]
    table = in_columns([_shown(row) for row in rows]) or "There are no alerts."
    click.echo(json.dumps(rows) if as_json else table)


@alerts.command()
@as_json
def test(*, as_json: bool) -> None:
    """Post a test alert to PROJECTOR_ALERT_URL, once, and say what the receiver answers.

    Its type is alert.test. Exit with 1 if the receiver does not take it.
    """
    receiver = alert_receiver(settings_from_environment())
    if receiver is None:
        raise NoAlertReceiver("PROJECTOR_ALERT_URL is not set: alerts are posted nowhere.")
    message_id = f"msg_{uuid4().hex}"
    answer = receiver.post(
        message_id, message_text("alert.test", to_json(_test_alert()).decode(), now_ms())
    )
    told = {
        "messageId": message_id,
        "taken": answer.is_taken,
        "status": answer.status,
        "answer": answer.text,
        "ms": round(answer.seconds * 1_000),
    }
    took = "took the test alert" if answer.is_taken else "did not take the test alert"
    text = f"{receiver.host} {took} ({answer.text}, {told['ms']} ms, webhook-id {message_id})."
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo(printable(text), err=not answer.is_taken)
    if not answer.is_taken:
        sys.exit(FAILED)


def _test_alert() -> Alert:
    rule = CountingAgentThreshold(
        subject="agent", status=_TEST_STATUS, amber_ms=_TEST_LIMIT_MS, source="default"
    )
    return Alert(
        level="amber",
        subject="agent",
        org_id="test",
        agent_id="test",
        status=_TEST_STATUS,
        since=now_ms(),
        value=_TEST_LIMIT_MS,
        limit=_TEST_LIMIT_MS,
        rule=rule,
    )


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {
        "level": row["level"],
        "subject": row["subject"],
        "org": row["orgId"],
        "id": (row["agentId"] if row["subject"] == "agent" else row["queueId"]) or "-",
        "what": row["status"] or row["measure"],
        "channel": row["channelType"] or "-",
        "value": str(row["value"]),
        "limit": str(row["limit"]),
        "since": shown_time(row["since"]),
    }
