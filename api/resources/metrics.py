"""The status as metrics of Prometheus: lag, counts, and the silence of subscriptions.

Rule: a label is a text of others. Its control characters are escaped, so that none begins a line.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from flask import Blueprint, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry
from pydantic import RootModel

from api.auth.openness import may_name_subscriptions
from api.http.routing import Route
from api.service import service
from projector.contract.alerts import AlertCounts
from projector.contract.status import HeardState, StatusShape
from projector.infrastructure.slots import Slots
from projector.projection.partitions import OtherFold
from projector.query.scope import EVERYTHING

blueprint = Blueprint("metrics", __name__)


class StatusCollector:
    """Collects the metrics of one status, of slots, and of the alerts where they are known.

    Subscriptions have metrics of their own where ``names_subscriptions`` says so.
    """

    def __init__(
        self,
        status: StatusShape,
        alerts: AlertCounts | None,
        slots: Sequence[Slots],
        *,
        names_subscriptions: bool,
    ) -> None:
        self._status = status
        self._alerts = alerts
        self._slots = slots
        self._names_subscriptions = names_subscriptions

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
            refused.add_metric([escaped(reason)], count)
        yield refused
        taken = {it.name: it.taken for it in self._slots}
        yield _gauge("slots_taken", "What is under way", taken, "kind")
        refused_slots = CounterMetricFamily(
            "projector_slots_refused",
            "Refused, since as many were under way",
            labels=["kind"],
        )
        for slots in self._slots:
            refused_slots.add_metric([slots.name], slots.refused)
        yield refused_slots
        if self._alerts is not None:
            yield _gauge("alerts", "Open alerts", self._alerts.model_dump(), "level")
        about = "Posts of alerts that wait, or were given up"
        yield _gauge("alert_posts", about, status.alert_posts.model_dump(), "state")
        states = dict.fromkeys(get_args(HeardState), 0) | Counter(
            it.state for it in status.subscriptions
        )
        yield _gauge("subscriptions", "Subscriptions", states, "state")
        if self._names_subscriptions:
            yield from self._subscriptions()

    def _subscriptions(self) -> Iterator[Metric]:
        by_id = {it.id: it for it in self._status.subscriptions}
        silent = {key: (it.silent_ms or 0) / 1_000 for key, it in by_id.items() if it.silent_ms}
        expected = {key: it.expected for key, it in by_id.items()}
        no_data = {key: int(it.state == "no-data") for key, it in by_id.items()}
        label = "subscription"
        yield _gauge("subscription_silent_seconds", "Since it was heard last", silent, label)
        about = "Deliveries to be expected since then"
        yield _gauge("subscription_expected_deliveries", about, expected, label)
        about = "1 where nothing comes though it should"
        yield _gauge("subscription_no_data", about, no_data, label)


def _gauge(
    name: str, about: str, values: Mapping[str, float], label: str | None = None
) -> GaugeMetricFamily:
    """One metric, with a value for each value of its label."""
    family = GaugeMetricFamily(f"projector_{name}", about, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([escaped(key)] if label else [], value)
    return family


def escaped(label: str) -> str:
    """The value of a label without control characters; no two values become one."""
    return "".join(
        character.encode("unicode_escape").decode()
        if character == "\\" or unicodedata.category(character) in _BREAKING
        else character
        for character in label
    )


_BREAKING = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, separators of lines


class MetricsText(RootModel[str]):
    """Prometheus's text format."""


@Route(
    blueprint,
    "get",
    "/metrics",
    role=None,
    summary="Lag, counts and silent subscriptions, for Prometheus.",
    answers=MetricsText,
    content_type="text/plain",
)
def metrics() -> Response:
    registry = CollectorRegistry()
    it = service()
    registry.register(
        StatusCollector(
            it.status.read(EVERYTHING),
            _alerts(),
            (it.request_slots, it.export_slots, it.stream_slots),
            names_subscriptions=may_name_subscriptions(),
        )
    )
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _alerts() -> AlertCounts | None:
    """How many alerts there are; null as long as the views cannot be read."""
    try:
        return service().alerts.count(EVERYTHING)
    except OtherFold:
        return None
