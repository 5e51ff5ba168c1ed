"""The service that the running application answers for."""

from __future__ import annotations

from flask import Flask, current_app

from projector.bootstrap.service import Service

_EXTENSION = "service"


def attach(app: Flask, service: Service) -> None:
    """Let an application answer for a service, and for no other one."""
    app.extensions[_EXTENSION] = service
    # One byte above the limit: a body without Content-Length is cut here without an error, and the
    # webhooks must see that it was too long.
    app.config["MAX_CONTENT_LENGTH"] = service.settings.body_limit + 1


def service() -> Service:
    """The service of the application that handles the current request."""
    attached: Service = current_app.extensions[_EXTENSION]
    return attached
