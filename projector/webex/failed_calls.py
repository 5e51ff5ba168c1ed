"""Failed calls of the vendor: its words about them, and the pauses before they are tried again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

TRIES = 6
MAX_REASON_LENGTH = 300
_REASON_FIELDS = ("error", "errors", "message", "description", "error_description", "detail")
_MAX_REASON_DEPTH = 4  # of the published forms: an object, its error, its list, a message


def pause_seconds(tried: int) -> float:
    """Seconds before the next try where the vendor says none: twice as many each time."""
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads tries, no secret
    return 2.0 ** (tried - 1) * spread


def reason(answer: httpx.Response) -> str:
    """The vendor's words about a failure, in one line; empty where it gives none.

    The published forms are ``{"error": {"message": [{"description": …}]}}`` and ``{"errors":
    [{"message": …}]}``. Each of these names is read wherever it stands, and so is a short text.
    """
    try:
        texts = [*_texts(answer.json())]
    except (ValueError, RecursionError):
        # What begins like this is a page of a proxy, or JSON that was cut off.
        texts = [] if answer.text.lstrip().startswith(("<", "{", "[")) else [answer.text]
    lines = (one_line(it).rstrip(".") for it in texts)
    return "; ".join(dict.fromkeys(filter(None, lines)))[:MAX_REASON_LENGTH]


def _texts(part: Any, depth: int = _MAX_REASON_DEPTH) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif depth and isinstance(part, list):
        for it in part:
            yield from _texts(it, depth - 1)
    elif depth and isinstance(part, Mapping):
        for name in _REASON_FIELDS:
            yield from _texts(part.get(name), depth - 1)


def one_line(text: str) -> str:
    """A text without line ends, and without what no report can hold: controls, lone surrogates."""
    return " ".join("".join(it if it.isprintable() else " " for it in text).split())
