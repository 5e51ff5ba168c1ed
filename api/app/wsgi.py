"""What the web server loads in its worker process."""

from __future__ import annotations

import os

from flask import Flask

from api import create_app
from projector.bootstrap import build_service
from projector.infrastructure.gc_tuning import collect_rarely
from projector.infrastructure.processes import die_with_parent
from projector.infrastructure.settings import SettingsError, read_settings


def create() -> Flask:
    """The application over the database that the environment names."""
    die_with_parent()
    settings = read_settings(os.environ)
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is needed here: `projector run` sets it by itself.")
    app = create_app(build_service(settings, settings.database_url))
    collect_rarely()
    return app
