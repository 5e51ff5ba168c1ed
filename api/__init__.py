"""The HTTP interface: intake, reads and pages, over a ``Service``."""

from api.app.application import create_app

__all__ = ["create_app"]
