"""Events of the vendor's APIs: what their rows state, as the webhooks that would have said it.

Rule: an event has the id of its row, so that reading the row again gives the same event. It holds
only what was true at its time. What a row knows of later times, such as how the task ended, stays
out, since views would show it too early.

``agent_events`` and ``task_events`` make the events; here is what both have in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from projector.domain.events import Offered
from projector.webex.api_rows import ApiSource, UnusableRow
from projector.webex.webhook import Unusable, judge

# What webhooks report and no API of the vendor does: it stays lost where the webhook was lost.
NOT_IN_APIS = (
    "agent:channelType_state_change",
    "agent:logout loggedOutBy, where the session's agentSignOutReason has another word",
    "agent:channel_state_change connectedChannels",
    "task:origin-updated",
    "task:failed",
    "task:conference-transferred",
    "capture:available filePath",
)


class Certainty(StrEnum):
    """How sure it is that a row states an event of its own subject. Only sure ones are appended."""

    SURE = "sure"
    DOUBTFUL = "doubtful"  # the row may be of another contact, or repeat what came before
    OF_CHILD = "of-child"  # the row is of the contact of a consult to an entry point or queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEvent:
    """The event that a row states, ready to be appended where it is sure."""

    source: ApiSource
    offered: Offered
    time: int  # epoch ms
    certainty: Certainty = Certainty.SURE
    channel_ids: frozenset[str] = frozenset()  # of all rows that state it

    @property
    def subject(self) -> tuple[str, str]:
        """The kind (agent or task) and the id of the subject whose events are compared with it."""
        event = self.offered.event
        if event.agent_subject is not None:
            return "agent", event.agent_subject
        return "task", event.task_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWithoutWebhook:
    """A row with a state or an event that no webhook has; ``word`` names it."""

    source: ApiSource
    word: str


def api_event(
    source: ApiSource, element: dict[str, Any], *, org_id: str, now: int
) -> ApiEvent | UnusableRow:
    """The event of an element that has an id, a type and data; ``now`` is epoch ms."""
    element |= {
        "specversion": "1.0",
        "source": f"/projector/reconciliation/{source}",
        "comciscoorgid": org_id,
        "datacontenttype": "application/json",
    }
    body = json.dumps(element, separators=(",", ":")).encode()
    judged = judge(body, element, now=now, default_org=None)
    if isinstance(judged, Unusable):
        return UnusableRow(source=source, reason=judged.reason, row=element["id"])
    return ApiEvent(source=source, offered=judged, time=element["data"]["createdTime"])


def with_recording_path(event: ApiEvent, recordings: Iterable[Any], *, now: int) -> ApiEvent:
    """A capture with the path of the first recording, without its signature, which expires."""
    for recording in recordings:
        attributes = recording.get("attributes") if isinstance(recording, dict) else None
        path = attributes.get("filePath") if isinstance(attributes, dict) else None
        if isinstance(path, str) and path:
            return with_data(event, {"filePath": path.partition("?")[0]}, now=now)
    return event


def with_data(event: ApiEvent, data: Mapping[str, Any], *, now: int) -> ApiEvent:
    """The event with more fields; fields that are None are left out."""
    element = json.loads(event.offered.body)
    element["data"] |= without_none(data)
    extended = api_event(event.source, element, org_id=event.offered.event.org_id, now=now)
    return replace(event, offered=extended.offered) if isinstance(extended, ApiEvent) else event


def without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
