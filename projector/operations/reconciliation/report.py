"""The report of a reconciliation: what was read, matched and appended, and what remains unknown.

It is a JSON object, since it is stored with its job and grows while the job runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projector.domain.events import plain_word
from projector.operations.reconciliation.event_matching import EventMatches
from projector.operations.reconciliation.interval_differences import (
    IntervalDifference,
    interval_rows,
)
from projector.webex.api_events import NOT_IN_APIS, ApiEvent, RowWithoutWebhook
from projector.webex.api_rows import ApiSource, UnusableRow

MOST_LISTED = 100  # rows of each list; the counts include the others
SOURCE_COUNTS = ("fetched", "matched", "appended", "indistinct", "differing", "unusable")
# States and events of the vendor's history that are known to have no webhook.
KNOWN_WITHOUT_WEBHOOK = frozenset(
    map(
        plain_word,
        (
            *("flow-activity", "treatment", "treatment-completed", "recording-started"),
            *("capture-started", "paused", "resumed", "WrapUp", "wrapup-done", "consult", "ctq"),
            *("ivr-connected", "ivr-done", "Transferred"),
        ),
    )
)


class ReconciliationReport:
    """Adds to one report: ``content`` is the JSON object that is stored with the job."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        for name in ("missing", "indistinct", "differing", "unusable", "failures"):
            content.setdefault(name, [])
        content.setdefault("sources", {})
        content.setdefault("unknown", {})
        content.setdefault("untold", list(NOT_IN_APIS))

    def fetched(self, source: ApiSource, rows: int) -> None:
        """Count the rows that an API returned."""
        self._counts(source)["fetched"] += rows

    def matched(self, matches: EventMatches) -> None:
        """Count matched and indistinct events; ``appended`` counts the missing ones."""
        for event in matches.matched:
            self._count(event, "matched")
        for event in matches.indistinct:
            self._count(event, "indistinct")
            self._list("indistinct", _event_row(event))

    def appended(self, events: Iterable[ApiEvent]) -> None:
        """Count and list events that were appended, or in a dry run would be."""
        for event in events:
            self._count(event, "appended")
            self._list("missing", _event_row(event))

    def differing(
        self, source: ApiSource, kind: str, id_: str, differences: Iterable[IntervalDifference]
    ) -> None:
        """Count and list differences of the intervals of one subject."""
        for it in differences:
            self._counts(source)["differing"] += 1
            self._list(
                "differing",
                {
                    "kind": kind,
                    "id": id_,
                    "from": it.start,
                    "to": it.end,
                    "ours": interval_rows(it.ours),
                    "vendors": interval_rows(it.vendors),
                },
            )

    def unusable(self, row: UnusableRow) -> None:
        """Count a row that cannot be used; the list has one line for each source and reason."""
        self._counts(row.source)["unusable"] += 1
        for line in self._content["unusable"]:
            if (line["source"], line["reason"]) == (row.source, row.reason):
                line["count"] += 1
                return
        line = {"source": row.source, "reason": row.reason, "count": 1, "row": row.row}
        self._list("unusable", line)

    def without_webhook(self, row: RowWithoutWebhook) -> None:
        """Count a state or an event that no webhook has, unless it is known to have none."""
        if plain_word(row.word) not in KNOWN_WITHOUT_WEBHOOK:
            words = self._content["unknown"].setdefault(str(row.source), {})
            if row.word in words or len(words) < MOST_LISTED:
                words[row.word] = words.get(row.word, 0) + 1

    def failure(self, source: ApiSource, sentence: str) -> None:
        """List an API that could not be read to its end, and why."""
        line = {"source": str(source), "reason": sentence}
        if line not in self._content["failures"]:
            self._list("failures", line)

    @property
    def is_whole(self) -> bool:
        """Whether every API was read to its end.

        Captures do not count: without them an event only lacks the path of its recording.
        """
        return all(line["source"] == ApiSource.CAPTURES for line in self._content["failures"])

    def _counts(self, source: ApiSource) -> dict[str, Any]:
        fresh: dict[str, Any] = dict.fromkeys(SOURCE_COUNTS, 0)
        fresh["types"] = {}
        counts: dict[str, Any] = self._content["sources"].setdefault(str(source), fresh)
        return counts

    def _count(self, event: ApiEvent, name: str) -> None:
        counts = self._counts(event.source)
        counts[name] += 1
        by_type = counts["types"].setdefault(
            event.offered.event.type, {"matched": 0, "appended": 0}
        )
        if name in by_type:
            by_type[name] += 1

    def _list(self, name: str, row: dict[str, Any]) -> None:
        if len(self._content[name]) < MOST_LISTED:
            self._content[name].append(row)


def _event_row(api_event: ApiEvent) -> dict[str, Any]:
    kind, id_ = api_event.subject
    event = api_event.offered.event
    return {
        "kind": kind,
        "id": id_,
        "type": event.type,
        "state": event.word,
        "taskId": event.task_id,
        "time": api_event.time,
        "eventId": event.id,
        "source": str(api_event.source),
    }
