"""The service that the running application answers for."""

from __future__ import annotations

from flask import Flask, current_app

from projector.bootstrap.service import Service

_EXTENSION = "service"


def attach(app: Flask, service: Service) -> None:
    """Let an application answer for a service."""
    app.extensions[_EXTENSION] = service


def service() -> Service:
    """The service of the application that handles the current request."""
    attached: Service = current_app.extensions[_EXTENSION]
    return attached
