"""Posting: messages that wait go to the operator's address until it has taken them, or many fail.

Rule: a message is posted at least once, and its row is locked meanwhile, so that no two processes
post it at a time. A process that dies after the post and before its commit posts it again, under
the same ``webhook-id``. The messages of one alert go out in their order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, translated
from projector.operations.alerts.receiver import AlertReceiver, PostAnswer

# Seconds before each further attempt. After the last one a message is given up.
PAUSES_SECONDS = (5, 15, 60, 300, 900, 3_600)
POSTING_SECONDS = 3.0  # after which the watch looks again
LONGEST_POST_ERROR = 300
# The database ends the transaction of a process that does nothing with it, and with it its locks.
END_FROZEN = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
log = logging.getLogger(__name__)


class AlertPosting:
    """Posts the messages that wait. ``clock`` returns epoch ms."""

    def __init__(
        self, pool: Pool, receiver: AlertReceiver, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._pool = pool
        self._receiver = receiver
        self._clock = clock

    def post_due(self, *, stops: Callable[[], bool] = lambda: False) -> int:
        """Post what is due, for some seconds at most and up to a post that fails; how many went.

        One that fails says that the receiver is in trouble, so the others wait for the next time.
        """
        posted, end = 0, monotonic() + POSTING_SECONDS
        while not stops() and monotonic() < end and self._post_one():
            posted += 1
        return posted

    def _post_one(self) -> bool:
        """Post the next message; False where none is due, or its post fails."""
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as cur,
        ):
            cur.execute(END_FROZEN)
            row = cur.execute(_NEXT, {"now": self._clock()}).fetchone()
            if row is None:
                return False
            id_, message_id, body, attempts = row
            answer = self._receiver.post(message_id, body)
            if answer.is_taken:
                cur.execute("DELETE FROM alert_posts WHERE id = %(id)s", {"id": id_})
                return True
            self._postpone(cur, id_, attempts, answer)
            return False

    def _postpone(self, cur: Cursor[TupleRow], id_: int, attempts: int, answer: PostAnswer) -> None:
        now = self._clock()
        is_last = answer.is_gone or attempts >= len(PAUSES_SECONDS)
        if is_last:
            log.warning("a post of an alert is given up: %s", answer.text)
        cur.execute(
            _POSTPONE,
            {
                "id": id_,
                "error": answer.text.replace("\0", "")[:LONGEST_POST_ERROR],
                "failed_time": now if is_last else None,
                "next_time": now if is_last else now + PAUSES_SECONDS[attempts] * 1_000,
            },
        )


# The first message of its alert. One that another process posts is skipped, and as long as it is
# there, the next one of its alert is not chosen.
_NEXT = """
    SELECT id, message_id, body, attempts FROM alert_posts AS p
    WHERE failed_time IS NULL AND next_time <= %(now)s AND NOT EXISTS (
        SELECT FROM alert_posts AS e
        WHERE e.key = p.key AND e.id < p.id AND e.failed_time IS NULL
    )
    ORDER BY next_time, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_POSTPONE = """
    UPDATE alert_posts SET attempts = attempts + 1, next_time = %(next_time)s,
        failed_time = %(failed_time)s, last_error = %(error)s
    WHERE id = %(id)s
"""
