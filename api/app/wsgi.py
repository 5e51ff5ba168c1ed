"""What the web server loads in its worker process."""

from __future__ import annotations

from flask import Flask

from api import create_app
from projector.bootstrap.service import build_service
from projector.infrastructure.gc_tuning import collect_rarely
from projector.infrastructure.processes import die_with_parent
from projector.infrastructure.settings import settings_from_environment


def create() -> Flask:
    """The application over the database that the environment names."""
    die_with_parent()
    settings = settings_from_environment()
    app = create_app(build_service(settings, settings.require_database_url()))
    collect_rarely()
    return app
