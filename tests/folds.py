"""One subject's life, told in a few bodies and folded in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projector.domain.events import Origin, Recorded
from projector.domain.fold import AnomalyKind, Fold, fold
from projector.projection.read_models import Table
from tests.examples import ORG, RECORDED, Body, at, story
from tests.laws.memory import MemoryLog


def ordered(table: Table[Any], *bodies: Body, fetched: Sequence[Body] = ()) -> list[Recorded]:
    """The events of the one subject; ``fetched`` are those that reconciliation told, last."""
    log = MemoryLog()
    for place, body in enumerate(story(*bodies, *fetched)):
        told = Origin.WEBHOOK if place < len(bodies) else Origin.RECONCILIATION
        log.deliver(body, RECORDED, told)
    (events,) = log.of(table).values()
    return events


def folded(
    table: Table[Any], *bodies: Body, fetched: Sequence[Body] = (), until: int = 0
) -> Fold[Any]:
    """What the fold tells of it ``until`` milliseconds after dawn."""
    return fold(table.fresh(), ordered(table, *bodies, fetched=fetched)).advance_to(at(until))


def kinds(told: Fold[Any]) -> list[AnomalyKind]:
    """What was not expected, in order; last what time alone has shown to be missing."""
    found = [*told.anomalies, told.state.deadline_anomaly()]
    return [anomaly.kind for anomaly in found if anomaly is not None]


def view(table: Table[Any], told: Fold[Any]) -> dict[str, Any]:
    """What a reader gets."""
    shape = table.view(ORG, "it", told.state, settled=False)
    return dict(shape.model_dump(by_alias=True))
