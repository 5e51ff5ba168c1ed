"""`projector seal`: the log's seal as a file, and the log beside it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.database import open_pool, snapshot
from projector.errors import ProjectorError
from projector.migrate import pending
from projector.run import reached
from projector.seal import check, make_seal
from projector.sealed import Difference, Seal, SealError, read_seal
from projector.settings import read_settings
from projector.store import now_ms

DIFFERS = 4  # exit code
a_seal = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Write it to a file that is new.")
@click.option("--since", type=a_seal, help="Believe this seal's full segments, and go on from it.")
@click.option("--leaves", is_flag=True, help="Keep each event's hash, to name what differs.")
@click.option("--check", "sealed", type=a_seal, help="Compare the log with this seal instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def seal(
    *, out: Path | None, since: Path | None, leaves: bool, sealed: Path | None, as_json: bool
) -> None:
    """Seal the log, to prove later that no row was changed; keep the seal outside the database.

    Exit with 4 if the log differs from the seal that --check gives.
    """
    if sealed and (out or since or leaves):
        raise click.UsageError("--check makes no seal: leave out --out, --since and --leaves")
    if sealed:
        compare(sealed, as_json=as_json)
    else:
        _make(out, since, leaves=leaves, as_json=as_json)


def compare(path: Path, *, as_json: bool) -> None:
    """Tell how the log differs from a seal, and exit with 4 if it does."""
    seal = read_seal(path.read_bytes())
    with _log() as cur:
        found = check(cur, seal)
    if as_json:
        rows = [it.model_dump(by_alias=True) for it in found]
        click.echo(json.dumps({"position": seal.position, "differences": rows}))
    else:
        same = f"The log up to position {seal.position} is what was sealed."
        click.echo("\n".join(map(Difference.text, found)) or same)
    if found:
        sys.exit(DIFFERS)


def _make(out: Path | None, since: Path | None, *, leaves: bool, as_json: bool) -> None:
    if out and out.exists():
        raise SealError(f"{out} is there already, and a seal is written over nothing.")
    earlier = read_seal(since.read_bytes()) if since else None
    with _log() as cur:
        made = make_seal(cur, now=now_ms(), earlier=earlier, leaves=leaves)
    if out is None:
        click.echo(made.json_text())
        return
    _write(out, made)
    done = {"position": made.position, "believed": made.believed, "chain": made.chain.hex()}
    click.echo(json.dumps(done) if as_json else _text(made))


def _write(out: Path, seal: Seal) -> None:
    try:
        with out.open("x") as file:
            file.write(f"{seal.json_text()}\n")
    except OSError as error:
        raise SealError(f"{out} cannot be written: {error.strerror}.") from error


def _text(seal: Seal) -> str:
    believed = f", believed up to {seal.believed}" if seal.believed else ""
    return f"Sealed up to position {seal.position}{believed}, chain {seal.chain.hex()}."


@contextmanager
def _log() -> Iterator[Cursor[TupleRow]]:
    """The log at one moment, with no right to change it."""
    with reached(read_settings(os.environ)) as url:
        if pending(url):
            raise ProjectorError("The schema is not up to date: run `projector migrate`.")
        with open_pool(url, max_size=1) as pool, snapshot(pool) as cur:
            yield cur
