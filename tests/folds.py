"""The life of one subject, given by a few bodies and folded in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projector.domain.events import Origin, Recorded
from projector.domain.fold import AnomalyKind, Fold, fold
from projector.projection.read_models import Table
from tests.examples import ORG, RECORDED, Body, at, story
from tests.laws.memory import MemoryLog


def ordered(table: Table[Any], *bodies: Body, fetched: Sequence[Body] = ()) -> list[Recorded]:
    """The events of the one subject; ``fetched`` are bodies that reconciliation brings, last."""
    log = MemoryLog()
    for index, body in enumerate(story(*bodies, *fetched)):
        origin = Origin.WEBHOOK if index < len(bodies) else Origin.RECONCILIATION
        log.deliver(body, RECORDED, origin)
    (events,) = log.of(table).values()
    return events


def folded(
    table: Table[Any], *bodies: Body, fetched: Sequence[Body] = (), until: int = 0
) -> Fold[Any]:
    """The fold of it as of ``until`` milliseconds after dawn."""
    return fold(table.fresh(), ordered(table, *bodies, fetched=fetched)).advance_to(at(until))


def kinds(result: Fold[Any]) -> list[AnomalyKind]:
    """The kinds of the anomalies, in order; those that stand in the state are last."""
    return [anomaly.kind for anomaly in result.all_anomalies()]


def view(table: Table[Any], result: Fold[Any]) -> dict[str, Any]:
    """The view as the API shows it."""
    schema = table.view(ORG, "it", result.state, settled=False)
    return dict(schema.model_dump(by_alias=True))
