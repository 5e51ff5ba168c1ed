"""The report of a reconciliation: what was asked, found, appended, and what stays unknown.

It is JSON all along, since it is kept with its run and grows while that goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projector.domain.events import plain_word
from projector.operations.reconciliation.differing import Differing, shown_rows
from projector.operations.reconciliation.matching import Matching
from projector.webex.api_events import UNTOLD, Fact, Untold
from projector.webex.api_rows import Flaw, Source

FIRST = 100  # of each list; the counts tell of all
COUNTS = ("fetched", "matched", "appended", "indistinct", "differing", "unusable")
# Events of the vendor's history that none of its webhooks has.
NO_WEBHOOKS = frozenset(
    map(
        plain_word,
        (
            *("flow-activity", "treatment", "treatment-completed", "recording-started"),
            *("capture-started", "paused", "resumed", "WrapUp", "wrapup-done", "consult", "ctq"),
            *("ivr-connected", "ivr-done", "Transferred"),
        ),
    )
)


class Report:
    """Adds to one report, a JSON object that the run keeps."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self._kept = kept
        for name in ("missing", "indistinct", "differing", "unusable", "failures"):
            kept.setdefault(name, [])
        kept.setdefault("sources", {})
        kept.setdefault("unknown", {})
        kept.setdefault("untold", list(UNTOLD))

    def fetched(self, source: Source, rows: int) -> None:
        self._of(source)["fetched"] += rows

    def matched(self, found: Matching) -> None:
        """What became of facts; those that are missing are told by ``appended``."""
        for fact in found.matched:
            self._count(fact, "matched")
        for fact in found.indistinct:
            self._count(fact, "indistinct")
            self._list("indistinct", _fact_row(fact))

    def appended(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            self._count(fact, "appended")
            self._list("missing", _fact_row(fact))

    def differing(
        self, source: Source, kind: str, id_: str, stretches: Iterable[Differing]
    ) -> None:
        for it in stretches:
            self._of(source)["differing"] += 1
            self._list(
                "differing",
                {
                    "kind": kind,
                    "id": id_,
                    "from": it.start,
                    "to": it.end,
                    "ours": shown_rows(it.ours),
                    "vendors": shown_rows(it.vendors),
                },
            )

    def flaw(self, flaw: Flaw) -> None:
        """A row that cannot be used; alike ones are counted together."""
        self._of(flaw.source)["unusable"] += 1
        for line in self._kept["unusable"]:
            if (line["source"], line["reason"]) == (flaw.source, flaw.reason):
                line["count"] += 1
                return
        line = {"source": flaw.source, "reason": flaw.reason, "count": 1, "row": flaw.row}
        self._list("unusable", line)

    def untold(self, row: Untold) -> None:
        """A state or an event that no webhook has: only what is not known is told."""
        if plain_word(row.word) not in NO_WEBHOOKS:
            words = self._kept["unknown"].setdefault(str(row.source), {})
            if row.word in words or len(words) < FIRST:
                words[row.word] = words.get(row.word, 0) + 1

    def failure(self, source: Source, sentence: str) -> None:
        """A source that could not be read to its end."""
        line = {"source": str(source), "reason": sentence}
        if line not in self._kept["failures"]:
            self._list("failures", line)

    @property
    def is_whole(self) -> bool:
        """Whether every source was read to its end; a capture is one without its path, too."""
        return all(line["source"] == Source.CAPTURES for line in self._kept["failures"])

    def _of(self, source: Source) -> dict[str, Any]:
        fresh: dict[str, Any] = dict.fromkeys(COUNTS, 0)
        fresh["types"] = {}
        found: dict[str, Any] = self._kept["sources"].setdefault(str(source), fresh)
        return found

    def _count(self, fact: Fact, what: str) -> None:
        of = self._of(fact.source)
        of[what] += 1
        kind = of["types"].setdefault(fact.offered.event.type, {"matched": 0, "appended": 0})
        if what in kind:
            kind[what] += 1

    def _list(self, name: str, row: dict[str, Any]) -> None:
        if len(self._kept[name]) < FIRST:
            self._kept[name].append(row)


def _fact_row(fact: Fact) -> dict[str, Any]:
    kind, id_ = fact.subject
    event = fact.offered.event
    return {
        "kind": kind,
        "id": id_,
        "type": event.type,
        "state": event.word,
        "taskId": event.task_id,
        "time": fact.time,
        "eventId": event.id,
        "source": str(fact.source),
    }
