"""The pure core over a log in memory, which accepts deliveries as the store does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from projector.contract.intervals import interval_rows
from projector.domain.events import Offered, Origin, Recorded, TimeSource
from projector.domain.fold import fold
from projector.projection.read_models import TABLES, Table
from projector.webex.json_body import read_delivery
from projector.webex.webhook import judge, read_event

# These may differ between two logs with the same set of events, or the oracle does not know them.
# The reference of facts knows since when a customer waits.
OWN_FIELDS = {"settled", "anomalyCount", "waitingSince"}
OWN_LAST_EVENT_FIELDS = {"position", "recordedTime"}

Answers = dict[str, Any]  # of views and intervals by (organisation, id), and the anomalies


class MemoryLog:
    """Accepts deliveries as the store does: the first event with a key stays."""

    def __init__(self) -> None:
        self.events: dict[Any, Recorded] = {}
        self.request_position = 0

    def begin_request(self) -> None:
        """Begin a request: what is delivered from here on belongs to it."""
        self.request_position = len(self.events) + 1

    def deliver(self, body: Any, recorded: int, origin: Origin = Origin.WEBHOOK) -> None:
        for own, element in read_delivery(json.dumps(body).encode()).elements:
            offered = judge(own, element, now=recorded, default_org=None)
            if isinstance(offered, Offered) and offered.key not in self.events:
                self.events[offered.key] = self._record(offered, recorded, origin)

    def _record(self, offered: Offered, recorded: int, origin: Origin) -> Recorded:
        time, source = offered.created, TimeSource.CREATED
        if time is None:
            time, source = offered.dispatched, TimeSource.DISPATCHED
        if time is None:
            time, source = recorded, TimeSource.RECORDED
        return Recorded(
            event=read_event(offered.body, offered.event.org_id),
            position=len(self.events) + 1,
            time=time,
            time_source=source,
            created=offered.created,
            recorded_time=recorded,
            origin=origin,
            request_position=self.request_position,
        )

    def of(self, table: Table[Any]) -> dict[tuple[str, str], list[Recorded]]:
        """The events of each subject, in their order."""
        subjects: dict[tuple[str, str], list[Recorded]] = {}
        for recorded in sorted(self.events.values(), key=lambda it: it.order):
            if (subject := table.subject_of(recorded.event)) is not None:
                subjects.setdefault((recorded.event.org_id, subject), []).append(recorded)
        return subjects


def answers(log: MemoryLog, now: int) -> Answers:
    """All views, intervals and anomalies at a time (epoch ms), as the API shows them."""
    result: Answers = {"anomalies": []}
    for table in TABLES:
        folds = {
            key: fold(table.fresh(), events).advance_to(now)
            for key, events in log.of(table).items()
        }
        result[table.name] = {
            key: comparable(table.view(*key, it.state, settled=False).model_dump(by_alias=True))
            for key, it in folds.items()
        }
        result[table.intervals] = {
            key: [
                row.model_dump(by_alias=True) for row in interval_rows(table.interval, it.intervals)
            ]
            for key, it in folds.items()
        }
        result["anomalies"] += [
            (anomaly.kind.value, f"{table.column[:-3]}:{id_}", org_id, anomaly.event_id)
            for (org_id, id_), it in folds.items()
            for anomaly in it.all_anomalies()
        ]
    result["anomalies"] = decided(result["anomalies"])
    return result


def decided(anomalies: Iterable[tuple[str, str, str, str | None]]) -> list[str]:
    """Those that the vendor's page decides; which transition is unexpected is our own table."""
    return sorted(str(it) for it in anomalies if it[0] != "unexpected-transition")


def comparable(view: dict[str, Any]) -> dict[str, Any]:
    """A view without the fields that do not follow from the set of events."""
    last = {k: v for k, v in view["lastEvent"].items() if k not in OWN_LAST_EVENT_FIELDS}
    return {k: v for k, v in view.items() if k not in OWN_FIELDS} | {"lastEvent": last}


def oracle_answers(oracle: Any, now: int) -> Answers:
    """The same from the oracle."""
    return {
        "agents": oracle.agents(now),
        "agent_intervals": oracle.agent_intervals(now),
        "tasks": oracle.tasks(now),
        "task_intervals": oracle.task_intervals(now),
        "anomalies": decided(
            (it.kind, f"{it.subject[0]}:{it.subject[2]}", it.subject[1], it.event_id)
            for it in oracle.anomalies(now)
        ),
    }


def line(body: Any) -> str:
    """An event in one line, so that a counterexample can be read at a glance."""
    data = body["data"] if isinstance(body.get("data"), dict) else {}
    rest = {k: v for k, v in data.items() if k not in ("createdTime", "agentId", "taskId")}
    fields = [data.get("createdTime"), body.get("id"), body.get("type"), data.get("agentId")]
    return " ".join(map(repr, [*fields, data.get("taskId"), rest]))


def deliver_all(log: Any, bodies: Sequence[Any], recorded: int) -> Any:
    for body in bodies:
        log.deliver(body, recorded)
    return log
