"""The report of a reconciliation: the answer to "is last night whole?".

It says what was asked and what came, what the log had and got, what stays doubtful, and ends with a
verdict. It is a JSON object, since it is stored with its job and grows while the job runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from projector.domain.events import Kind
from projector.operations.reconciliation.event_matching import EventMatches, IndistinctEvent
from projector.operations.reconciliation.interval_differences import (
    IntervalDifference,
    interval_rows,
)
from projector.webex.api_events import NOT_IN_APIS, ApiEvent, RowWithoutWebhook
from projector.webex.api_rows import ApiSource, UnusableRow

MOST_LISTED = 100  # rows of each list; the counts include the others
SOURCE_COUNTS = (
    *("requests", "fetched", "matched", "appended", "indistinct", "doubtful"),
    *("differing", "unusable"),
)
LISTS = ("missing", "indistinct", "doubtful", "differing", "unusable", "failures")


class Verdict(StrEnum):
    """What a run says of its window."""

    WHOLE = "whole"  # all that was asked for came and could be read
    INCOMPLETE = "incomplete"
    NOTHING = "nothing to compare"  # the vendor has no row, and the log no webhook


class ReconciliationReport:
    """Adds to one report: ``content`` is the JSON object that is stored with the job."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        for name in LISTS:
            content.setdefault(name, [])
        content.setdefault("sources", {})
        content.setdefault("unknown", {})
        content.setdefault("untold", list(NOT_IN_APIS))
        content.setdefault("verdict", None)
        content.setdefault("clockDifferenceMs", None)

    def requested(self, source: ApiSource, requests: int) -> None:
        """Count the requests that were sent to an API."""
        self._counts(source)["requests"] += requests

    def fetched(self, source: ApiSource, rows: int) -> None:
        """Count the rows that an API returned."""
        self._counts(source)["fetched"] += rows

    def matched(self, matches: EventMatches) -> None:
        """Count what is not appended; ``appended`` counts the missing events."""
        for event in matches.matched:
            self._count(event, "matched")
        for it in matches.indistinct:
            self._count(it.event, "indistinct")
            self._list_event("indistinct", _indistinct_row(it))
        self.doubtful(matches.doubtful)

    def doubtful(self, events: Iterable[ApiEvent]) -> None:
        """Count and list events that the log lacks, and that may not be true of their subject."""
        for event in events:
            self._count(event, "doubtful")
            self._list_event("doubtful", _event_row(event))

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
        """Count a row that cannot be used; the list has a line for each reason, with the ids."""
        self._counts(row.source)["unusable"] += 1
        for line in self._content["unusable"]:
            if (line["source"], line["reason"]) == (row.source, row.reason):
                line["count"] += 1
                if row.row is not None and len(line["rows"]) < MOST_LISTED:
                    line["rows"].append(row.row)
                return
        rows = [] if row.row is None else [row.row]
        line = {"source": row.source, "reason": row.reason, "count": 1, "row": row.row}
        self._list("unusable", line | {"rows": rows})

    def without_webhook(self, row: RowWithoutWebhook) -> None:
        """Count a state or an event that is not known."""
        words = self._content["unknown"].setdefault(str(row.source), {})
        if row.word in words or len(words) < MOST_LISTED:
            words[row.word] = words.get(row.word, 0) + 1

    def failure(self, source: ApiSource, sentence: str, *, is_part: bool = False) -> None:
        """List what could not be read, and why: an API, or ``is_part`` of its answers."""
        line = {"source": str(source), "reason": sentence, "isPart": is_part}
        if line not in self._content["failures"]:
            self._list("failures", line)

    @property
    def is_whole(self) -> bool:
        """Whether all that was asked for came and could be read.

        Captures do not count: without them an event only lacks the path of its recording.
        """
        sources = {line["source"] for line in self.failures}
        return not sources - {ApiSource.CAPTURES} and not self._content["unusable"]

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The lines of what could not be read."""
        failures: list[dict[str, Any]] = self._content["failures"]
        return failures

    @property
    def first_defect(self) -> str:
        """The sentence of the first thing that did not come or could not be read."""
        of_apis = [line for line in self.failures if line["source"] != ApiSource.CAPTURES]
        if of_apis:
            return str(of_apis[0]["reason"])
        line = self._content["unusable"][0]
        return f"{line['count']} rows of {line['source']} cannot be read: {line['reason']}."

    def clocks_differ(self, source: ApiSource, difference_ms: int) -> None:
        """Report by how much the vendor's rows are later than its webhooks."""
        if self.clock_difference_ms is None:
            self._content["clockDifferenceMs"] = difference_ms
            sentence = (
                "The clocks of the vendor's rows and of its webhooks differ by about"
                f" {difference_ms / 1_000:+.0f} s, so nothing more is appended."
            )
            self.failure(source, sentence, is_part=True)

    @property
    def clock_difference_ms(self) -> int | None:
        """By how much the vendor's rows are later than its webhooks; None where they are not."""
        difference: int | None = self._content["clockDifferenceMs"]
        return difference

    def rows_of(self, source: ApiSource) -> int:
        """How many rows of an API came."""
        return int(self._content["sources"].get(str(source), {}).get("fetched", 0))

    def failures_of(self, source: ApiSource) -> list[dict[str, Any]]:
        """The lines of what could not be read of an API."""
        return [line for line in self.failures if line["source"] == source]

    @property
    def rows(self) -> int:
        """How many rows came."""
        return sum(counts["fetched"] for counts in self._content["sources"].values())

    def is_unread(self, sources: Iterable[ApiSource]) -> bool:
        """Whether no row came of any of the sources, since each of them failed as a whole."""
        failed = {line["source"] for line in self.failures if not line["isPart"]}
        return not self.rows and bool(failed) and {*map(str, sources)} <= failed

    def conclude(self) -> Verdict:
        """Set the verdict, and return it."""
        verdict = Verdict.WHOLE if self.rows else Verdict.NOTHING
        if not self.is_whole:
            verdict = Verdict.INCOMPLETE
        self._content["verdict"] = str(verdict)
        return verdict

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

    def _list_event(self, name: str, row: dict[str, Any]) -> None:
        """List an event once, also where several steps find it."""
        if all(row["eventId"] != other["eventId"] for other in self._content[name]):
            self._list(name, row)

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
        "idleCodeId": event.idle_code_id,
        "channelId": event.channel_id,
        "time": api_event.time,
        "eventId": event.id,
        "source": str(api_event.source),
        "signOutReason": _sign_out_reason(api_event),
    }


def _sign_out_reason(api_event: ApiEvent) -> str | None:
    if api_event.offered.event.kind is not Kind.LOGOUT:
        return None
    reason: str | None = json.loads(api_event.offered.body)["data"].get("agentSignOutReason")
    return reason


def _indistinct_row(it: IndistinctEvent) -> dict[str, Any]:
    webhook = it.webhook
    return _event_row(it.event) | {
        "webhookId": webhook.event.id,
        "webhookTime": webhook.time,
        "differenceMs": it.difference_ms,
    }
