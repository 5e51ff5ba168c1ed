"""The `projector` command: finds a command by its name, and loads no other.

A process of the service is a command too. It must not pay, in start time and memory, for what the
others need.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

import click

from projector.cli.exit_codes import FAILED
from projector.infrastructure.errors import ProjectorError


class Commands(click.Group):
    """Commands that are loaded by name; an error of ours is one sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(f"projector.cli.commands.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table below is ours
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ProjectorError as error:
            click.echo(str(error), err=True)
            ctx.exit(FAILED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Shows the state of Webex Contact Center's agents and tasks, from its webhooks.

    Exit codes: 0 done, 1 failed (one sentence on the error output), 2 wrong usage, 3 not up to
    date, 4 a comparison found differences.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)


COMMANDS = {
    # The service and its processes.
    "run": "run:run",
    "serve": "serve:serve",
    "follow": "follow:follow",
    "work": "work:work",
    "migrate": "migrate:migrate",
    "check": "check:check",
    "version": "version:version",
    # Questions to the running service.
    "status": "status:status",
    "events": "audit:events",
    "explain": "audit:explain",
    "history": "audit:history",
    "report": "report:report",
    "export": "export:export",
    # What an operator does.
    "connect": "connect:connect",
    "names": "names:names",
    "tokens": "tokens:tokens",
    "alerts": "alerts:alerts",
    "parked": "parked:parked",
    "quarantine": "quarantine:quarantine",
    "replay": "runs:replay",
    "reconcile": "runs:reconcile",
    "rebuild": "rebuild:rebuild",
    "verify": "verify:verify_command",
    "seal": "seal:seal",
    "subscriptions": "subscriptions:subscriptions",
    # A contact centre to try it with.
    "demo": "demo:demo",
    "simulate": "simulate:simulate",
}
