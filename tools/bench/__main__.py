"""`python -m tools.bench`: measure what docs/performance.md reports, and print the ratios."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tools.bench import (
    browser,
    committer,
    costs,
    exports,
    floor,
    http,
    intake,
    late,
    measure,
    page_memory,
    past,
    replay,
    replaying,
    reports,
    seal,
    storm,
    tail,
)
from tools.bench.costs import CostComparison
from tools.bench.ground import durable_server, machine, new_database
from tools.bench.measure import Comparison, table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Options = dict[str, Any]
Result = Comparison | CostComparison
PARTS: dict[str, Callable[[str, Options], Iterator[Result]]] = {
    "intake": lambda url, options: intake.measure(
        url, rounds=options["rounds"], scale=options["scale"]
    ),
    "committer": lambda url, options: committer.measure(
        url, rounds=options["rounds"], threads=options["threads"], each=round(40 * options["scale"])
    ),
    "http": lambda url, options: http.measure(
        url,
        rounds=options["rounds"],
        connections=options["threads"],
        each=round(40 * options["scale"]),
    ),
    "replay": lambda url, options: replay.measure(
        url,
        rounds=min(3, options["rounds"]),
        events=options["replay_events"],
        request=options["replay_request"],
    ),
    "replaying": lambda url, options: replaying.measure(
        url, rounds=min(3, options["rounds"]), events=options["replay_events"]
    ),
    "late": lambda url, options: late.measure(
        url, rounds=options["rounds"], most=options["late_events"]
    ),
    "storm": lambda url, options: storm.measure(
        url, rounds=min(3, options["rounds"]), events=options["storm_events"]
    ),
    "tail": lambda url, options: tail.measure(
        url, rounds=min(3, options["rounds"]), seconds=options["tail_seconds"]
    ),
    "browser": lambda url, options: browser.measure(
        url,
        rounds=min(3, options["rounds"]),
        seconds=options["browser_seconds"],
    ),
    "page-memory": lambda url, options: page_memory.measure(url, minutes=options["page_minutes"]),
    "exports": lambda url, options: exports.measure(
        url,
        rounds=min(3, options["rounds"]),
        events=options["export_events"],
        seconds=options["export_seconds"],
    ),
    "floor": lambda url, options: floor.measure(
        url, rounds=options["rounds"], events=options["floor_events"]
    ),
    "reports": lambda url, options: reports.measure(
        url, rounds=options["rounds"], events=options["report_events"]
    ),
    "past": lambda url, options: past.measure(
        url, rounds=options["rounds"], events=options["past_events"]
    ),
    "seal": lambda url, options: seal.measure(
        url,
        rounds=options["rounds"],
        scale=options["scale"],
        connections=options["threads"],
        each=round(40 * options["scale"]),
    ),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS]))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--scale", type=click.FloatRange(0.1), default=1.0, help="Multiplies the events of a turn."
)
@click.option("--threads", type=click.IntRange(1), default=64, show_default=True)
@click.option("--replay-events", type=click.IntRange(1_000), default=100_000, show_default=True)
@click.option("--replay-request", type=click.IntRange(1), default=1, help="Events per request.")
@click.option("--late-events", type=click.IntRange(10_000), default=100_000, show_default=True)
@click.option("--storm-events", type=click.IntRange(1_000), default=2_500, show_default=True)
@click.option("--tail-seconds", type=click.FloatRange(1), default=5.0, show_default=True)
@click.option("--browser-seconds", type=click.FloatRange(1), default=5.0, show_default=True)
@click.option("--page-minutes", type=click.IntRange(3), default=3, show_default=True)
@click.option("--export-events", type=click.IntRange(1_000), default=40_000, show_default=True)
@click.option("--export-seconds", type=click.FloatRange(1), default=8.0, show_default=True)
@click.option("--floor-events", type=click.IntRange(20_001), default=100_000, show_default=True)
@click.option("--report-events", type=click.IntRange(20_000), default=60_000, show_default=True)
@click.option("--past-events", type=click.IntRange(10_000), default=100_000, show_default=True)
@click.option("--save", is_flag=True, help="Keep the result in docs/bench/.")
def main(*, parts: Sequence[str], save: bool, **options: Any) -> None:
    """Measure PARTS, all of them by default, and print ratios of contenders that take turns.

    No time limit fails a run: on a shared machine ratios are more reliable than times.
    """
    with durable_server() as server:
        results: list[Result] = []
        machine_facts = machine(server)
        for name in parts or PARTS:
            click.echo(f"{name} ...", err=True)
            results += PARTS[name](new_database(server, f"bench_{name.replace('-', '_')}"), options)
    _print(results)
    if save:
        about = {"options": {"parts": [*(parts or PARTS)], **options}, "machine": machine_facts}
        _save(parts, about, results)


def _print(results: Sequence[Result]) -> None:
    rate_cells = [it.cells() for it in results if isinstance(it, Comparison)]
    cost_cells = [it.cells() for it in results if isinstance(it, CostComparison)]
    for headings, rows in ((measure.HEADINGS, rate_cells), (costs.HEADINGS, cost_cells)):
        if rows:
            click.echo(f"{table(headings, rows)}\n")


def _save(parts: Sequence[str], about: dict[str, Any], results: Sequence[Result]) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    result = {"date": today, **about, "comparisons": [it.as_dict() for it in results]}
    _write(f"{today}-{'-'.join(parts) or 'all'}.json", json.dumps(result, indent=2) + "\n")
    curve = late.curve(it for it in results if isinstance(it, CostComparison))
    if curve is not None:
        _write(f"{today}-late.svg", curve)


def _write(name: str, text: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(text)
    click.echo(f"Saved as docs/bench/{name}.")


if __name__ == "__main__":
    main()
