"""A store and a committer that leave something out, to show what the rest costs."""

from __future__ import annotations

from collections.abc import Sequence

from projector.event_log.intake import GroupCommitter
from projector.event_log.store import EventStore, Receipt, Request


class NoAppend(EventStore):
    """A store that stores nothing and answers that all events were new."""

    def __init__(self) -> None:
        """It has no pool, so the real constructor is not called."""

    def append(self, requests: Sequence[Request]) -> list[Receipt]:
        return [
            Receipt(
                outcomes=["appended"] * len(request.events),
                quarantined=len(request.unusable),
                head=0,
            )
            for request in requests
        ]


class NoGroup(GroupCommitter):
    """Appends each request by itself, on the thread of the caller."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def commit(self, request: Request) -> Receipt:
        [receipt] = self._store.append([request])
        return receipt

    def close(self) -> None:
        """There is no thread to stop."""
