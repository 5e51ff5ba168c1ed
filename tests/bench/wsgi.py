"""The same web server and application as `projector serve`, over a store that keeps nothing.

python -m tests.bench.wsgi
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any
from unittest import mock

from flask import Flask
from granian import Granian

from api import create_app
from projector import serve
from projector.bootstrap import build_service
from projector.intake import Intake
from projector.processes import die_with_parent
from projector.settings import read_settings
from tests.bench.stubs import NoAppend


def create() -> Flask:
    """The application; everything but the append is the real one."""
    die_with_parent()
    settings = read_settings(os.environ)
    assert settings.database_url is not None
    service = build_service(settings, settings.database_url)
    service.intake.close()
    return create_app(replace(service, intake=Intake(NoAppend(), settings)))


def main() -> None:
    """Serve as `projector serve` does, with its own options and another application."""

    def instead(_: str, **options: Any) -> Any:
        return Granian("tests.bench.wsgi:create", **options)

    with mock.patch.object(serve, "Granian", instead):
        serve.serve(read_settings(os.environ))


if __name__ == "__main__":
    main()
