"""`projector verify`: the log folded independently and compared with every table."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from projector.cli.commands.seal import a_seal, compare
from projector.cli.database import current_database
from projector.cli.exit_codes import DIFFERS
from projector.cli.options import as_json, parted, printable, the_organisation
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import settings_from_environment
from projector.operations.verify.compare import TableDifference, VerifyResult
from projector.operations.verify.counts import ALL_SUBJECTS, SubjectFilter
from projector.operations.verify.parallel import verify


@click.command("verify")
@click.argument("subject", metavar="[agent:ID|task:ID]", required=False)
@the_organisation
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
    help="Number of processes.",
)  # fmt: skip
@click.option(
    "--moments", type=click.IntRange(0), default=4, show_default=True,
    help="Past positions of each subject to check: as many with late events, and as many others.",
)  # fmt: skip
@click.option(
    "--seal", type=a_seal, help="Compare the log with this seal instead; no table is read."
)
@click.option(
    "--seed", type=int, help="Seed of the random order, to repeat a run.  [default: random]"
)
@as_json
def verify_command(  # noqa: PLR0913 - the options
    *,
    subject: str | None,
    org: str | None,
    jobs: int,
    moments: int,
    seal: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Fold the log independently and compare every table with it; exit with 4 if any differs."""
    if seal is not None:
        if subject is not None or org is not None:
            raise click.UsageError("--seal is of the whole log: leave out subject and --org")
        if not compare(seal, as_json=as_json):
            sys.exit(DIFFERS)
        return
    seed = secrets.randbelow(2**31) if seed is None else seed
    kind, id_ = (None, None) if subject is None else parted(subject)
    subjects = SubjectFilter(kind=kind and f"{kind}s", org=org, id=id_)
    begin = time.monotonic()
    with current_database(settings_from_environment()) as url:
        result = verify(url, jobs=jobs, moments=moments, seed=seed, subjects=subjects)
    seconds = time.monotonic() - begin
    if subjects != ALL_SUBJECTS and not result.subjects:
        whose = " of ".join(repr(it) for it in (subject, org) if it is not None)
        raise ProjectorError(f"Neither the log nor any table has {whose}.")
    if as_json:
        click.echo(json.dumps(asdict(result) | {"seconds": round(seconds, 3), "seed": seed}))
    else:
        click.echo("\n".join([*map(_line, result.differences), _summary(result, seconds, seed)]))
    if result.differences:
        sys.exit(DIFFERS)


def _line(it: TableDifference) -> str:
    whose = "".join((it.id and f" {it.id}", it.org_id and f" of {it.org_id}"))
    known = "" if it.position is None else f", as known at {it.position} (event {it.event_id})"
    return printable(
        f"{it.table}{whose}: {it.field} is {json.dumps(it.found)},"
        f" the log says {json.dumps(it.expected)}{known}"
    )


def _summary(it: VerifyResult, seconds: float, seed: int) -> str:
    left = f" ({it.left} more were not looked at)" if it.left else ""
    return (
        f"{len(it.differences)} differences: {it.subjects} subjects, {it.events} events and"
        f" {it.rows} rows compared, folded as known at {it.moments} positions{left},"
        f" in {seconds:.1f} s, seed {seed}; events left out: {it.unfolded} not folded yet,"
        f" {it.waiting} waiting, {it.skipped} skipped"
    )
