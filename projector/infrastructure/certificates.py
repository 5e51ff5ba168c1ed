"""The certificates that the service trusts where it calls others."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted_certificates() -> ssl.SSLContext:
    """The usual ones, read once by each process: to read them takes longer than a call."""
    return httpx.create_ssl_context()
