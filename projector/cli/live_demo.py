"""The demo: a simulated contact centre in motion, for a service that runs on this machine.

Rule: nothing is shown that the service does not do with a real vendor, too. Webhooks go over HTTP.
Names and lost events come from the vendor's APIs, which a stand-in answers on loopback. The service
knows no vendor, so this process does those jobs itself, over the same database.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import click

from projector.bootstrap.worker import configured_names
from projector.cli.contact_center import stand_in, with_records
from projector.cli.database import running_database
from projector.cli.demo_reconciliations import (
    DEMO_WORKER,
    DemoReconciliations,
    demo_jobs,
    hold_alone,
)
from projector.cli.demo_totals import DemoTotals, counted
from projector.cli.service_client import Client, ServiceSilent
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Settings, is_loopback
from projector.operations.job_queue import ClaimedJob
from projector.operations.own_jobs import SoleProcess
from projector.webex.api_client import REQUESTS_A_MINUTE
from projector.webex.credential_store import has_credentials
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import NetworkDelivery, disturb, storms
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.simulator.sender import SendTotals, send
from projector.webex.webhook_secrets import WebhookSecrets

DEMO_SEED = 17  # the same people each time
FATES = {"late": 0.03, "duplicate": 0.02, "lose": 0.005}
STORM_HOLDS_MS = 45_000
HISTORY_RATE = 10_000.0  # webhooks a second; what is due at once goes in large batches
DEMO_CONNECTIONS = 4
LINE_EVERY_MS = 20_000
ASK_AGAIN_MS = 1_000  # while the service is away
JOIN_SECONDS = 30.0
# Two clients may ask the stand-in within a minute, each as much as the vendor allows to one.
VENDOR_CALLS_A_MINUTE = 2 * REQUESTS_A_MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlan:
    """What is played; ``reconcile_every`` and ``storm_every`` are in seconds."""

    agents: int
    history_ms: int
    reconcile_every: float
    storm_every: float
    seconds: float | None


def check_allowed(settings: Settings, url: str) -> None:
    """Raise ProjectorError where made-up people would mix with a real contact centre."""
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ProjectorError(
            f"The demo is for a service on this machine, and {url} is none: --url takes one at"
            " 127.0.0.1."
        )
    if has_credentials(settings):
        raise ProjectorError(
            "Credentials of the vendor are configured here, and the demo would mix made-up people"
            " with a real contact centre: set PROJECTOR_DATA_DIR to another folder and unset"
            " PROJECTOR_WEBEX_…, for the service and for the demo. `projector demo --recorded`"
            " sends some recorded webhooks."
        )
    if not WebhookSecrets(settings).allows_unsigned:
        raise ProjectorError(
            "This service has secrets of subscriptions, and takes signed webhooks only; those of"
            " the demo are not signed."
        )


class LiveDemo:
    """One demo of a service at ``url``, from its beginning until Ctrl-C."""

    def __init__(self, settings: Settings, client: Client, url: str, plan: LivePlan) -> None:
        self._settings = settings
        self._client = client
        self._url = url
        self._plan = plan
        self._stop = threading.Event()
        self._is_history_sent = threading.Event()
        self._totals = DemoTotals()
        self._line_due = 0
        self._is_away = False  # whether the service was when it was asked last

    def play(self) -> DemoTotals:
        """Play until Ctrl-C, or for the seconds of the plan, and return what happened.

        Raises AnotherDemo where one plays for the same service.
        """
        last = self._last_news()
        database_url = running_database(self._settings)
        with ExitStack() as stack, suppress(KeyboardInterrupt):
            self._sole = stack.enter_context(SoleProcess(database_url, DEMO_WORKER))
            hold_alone(self._sole, self._url)
            self._now = now_ms()
            self._begin = max(self._now - self._plan.history_ms, last + 1)
            world = Simulation(self._plan.agents, DEMO_SEED, start_ms=self._begin)
            slots = world.slots()
            self._own_agents = slots.keys()
            records = ApiRecords(slots, world.names())
            root = stack.enter_context(stand_in(records, a_minute=VENDOR_CALLS_A_MINUTE))
            folder = stack.enter_context(TemporaryDirectory(prefix="projector-demo-"))
            settings = _with_vendor(self._settings, root, Path(folder))
            pool = stack.enter_context(closing(open_pool(database_url, max_size=DEMO_CONNECTIONS)))
            jobs = demo_jobs(settings, pool, database_url, self._url, self._stop)
            reconciliations = DemoReconciliations(
                jobs, totals=self._totals, stop=self._stop, say=self._say
            )
            first = reconciliations.begin(self._begin, self._now, self._client, self._url)
            configured_names(settings, pool).refresh()
            self._say(
                f"{counted(self._plan.agents, 'person', 'people')}; the stand-in for the vendor is"
                f" at {root}. {self._past(last)} Ctrl-C ends it."
            )
            thread = threading.Thread(
                target=self._reconcile, args=(reconciliations, first), daemon=True
            )
            thread.start()
            stack.callback(self._end, thread)
            self._totals.sent = send(
                self._deliveries(world, records),
                self._url,
                rate=HISTORY_RATE,
                start_ms=self._now,
                patience_s=math.inf,
                progress=self._progress,
            )
        return self._totals

    def _past(self, last: int) -> str:
        """What comes first; ``last`` is when an earlier demo ended, if one did."""
        past = _span(self._now - self._begin)
        if self._begin == last + 1:
            return f"It goes on where an earlier demo ended, {past} ago."
        if self._begin == self._now:
            return "It begins now."
        return f"First come the last {past}, then what happens now."

    # --- webhooks ---

    def _deliveries(self, world: Simulation, records: ApiRecords) -> Iterator[NetworkDelivery]:
        """All webhooks that arrive; those of the past are due at once."""
        end = None if self._plan.seconds is None else self._now + self._plan.seconds * 1_000
        happened = takewhile(lambda body: end is None or body["data"]["createdTime"] < end, world)
        fates = self._totals.fates
        arriving = disturb(with_records(happened, records), **FATES, seed=DEMO_SEED, counters=fates)
        every_ms = round(self._plan.storm_every * 1_000)
        for delivery in storms(
            arriving,
            start_ms=self._now,
            every_ms=every_ms,
            hold_ms=min(STORM_HOLDS_MS, every_ms // 2),
            seed=DEMO_SEED,
            counters=fates,
        ):
            if delivery.due_ms > self._now:
                self._is_history_sent.set()
            yield delivery._replace(due_ms=max(delivery.due_ms, self._now))
        self._is_history_sent.set()

    def _progress(self, totals: SendTotals) -> None:
        """Say now and then what happens; while the service is away, once that it is."""
        self._totals.sent = totals
        now = now_ms()
        if now < self._line_due:
            return
        self._line_due = now + (ASK_AGAIN_MS if self._is_away else LINE_EVERY_MS)
        try:
            line = self._line(totals)
        except ServiceSilent as silent:
            if not self._is_away:
                self._say(f"{silent} The demo waits until it is back.")
            self._is_away = True
            return
        if self._is_away:
            self._is_away = False
            hold_alone(self._sole, self._url)
            self._say("The service is back, and gets what has happened meanwhile.")
        self._say(line)

    def _line(self, totals: SendTotals) -> str:
        """What there is to say now. Raises ServiceSilent."""
        organisation = {"orgId": SIMULATED_ORG_ID}
        summary = self._client.get("/api/v1/summary", "tasks", organisation)
        if not self._is_history_sent.is_set():
            return f"{counted(totals.sent, 'webhook')} of the past sent"
        agents = self._client.rows("/api/v1/agents", organisation | {"loggedIn": "true"})
        own = [it for it in agents if it["agentId"] in self._own_agents]
        return self._totals.line(own, summary["tasks"])

    def _last_news(self) -> int:
        """When the agents of an earlier demo did something last, in epoch ms; else 0.

        Where one has ended just now, the views have its last events once they have the whole log.
        """
        head = self._client.get("/api/v1/status", "head")["head"]["position"]
        agents = self._client.rows("/api/v1/agents", {"orgId": SIMULATED_ORG_ID}, after=head)
        events = [it["lastEvent"] for it in agents if it["lastEvent"]]
        return max((it["createdTime"] or 0 for it in events), default=0)

    # --- reconciliations ---

    def _reconcile(self, reconciliations: DemoReconciliations, first: ClaimedJob) -> None:
        """Reconcile the past once it is sent, and then what has happened since."""
        while not self._is_history_sent.wait(0.2):
            if self._stop.is_set():
                reconciliations.give_up(first)
                return
        reconciliations.go_on(first, self._now, self._plan.reconcile_every)

    def _end(self, thread: threading.Thread) -> None:
        self._stop.set()
        thread.join(JOIN_SECONDS)

    def _say(self, sentence: str) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        click.echo(f"{time}  {sentence}", err=True)


def _span(ms: int) -> str:
    """A length of time in words, in minutes from two of them on."""
    seconds = round(ms / 1_000)
    if seconds < 120:
        return counted(seconds, "second")
    return counted(round(seconds / 60), "minute")


def _with_vendor(settings: Settings, root: str, folder: Path) -> Settings:
    """The same settings with the stand-in at a root as the vendor; its tokens go to a folder."""
    return settings.model_copy(
        update={
            "data_dir": folder,
            "webex_api": root,
            "webex_oauth": root,
            "webex_org_id": None,
            "webex_client_id": CLIENT_ID,
            "webex_client_secret": CLIENT_SECRET,
            "webex_refresh_token": REFRESH_TOKEN,
        }
    )
