"""The Flask application: one blueprint for each topic, all over one service."""

from __future__ import annotations

from flask import Flask, Response

from api.app import openapi
from api.http import problems
from api.pages import shell
from api.resources import (
    adherence,
    agents,
    alerts,
    audit_trail,
    events,
    health,
    ledgers,
    metrics,
    names,
    parked_subjects,
    quarantine,
    queue_and_agent_reports,
    reconciliations,
    replays,
    report_differences,
    session,
    status,
    stream,
    summary,
    tasks,
    thresholds,
    webhooks,
)
from api.service import attach
from projector.bootstrap.service import Service

TOPICS = (
    webhooks,
    agents,
    tasks,
    summary,
    adherence,
    queue_and_agent_reports,
    report_differences,
    ledgers,
    events,
    status,
    stream,
    session,
    names,
    alerts,
    audit_trail,
    thresholds,
    parked_subjects,
    quarantine,
    replays,
    reconciliations,
    health,
    metrics,
    openapi,
    shell,
)


def create_app(service: Service) -> Flask:
    """An application that answers for one service."""
    app = Flask("api", template_folder="pages/templates", static_folder=None)
    app.url_map.merge_slashes = False  # an id may end in a slash: 404, not a redirect
    attach(app, service)
    problems.register(app)
    app.after_request(_protect)
    for topic in TOPICS:
        app.register_blueprint(topic.blueprint)
    return app


def _protect(response: Response) -> Response:
    """Nobody on the way keeps an answer, and no browser takes it for another type.

    What says so itself, such as a file of the pages, is kept as long as it says.
    """
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
