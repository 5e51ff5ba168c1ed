"""`projector replay` and `reconcile`: requested from the running service, and watched."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from projector.cli.exit_codes import DIFFERS, FAILED
from projector.cli.options import as_json, in_columns, printable, shown_time, the_service, times
from projector.cli.reconciliation_report import reconciliation_text
from projector.cli.service_client import service_client
from projector.infrastructure.errors import ProjectorError

JOB_POLL_SECONDS = 0.5
Run = Mapping[str, Any]


@click.group(invoke_without_command=True)
@click.option("--org", help="Only subjects of this organisation.")
@click.option("--agent", "agents", multiple=True, help="Only this agent; may be repeated.")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@times("from", "to")
@click.option("--parked", is_flag=True, help="Only subjects that are parked.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--why", help="The reason; stored with the run.")
@the_service
@as_json
@click.pass_context
def replay(ctx: click.Context, /, **options: Any) -> None:
    """Fold agents and tasks anew from the log; all of them unless options select some.

    A dry run exits with 4 if anything would change.
    """
    if ctx.invoked_subcommand is not None:
        return
    body = {
        "orgId": options["org"],
        "agentIds": list(options["agents"]),
        "taskIds": list(options["tasks"]),
        "from": options["from"],
        "to": options["to"],
        "parked": options["parked"],
        "dryRun": options["dry_run"],
        "why": options["why"],
    }
    run = _watched("replays", body, options, _replay_line, _replay_text)
    if run["dryRun"] and run["changed"]["count"]:
        sys.exit(DIFFERS)


@click.group(invoke_without_command=True)
@times("from", "to")
@click.option("--agents", multiple=True, help="Only this agent; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Show what is missing, and append nothing.")
@click.option("--why", help="The reason; stored with the run.")
@the_service
@as_json
@click.pass_context
def reconcile(ctx: click.Context, /, **options: Any) -> None:
    """Ask the vendor's APIs what happened, and append what no webhook reported.

    The time range does not include its end. Exits with 1 if the run failed or is incomplete.
    """
    if ctx.invoked_subcommand is not None:
        return
    if options["from"] is None or options["to"] is None:
        raise click.UsageError("--from and --to are needed")
    body = {
        "from": options["from"],
        "to": options["to"],
        "agentIds": list(options["agents"]),
        "dryRun": options["dry_run"],
        "why": options["why"],
    }
    run = _watched("reconciliations", body, options, _reconcile_line, _reconcile_text)
    if run["to"] != body["to"]:
        click.echo(f"--to is not past: the window ends at {shown_time(run['to'])}.", err=True)
    if run["status"] != "completed":
        sys.exit(FAILED)


def _register(group: click.Group, path: str, text: Callable[[Run], str]) -> None:
    """Add the commands that list runs, show one and cancel one."""

    @group.command("list")
    @the_service
    @as_json
    def list_runs(*, url: str | None, as_json: bool) -> None:
        """List the runs, the newest first."""
        run = service_client(url).get(f"/api/v1/{path}", "data")
        click.echo(json.dumps(run["data"]) if as_json else in_columns(_rows(run["data"])))

    @group.command()
    @click.argument("number", type=click.IntRange(1))
    @the_service
    @as_json
    def show(*, number: int, url: str | None, as_json: bool) -> None:
        """Show one run and its result."""
        run = service_client(url).get(f"/api/v1/{path}/{number}", "status")
        click.echo(json.dumps(run) if as_json else text(run))

    @group.command()
    @click.argument("number", type=click.IntRange(1))
    @click.option("--why", help="The reason; stored with the run.")
    @the_service
    @as_json
    def cancel(*, number: int, why: str | None, url: str | None, as_json: bool) -> None:
        """Stop a run; what it has done so far stays."""
        run = service_client(url).delete(f"/api/v1/{path}/{number}", "status", {"why": why})
        click.echo(json.dumps(run) if as_json else f"{number} is to stop: {run['status']}")


def _watched(
    path: str,
    body: Run,
    options: Run,
    line: Callable[[Run], str],
    text: Callable[[Run], str],
) -> Run:
    """Request a run, show its progress, and print its result; ProjectorError if it failed."""
    client = service_client(options["url"])
    run: Run = client.post(f"/api/v1/{path}", "status", body)
    try:
        while run["status"] in {"queued", "running"}:
            _progress(line(run))
            time.sleep(JOB_POLL_SECONDS)
            run = client.get(f"/api/v1/{path}/{run['id']}", "status")
    except KeyboardInterrupt:
        verb = path.removesuffix("s")
        verb = {"replay": "replay", "reconciliation": "reconcile"}[verb]
        stop = f"It goes on: `projector {verb} cancel {run['id']}` ends it."
        raise ProjectorError(stop) from None
    _progress("")
    click.echo(json.dumps(run) if options["as_json"] else text(run))
    if run["status"] in _ENDS:
        raise ProjectorError(f"It {_ENDS[run['status']]}: {run['error'] or 'on demand'}")
    return run


_ENDS = {"failed": "failed", "cancelled": "was cancelled"}


def _progress(line: str) -> None:
    """Overwrite one line of the terminal; nothing if the error output is none."""
    if sys.stderr.isatty():
        click.echo(f"\r{line:<78}", nl=not line, err=True)


def _rows(runs: list[Run]) -> list[Mapping[str, str]]:
    return [
        {
            "id": str(it["id"]),
            "status": it["status"],
            "asked": shown_time(it["createdTime"]),
            "finished": shown_time(it["finishedTime"]),
            "who": it["who"],
            "why": it["why"] or "-",
        }
        for it in runs
    ]


def _replay_line(it: Run) -> str:
    left = "" if it["etaMs"] is None else f", {it['etaMs'] / 1_000:.0f} s left"
    return f"{it['processed']} of {it['total'] or '?'} events{left}"


def _replay_text(it: Run) -> str:
    changed = it["changed"]
    would = "would change" if it["dryRun"] else "changed"
    lines = [
        f"{row['subject']['kind']}:{row['subject']['id']} of {row['subject']['orgId']}:"
        f" {row['field']} was {json.dumps(row['before'])}, is {json.dumps(row['after'])}"
        f" (event {row['eventId']})"
        for row in changed["first"]
    ]
    done = f"{it['status']}: {it['processed']} events folded, {changed['count']} subjects {would}"
    return printable_lines([*lines, done])


def _reconcile_line(it: Run) -> str:
    counts = it["sources"].values()
    fetched, appended = (sum(of[name] for of in counts) for name in ("fetched", "appended"))
    return f"step {it['step']} of {it['steps'] or '?'}: {fetched} rows, {appended} facts missing"


def _reconcile_text(it: Run) -> str:
    return printable_lines(reconciliation_text(it))


def printable_lines(lines: list[str]) -> str:
    return "\n".join(printable(line) for text in lines for line in text.split("\n") if line)


_register(replay, "replays", _replay_text)
_register(reconcile, "reconciliations", _reconcile_text)
