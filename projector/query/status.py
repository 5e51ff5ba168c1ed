"""The status: how far projections are, what subscriptions bring, and what protects the log.

Rule: what belongs to an organisation is told to whom the organisation is: subscriptions, parked
subjects and the ledgers. How far the service is, is told to everybody. Of the organisations of
subscriptions only this is known: those that the service keeps at the vendor are of its own one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from psycopg import sql
from psycopg.abc import QueryNoTemplate as Query
from psycopg.rows import DictRow

from projector import __version__
from projector.contract.alerts import AlertPosts
from projector.contract.status import (
    HeadShape,
    LedgersShape,
    PartitionShape,
    ProjectionShape,
    StatusShape,
    SubscriptionShape,
)
from projector.domain.events import BUCKETS_PER_PARTITION
from projector.event_log.delivery_monitor import DeliveryMonitor
from projector.event_log.intake import Intake
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import SERVICE_ROLE, Pool, consistent_read, translated
from projector.query.own_fold import other_fold
from projector.query.scope import EVERYTHING, Scope

READY_WITHIN_SECONDS = 30.0


class Status:
    """Reads the status from the database and from this process.

    ``reconciled_up_to`` returns up to when whole reconciliations cover (epoch ms), or null.
    ``own_org_id`` is the organisation whose subscriptions the service keeps at the vendor.
    """

    def __init__(  # noqa: PLR0913 - where the status is read, and whose it is
        self,
        pool: Pool,
        intake: Intake,
        monitor: DeliveryMonitor,
        *,
        reconciled_up_to: Callable[[], int | None],
        own_org_id: str | None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._pool = pool
        self._intake = intake
        self._monitor = monitor
        self._reconciled_up_to = reconciled_up_to
        self._own_org_id = own_org_id
        self._clock = clock

    def read(self, scope: Scope) -> StatusShape:
        """The status as far as it is of the scope's organisations.

        Raises StoreUnavailable where the database does not answer.
        """
        head, projections = self._progress(scope)
        return StatusShape(
            head=head,
            projections=projections,
            subscriptions=self._subscriptions(scope),
            ledgers=self._ledger_sizes(scope),
            alert_posts=self.alert_posts(scope),
            reconciled_up_to=self._reconciled_up_to(),
            refused=dict(self._intake.refused),
            log_protected_by=self._protections(),
            versions=self._versions(),
        )

    def alert_posts(self, scope: Scope) -> AlertPosts:
        """How many posts of alerts wait, and how many were given up.

        For a scope of some teams those of their agents count: the alert of a queue has no team.
        """
        query = _ALERT_POSTS.format(
            organisations=scope.organisations(),
            teams=sql.SQL("TRUE" if scope.team_ids is None else "team_id = ANY(%(teams)s)"),
        )
        return AlertPosts.model_validate(self._one(query, scope.parameters))

    def unready(self) -> list[str]:
        """Why the service should get no traffic, a sentence each; empty when it is ready."""
        with consistent_read(self._pool) as cur:
            reason = other_fold(cur)
        if reason is not None:
            return [reason]
        _, projections = self._progress(EVERYTHING)
        return [
            f"the projection {projection.name} is {projection.lag_seconds:.0f} s behind the log"
            for projection in projections
            if projection.lag_seconds > READY_WITHIN_SECONDS
        ]

    def _progress(self, scope: Scope) -> tuple[HeadShape, list[ProjectionShape]]:
        query = _PROJECTION_PROGRESS.format(
            width=BUCKETS_PER_PARTITION, organisations=scope.organisations()
        )
        rows = self._all(query, scope.parameters)
        now = self._clock()
        head = HeadShape(position=rows[0]["head"], recorded_time=rows[0]["head_time"])
        return head, [
            ProjectionShape(
                name=row["name"],
                position=row["position"],
                lag_events=row["head"] - row["position"],
                lag_seconds=max(0, now - row["waits_since"]) / 1000 if row["waits_since"] else 0.0,
                stored=row["stored"],
                projected=row["projected"],
                waiting=row["waiting"],
                skipped=row["stored"] - row["projected"] - row["waiting"],
                skipped_buckets=row["skipped_buckets"],
                parked=row["parked"],
                partitions=[
                    PartitionShape(
                        partition=partition, position=position, lag_events=row["head"] - position
                    )
                    for partition, position in enumerate(row["positions"])
                ],
            )
            for row in rows
        ]

    def warnings(self, *, named: bool) -> list[str]:
        """Which subscriptions bring nothing though they should, a sentence each.

        Without names, how many there are. The service itself can do nothing about it.
        """
        silent = [it for it in self._monitor.silences() if it.state == "no-data"]
        if silent and not named:
            return [f"{len(silent)} of the subscriptions are silent, though they should not be"]
        return [
            f"the subscription {it.id} is silent, though {it.expected:.0f} deliveries were expected"
            for it in silent
        ]

    def _ledger_sizes(self, scope: Scope) -> LedgersShape:
        query, parameters = _LEDGER_SIZES, {"now": self._clock()}
        if scope.org_ids is not None:
            query = _LEDGER_SIZES_OF_ORGANISATIONS
        return LedgersShape.model_validate(self._one(query, scope.parameters | parameters))

    def _subscriptions(self, scope: Scope) -> list[SubscriptionShape]:
        now = self._clock()
        rows = self._all("SELECT id, status FROM subscriptions")
        vendor_status = {row["id"]: row["status"] for row in rows}
        own = self._own_org_id is not None and scope.covers_organisation(self._own_org_id)
        return [
            SubscriptionShape(
                id=it.id,
                last_heard_time=it.last_time,
                silent_ms=None if it.last_time is None else now - it.last_time,
                state=it.state,
                expected=it.expected,
                vendor_status=vendor_status.get(it.id),
            )
            for it in self._monitor.silences()
            if scope.org_ids is None or (own and it.id in vendor_status)
        ]

    def _protections(self) -> list[str]:
        row = self._one(_PROTECTIONS)
        grants = ["grants"] if row["name"] == SERVICE_ROLE else []
        return [*grants, "trigger"] if row["triggers"] else grants

    def _versions(self) -> dict[str, str]:
        row = self._one("SHOW server_version")
        return {
            "projector": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "postgresql": str(row["server_version"]).split()[0],
            "eventsourcing": version("eventsourcing"),
        }

    def _all(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, parameters).fetchall()

    def _one(self, query: Query, parameters: Mapping[str, Any] | None = None) -> DictRow:
        return self._all(query, parameters)[0]


# Positions have no holes, so the event that a projection waits for is the one after its position.
_PROJECTION_PROGRESS = sql.SQL("""
    WITH head AS (
        SELECT position, recorded_time FROM log
        ORDER BY position DESC LIMIT 1
    ), furthest_behind AS (
        SELECT name, min(position) AS position,
            array_agg(position ORDER BY partition) AS positions
        FROM projections GROUP BY name
    ), waiting AS (
        SELECT p.kind, p.bucket, sum(e.events)::bigint AS events
        FROM parked p JOIN projections l ON l.partition = p.bucket / {width}
        CROSS JOIN LATERAL (
            SELECT count(*) AS events FROM log
            WHERE p.kind = 'agents' AND org_id = p.org_id AND agent_id = p.id
                AND agent_bucket = p.bucket AND log.position BETWEEN p.position AND l.position
            UNION ALL
            SELECT count(*) FROM log
            WHERE p.kind = 'tasks' AND org_id = p.org_id AND task_id = p.id
                AND task_bucket = p.bucket AND log.position BETWEEN p.position AND l.position
        ) AS e
        GROUP BY p.kind, p.bucket
    ), counts AS (
        SELECT c.name, sum(c.stored)::bigint AS stored, sum(c.projected)::bigint AS projected,
            coalesce(sum(w.events), 0)::bigint AS waiting,
            coalesce(array_agg(c.kind || ' ' || c.bucket ORDER BY c.kind, c.bucket)
                FILTER (WHERE c.stored <> c.projected + coalesce(w.events, 0)), '{{}}')
                AS skipped_buckets
        FROM bucket_counts c LEFT JOIN waiting w ON w.kind = c.kind AND w.bucket = c.bucket
        GROUP BY c.name
    )
    SELECT p.name, p.position, p.positions, coalesce(h.position, 0) AS head,
        h.recorded_time AS head_time,
        (SELECT e.recorded_time FROM log e WHERE e.position = p.position + 1)
            AS waits_since,
        c.stored, c.projected, c.waiting, c.skipped_buckets,
        (SELECT count(*) FROM parked WHERE {organisations}) AS parked
    FROM furthest_behind p JOIN counts c ON c.name = p.name LEFT JOIN head h ON true
    ORDER BY p.name
