"""The audit trail: who did what beyond reading, or took an export, why, from where, and the answer.

Rule: nothing is done whose first row is not stored, so a database that takes no row stops the
action. The second row has the answer. Rows never change: the database refuses it, and a seal covers
them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg import Connection

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated

LONGEST_DETAIL = 2_000  # characters of one text that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailRequest:
    """What a caller asks for. ``address`` is null for a program on this machine."""

    who: str
    address: str | None
    action: str
    details: Mapping[str, Any]


class AuditTrail:
    """Appends to the trail. ``clock`` gives the time, epoch ms."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock

    def ask(self, asked: TrailRequest) -> UUID:
        """Store what is asked for, before it is done; the id of the request."""
        with translated(), self._pool.connection() as connection:
            return append_asked(connection, asked, self._clock())

    def answer(self, request_id: UUID, details: Mapping[str, Any]) -> None:
        """Store the answer of a request."""
        with translated(), self._pool.connection() as connection:
            append_answer(connection, request_id, details, self._clock())


def append_asked(connection: Connection[Any], asked: TrailRequest, now: int) -> UUID:
    """Store what is asked for, in the connection's transaction; the id of the request."""
    request_id = uuid4()
    connection.execute(
        _APPEND,
        {
            "request": request_id,
            "step": "asked",
            "who": asked.who,
            "address": asked.address,
            "action": asked.action,
            "details": _text(asked.details),
            "now": now,
        },
    )
    return request_id


def append_answer(
    connection: Connection[Any], request_id: UUID, details: Mapping[str, Any], now: int
) -> None:
    """Store the answer of a request, in the connection's transaction."""
    nothing = dict.fromkeys(("who", "address", "action"))
    connection.execute(
        _APPEND,
        nothing
        | {"request": request_id, "step": "answered", "details": _text(details), "now": now},
    )


@contextmanager
def trailed(
    connection: Connection[Any],
    command: str,
    details: Mapping[str, Any],
    *,
    clock: Callable[[], int] = now_ms,
) -> Iterator[dict[str, Any]]:
    """Store that a command is given, before the block, and its outcome after it.

    The block may add to the answer. What fails is an answer, too. The connection commits by itself,
    and has the rights of the database's owner.
    """
    asked = TrailRequest(who=f"command {getuser()}", address=None, action=command, details=details)
    request_id = append_asked(connection, asked, clock())
    answer: dict[str, Any] = {}
    try:
        yield answer
    except Exception as error:
        append_answer(connection, request_id, {"failed": str(error)}, clock())
        raise
    append_answer(connection, request_id, {"done": True} | answer, clock())


def _text(details: Mapping[str, Any]) -> str:
    """As JSON in ASCII, which any database takes."""
    return json.dumps({name: _short(value) for name, value in details.items()})


def _short(value: Any) -> Any:
    """A value as it is, or the beginning of its text where that is long."""
    text = value if isinstance(value, str) else json.dumps(value)
    return (
        value
        if len(text) <= LONGEST_DETAIL
        else f"{text[:LONGEST_DETAIL]}… ({len(text)} characters)"
    )


_APPEND: LiteralString = """
    SELECT append_to_audit_trail(
        %(request)s, %(step)s, %(who)s::text, %(address)s::text, %(action)s::text, %(details)s,
        %(now)s
    )
"""
