"""`projector check`: what to change about this installation before others reach it."""

from __future__ import annotations

import json
import sys

import click

from projector.cli.exit_codes import FAILED
from projector.cli.options import as_json
from projector.infrastructure.settings import settings_from_environment
from projector.operations.installation import installation_faults, most_open_files
from projector.query.alerts.threshold_file import file_thresholds
from projector.webex.webhook_secrets import WebhookSecrets


@click.command()
@as_json
def check(*, as_json: bool) -> None:
    """Check the settings of this installation, and whether others could stop it.

    Prints a sentence for each fault and exits with 1 if there is any.
    """
    settings = settings_from_environment()
    file_thresholds(settings)
    allows_unsigned = WebhookSecrets(settings).allows_unsigned
    faults = [
        *installation_faults(
            settings, allows_unsigned=allows_unsigned, open_files=most_open_files()
        )
    ]
    text = "\n".join(faults) or "Nothing is wrong with this installation."
    click.echo(json.dumps({"faults": faults}) if as_json else text)
    if faults:
        sys.exit(FAILED)