""")
_LEDGER_SIZES = sql.SQL("""
    SELECT l.*, c.*
    FROM (
        SELECT coalesce(sum(count) FILTER (WHERE ledger = 'duplicates'), 0)::bigint AS duplicates,
            coalesce(sum(count) FILTER (WHERE ledger = 'conflicts'), 0)::bigint AS conflicts,
            coalesce(sum(count) FILTER (WHERE ledger = 'quarantine'), 0)::bigint AS quarantine
        FROM ledger_counts
    ) AS l, (
        SELECT coalesce(sum(anomalies), 0)::bigint + (
                SELECT count(*) FROM (
                    SELECT anomaly_time, later_anomalies FROM agents WHERE anomaly_time <= %(now)s
                    UNION ALL
                    SELECT anomaly_time, later_anomalies FROM tasks WHERE anomaly_time <= %(now)s
                ) AS v, jsonb_array_elements(v.later_anomalies) AS it
                WHERE (it->>'to')::bigint <= %(now)s
            ) AS anomalies,
            coalesce(sum(corrections), 0)::bigint AS corrections
        FROM bucket_counts
    ) AS c
""")
# No counter is kept for each organisation, so rows are counted, by their indexes.
_LEDGER_SIZES_OF_ORGANISATIONS = sql.SQL("""
    SELECT (SELECT count(*) FROM duplicates WHERE org_id = ANY(%(orgs)s)) AS duplicates,
        (
            SELECT count(*) FROM conflicts WHERE org_id = ANY(%(orgs)s) AND kind = 'conflict'
        ) AS conflicts,
        0 AS quarantine,
        (SELECT count(*) FROM agent_corrections WHERE org_id = ANY(%(orgs)s))
            + (SELECT count(*) FROM task_corrections WHERE org_id = ANY(%(orgs)s)) AS corrections,
        (SELECT count(*) FROM agent_anomalies WHERE org_id = ANY(%(orgs)s))
            + (SELECT count(*) FROM task_anomalies WHERE org_id = ANY(%(orgs)s))
            + (
                SELECT count(*) FROM (
                    SELECT org_id, anomaly_time, later_anomalies FROM agents
                    UNION ALL
                    SELECT org_id, anomaly_time, later_anomalies FROM tasks
                ) AS v, jsonb_array_elements(v.later_anomalies) AS it
                WHERE v.org_id = ANY(%(orgs)s) AND v.anomaly_time <= %(now)s
                    AND (it->>'to')::bigint <= %(now)s
            ) AS anomalies
""")
_ALERT_POSTS = sql.SQL("""
    SELECT count(*) FILTER (WHERE failed_time IS NULL) AS pending,
        count(*) FILTER (WHERE failed_time IS NOT NULL) AS failed
    FROM (
        SELECT failed_time, data->>'orgId' AS org_id, data->>'teamId' AS team_id
        FROM alert_posts CROSS JOIN LATERAL (SELECT body::json->'data' AS data) AS b
    ) AS p
    WHERE {organisations} AND {teams}
""")
_PROTECTIONS = sql.SQL("""
    SELECT current_user AS name, EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = 'events'::regclass AND tgname = 'immutable' AND tgenabled = 'O'
    ) AS triggers
""")
