"""Sessions of callers: what a sign-in with a token leaves behind.

Rule: the browser alone knows the id of its session, and neither that nor the token is stored, only
their SHA-256. Whether a token still counts is not known here: the caller of ``find`` looks it up.

A session that was found is remembered for a few seconds, so that a page with many requests makes
few queries. What ends in this process ends at once, and in another one within these seconds.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal, LiteralString

from psycopg.rows import class_row

from projector.infrastructure.clock import DAY_MS, HOUR_MS, now_ms
from projector.infrastructure.database import Pool, translated

PERSON_MS = 12 * HOUR_MS  # from sign-in to expiry
UNUSED_MS = 4 * HOUR_MS  # after which a person's session ends before it expires
WALL_MS = 90 * DAY_MS
REMEMBERED_MS = 5_000
_USE_NOTED_MS = 60_000  # between two writes of the last use
_REMEMBERED_AT_MOST = 10_000
_ID_BYTES = 32

CallerKind = Literal["person", "wall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSession:
    """Who signed in with which token, and until when at most. Times are epoch ms."""

    token_sha256: bytes
    kind: CallerKind
    created_time: int
    last_used_time: int  # exact to a minute
    expires_time: int

    def is_valid(self, now: int) -> bool:
        """Whether it has neither expired nor, being a person's, been unused for too long."""
        unused = self.kind == "person" and self.last_used_time + UNUSED_MS <= now
        return now < self.expires_time and not unused


class CallerSessions:
    """Begins, finds and ends sessions. ``clock`` gives the time, epoch ms."""

    def __init__(self, pool: Pool, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._clock = clock
        self._lock = Lock()
        self._remembered: dict[bytes, tuple[CallerSession, int]] = {}  # with the time of the query
        self._endings = 0  # so that a query which began before an ending is not remembered

    def begin(self, token_sha256: bytes, kind: CallerKind) -> tuple[str, CallerSession]:
        """A new session, and its id for the cookie; sessions that are over are removed."""
        id_, now = secrets.token_urlsafe(_ID_BYTES), self._clock()
        session = CallerSession(
            token_sha256=token_sha256,
            kind=kind,
            created_time=now,
            last_used_time=now,
            expires_time=now + (WALL_MS if kind == "wall" else PERSON_MS),
        )
        with translated(), self._pool.connection() as connection:
            connection.execute(_REMOVE_OLD, {"now": now, "unused_since": now - UNUSED_MS})
            connection.execute(
                _BEGIN,
                {
                    "id": _digest(id_),
                    "token": token_sha256,
                    "kind": kind,
                    "now": now,
                    "expires": session.expires_time,
                },
            )
        return id_, session

    def find(self, id_: str) -> CallerSession | None:
        """The session with this id, null where there is none, or one that is over.

        It counts as a use, which is stored once a minute at most.
        """
        digest, now = _digest(id_), self._clock()
        session = self._recall(digest, now)
        if session is None:
            with self._lock:
                endings = self._endings
            session = self._read(digest, now)
            if session is not None:
                self._remember(digest, session, now, endings)
        return session if session is not None and session.is_valid(now) else None

    def end(self, id_: str) -> int:
        """End one session; how many ended, 0 where it was over."""
        digest = _digest(id_)
        return self._end("DELETE FROM sessions WHERE id_sha256 = %(id)s", {"id": digest})

    def end_all(self, token_sha256: bytes) -> int:
        """End all sessions of a token, those of walls included; how many ended."""
        return self._end(
            "DELETE FROM sessions WHERE token_sha256 = %(token)s", {"token": token_sha256}
        )

    def _end(self, statement: LiteralString, parameters: Mapping[str, Any]) -> int:
        with translated(), self._pool.connection() as connection:
            ended = connection.execute(statement, parameters).rowcount
        with self._lock:
            self._endings += 1
            self._remembered.clear()
        return ended

    def _read(self, digest: bytes, now: int) -> CallerSession | None:
        parameters = {
            "id": digest,
            "now": now,
            "noted_until": now - _USE_NOTED_MS,
            "unused_since": now - UNUSED_MS,
        }
        with (
            translated(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(CallerSession)) as cur,
        ):
            return cur.execute(_FIND, parameters).fetchone()

    def _recall(self, digest: bytes, now: int) -> CallerSession | None:
        with self._lock:
            session, read_time = self._remembered.get(digest, (None, 0))
        return session if 0 <= now - read_time < REMEMBERED_MS else None

    def _remember(self, digest: bytes, session: CallerSession, now: int, endings: int) -> None:
        with self._lock:
            if self._endings != endings:
                return
            if len(self._remembered) >= _REMEMBERED_AT_MOST:
                self._remembered.clear()
            self._remembered[digest] = (session, now)


def _digest(id_: str) -> bytes:
    return hashlib.sha256(id_.encode()).digest()


# What somebody uses at this moment is locked, and is left for the next sign-in.
_REMOVE_OLD: LiteralString = """
    DELETE FROM sessions WHERE id_sha256 IN (
        SELECT id_sha256 FROM sessions
        WHERE expires_time <= %(now)s
            OR kind = 'person' AND last_used_time <= %(unused_since)s
        FOR UPDATE SKIP LOCKED
    )
"""
_BEGIN: LiteralString = """
    INSERT INTO sessions
        (id_sha256, token_sha256, kind, created_time, last_used_time, expires_time)
    VALUES (%(id)s, %(token)s, %(kind)s, %(now)s, %(now)s, %(expires)s)
"""
# The row as it was before this use: a session that was unused for too long stays over.
_FIND: LiteralString = """
    WITH used AS (
        UPDATE sessions SET last_used_time = %(now)s
        WHERE id_sha256 = %(id)s AND last_used_time <= %(noted_until)s AND %(now)s < expires_time
            AND (kind = 'wall' OR last_used_time > %(unused_since)s)
    )
    SELECT token_sha256, kind, created_time, last_used_time, expires_time
    FROM sessions WHERE id_sha256 = %(id)s
"""
