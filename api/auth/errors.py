"""The refusal of a caller."""

from __future__ import annotations

from collections.abc import Mapping


class AccessDenied(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The caller is unknown (status 401), may not do this (403), or waits first (429)."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
