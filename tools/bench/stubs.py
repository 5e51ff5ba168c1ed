"""Stores and committers that leave something out, to tell what the rest costs."""

from __future__ import annotations

from collections.abc import Sequence

from projector.event_log.intake import GroupCommitter
from projector.event_log.store import EventStore, Receipt, Request


class NoAppend(EventStore):
    """A store that keeps nothing and says that all was new."""

    def __init__(self) -> None:
        """Without a pool, so nothing of the real one is set up."""

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
    """Each request appends by itself, on its own thread."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def commit(self, request: Request) -> Receipt:
        [receipt] = self._store.append([request])
        return receipt

    def close(self) -> None:
        """Nothing waits here."""
