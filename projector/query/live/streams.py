"""The feed: what changes, told to many readers by one thread and one LISTEN of the process.

The rule of this file: a reader misses nothing, and what is kept for it is bounded. It reads the
tables by itself until it has caught up, takes part in what the feed reads from then on, and reads
once more what changed in between. A reader that does not take what is offered is dropped: it can
come again and go on from the last position that it was told.
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
from projector.query.live.changes import Batch, Change, Changes, Interest, Place

WAITING_CHANGES = 10_000  # kept for a reader; the changes themselves are shared by all readers
PING_SECONDS = 15.0
POLL_SECONDS = 1.0  # the safety net under a notification that was missed
REST_SECONDS = 0.05  # between two looks, so that a burst of small pages makes few of them
WAKE_SECONDS = 0.2  # within this time the thread knows that nobody needs it any more
RETRY_SECONDS = 0.5


class TooManyStreams(ProjectorError):  # noqa: N818 - named for what callers say
    """As many streams are open as the process may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A change, or null where none came for a while; all up to a position was told by then."""

    position: int
    change: Change | None = None


class Feed:
    """The streams of one process. Thread-safe; its thread runs only while somebody reads."""

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
        self._place: Place = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def open(self, interest: Interest, *, since: int | None = None) -> Stream:
        """A stream of what changes from now on, or of all that did since a position.

        TooManyStreams at the limit; StoreUnavailable where the database does not answer.
        """
        place = self._changes.place()
        begin = place if since is None else dict.fromkeys(place, since)
        stream = Stream(self, self._changes, interest, begin)
        with self._lock:
            if self._is_closed or len(self._open) >= self._streams:
                raise TooManyStreams(f"{self._streams} streams are open, and no more may be.")
            self._open.add(stream)
        return stream

    def join(self, stream: Stream) -> None:
        """Offer a stream all that changes from here on."""
        place = self._changes.place()
        with self._lock:
            if stream not in self._open:
                return
            self._joined.add(stream)
            if self._thread is None:
                self._place = place
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
            rest=lambda: time.sleep(RETRY_SECONDS),
        )

    def _is_needed(self) -> bool:
        """Whether anybody reads; where nobody does, the next who joins starts another thread."""
        with self._lock:
            if not self._joined:
                self._thread = None
            return bool(self._joined)

    def _follow(self) -> None:
        with listening(self._url, VIEWS_CHANNEL) as connection:
            while self._joined:
                self._look()
                self._await_notice(connection)

    def _look(self) -> None:
        more = True
        while more and self._joined:
            batch = self._changes.after(self._place)
            with self._lock:
                self._place, more = batch.place, batch.more
                joined = [*self._joined]
            for stream in joined:
                stream.offer(batch)

    def _await_notice(self, connection: Connection[DictRow]) -> None:
        time.sleep(REST_SECONDS)
        deadline = time.monotonic() + POLL_SECONDS
        while self._joined and time.monotonic() < deadline:
            if await_notice(connection, WAKE_SECONDS):
                break
        drain_notices(connection)


class Stream:
    """What one reader is told, in order; iterated by the reader, offered to by the feed."""

    def __init__(self, feed: Feed, changes: Changes, interest: Interest, begin: Place) -> None:
        self._feed = feed
        self._changes = changes
        self._interest = interest
        self._place = begin
        self._position = _told_up_to(begin)
        self._ready = threading.Condition()
        self._waiting: deque[tuple[Sequence[Change], int]] = deque()
        self._offered_up_to = 0
        self._has_ended = False

    def __iter__(self) -> Iterator[Told]:
        """Begins at once with where it stands; ends when it is dropped, closed or out of reach."""
        yield Told(position=self._position)
        with suppress(StoreUnavailable):
            yield from self._catch_up()
            self._feed.join(self)
            yield from self._catch_up()
            while (taken := self._take()) is not None:
                yield from self._tell(*taken)

    def offer(self, batch: Batch) -> None:
        """Keep what is of interest until it is taken; end where too much waits already."""
        wanted = [change for change in batch.changes if self._interest.fits(change)]
        with self._ready:
            if self._has_ended:
                return
            self._offered_up_to = _told_up_to(batch.place)
            if sum(len(changes) for changes, _ in self._waiting) + len(wanted) > self._feed.waiting:
                self._end()
            elif wanted:
                self._waiting.append((wanted, self._offered_up_to))
                self._ready.notify()

    def close(self) -> None:
        """End it, and make room for another."""
        with self._ready:
            self._end()
        self._feed.leave(self)

    def _end(self) -> None:
        self._has_ended = True
        self._waiting.clear()
        self._ready.notify()

    def _catch_up(self) -> Iterator[Told]:
        more = True
        while more and not self._has_ended:
            batch = self._changes.after(self._place)
            self._place, more = batch.place, batch.more
            wanted = [change for change in batch.changes if self._interest.fits(change)]
            if wanted or more:  # a sign of life, where a long way holds nothing of interest
                yield from self._tell(wanted, _told_up_to(batch.place))

    def _take(self) -> tuple[Sequence[Change], int] | None:
        """What was offered next; nothing, where that takes long; null at the end."""
        with self._ready:
            self._ready.wait_for(self._is_ready, self._feed.ping_seconds)
            if self._has_ended:
                return None
            if not self._waiting:
                return (), self._offered_up_to
            offered, position = self._waiting.popleft()
        # What was read while catching up is not told twice.
        return [it for it in offered if it.position > self._place[it.partition]], position

    def _is_ready(self) -> bool:
        return self._has_ended or bool(self._waiting)

    def _tell(self, changes: Sequence[Change], position: int) -> Iterator[Told]:
        """The last of them says that all were told, those before it where to begin again."""
        for change in changes[:-1]:
            yield Told(position=self._position, change=change)
        self._position = max(self._position, position)
        yield Told(position=self._position, change=changes[-1] if changes else None)


def _told_up_to(place: Place) -> int:
    return min(place.values(), default=0)
