"""Live streams: one thread and one LISTEN of the process give changes to many readers.

Rule: a reader misses nothing, and what waits for it is bounded.

- A new stream first reads the tables itself until it has caught up. Then it joins the feed, and
  reads once more what changed in between.
- A stream whose reader takes too little is ended. The reader can open another one and go on after
  the last position that it got.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import DictRow

from projector.infrastructure.database import VIEWS_CHANNEL, StoreUnavailable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.listening import (
    await_notice,
    drain_notices,
    keep_following,
    listening,
)
from projector.query.live.changes import (
    Change,
    ChangeBatch,
    Changes,
    Interest,
    PartitionPositions,
)

WAITING_CHANGES = 10_000  # for one reader; the changes themselves are shared by all readers
PING_SECONDS = 15.0
FEED_POLL_SECONDS = 1.0  # where a notification was missed
FEED_REST_SECONDS = 0.05  # between two reads, so that a burst of small batches makes few of them
NEEDED_CHECK_SECONDS = 0.2  # within this time the thread ends when no reader is left
FEED_RETRY_SECONDS = 0.5


class TooManyStreams(ProjectorError):  # noqa: N818 - named for what callers say
    """As many streams are open as the process may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMessage:
    """A change, or null where none came for a while.

    Whoever has this message has all changes up to ``position``.
    """

    position: int
    change: Change | None = None


class Feed:
    """The streams of one process, at most ``streams``. Thread-safe.

    Its thread runs only while there are readers. At most ``waiting`` changes wait for a reader.
    """

    def __init__(
        self,
        changes: Changes,
        url: str,
        *,
        streams: int,
        waiting: int = WAITING_CHANGES,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._changes = changes
        self._url = url
        self._streams = streams
        self.waiting = waiting
        self.ping_seconds = ping_seconds
        self._lock = threading.Lock()
        self._open: set[Stream] = set()
        self._joined: set[Stream] = set()
        self._positions: PartitionPositions = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def open(self, interest: Interest, *, since: int | None = None) -> Stream:
        """A stream of what changes from now on, or of all changes after the position ``since``.

        Raises TooManyStreams at the limit, StoreUnavailable where the database does not answer.
        """
        positions = self._changes.positions()
        if since is not None:
            positions = dict.fromkeys(positions, since)
        stream = Stream(self, self._changes, interest, positions)
        with self._lock:
            if self._is_closed or len(self._open) >= self._streams:
                raise TooManyStreams(f"{self._streams} streams are open, and no more may be.")
            self._open.add(stream)
        return stream

    def join(self, stream: Stream) -> None:
        """Offer a stream all changes from here on."""
        positions = self._changes.positions()
        with self._lock:
            if stream not in self._open:
                return
            self._joined.add(stream)
            if self._thread is None:
                self._positions = positions
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()

    def leave(self, stream: Stream) -> None:
        """Make room for another stream."""
        with self._lock:
            self._open.discard(stream)
            self._joined.discard(stream)

    def close(self) -> None:
        """End all streams and the thread."""
        with self._lock:
            self._is_closed = True
            streams, thread = [*self._open], self._thread
        for stream in streams:
            stream.close()
        if thread is not None:
            thread.join()

    # --- the thread ---

    def _run(self) -> None:
        keep_following(
            self._follow,
            who="the live feed",
            is_needed=self._is_needed,
            rest=lambda: time.sleep(FEED_RETRY_SECONDS),
        )

    def _is_needed(self) -> bool:
        """Whether there are readers. Without any, the next one to join starts another thread."""
        with self._lock:
            if not self._joined:
                self._thread = None
            return bool(self._joined)

    def _follow(self) -> None:
        with listening(self._url, VIEWS_CHANNEL) as connection:
            while self._joined:
                self._read()
                self._await_notice(connection)

    def _read(self) -> None:
        more = True
        while more and self._joined:
            batch = self._changes.after(self._positions)
            with self._lock:
                self._positions, more = batch.positions, batch.more
                joined = [*self._joined]
            for stream in joined:
                stream.offer(batch)

    def _await_notice(self, connection: Connection[DictRow]) -> None:
        time.sleep(FEED_REST_SECONDS)
        deadline = time.monotonic() + FEED_POLL_SECONDS
        while self._joined and time.monotonic() < deadline:
            if await_notice(connection, NEEDED_CHECK_SECONDS):
                break
        drain_notices(connection)


class Stream:
    """The messages for one reader, in order. The reader iterates it, the feed offers to it."""

    def __init__(
        self, feed: Feed, changes: Changes, interest: Interest, positions: PartitionPositions
    ) -> None:
        self._feed = feed
        self._changes = changes
        self._interest = interest
        self._positions = positions
        self._position = _complete_up_to(positions)
        self._ready = threading.Condition()
        self._waiting: deque[tuple[Sequence[Change], int]] = deque()
        self._offered_up_to = 0
        self._has_ended = False

    def __iter__(self) -> Iterator[StreamMessage]:
        """The first message, at once, has the position from which the stream starts.

        Ends where the stream was ended or closed, or the database does not answer.
        """
        yield StreamMessage(position=self._position)
        with suppress(StoreUnavailable):
            yield from self._catch_up()
            self._feed.join(self)
            yield from self._catch_up()
            while (offered := self._next_offered()) is not None:
                yield from self._messages(*offered)

    def offer(self, batch: ChangeBatch) -> None:
        """Let the changes that match wait for the reader; end where too many wait already."""
        matching = [change for change in batch.changes if self._interest.matches(change)]
        with self._ready:
            if self._has_ended:
                return
            self._offered_up_to = _complete_up_to(batch.positions)
            waiting = sum(len(changes) for changes, _ in self._waiting)
            if waiting + len(matching) > self._feed.waiting:
                self._end()
            elif matching:
                self._waiting.append((matching, self._offered_up_to))
                self._ready.notify()

    def close(self) -> None:
        """End the stream, and make room for another."""
        with self._ready:
            self._end()
        self._feed.leave(self)

    def _end(self) -> None:
        self._has_ended = True
        self._waiting.clear()
        self._ready.notify()

    def _catch_up(self) -> Iterator[StreamMessage]:
        more = True
        while more and not self._has_ended:
            batch = self._changes.after(self._positions)
            self._positions, more = batch.positions, batch.more
            matching = [change for change in batch.changes if self._interest.matches(change)]
            if matching or more:  # a sign of life, where many changes in a row do not match
                yield from self._messages(matching, _complete_up_to(batch.positions))

    def _next_offered(self) -> tuple[Sequence[Change], int] | None:
        """The changes that were offered next, and the position that they complete.

        No changes where none came for a while; null at the end.
        """
        with self._ready:
            self._ready.wait_for(self._is_ready, self._feed.ping_seconds)
            if self._has_ended:
                return None
            if not self._waiting:
                return (), self._offered_up_to
            offered, position = self._waiting.popleft()
        # Without those that the stream read itself while it caught up.
        return [it for it in offered if it.position > self._positions[it.partition]], position

    def _is_ready(self) -> bool:
        return self._has_ended or bool(self._waiting)

    def _messages(self, changes: Sequence[Change], position: int) -> Iterator[StreamMessage]:
        """Only the last message has the new position: until then, changes up to it are missing."""
        for change in changes[:-1]:
            yield StreamMessage(position=self._position, change=change)
        self._position = max(self._position, position)
        yield StreamMessage(position=self._position, change=changes[-1] if changes else None)


def _complete_up_to(positions: PartitionPositions) -> int:
    return min(positions.values(), default=0)
