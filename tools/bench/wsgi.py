"""The web server and application of `projector serve`, over a store that stores nothing.

`python -m tools.bench.wsgi` starts it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from flask import Flask
from granian import Granian

from api import create_app
from projector.bootstrap.service import build_service
from projector.cli.commands import serve
from projector.event_log.intake import Intake
from projector.infrastructure.processes import die_with_parent
from projector.infrastructure.settings import settings_from_environment
from projector.webex.webhook_secrets import WebhookSecrets
from tools.bench.stubs import NoAppend


def create() -> Flask:
    """The application; only its append is a stub."""
    die_with_parent()
    settings = settings_from_environment()
    service = build_service(settings, settings.require_database_url())
    service.intake.close()
    intake = Intake(NoAppend(), settings, WebhookSecrets(settings), service.monitor)
    return create_app(replace(service, intake=intake))


def main() -> None:
    """Serve as `projector serve` does, with the same options and this application."""

    def granian(_: str, **options: Any) -> Any:
        return Granian("tools.bench.wsgi:create", **options)

    with mock.patch.object(serve, "Granian", granian):
        serve.serve_http(settings_from_environment())


if __name__ == "__main__":
    main()
