"""Live streams: one thread and one LISTEN of the process give changes to many readers.

Rule: a reader misses nothing, and what waits for it is bounded.

- A new stream first reads the tables itself until it has caught up. Then it joins the feed, and
  reads once more what changed in between.
- A stream whose reader takes too little is ended. The reader can open another one and go on after
  the last position that it got.
- A snapshot is read a page at a time, each in a transaction of its own. In the same transaction is
  read what changed meanwhile. So all pages together are as of one moment, the last one's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from psycopg import Connection
from psycopg.rows import DictRow

from projector.contract.views import SnapshotEnd, SnapshotStart
from projector.infrastructure.database import VIEWS_CHANNEL, StoreUnavailable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.listening import (
    await_notice,
    drain_notices,
    keep_following,
    listening,
)
from projector.projection.partitions import OtherFold
from projector.query.live.changes import ChangeBatch, Changes, Progress
from projector.query.live.interest import Change, Interest
from projector.query.live.snapshot import first_place

WAITING_CHANGES = 10_000  # for one reader; the changes themselves are shared by all readers
PING_SECONDS = 15.0
FEED_POLL_SECONDS = 1.0  # where a notification was missed
LOOK_EVERY_MS = 1_000  # for deadlines that have passed
FEED_REST_SECONDS = 0.05  # between two reads, so that a burst of small batches makes few of them
NEEDED_CHECK_SECONDS = 0.2  # within this time the thread ends when no reader is left
FEED_RETRY_SECONDS = 0.5
PAGES_TOGETHER = 4  # pages of snapshots that are read at a time, so that connections remain

SentAs = Callable[[Sequence[Change]], Sequence[Change]]


class TooManyStreams(ProjectorError):  # noqa: N818 - named for what callers say
    """As many streams are open as the process may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMark:
    """The begin of a snapshot, or its end, as readers get it."""

    event: Literal["reset", "snapshot"]
    data: str  # JSON, in the contract's spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMessage:
    """A change or a mark, or null where none came for a while.

    Whoever has this message has all changes up to ``position``.
    """

    position: int
    change: Change | SnapshotMark | None = None


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
        self.reads_page = threading.BoundedSemaphore(PAGES_TOGETHER)
        self._lock = threading.Lock()
        self._open: set[Stream] = set()
        self._joined: set[Stream] = set()
        # Set when the thread starts.
        self._progress = Progress.at({}, {}, 0)
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def open(
        self,
        interest: Interest,
        *,
        since: int | None = None,
        snapshot: bool = False,
        sent_as: SentAs = tuple,
    ) -> Stream:
        """A stream of what changes from now on, or of all changes after the position ``since``.

        With ``snapshot`` it begins with all views that fit. ``sent_as`` may change what is sent of
        some changes. Raises TooManyStreams at the limit, StoreUnavailable where the database does
        not answer.
        """
        progress = self._changes.progress(since=None if snapshot else since)
        stream = Stream(self, self._changes, interest, progress, snapshot=snapshot, sent_as=sent_as)
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

    def part(self, stream: Stream) -> None:
        """Offer a stream nothing more, until it joins again."""
        with self._lock:
            self._joined.discard(stream)

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

    def __init__(  # noqa: PLR0913 - what it reads, and how it begins
        self,
        feed: Feed,
        changes: Changes,
        interest: Interest,
        progress: Progress,
        *,
        snapshot: bool,
        sent_as: SentAs,
    ) -> None:
        self._feed = feed
        self._changes = changes
        self.interest = interest
        self._progress = progress
        self._sent_as = sent_as
        self._position = progress.complete_up_to
        self._ready = threading.Condition()
        self._waiting: deque[tuple[Sequence[Change], int]] = deque()
        self._offered_up_to = 0
        self._is_behind = False
        self._needs_snapshot = snapshot
        self._has_ended = False

    def __iter__(self) -> Iterator[StreamMessage]:
        """The first message, at once, has the position from which the stream starts.

        Ends where the stream was ended or closed, or nothing can be read.
        """
        yield StreamMessage(position=self._position)
        with suppress(StoreUnavailable, OtherFold):
            while not self._has_ended:
                if self._needs_snapshot:
                    yield from self._snapshot()
                yield from self._catch_up()
                self._feed.join(self)
                yield from self._catch_up()
                yield from self._follow()
                self._feed.part(self)

    def offer(self, batch: ChangeBatch) -> None:
        """Let what is of interest wait for the reader; end where too many wait already."""
        selected = self.interest.select(batch.changes)
        with self._ready:
            if self._has_ended:
                return
            if batch.other_tables:
                # Unless the stream has read itself that others serve.
                self._needs_snapshot |= not self._progress.has_numbers_of(batch.progress)
                self._ready.notify()
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

    def _snapshot(self) -> Iterator[StreamMessage]:
        """All views that fit, between two marks, and what changed while they were read.

        Until the end the position stays: who loses the stream before has too little of the new one.
        """
        with self._ready:
            self._needs_snapshot = False
            self._waiting.clear()
        self._progress = self._changes.progress()
        start = SnapshotStart(position=self._progress.complete_up_to)
        yield self._mark("reset", start.model_dump_json(by_alias=True))
        counts, place = Counter[str](), first_place(self.interest)
        while place is not None and not self._has_ended:
            with self._feed.reads_page:
                batch, page = self._changes.with_page(self._progress, self.interest, place)
            if batch.other_tables:
                self._needs_snapshot = True
            if self._needs_snapshot:
                return
            self._progress = batch.progress
            yield from self._unplaced(self.interest.select(batch.changes))
            if page is not None:
                yield from self._unplaced(page.changes)
                counts[place.table.name] += len(page.changes)
                place = page.next
        self._position = self._progress.complete_up_to
        end = SnapshotEnd(agents=counts["agents"], tasks=counts["tasks"], position=self._position)
        yield self._mark("snapshot", end.model_dump_json(by_alias=True))

    def _catch_up(self) -> Iterator[StreamMessage]:
        more = True
        while more and not self._has_ended and not self._needs_snapshot:
            batch = self._changes.after(self._progress, [self.interest])
            if batch.other_tables:
                self._needs_snapshot = True
                return
            self._progress, more = batch.progress, batch.more
            selected = self.interest.select(batch.changes)
            if selected or more:  # a sign of life, where many changes in a row do not match
                yield from self._messages(selected, batch.progress.complete_up_to)

    def _follow(self) -> Iterator[StreamMessage]:
        """What the feed offers, until the stream ends or needs a snapshot."""
        while (offered := self._next_offered()) is not None:
            if self._is_behind:
                self._is_behind = False
                yield from self._catch_up()
            changes, position = offered
            # Without those that the stream has read itself.
            new = [it for it in changes if not self._progress.includes(it)]
            yield from self._messages(new, position)

    def _next_offered(self) -> tuple[Sequence[Change], int] | None:
        """The changes that were offered next, and the position that they complete.

        No changes where none came for a while; null at the end, and where a snapshot is needed.
        """
        with self._ready:
            self._ready.wait_for(self._is_ready, self._feed.ping_seconds)
            if self._has_ended or self._needs_snapshot:
                return None
            if not self._waiting:
                return (), self._offered_up_to
            return self._waiting.popleft()

    def _is_ready(self) -> bool:
        return self._has_ended or self._needs_snapshot or self._is_behind or bool(self._waiting)

    def _messages(self, changes: Sequence[Change], position: int) -> Iterator[StreamMessage]:
        """Only the last message has the new position: until then, changes up to it are missing."""
        sent = self._sent_as(changes)
        for change in sent[:-1]:
            yield StreamMessage(position=self._position, change=change)
        self._position = max(self._position, position)
        yield StreamMessage(position=self._position, change=sent[-1] if sent else None)

    def _unplaced(self, changes: Sequence[Change]) -> Iterator[StreamMessage]:
        for change in self._sent_as(changes):
            yield StreamMessage(position=self._position, change=change)

    def _mark(self, event: Literal["reset", "snapshot"], data: str) -> StreamMessage:
        return StreamMessage(position=self._position, change=SnapshotMark(event=event, data=data))
