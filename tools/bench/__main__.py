"""`python -m tools.bench`: measure what docs/performance.md says, and print the ratios."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tools.bench import (
    committer,
    costs,
    floor,
    http,
    intake,
    late,
    measure,
    past,
    replay,
    replaying,
    seal,
    storm,
    tail,
)
from tools.bench.costs import CostComparison
from tools.bench.ground import durable_server, machine, new_database
from tools.bench.measure import Comparison, table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Options = dict[str, Any]
Found = Comparison | CostComparison
PARTS: dict[str, Callable[[str, Options], Iterator[Found]]] = {
    "intake": lambda url, given: intake.measure(url, rounds=given["rounds"], scale=given["scale"]),
    "committer": lambda url, given: committer.measure(
        url, rounds=given["rounds"], threads=given["threads"], each=round(40 * given["scale"])
    ),
    "http": lambda url, given: http.measure(
        url, rounds=given["rounds"], connections=given["threads"], each=round(40 * given["scale"])
    ),
    "replay": lambda url, given: replay.measure(
        url,
        rounds=min(3, given["rounds"]),
        events=given["replay_events"],
        request=given["replay_request"],
    ),
    "replaying": lambda url, given: replaying.measure(
        url, rounds=min(3, given["rounds"]), events=given["replay_events"]
    ),
    "late": lambda url, given: late.measure(url, rounds=given["rounds"], most=given["late_events"]),
    "storm": lambda url, given: storm.measure(
        url, rounds=min(3, given["rounds"]), events=given["storm_events"]
    ),
    "tail": lambda url, given: tail.measure(
        url, rounds=min(3, given["rounds"]), seconds=given["tail_seconds"]
    ),
    "floor": lambda url, given: floor.measure(
        url, rounds=given["rounds"], events=given["floor_events"]
    ),
    "past": lambda url, given: past.measure(
        url, rounds=given["rounds"], events=given["past_events"]
    ),
    "seal": lambda url, given: seal.measure(
        url,
        rounds=given["rounds"],
        scale=given["scale"],
        connections=given["threads"],
        each=round(40 * given["scale"]),
    ),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS]))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--scale", type=click.FloatRange(0.1), default=1.0, help="Events in a turn.")
@click.option("--threads", type=click.IntRange(1), default=64, show_default=True)
@click.option("--replay-events", type=click.IntRange(1_000), default=100_000, show_default=True)
@click.option("--replay-request", type=click.IntRange(1), default=1, help="Events of a request.")
@click.option("--late-events", type=click.IntRange(10_000), default=100_000, show_default=True)
@click.option("--storm-events", type=click.IntRange(1_000), default=2_500, show_default=True)
@click.option("--tail-seconds", type=click.FloatRange(1), default=5.0, show_default=True)
@click.option("--floor-events", type=click.IntRange(20_000), default=100_000, show_default=True)
@click.option("--past-events", type=click.IntRange(10_000), default=100_000, show_default=True)
@click.option("--save", is_flag=True, help="Keep the result in docs/bench/.")
def main(*, parts: Sequence[str], save: bool, **options: Any) -> None:
    """Measure PARTS, all of them by default: ratios of contenders that take turns.

    Nothing passes or fails here: on a shared machine a time means little, a ratio something.
    """
    with durable_server() as server:
        found: list[Found] = []
        known = machine(server)
        for name in parts or PARTS:
            click.echo(f"{name} ...", err=True)
            found += PARTS[name](new_database(server, f"bench_{name}"), options)
    _print(found)
    if save:
        about = {"options": {"parts": [*(parts or PARTS)], **options}, "machine": known}
        _save(parts, about, found)


def _print(found: Sequence[Found]) -> None:
    rates = [one.cells() for one in found if isinstance(one, Comparison)]
    prices = [one.cells() for one in found if isinstance(one, CostComparison)]
    for headings, rows in ((measure.HEADINGS, rates), (costs.HEADINGS, prices)):
        if rows:
            click.echo(f"{table(headings, rows)}\n")


def _save(parts: Sequence[str], about: dict[str, Any], found: Sequence[Found]) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    result = {"date": today, **about, "comparisons": [one.as_dict() for one in found]}
    _keep(f"{today}-{'-'.join(parts) or 'all'}.json", json.dumps(result, indent=2) + "\n")
    curve = late.curve(one for one in found if isinstance(one, CostComparison))
    if curve is not None:
        _keep(f"{today}-late.svg", curve)


def _keep(name: str, text: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(text)
    click.echo(f"Kept in docs/bench/{name}.")


if __name__ == "__main__":
    main()
