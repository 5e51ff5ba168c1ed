"""The same web server and application as `projector serve`, over a store that keeps nothing.

python -m tools.bench.wsgi
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
from tools.bench.stubs import NoAppend


def create() -> Flask:
    """The application; everything but the append is the real one."""
    die_with_parent()
    settings = settings_from_environment()
    service = build_service(settings, settings.require_database_url())
    service.intake.close()
    return create_app(replace(service, intake=Intake(NoAppend(), settings)))


def main() -> None:
    """Serve as `projector serve` does, with its own options and another application."""

    def instead(_: str, **options: Any) -> Any:
        return Granian("tools.bench.wsgi:create", **options)

    with mock.patch.object(serve, "Granian", instead):
        serve.serve_http(settings_from_environment())


if __name__ == "__main__":
    main()
