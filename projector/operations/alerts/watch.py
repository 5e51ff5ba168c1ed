"""The watch over alerts: what has begun, risen or ended since it looked last becomes a post.

Rule: what was raised stands in the database, in one transaction with the post that tells it. So no
restart forgets an alert or raises it twice. One process looks at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg import Cursor, sql
from psycopg.rows import TupleRow, tuple_row

from projector.contract.alerts import Alert, AlertMessageType
from projector.contract.base import to_json
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.infrastructure.sql import Columns
from projector.operations.alerts.posting import END_FROZEN
from projector.operations.alerts.receiver import message_text
from projector.query.alerts.current_alerts import Alerts
from projector.query.scope import EVERYTHING

MOST_LAG_MS = 30_000  # views that are further behind the log raise and end nothing
FAILED_DAYS = 30  # for which a post that was given up is kept
_RANK = {"amber": 1, "red": 2}


class AlertWatch:
    """Compares the alerts of now with those that were raised. ``clock`` returns epoch ms."""

    def __init__(self, pool: Pool, alerts: Alerts, *, clock: Callable[[], int] = now_ms) -> None:
        self._pool = pool
        self._alerts = alerts
        self._clock = clock

    def check(self) -> int:
        """Keep a post for each alert that has begun, risen or ended; how many there are.

        There are none while another process checks, and while the views are far behind the log:
        they do not say what is so now. OtherFold where the views cannot be read.
        """
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as cur,
        ):
            cur.execute(END_FROZEN)
            if not _one(cur, _LOCK) or self._lag_ms(cur) > MOST_LAG_MS:
                return 0
            now = self._clock()
            current = {_key(it): it for it in self._alerts.find(EVERYTHING)}
            was_open = {bytes(key): (level, text) for key, level, text in cur.execute(_OPEN)}
            posts = _posts(current, was_open, now)
            _keep(cur, current, was_open)
            if posts:
                cur.execute(_POST, {"now": now} | _POSTS.parameters(posts))
            cur.execute(_FORGET, {"before": now - FAILED_DAYS * 24 * 3_600_000})
            return len(posts)

    def _lag_ms(self, cur: Cursor[TupleRow]) -> int:
        """For how long the event that the views wait for has been in the log."""
        waits_since = _one(cur, _WAITS_SINCE)
        return 0 if waits_since is None else max(0, self._clock() - int(waits_since))


def _posts(
    current: Mapping[bytes, Alert], was_open: Mapping[bytes, tuple[str, str]], now: int
) -> Sequence[tuple[bytes, str]]:
    """Keys and bodies: first of what has ended, then of what has begun or risen."""
    posts: list[tuple[bytes, str]] = []

    def tell(type_: AlertMessageType, key: bytes, alert: str) -> None:
        posts.append((key, message_text(type_, alert, now)))

    for key, (_, text) in was_open.items():
        if key not in current:
            tell("alert.ended", key, text)
    for key, alert in current.items():
        known_level, _ = was_open.get(key, ("", ""))
        if _RANK[alert.level] > _RANK.get(known_level, 0):
            tell("alert.raised", key, to_json(alert).decode())
    return posts


def _keep(
    cur: Cursor[TupleRow],
    current: Mapping[bytes, Alert],
    was_open: Mapping[bytes, tuple[str, str]],
) -> None:
    """Keep which alerts are open now, with their levels; those that rest at a level stay."""
    changed = [
        (key, alert.level, to_json(alert).decode())
        for key, alert in current.items()
        if alert.level != was_open.get(key, ("", ""))[0]
    ]
    if changed:
        cur.execute(_KEEP, _CHANGED.parameters(changed))
    ended = [key for key in was_open if key not in current]
    if ended:
        cur.execute("DELETE FROM open_alerts WHERE key = ANY(%(keys)s)", {"keys": ended})


def _key(alert: Alert) -> bytes:
    return hashlib.sha256(json.dumps(alert.identity).encode()).digest()


def _one(cur: Cursor[TupleRow], query: Any) -> Any:
    row = cur.execute(query).fetchone()
    return None if row is None else row[0]


_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('projector.alerts', 0))"
_WAITS_SINCE = """
    SELECT recorded_time FROM log
    WHERE position = (SELECT min(position) FROM projections) + 1
"""
_OPEN = "SELECT key, level, alert FROM open_alerts"
_CHANGED = Columns({"key": "bytea", "level": "text", "alert": "text"})
_KEEP = sql.SQL("""
    INSERT INTO open_alerts (key, level, alert) SELECT key, level, alert FROM {rows}
    ON CONFLICT (key) DO UPDATE SET level = excluded.level, alert = excluded.alert
""").format(rows=_CHANGED.unnest("c"))
_POSTS = Columns({"key": "bytea", "body": "text"})
_POST = sql.SQL("""
    INSERT INTO alert_posts (key, body, created_time, next_time)
    SELECT key, body, %(now)s, %(now)s FROM {rows} ORDER BY ordinal
""").format(rows=_POSTS.unnest("p", ordinal=True))
_FORGET = "DELETE FROM alert_posts WHERE failed_time < %(before)s"
