"""The HTTP interface: intake, reads and pages, over a ``Service``."""

from api.application import create_app

__all__ = ["create_app"]
