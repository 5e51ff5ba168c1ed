"""`projector demo`: a contact centre in motion for a running service, or recorded webhooks."""

from __future__ import annotations

import json
import signal

import click

from projector.cli.live_demo import LiveDemo, LivePlan, check_allowed
from projector.cli.options import as_json, the_service
from projector.cli.recorded_demo import show_recorded
from projector.cli.service_client import service_client
from projector.infrastructure.settings import settings_from_environment

POSITIVE = click.FloatRange(0, min_open=True)


@click.command()
@click.option("--recorded", is_flag=True, help="Send captured webhooks instead, and end.")
@click.option("--agents", type=click.IntRange(1, 1_000), default=72, show_default=True)
@click.option(
    "--hours",
    type=click.FloatRange(0, 12),
    default=2.0,
    show_default=True,
    help="Of the past, to begin with.",
)
@click.option(
    "--reconcile-every",
    type=POSITIVE,
    default=180.0,
    show_default=True,
    help="Seconds between two reconciliations.",
)
@click.option(
    "--storm-every",
    type=POSITIVE,
    default=480.0,
    show_default=True,
    help="Seconds between two storms of late webhooks.",
)
@click.option("--seconds", type=POSITIVE, help="Stop after this many seconds.")
@the_service
@as_json
def demo(  # noqa: PLR0913 - as click passes them
    *,
    recorded: bool,
    agents: int,
    hours: float,
    reconcile_every: float,
    storm_every: float,
    seconds: float | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Play a contact centre until Ctrl-C: people, calls, chats and e-mails in real time.

    It begins with some hours of the past. Webhooks come twice, out of order, in storms, or never.
    What was lost is found by reconciliations with a stand-in for the vendor, which this process
    works on itself. It needs a service on this machine without credentials of the real vendor.
    """
    settings = settings_from_environment()
    client = service_client(url)
    if recorded:
        show_recorded(client, as_json=as_json)
        return
    check_allowed(settings, url or settings.root)
    plan = LivePlan(
        agents=agents,
        history_ms=round(hours * 3_600_000),
        reconcile_every=reconcile_every,
        storm_every=storm_every,
        seconds=seconds,
    )
    # Whoever stops it in another way than by Ctrl-C gets the same clean end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    totals = LiveDemo(settings, client, url or settings.root, plan).play()
    click.echo(json.dumps(totals.as_dict()) if as_json else totals.text())
