"""`projector simulate`: a simulated contact center sends webhooks to a running service."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice, takewhile
from typing import Any

import click

from projector.cli.contact_center import stand_in, with_records
from projector.cli.service_client import NotThisService, service_client
from projector.infrastructure.clock import now_ms
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import settings_from_environment
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import disturb, paced
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from projector.webex.simulator.payloads import SIMULATED_ORG_ID, VERSIONS, Versions, WebhookBody
from projector.webex.simulator.sender import SendTotals, send

PROBABILITY = click.FloatRange(0, 1)


NO_NAMES = "The names of agents, teams and queues were not imported: {}"


def default_url() -> str:
    return settings_from_environment().root


@click.command()
@click.option("--agents", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Events a second; time runs faster or slower to fit it.",
)
@click.option(
    "--late",
    type=PROBABILITY,
    default=0.0,
    help="Probability that a webhook arrives after later ones.",
)
@click.option(
    "--duplicate", type=PROBABILITY, default=0.0, help="Probability that a webhook arrives twice."
)
@click.option(
    "--lose", type=PROBABILITY, default=0.0, help="Probability that a webhook never arrives."
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="The same seed makes the same agents and tasks.",
)
@click.option(
    "--url", default=default_url, help="The service's address.  [default: from HOST and PORT]"
)
@click.option("--events", type=click.IntRange(1), help="Stop after this many events.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="Stop after this many seconds of events.",
)
@click.option("--secret", help="Sign the webhooks with this subscription secret.")
@click.option(
    "--versions",
    type=click.Choice(VERSIONS),
    default="2",
    show_default=True,
    help="Version of the agents' events.",
)
@click.option(
    "--start-ms",
    type=click.IntRange(0),
    help="Time of the first event, in epoch milliseconds.  [default: now]",
)
@click.option(
    "--vendor-port",
    type=click.IntRange(0, 65535),
    help="Simulate the vendor's APIs on this port, too, until Ctrl-C; 0: any free port.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the totals as one JSON object.")
def simulate(**values: Any) -> None:
    """Send the webhooks of a simulated contact center until Ctrl-C.

    An event's time is the time at which it is sent. A run that is limited ends with the webhooks
    that are still delayed, all at once.
    """
    options = Options(values)
    world = Simulation(
        options.agents, options.seed, start_ms=options.start_ms, versions=options.versions
    )
    records = ApiRecords(world.slots(), world.names())
    with standing_in(options.vendor_port, records):
        refusal = import_names(options.url, world)
        totals = run(options, world, records)
        click.echo(json.dumps(totals) if values["as_json"] else summary(totals))
        if refusal is not None:
            click.echo(
                f"The names of agents, teams and queues were not imported: {refusal}", err=True
            )
        if options.vendor_port is not None:
            wait_for_ctrl_c()


class Options:
    """The command's options by name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.agents: int = values["agents"]
        self.rate: float = values["rate"]
        self.fates: dict[str, float] = {
            name: values[name] for name in ("late", "duplicate", "lose")
        }
        self.seed: int = values["seed"]
        self.url: str = values["url"]
        self.events: int | None = values["events"]
        self.seconds: float | None = values["seconds"]
        self.secret: str | None = values["secret"]
        self.versions: Versions = values["versions"]
        self.vendor_port: int | None = values["vendor_port"]
        self.start_ms: int = now_ms() if values["start_ms"] is None else values["start_ms"]


@contextmanager
def standing_in(port: int | None, records: ApiRecords) -> Iterator[None]:
    """Answer as the vendor's APIs would, of what happens in the run."""
    if port is None:
        yield
        return
    with stand_in(records, port) as root:
        click.echo(VENDOR.format(root=root), err=True)
        yield


VENDOR = f"""The vendor's APIs are at {{root}}: the service reaches them if started with
  PROJECTOR_WEBEX_API={{root}} PROJECTOR_WEBEX_OAUTH={{root}} \\
  PROJECTOR_WEBEX_CLIENT_ID={CLIENT_ID} PROJECTOR_WEBEX_CLIENT_SECRET={CLIENT_SECRET} \\
  PROJECTOR_WEBEX_REFRESH_TOKEN={REFRESH_TOKEN} make run
or connected with `projector connect`."""


def import_names(url: str, world: Simulation) -> str | None:
    """Tell the service the names of the simulated people; why not, where it refuses them.

    What else takes webhooks, such as a program under test, needs no names.
    """
    names = [
        {"orgId": SIMULATED_ORG_ID, "kind": kind, "id": id_, "name": name}
        for kind, id_, name in world.names()
    ]
    try:
        service_client(url).import_names(names)
    except NotThisService:
        return None
    except ProjectorError as error:
        return str(error)
    return None


def wait_for_ctrl_c() -> None:
    click.echo("The vendor's APIs go on answering; Ctrl-C ends them.", err=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def run(options: Options, world: Simulation, records: ApiRecords) -> dict[str, Any]:
    fates: Counter[str] = Counter()
    happened = with_records(events(options, world), records)
    deliveries = disturb(happened, **options.fates, seed=options.seed, counters=fates)
    try:
        totals = send(
            deliveries,
            options.url,
            rate=options.rate,
            start_ms=options.start_ms,
            secret=options.secret,
            progress=progress_line(fates),
        )
    finally:
        end_progress_line()
    return {**totals.as_dict(), **{name: fates[name] for name in ("late", "duplicated", "lost")}}


def events(options: Options, world: Simulation) -> Iterator[WebhookBody]:
    """What happens in the run."""
    happened: Iterable[WebhookBody] = paced(world, options.rate, options.start_ms)
    if options.seconds is not None:
        end = options.start_ms + options.seconds * 1_000
        happened = takewhile(lambda body: body["data"]["createdTime"] < end, happened)
    return islice(happened, options.events)


def progress_line(fates: Counter[str]) -> Callable[[SendTotals], None]:
    """Writes over one line of a terminal; silent where stderr is none."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(totals: SendTotals) -> None:
        line = f"{totals.sent} sent, {totals.rate:.1f}/s, {fates['lost']} lost on purpose"
        click.echo(f"\r{line:<78}", nl=False, err=True)

    return show


def end_progress_line() -> None:
    if sys.stderr.isatty():
        click.echo(err=True)


def summary(totals: dict[str, Any]) -> str:
    counts = totals["acknowledged"]
    parts = ", ".join(f"{counts[name]} {name}" for name in counts if name != "received")
    return (
        f"{totals['sent']} deliveries acknowledged: {parts}.\n"
        f"{totals['late']} late, {totals['duplicated']} duplicated, {totals['lost']} lost on"
        f" purpose.\n"
        f"{totals['seconds']:.1f} s, {totals['rate']} a second, {totals['requests']} requests,"
        f" {totals['waits']} repeated."
    )
