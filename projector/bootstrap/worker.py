"""The parts of the worker's process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Event

from projector.contract.thresholds import AgentThreshold, QueueThreshold
from projector.event_log.store import EventStore
from projector.infrastructure.database import Pool
from projector.infrastructure.settings import Settings
from projector.operations.alerts.loop import AlertLoop
from projector.operations.alerts.posting import AlertPosting
from projector.operations.alerts.receiver import AlertReceiver
from projector.operations.alerts.watch import AlertWatch
from projector.operations.configured_names import ConfiguredNames
from projector.operations.job_queue import JobQueue
from projector.operations.names import NameStore
from projector.operations.own_jobs import OwnJobs
from projector.operations.reconciliation.coverage import covered_windows
from projector.operations.reconciliation.daily_schedule import DailySchedule
from projector.operations.reconciliation.run import Reconciler
from projector.operations.reconciliation.subscription_watch import SubscriptionWatch
from projector.operations.replay.run import Replayer
from projector.operations.worker import JobHandlers, Worker
from projector.projection.arrival_delays import ArrivalDelays
from projector.query.alerts.current_alerts import Alerts
from projector.query.alerts.thresholds import ThresholdReader
from projector.query.current_views import Views
from projector.webex.api_client import SHORT_TIMEOUT, SHORT_WAIT_SECONDS, ApiClient
from projector.webex.credential_store import has_credentials
from projector.webex.credentials import Credentials
from projector.webex.webhook_secrets import WebhookSecrets

WATCH_TRIES = 2


def build_worker(settings: Settings, pool: Pool, database_url: str) -> Worker:
    """What does the jobs, and between them what the schedule asks for."""
    handlers = job_handlers(settings, pool, EventStore(pool), database_url)
    schedule = DailySchedule(JobQueue(pool), pool, settings)
    watch = SubscriptionWatch(pool, partial(_watch_client, settings), WebhookSecrets(settings))
    names = configured_names(settings, pool)

    def between() -> None:
        schedule.request_if_due()
        watch.check_if_due()
        names.refresh_if_due()

    return Worker(pool, database_url, handlers, between=between)


def build_alert_loop(
    settings: Settings, pool: Pool, from_file: Sequence[AgentThreshold | QueueThreshold]
) -> AlertLoop | None:
    """What posts alerts; None where no address is set. ``from_file``: the file's thresholds."""
    receiver = alert_receiver(settings)
    if receiver is None:
        return None
    alerts = Alerts(pool, ThresholdReader(pool, from_file))
    return AlertLoop(AlertWatch(pool, alerts), AlertPosting(pool, receiver))


def alert_receiver(settings: Settings) -> AlertReceiver | None:
    """The operator's address for alerts; None where none is set."""
    if settings.alert_url is None or settings.alert_secret is None:
        return None
    return AlertReceiver(settings.alert_url, settings.alert_secret)


def build_own_jobs(
    settings: Settings, pool: Pool, database_url: str, name: str, stop: Event
) -> OwnJobs:
    """What does jobs in the process that asks for them, beside the service's worker."""
    handlers = job_handlers(settings, pool, EventStore(pool), database_url)
    return OwnJobs(JobQueue(pool), handlers, name=name, stop=stop)


def job_handlers(settings: Settings, pool: Pool, store: EventStore, url: str) -> JobHandlers:
    """What works on a job, by its kind."""
    views = Views(
        pool, ArrivalDelays(pool, settings.settled_quantile, windows=partial(covered_windows, pool))
    )
    reconciler = Reconciler(
        pool=pool,
        store=store,
        connect=partial(_api_client, settings),
        views_position=views.position,
        name_store=NameStore(pool),
    )
    return {"replay": Replayer(pool, store, url=url).run, "reconciliation": reconciler.run}


def configured_names(settings: Settings, pool: Pool) -> ConfiguredNames:
    """What keeps the names of the vendor's configuration."""
    return ConfiguredNames(NameStore(pool), partial(_watch_client, settings))


def _api_client(settings: Settings) -> ApiClient:
    return ApiClient(settings.vendor_root, Credentials(settings))


def _watch_client(settings: Settings) -> ApiClient | None:
    """A client that gives up soon, since no job waits for it; None without credentials."""
    if not has_credentials(settings):
        return None
    return ApiClient(
        settings.vendor_root,
        Credentials(settings, tries=WATCH_TRIES),
        tries=WATCH_TRIES,
        timeout=SHORT_TIMEOUT,
        longest_wait=SHORT_WAIT_SECONDS,
    )
