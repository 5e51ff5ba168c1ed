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
from projector.projection.partitions import OtherFold
from projector.query.live.changes import (
    Change,
    ChangeBatch,
    Changes,
    Interest,
    Progress,
)

WAITING_CHANGES = 10_000  # for one reader; the changes themselves are shared by all readers
PING_SECONDS = 15.0
FEED_POLL_SECONDS = 1.0  # where a notification was missed
LOOK_EVERY_MS = 1_000  # for deadlines that have passed
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
        self._progress = Progress(positions={}, time=0, looked=0)  # set when the thread starts
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def open(self, interest: Interest, *, since: int | None = None) -> Stream:
        """A stream of what changes from now on, or of all changes after the position ``since``.

        Raises TooManyStreams at the limit, StoreUnavailable where the database does not answer.
        """
        stream = Stream(self, self._changes, interest, self._changes.progress(since=since))
        with self._lock:
            if self._is_closed or len(self._open) >= self._streams:
                raise TooManyStreams(f"{self._streams} streams are open, and no more may be.")
            self._open.add(stream)
        return stream

    def join(self, stream: Stream) -> None:
        """Offer a stream all changes from here on."""
        progress = self._changes.progress()
        with self._lock:
            if stream not in self._open:
                return
            self._joined.add(stream)
            if self._thread is None:
                self._progress = progress
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
            waits_for=OtherFold,
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
            with self._lock:
                joined = {*self._joined}
            interests = [it.interest for it in joined]
            batch = self._changes.after(self._progress, interests, look_every_ms=LOOK_EVERY_MS)
            with self._lock:
                self._progress, more = batch.progress, batch.more
                joined_since = self._joined - joined
            for stream in joined:
                stream.offer(batch)
            for stream in joined_since:
                stream.fall_behind()

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
        self, feed: Feed, changes: Changes, interest: Interest, progress: Progress
    ) -> None:
        self._feed = feed
        self._changes = changes
        self.interest = interest
        self._progress = progress
        self._position = progress.complete_up_to
        self._ready = threading.Condition()
        self._waiting: deque[tuple[Sequence[Change], int]] = deque()
        self._offered_up_to = 0
        self._is_behind = False
        self._has_ended = False

    def __iter__(self) -> Iterator[StreamMessage]:
        """The first message, at once, has the position from which the stream starts.

        Ends where the stream was ended or closed, or nothing can be read.
        """
        yield StreamMessage(position=self._position)
        with suppress(StoreUnavailable, OtherFold):
            yield from self._catch_up()
            self._feed.join(self)
            yield from self._catch_up()
            while (offered := self._next_offered()) is not None:
                if self._is_behind:
                    self._is_behind = False
                    yield from self._catch_up()
                changes, position = offered
                # Without those that the stream has read itself.
                new = [it for it in changes if not self._progress.includes(it)]
                yield from self._messages(new, position)

    def offer(self, batch: ChangeBatch) -> None:
        """Let what is of interest wait for the reader; end where too many wait already."""
        selected = self.interest.select(batch.changes)
        with self._ready:
            if self._has_ended:
                return
            self._offered_up_to = batch.progress.complete_up_to
            waiting = sum(len(changes) for changes, _ in self._waiting)
            if waiting + len(selected) > self._feed.waiting:
                self._end()
            elif selected:
                self._waiting.append((selected, self._offered_up_to))
                self._ready.notify()

    def fall_behind(self) -> None:
        """Let the stream read itself what was read for the others, without knowing of it."""
        with self._ready:
            self._is_behind = True
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
            batch = self._changes.after(self._progress, [self.interest])
            self._progress, more = batch.progress, batch.more
            selected = self.interest.select(batch.changes)
            if selected or more:  # a sign of life, where many changes in a row do not match
                yield from self._messages(selected, batch.progress.complete_up_to)

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
            return self._waiting.popleft()

    def _is_ready(self) -> bool:
        return self._has_ended or self._is_behind or bool(self._waiting)

    def _messages(self, changes: Sequence[Change], position: int) -> Iterator[StreamMessage]:
        """Only the last message has the new position: until then, changes up to it are missing."""
        for change in changes[:-1]:
            yield StreamMessage(position=self._position, change=change)
        self._position = max(self._position, position)
        yield StreamMessage(position=self._position, change=changes[-1] if changes else None)
