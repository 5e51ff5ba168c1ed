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
from projector.infrastructure.settings import Settings, Token
from projector.infrastructure.tokens import local_tokens, token_digest
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

SERVICE_CONNECTIONS = 16


@dataclass(frozen=True, kw_only=True)
class Service:
    """All parts that answer a request, one of each for the process."""

    settings: Settings
    # By SHA-256 of the token, so that the time of a look-up reveals nothing.
    tokens: dict[bytes, Token]
    pool: Pool
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
    jobs: JobQueue
    status: Status

    def token(self, text: str) -> Token | None:
        return self.tokens.get(token_digest(text))

    def close(self) -> None:
        """End the streams, commit what waits, and close the connections."""
        self.feed.close()
        self.position_watch.close()
        self.intake.close()
        self.monitor.close()
        self.pool.close()


def build_service(
    settings: Settings, database_url: str, *, clock: Callable[[], int] = now_ms
) -> Service:
    """Put the parts together over a migrated database; ``clock`` returns epoch ms."""
    from_file = file_thresholds(settings)
    pool = open_pool(database_url, max_size=SERVICE_CONNECTIONS)
    store = EventStore(pool, clock=clock)
    webhook_secrets = WebhookSecrets(settings)
    monitor = DeliveryMonitor(pool, webhook_secrets.known_subscriptions, clock=clock)
    intake = Intake(store, settings, webhook_secrets, monitor, clock=clock)
    delays = ArrivalDelays(pool, settings.settled_quantile, windows=partial(covered_windows, pool))
    views = Views(pool, delays, clock=clock)
    tokens = local_tokens(settings) or settings.tokens
    thresholds = Thresholds(
        service_level_ms=settings.service_level_ms, short_abandon_ms=settings.short_abandon_ms
    )
    reports = Reports(pool, store, delays, thresholds=thresholds)
    threshold_reader = ThresholdReader(pool, from_file)
    return Service(
        settings=settings,
        tokens={token_digest(token.token): token for token in tokens},
        pool=pool,
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
        ledgers=Ledgers(pool, clock=clock),
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
        jobs=JobQueue(pool, clock=clock),
        status=Status(
            pool,
            intake,
            monitor,
            reconciled_up_to=partial(covered_until, pool, settings.webex_org_id, 0),
            clock=clock,
        ),
    )
