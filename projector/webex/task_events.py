"""Events of tasks, as the rows of the vendor's APIs state them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from projector.domain.events import plain_word
from projector.webex.api_events import ApiEvent, RowWithoutWebhook, api_event, without_none
from projector.webex.api_rows import TaskActivity, UnusableRow
from projector.webex.child_contacts import certainties

_TASK_WORDS = {
    plain_word(word): word
    for word in (
        *("new", "parked", "connect", "connected", "on-hold", "hold-done", "consulting"),
        *("consult-done", "conferencing", "conference-done", "conference-transferred"),
        *("ended", "failed"),
    )
}
_CAPTURE_WORDS = {plain_word(word) for word in ("recording-available", "capture-available")}
# Steps that no webhook has: those of flows, recordings, transfers and requests.
_EVENTS_WITHOUT_WEBHOOK = frozenset(
    map(
        plain_word,
        (
            *("flow-activity", "treatment", "treatment-completed", "recording-started"),
            *("capture-started", "paused", "resumed", "WrapUp", "wrapup-done", "consult", "ctq"),
            *("ctq-accepted", "ctq-reserved", "ctq-ready", "consult-error", "Conference"),
            *("ConsultTransfer", "Transferred", "blind-transfer", "vt-transfer", "dequeued"),
            *("con-to-agent-error", "ivr-connected", "ivr-done", "campaignOutbound"),
            *("callbackFailed", "optOutOfQueue"),
        ),
    )
)
CALLBACK, OUTDIAL = "COURTESY_CALLBACK", "OUTDIAL"


def task_events(
    activities: Iterable[TaskActivity], *, org_id: str, now: int
) -> Iterator[ApiEvent | RowWithoutWebhook | UnusableRow]:
    """Events of tasks, from all rows of each of them; ``now`` is epoch ms."""
    tasks: dict[str, list[TaskActivity]] = defaultdict(list)
    for row in activities:
        tasks[row.task_id].append(row)
    for rows in tasks.values():
        for row, certainty in certainties(rows):
            element = _element(row)
            if element is not None:
                made = api_event(row.source, element, org_id=org_id, now=now)
                yield replace(made, certainty=certainty) if isinstance(made, ApiEvent) else made
            elif plain_word(row.event) not in _EVENTS_WITHOUT_WEBHOOK:
                yield RowWithoutWebhook(source=row.source, word=row.event)


def _element(row: TaskActivity) -> dict[str, Any] | None:
    plain = plain_word(row.event)
    data: dict[str, Any] = {"taskId": row.task_id}
    if plain in _CAPTURE_WORDS:
        return {"id": row.id, "type": "capture:available", "data": data | {"createdTime": row.time}}
    word = _TASK_WORDS.get(plain)
    if word is None:
        return None
    data |= {"channelType": row.channel_type, "queueId": None if word == "new" else row.queue_id}
    # The call back to a customer turns the direction, and the row holds only the last one.
    if word == "ended" or not row.is_callback:
        data |= _direction(row)
    if word == "new":
        # These are true at the beginning only; a later change has no row.
        data |= {"origin": row.origin, "destination": row.destination}
    if word == "ended":
        data |= {"reason": row.reason, "terminatingParty": _party(row)}
    return {
        "id": row.id,
        "type": f"task:{word}",
        "data": without_none(data) | {"createdTime": row.time},
    }


def _direction(row: TaskActivity) -> dict[str, Any]:
    """Direction and outbound type as webhooks spell them: an agent's outdial is OUTBOUND."""
    direction = row.direction and row.direction.upper()
    if row.is_callback:
        return {"direction": direction, "outboundType": CALLBACK}
    if direction == OUTDIAL:
        return {"direction": "OUTBOUND", "outboundType": OUTDIAL}
    return {"direction": direction}


def _party(row: TaskActivity) -> str | None:
    """Who ended the task: as its row says for the last end, else as the reason begins."""
    if row.terminating_party is not None:
        party = row.terminating_party.capitalize()
        return "Customer" if party == "Caller" else party
    if row.reason is None:
        return None
    first = row.reason.split(maxsplit=1)[0].capitalize() if row.reason.strip() else ""
    return first if first in {"Agent", "Customer"} else "System"
