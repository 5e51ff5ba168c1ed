"""Metrics, as Prometheus reads them: how far behind, how many, and who is silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry
from pydantic import RootModel

from api.http import freshness
from api.http.parameters import Query, read_query
from api.http.routing import ROUTES, Route
from api.service import service
from projector.query.status import StatusShape

blueprint = Blueprint("metrics", __name__)


class Metrics:
    """What the status says, in the words of Prometheus."""

    def __init__(self, status: StatusShape) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield _gauge("log_position", "Last position of the log", {"": status.head.position})
        by_projection = {it.name: it for it in status.projections}
        for name, about, field in (
            ("projection_lag_events", "Events not folded yet", "lag_events"),
            ("projection_lag_seconds", "Seconds behind the log", "lag_seconds"),
            ("projection_parked", "Subjects that wait", "parked"),
            ("projection_skipped", "Events neither folded nor waiting: a defect", "skipped"),
        ):
            values = {key: getattr(it, field) for key, it in by_projection.items()}
            yield _gauge(name, about, values, "projection")
        yield _gauge("ledger_rows", "Rows of the ledgers", status.ledgers.model_dump(), "ledger")
        refused = CounterMetricFamily("projector_refused", "Deliveries refused", labels=["reason"])
        for reason, count in status.refused.items():
            refused.add_metric([reason], count)
        yield refused
        yield from self._subscriptions()

    def _subscriptions(self) -> Iterator[Metric]:
        found = {it.id: it for it in self._status.subscriptions}
        silent = {key: (it.silent_ms or 0) / 1_000 for key, it in found.items() if it.silent_ms}
        expected = {key: it.expected for key, it in found.items()}
        no_data = {key: int(it.state == "no-data") for key, it in found.items()}
        label = "subscription"
        yield _gauge("subscription_silent_seconds", "Since it was heard last", silent, label)
        about = "Deliveries to be expected since then"
        yield _gauge("subscription_expected_deliveries", about, expected, label)
        about = "1 where nothing comes though it should"
        yield _gauge("subscription_no_data", about, no_data, label)


def _gauge(
    name: str, about: str, values: Mapping[str, float], label: str | None = None
) -> GaugeMetricFamily:
    """One metric, with a value for each of what the label tells apart."""
    family = GaugeMetricFamily(f"projector_{name}", about, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family


class MetricsText(RootModel[str]):
    """Prometheus's text format."""


ROUTES.append(
    Route(
        method="get",
        path="/metrics",
        summary="How far behind, how many, and who is silent.",
        answers=MetricsText,
        content_type="text/plain",
    )
)


@blueprint.get("/metrics")
def metrics() -> Response:
    read_query(Query)
    freshness.wait_for(freshness.min_position())
    registry = CollectorRegistry()
    registry.register(Metrics(service().status.read()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
