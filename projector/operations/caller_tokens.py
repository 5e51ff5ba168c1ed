"""Tokens of callers: those of the settings, and those that were made with a command.

Rule: a token is shown once, when it is made, and only its SHA-256 is stored. By that it is looked
up, so the time of a look-up reveals nothing.

All stored tokens that count are read together, and remembered for a few seconds: what is taken back
ends within these. An unknown token has them read again, so that a new one counts at once; but a few
times a second at most, so that a stranger who tries tokens costs little.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow, kwargs_row

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Role
from projector.infrastructure.tokens import Token, token_digest, token_id

READ_EVERY_MS = 5_000
READ_AGAIN_MS = 250  # at the earliest, for an unknown token
PREFIX = "prj_"  # by which tools that look for secrets know a token
_TOKEN_BYTES = 32
_USE_NOTED_MS = 60_000  # between two writes of the last use


class NoSuchToken(ProjectorError):  # noqa: N818 - named for what is noticed
    """No stored token, or more than one, has the id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token that a command made. Times are epoch ms; null organisations or teams mean all."""

    sha256: bytes
    role: Role
    org_ids: Sequence[str] | None
    team_ids: Sequence[str] | None
    note: str
    created_time: int
    expires_time: int | None
    revoked_time: int | None
    last_used_time: int | None  # exact to a minute

    @property
    def id(self) -> str:
        return token_id(self.sha256)

    def is_valid(self, now: int) -> bool:
        """Whether it has neither expired nor been taken back."""
        return self.revoked_time is None and (self.expires_time is None or now < self.expires_time)


class CallerTokens:
    """Finds the tokens that count. ``clock`` gives the time, epoch ms."""

    def __init__(
        self, pool: Pool, configured: Sequence[Token], *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._configured = {it.sha256: it for it in configured}
        self._lock = Lock()
        self._stored: Mapping[bytes, StoredToken] = {}
        self._read_time: int | None = None
        self._noted: dict[bytes, int] = {}  # when the last use of a token was written

    def find(self, text: str) -> Token | None:
        """The token with this text, null where none such counts; it counts as a use."""
        return self.by_sha256(token_digest(text))

    def by_sha256(self, sha256: bytes) -> Token | None:
        """The token with this SHA-256, null where none such counts; it counts as a use."""
        if configured := self._configured.get(sha256):
            return configured
        now = self._clock()
        stored = self._stored_since(now - READ_EVERY_MS, now).get(sha256)
        if stored is None:
            stored = self._stored_since(now - READ_AGAIN_MS, now).get(sha256)
        if stored is None or not stored.is_valid(now):
            return None
        self._note_use(sha256, now)
        return Token(
            sha256=sha256,
            role=stored.role,
            org_ids=None if stored.org_ids is None else frozenset(stored.org_ids),
            team_ids=None if stored.team_ids is None else frozenset(stored.team_ids),
        )

    def _stored_since(self, oldest: int, now: int) -> Mapping[bytes, StoredToken]:
        """The tokens as they were read after ``oldest``."""
        # The lock is held while one reads, so that many callers make one query.
        with self._lock:
            if self._read_time is None or not oldest < self._read_time <= now:
                with translated(), self._pool.connection() as connection:
                    self._stored = {it.sha256: it for it in _read(connection, _COUNTING, now)}
                self._read_time = now
            return self._stored

    def _note_use(self, sha256: bytes, now: int) -> None:
        with self._lock:
            if now < self._noted.get(sha256, 0) + _USE_NOTED_MS:
                return
            self._noted[sha256] = now
        with translated(), self._pool.connection() as connection:
            connection.execute(_USED, {"sha256": sha256, "now": now})


class TokenStore:
    """Makes, lists and takes back stored tokens, with the rights of the database's owner.

    The service's own role may only read them. ``clock`` gives the time, epoch ms.
    """

    def __init__(
        self, connection: Connection[DictRow], *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._connection = connection
        self._clock = clock

    def create(
        self,
        role: Role,
        *,
        note: str,
        org_ids: Sequence[str] | None = None,
        team_ids: Sequence[str] | None = None,
        expires_time: int | None = None,
    ) -> tuple[str, StoredToken]:
        """A new token: its text, which is nowhere else, and what is stored of it."""
        text = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        stored = StoredToken(
            sha256=token_digest(text),
            role=role,
            org_ids=org_ids,
            team_ids=team_ids,
            note=note,
            created_time=self._clock(),
            expires_time=expires_time,
            revoked_time=None,
            last_used_time=None,
        )
        parameters = {
            "sha256": stored.sha256,
            "role": role.value,
            "orgs": None if org_ids is None else [*org_ids],
            "teams": None if team_ids is None else [*team_ids],
            "note": note,
            "now": stored.created_time,
            "expires": expires_time,
        }
        with translated():
            self._connection.execute(_CREATE, parameters)
        return text, stored

    def all(self) -> Sequence[StoredToken]:
        """Every token that was made, in the order of making; those that are over, too."""
        with translated():
            return _read(self._connection, _ALL, self._clock())

    def revoke(self, id_: str) -> StoredToken:
        """Take a token back, and end its sessions; NoSuchToken where the id names not just one."""
        now = self._clock()
        with translated(), self._connection.transaction():
            rows = self._connection.execute(_NAMED, {"id": id_}).fetchall()
            if len(rows) != 1:
                which = "No token has" if not rows else f"{len(rows)} tokens have"
                raise NoSuchToken(f"{which} the id {id_!r}: `projector tokens list` has the ids.")
            sha256 = rows[0]["sha256"]
            self._connection.execute(_REVOKE, {"sha256": sha256, "now": now})
            self._connection.execute(_END_SESSIONS, {"sha256": sha256})
        return next(it for it in self.all() if it.sha256 == sha256)


def _read(connection: Connection[DictRow], query: LiteralString, now: int) -> Sequence[StoredToken]:
    with connection.cursor(row_factory=kwargs_row(_stored_token)) as cur:
        return cur.execute(query, {"now": now}).fetchall()


def _stored_token(*, role: str, **row: Any) -> StoredToken:
    return StoredToken(role=Role(role), **row)


_ALL: LiteralString = """
    SELECT sha256, role, org_ids, team_ids, note, created_time, expires_time, revoked_time,
        last_used_time
    FROM tokens ORDER BY created_time, sha256
"""
_COUNTING: LiteralString = """
    SELECT sha256, role, org_ids, team_ids, note, created_time, expires_time, revoked_time,
        last_used_time
    FROM tokens WHERE revoked_time IS NULL AND (expires_time IS NULL OR expires_time > %(now)s)
"""
_CREATE: LiteralString = """
    INSERT INTO tokens (sha256, role, org_ids, team_ids, note, created_time, expires_time)
    VALUES (%(sha256)s, %(role)s, %(orgs)s, %(teams)s, %(note)s, %(now)s, %(expires)s)
"""
_NAMED: LiteralString = (
    "SELECT sha256 FROM tokens WHERE starts_with(encode(sha256, 'hex'), lower(%(id)s)) FOR UPDATE"
)
_REVOKE: LiteralString = (
    "UPDATE tokens SET revoked_time = coalesce(revoked_time, %(now)s) WHERE sha256 = %(sha256)s"
)
_END_SESSIONS: LiteralString = "DELETE FROM sessions WHERE token_sha256 = %(sha256)s"
_USED: LiteralString = "UPDATE tokens SET last_used_time = %(now)s WHERE sha256 = %(sha256)s"
