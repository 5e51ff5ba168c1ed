"""The report of a reconciliation as text: the answer to "is last night whole?"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from projector.cli.options import in_columns, shown_time
from projector.webex.api_rows import ApiSource

MOST_SHOWN = 10  # of each list; `--json` has up to a hundred
_COUNTS = {
    "requests": "asked",
    "fetched": "came",
    "matched": "matched",
    "appended": "appended",
    "indistinct": "indistinct",
    "doubtful": "doubtful",
    "differing": "differing",
    "unusable": "unreadable",
}
_SOURCES = [source.value for source in ApiSource]  # in the order in which they are read
Report = Mapping[str, Any]
ReportRow = Mapping[str, Any]


def reconciliation_text(report: Report) -> list[str]:
    """The lines of a report: what was asked and came, each list, and the verdict last."""
    sources: list[Mapping[str, str]] = [
        {"source": source, **{title: str(counts[name]) for name, title in _COUNTS.items()}}
        for source, counts in sorted(report["sources"].items(), key=_source_order)
    ]
    window = f"{shown_time(report['from'])} to {shown_time(report['to'])}"
    lines = [f"{window}, organisation {report['orgId'] or 'not known yet'}"]
    lines += [in_columns(sources)] if sources else []
    lines += [_appended(report)]
    if report["gapsClosed"] is not None:
        lines.append(
            f"gaps: {report['gapsClosed']} of {report['gapsFound']} closed,"
            f" {report['correctionsMade']} corrections made"
        )
    lines += _listed("differs", report["differing"], _differing)
    lines += _listed("indistinct", report["indistinct"], _indistinct)
    lines += _listed("doubtful", report["doubtful"], _fact)
    lines += _listed("unreadable", report["unusable"], _unusable)
    lines += _listed("did not come", report["failures"], _failure)
    lines += [*_unknown(report)]
    lines += [f"no API tells: {it}" for it in report["untold"]]
    return [*lines, _verdict(report)]


def _source_order(item: tuple[str, object]) -> int:
    return _SOURCES.index(item[0]) if item[0] in _SOURCES else len(_SOURCES)


def _appended(report: Report) -> str:
    counts = _by_type(report)
    word = "missing (dry run)" if report["dryRun"] else "appended"
    return f"{word}: {', '.join(f'{count} {type_}' for type_, count in counts) or 'nothing'}"


def _by_type(report: Report) -> list[tuple[str, int]]:
    total: Counter[str] = Counter()
    for counts in report["sources"].values():
        for type_, of_type in counts["types"].items():
            total[type_] += of_type["appended"]
    return sorted((+total).items())


def _listed(
    title: str, rows: Sequence[ReportRow], text: Callable[[ReportRow], str]
) -> Iterator[str]:
    for row in rows[:MOST_SHOWN]:
        yield f"{title}: {text(row)}"
    if len(rows) > MOST_SHOWN:
        yield f"{title}: {len(rows) - MOST_SHOWN} more, see --json"


def _fact(row: ReportRow) -> str:
    what = row["state"] or row["type"]
    code = f", idle code {row['idleCodeId']}" if row["idleCodeId"] else ""
    task = f" in task {row['taskId']}" if row["taskId"] and row["kind"] == "agent" else ""
    return f"{row['kind']}:{row['id']} {what}{task} at {shown_time(row['time'])}{code}"


def _indistinct(row: ReportRow) -> str:
    seconds = row["differenceMs"] / 1_000
    return f"{_fact(row)} may be webhook {row['webhookId']}, {seconds:+.1f} s from it"


def _differing(row: ReportRow) -> str:
    return (
        f"{row['kind']}:{row['id']} from {shown_time(row['from'])} to {shown_time(row['to'])}:"
        f" {_states(row['ours'])} here, {_states(row['vendors'])} there"
    )


def _states(rows: Sequence[ReportRow]) -> str:
    return " ".join(row["currentState"] for row in rows) or "nothing"


def _failure(row: ReportRow) -> str:
    return f"{row['source']}: {row['reason']}"


def _unusable(row: ReportRow) -> str:
    rows = f": {', '.join(row['rows'][:MOST_SHOWN])}" if row["rows"] else ""
    return f"{row['count']} of {row['source']}: {row['reason']}{rows}"


def _unknown(report: Report) -> Iterator[str]:
    for source, words in report["unknown"].items():
        counts = ", ".join(f"{word} {count}" for word, count in sorted(words.items()))
        yield f"words that are not known: {source}: {counts}"


def _verdict(report: Report) -> str:
    verdict = report["verdict"]
    if verdict is None:
        return f"{report['status']}: {report['error'] or 'there is no verdict yet'}"
    appended = sum(count for _, count in _by_type(report))
    sentences = {
        "whole": f"all that was asked for came; the log lacked {appended} events",
        "incomplete": f"{report['error'] or 'something did not come'} The window stays open.",
        "nothing to compare": "the vendor has no row of this window, and the log no webhook",
    }
    return f"{verdict}: {sentences[verdict]}"
