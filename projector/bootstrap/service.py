"""The parts of the web server's process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from projector.domain.metrics import Thresholds
from projector.event_log.delivery_monitor import DeliveryMonitor
from projector.event_log.intake import Intake
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, open_pool
from projector.infrastructure.settings import Settings
from projector.infrastructure.slots import REQUESTS_AT_ONCE, Slots
from projector.infrastructure.tokens import configured_tokens
from projector.operations.audit_trail import AuditTrail
from projector.operations.caller_tokens import CallerTokens
from projector.operations.failed_attempts import FailedAttempts
from projector.operations.job_queue import JobQueue
from projector.operations.names import NameStore
from projector.operations.parked_subjects import ParkedSubjects
from projector.operations.quarantine import Quarantine
from projector.operations.reconciliation.coverage import covered_until, covered_windows
from projector.operations.sessions import CallerSessions
from projector.operations.thresholds import ThresholdStore
from projector.projection.arrival_delays import ArrivalDelays
from projector.query.alerts.current_alerts import Alerts
from projector.query.alerts.threshold_file import file_thresholds
from projector.query.alerts.thresholds import ThresholdReader
from projector.query.as_of.explain import Explainer
from projector.query.as_of.journey import Journeys
from projector.query.as_of.lanes import Lanes
from projector.query.as_of.views import AsOfViews
from projector.query.audit.event_log import LogSearch
from projector.query.audit.ledgers import Ledgers
from projector.query.audit.trail import TrailReader
from projector.query.current_views import Views
from projector.query.figures.differences import Differences
from projector.query.figures.reports import Reports
from projector.query.figures.summary import Summaries
from projector.query.live.changes import Changes
from projector.query.live.streams import Feed
from projector.query.names import Directory
from projector.query.position_watch import PositionWatch
from projector.query.status import Status
from projector.webex.webhook_secrets import WebhookSecrets

SERVICE_CONNECTIONS = 16  # of requests; each export may take another one
INTAKE_CONNECTIONS = 4  # of the committer, the monitor, and of webhooks that ask what is released
EXPORT_RETRY_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Service:
    """All parts that answer a request, one of each for the process."""

    settings: Settings
    tokens: CallerTokens
    failed_attempts: FailedAttempts
    pool: Pool
    intake_pool: Pool
    store: EventStore
    intake: Intake
    monitor: DeliveryMonitor
    delays: ArrivalDelays
    views: Views
    position_watch: PositionWatch
    as_of_views: AsOfViews
    explainer: Explainer
    journeys: Journeys
    lanes: Lanes
    summaries: Summaries
    reports: Reports
    differences: Differences
    log_search: LogSearch
    ledgers: Ledgers
    feed: Feed
    parked_subjects: ParkedSubjects
    quarantine: Quarantine
    directory: Directory
    name_store: NameStore
    sessions: CallerSessions
    threshold_reader: ThresholdReader
    threshold_store: ThresholdStore
    alerts: Alerts
    audit_trail: AuditTrail
    trail_reader: TrailReader
    jobs: JobQueue
    status: Status
    request_slots: Slots
    export_slots: Slots
    stream_slots: Slots

    def close(self) -> None:
        """End the streams, commit what waits, and close the connections."""
        self.feed.close()
        self.position_watch.close()
        self.intake.close()
        self.monitor.close()
        self.intake_pool.close()
        self.pool.close()


def build_service(
    settings: Settings, database_url: str, *, clock: Callable[[], int] = now_ms
) -> Service:
    """Put the parts together over a migrated database; ``clock`` returns epoch ms."""
    from_file = file_thresholds(settings)
    pool = open_pool(
        database_url,
        max_size=SERVICE_CONNECTIONS + settings.exports,
        statement_ms=settings.statement_timeout_ms,
    )
    # Intake waits for nobody who reads.
    intake_pool = open_pool(database_url, max_size=INTAKE_CONNECTIONS)
    store = EventStore(pool, clock=clock)
    webhook_secrets = WebhookSecrets(settings)
    monitor = DeliveryMonitor(intake_pool, webhook_secrets.known_subscriptions, clock=clock)
    intake = Intake(
        EventStore(intake_pool, clock=clock), settings, webhook_secrets, monitor, clock=clock
    )
    delays = ArrivalDelays(pool, settings.settled_quantile, windows=partial(covered_windows, pool))
    views = Views(pool, delays, clock=clock)
    thresholds = Thresholds(
        service_level_ms=settings.service_level_ms, short_abandon_ms=settings.short_abandon_ms
    )
    reports = Reports(pool, store, delays, thresholds=thresholds)
    threshold_reader = ThresholdReader(pool, from_file)
    return Service(
        settings=settings,
        tokens=CallerTokens(pool, configured_tokens(settings), clock=clock),
        failed_attempts=FailedAttempts(),
        pool=pool,
        intake_pool=intake_pool,
        store=store,
        intake=intake,
        monitor=monitor,
        delays=delays,
        views=views,
        position_watch=PositionWatch(views.position),
        as_of_views=AsOfViews(pool, store, views, delays, clock=clock),
        explainer=Explainer(pool, store, delays),
        journeys=Journeys(pool, store),
        lanes=Lanes(pool, store),
        summaries=Summaries(pool, store, delays, thresholds=thresholds),
        reports=reports,
        differences=Differences(pool, reports),
        log_search=LogSearch(pool, store),
        ledgers=Ledgers(pool, store, clock=clock),
        feed=Feed(
            Changes(pool, store, delays, clock=clock), database_url, streams=settings.streams
        ),
        parked_subjects=ParkedSubjects(pool, store),
        quarantine=Quarantine(pool, store, default_org=settings.default_org_id, clock=clock),
        directory=Directory(pool),
        name_store=NameStore(pool, clock=clock),
        sessions=CallerSessions(pool, clock=clock),
        threshold_reader=threshold_reader,
        threshold_store=ThresholdStore(pool, clock=clock),
        alerts=Alerts(pool, threshold_reader, clock=clock),
        audit_trail=AuditTrail(pool, clock=clock),
        trail_reader=TrailReader(pool),
        jobs=JobQueue(pool, clock=clock),
        status=Status(
            pool,
            intake,
            monitor,
            reconciled_up_to=partial(covered_until, pool, settings.webex_org_id, 0),
            own_org_id=settings.webex_org_id,
            clock=clock,
        ),
        request_slots=Slots("requests", REQUESTS_AT_ONCE),
        export_slots=Slots(
            "exports",
            settings.exports,
            per_caller=settings.exports_per_token,
            retry_seconds=EXPORT_RETRY_SECONDS,
        ),
        stream_slots=Slots("streams", settings.streams, per_caller=settings.streams_per_token),
    )
