"""`projector seal`: writes a seal of the log, and compares the log with one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.cli.database import current_database
from projector.event_log.seal.seal_file import Seal, SealDifference, SealError, read_seal
from projector.event_log.seal.sealer import compare_with_seal, make_seal
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import consistent_read, open_pool
from projector.infrastructure.settings import settings_from_environment

a_seal = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write to this new file.  [default: print]"
)
@click.option(
    "--since",
    type=a_seal,
    help="Take over the full segments of this earlier seal, without reading them again.",
)
@click.option(
    "--leaves",
    is_flag=True,
    help="Include each event's hash, so that a comparison can name the events that differ.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def seal(*, out: Path | None, since: Path | None, leaves: bool, as_json: bool) -> None:
    """Seal the log: write hashes with which you can prove later that no row was changed.

    Keep the seal outside the database. `projector verify --seal` compares the log with it.
    """
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


def compare(path: Path, *, as_json: bool) -> bool:
    """Print how the log differs from a seal; false if it differs."""
    seal = read_seal(path.read_bytes())
    with _log() as cur:
        differences = compare_with_seal(cur, seal)
    if as_json:
        rows = [it.model_dump(by_alias=True) for it in differences]
        click.echo(json.dumps({"position": seal.position, "differences": rows}))
    else:
        same = f"The log up to position {seal.position} is what was sealed."
        click.echo("\n".join(map(SealDifference.text, differences)) or same)
    return not differences


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
    with (
        current_database(settings_from_environment()) as url,
        open_pool(url, max_size=1) as pool,
        consistent_read(pool) as cur,
    ):
        yield cur
