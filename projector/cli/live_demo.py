"""The demo: a simulated contact centre in motion, for a service that runs on this machine.

Rule: nothing is shown that the service does not do with a real vendor, too. Webhooks go over HTTP.
Names and lost events come from the vendor's APIs, which a stand-in answers on loopback. The service
knows no vendor, so this process does those jobs itself, over the same database.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import click

from projector.bootstrap.worker import build_own_jobs, configured_names
from projector.cli.contact_center import stand_in, with_records
from projector.cli.database import running_database
from projector.cli.service_client import Client, ServiceSilent
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, StoreUnavailable, open_pool
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.migrations import pending
from projector.infrastructure.settings import Settings, is_loopback
from projector.operations.job_queue import ClaimedJob
from projector.operations.own_jobs import OwnJobs
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
WORKER = "demo"
UNDER_WAY_SECONDS = 30.0  # webhooks that are younger may still come
RECONCILED_TWICE_MS = 120_000  # of two windows that are reconciled
LINE_EVERY_MS = 20_000
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


@dataclass(slots=True, kw_only=True)
class LiveTotals:
    """What happened so far."""

    sent: SendTotals = field(default_factory=SendTotals)
    fates: Counter[str] = field(default_factory=Counter)
    reconciliations: int = 0
    reconciled: int = 0  # events that no webhook had brought
    corrections: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.sent.as_dict(),
            **{name: self.fates[name] for name in ("late", "duplicated", "held", "lost")},
            **{
                name: count for name, count in asdict(self).items() if name not in {"sent", "fates"}
            },
        }

    def text(self) -> str:
        return (
            f"{self.sent.sent} webhooks acknowledged, {self._fates()}.\n"
            f"{self.reconciliations} reconciliations appended {self.reconciled} events that no"
            f" webhook had brought, and made {self.corrections} corrections."
        )

    def _fates(self) -> str:
        fates = self.fates
        return (
            f"{fates['duplicated']} of them twice, {fates['late']} late, {fates['held']} held back"
            f" by storms; {fates['lost']} were lost on purpose"
        )

    def line(self, summary: dict[str, Any]) -> str:
        """The floor now, and what was done to its webhooks."""
        agents, tasks = summary["agents"], summary["tasks"]
        resting = sum(agents["byStatus"].get(it, 0) for it in ("idle", "available"))
        return (
            f"{agents['loggedIn']} agents logged in, {agents['loggedIn'] - resting} of them with a"
            f" task; {tasks['open']} tasks open, {tasks['waiting']} waiting. Webhooks:"
            f" {self.sent.sent} sent, {self._fates()}; {self.reconciled} events reconciled"
        )


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
        self._totals = LiveTotals()
        self._line_due = 0

    def play(self) -> LiveTotals:
        """Play until Ctrl-C, or for the seconds of the plan, and return what happened."""
        last = self._last_news()
        self._now = now_ms()
        self._begin = max(self._now - self._plan.history_ms, last + 1)
        world = Simulation(self._plan.agents, DEMO_SEED, start_ms=self._begin)
        records = ApiRecords(world.slots(), world.names())
        with ExitStack() as stack, suppress(KeyboardInterrupt):
            root = stack.enter_context(stand_in(records, a_minute=VENDOR_CALLS_A_MINUTE))
            folder = stack.enter_context(TemporaryDirectory(prefix="projector-demo-"))
            settings = _with_vendor(self._settings, root, Path(folder))
            database_url = running_database(self._settings)
            pool = stack.enter_context(closing(open_pool(database_url, max_size=DEMO_CONNECTIONS)))
            jobs = self._own_jobs(settings, pool, database_url)
            first = self._first_job(jobs)
            configured_names(settings, pool).refresh()
            minutes = (self._now - self._begin) // 60_000
            self._say(
                f"{self._plan.agents} people; the stand-in for the vendor is at {root}. First come"
                f" the last {minutes} minutes, then what happens now. Ctrl-C ends it."
            )
            thread = threading.Thread(target=self._reconcile, args=(jobs, first), daemon=True)
            thread.start()
            stack.callback(self._end, thread)
            self._totals.sent = send(
                self._deliveries(world, records),
                self._url,
                rate=HISTORY_RATE,
                start_ms=self._now,
                progress=self._progress,
            )
        return self._totals

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
        """Say now and then what happens."""
        self._totals.sent = totals
        now = now_ms()
        if now < self._line_due:
            return
        self._line_due = now + LINE_EVERY_MS
        if not self._is_history_sent.is_set():
            self._say(f"{totals.sent} webhooks of the past sent")
            return
        try:
            summary = self._client.get("/api/v1/summary", "agents", {"orgId": SIMULATED_ORG_ID})
        except ServiceSilent as silent:
            self._say(str(silent))
        else:
            self._say(self._totals.line(summary))

    def _last_news(self) -> int:
        """When the agents of an earlier demo did something last, in epoch ms; else 0."""
        agents = self._client.rows("/api/v1/agents", {"orgId": SIMULATED_ORG_ID})
        events = [it["lastEvent"] for it in agents if it["lastEvent"]]
        return max((it["createdTime"] or 0 for it in events), default=0)

    # --- reconciliations ---

    def _own_jobs(self, settings: Settings, pool: Pool, database_url: str) -> OwnJobs:
        try:
            if pending(database_url):
                raise ProjectorError(f"{self._elsewhere}.")
            return build_own_jobs(settings, pool, database_url, WORKER, self._stop)
        except StoreUnavailable as error:
            raise ProjectorError(f"{self._elsewhere} ({error})") from None

    def _first_job(self, jobs: OwnJobs) -> ClaimedJob:
        """The reconciliation of the past, once it is sure that the service has this database."""
        job = self._begin_job(jobs, self._begin, self._now)
        try:
            shown = self._client.get(f"/api/v1/reconciliations/{job.job.id}", "createdTime")
        except ServiceSilent:
            shown = {}
        if job.job.created_time != shown.get("createdTime"):
            jobs.give_up(job)
            raise ProjectorError(f"{self._elsewhere}.")
        return job

    @property
    def _elsewhere(self) -> str:
        return (
            f"The service at {self._url} works on another database than this command: give it the"
            " same DATABASE_URL or PROJECTOR_DATA_DIR"
        )

    def _begin_job(self, jobs: OwnJobs, start: int, end: int) -> ClaimedJob:
        parameters = {
            "from": start,
            "to": end,
            "agentIds": [],
            "dryRun": False,
            "orgIds": [SIMULATED_ORG_ID],
        }
        return jobs.begin("reconciliation", parameters, why="The demo looks for what was lost.")

    def _reconcile(self, jobs: OwnJobs, first: ClaimedJob) -> None:
        """Reconcile the past, and then every few minutes what has happened since."""
        every = self._plan.reconcile_every
        under_way_ms = round(min(UNDER_WAY_SECONDS, every) * 1_000)
        while not self._is_history_sent.wait(0.2):
            if self._stop.is_set():
                jobs.give_up(first)
                return
        job, since = first, self._now
        while True:
            try:
                self._told(jobs.do(job).report)
                if self._stop.wait(every):
                    return
                until = now_ms() - under_way_ms
                job = self._begin_job(jobs, since - RECONCILED_TWICE_MS, until)
                since = until
            except ProjectorError as error:
                self._say(f"the reconciliation has to wait: {error}")
                if self._stop.wait(every):
                    return

    def _told(self, report: dict[str, Any]) -> None:
        appended = sum(it["appended"] for it in report.get("sources", {}).values())
        corrections = report.get("correctionsMade") or 0
        totals = self._totals
        totals.reconciliations += 1
        totals.reconciled += appended
        totals.corrections += corrections
        self._say(
            f"A reconciliation appended {appended} events that no webhook had brought:"
            f" {corrections} corrections; verdict: {report.get('verdict')}"
        )

    def _end(self, thread: threading.Thread) -> None:
        self._stop.set()
        thread.join(JOIN_SECONDS)

    def _say(self, sentence: str) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        click.echo(f"{time}  {sentence}", err=True)


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
