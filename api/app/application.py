"""The Flask application, one blueprint for each topic."""

from __future__ import annotations

from flask import Flask

from api.app import openapi
from api.http import problems
from api.pages import floor as pages
from api.resources import agents_and_tasks as floor
from api.resources import events as log
from api.resources import (
    health,
    ledgers,
    metrics,
    reconciliations,
    replays,
    stream,
    summary,
    webhooks,
)
from api.resources import parked_subjects as parked
from api.service import attach
from projector.bootstrap import Service


def create_app(service: Service) -> Flask:
    """An application that answers for one service."""
    app = Flask(
        "api",
        template_folder="pages/templates",
        static_folder="pages/static",
        static_url_path="/static",
    )
    # One more than the limit: a body without a length is read up to here, silently.
    app.config["MAX_CONTENT_LENGTH"] = service.settings.body_limit + 1
    attach(app, service)
    app.url_map.merge_slashes = False  # an id may end in a slash: that is not found, not elsewhere
    problems.register(app)
    for blueprint in (
        webhooks.blueprint,
        floor.blueprint,
        summary.blueprint,
        ledgers.blueprint,
        log.blueprint,
        parked.blueprint,
        replays.blueprint,
        reconciliations.blueprint,
        stream.blueprint,
        health.blueprint,
        metrics.blueprint,
        openapi.blueprint,
        pages.blueprint,
    ):
        app.register_blueprint(blueprint)
    return app
