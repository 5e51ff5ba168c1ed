"""Names on a stream: each message has those of its ids that the stream has not sent lately.

Rule: what is remembered for a reader is bounded, and forgotten after a while. So a name that was
changed comes with the next message that has its id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from projector.contract.names import NameKind, NamesByKind, ids_in
from projector.query.live.interest import Change
from projector.query.names import Directory
from projector.query.scope import Scope

REMEMBERED_SECONDS = 60.0
REMEMBERED_IDS = 20_000
REMEMBERED_LENGTH = 200  # of an id; longer ones are looked up each time

KindAndId = tuple[NameKind, str]


class StreamNames:
    """Adds ``names`` to what one reader gets; it puts the maps of all messages together."""

    def __init__(
        self,
        directory: Directory,
        scope: Scope,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._scope = scope
        self._clock = clock
        self._remembered: dict[KindAndId, float] = {}  # since when an id needs no look

    def add(self, changes: Sequence[Change]) -> Sequence[Change]:
        """The changes with their names, which are looked up together. What has left has none."""
        now = self._clock()
        ids_of = [self._new_ids(change, now) for change in changes]
        names = self._directory.of_ids(self._scope, (it for ids in ids_of for it in ids))
        named = [
            change if change.event == "left" else replace(change, data=_with_names(change, it))
            for change, it in zip(changes, self._unsent(ids_of, names), strict=True)
        ]
        self._remember((it for ids in ids_of for it in ids), now)
        return named

    def _new_ids(self, change: Change, now: float) -> Sequence[KindAndId]:
        if change.event == "left":
            return ()
        return [
            it
            for it in dict.fromkeys(ids_in(json.loads(change.data)))
            if self._remembered.get(it, -REMEMBERED_SECONDS) + REMEMBERED_SECONDS <= now
        ]

    def _unsent(
        self, ids_of: Iterable[Sequence[KindAndId]], names: NamesByKind
    ) -> Iterable[NamesByKind]:
        """The names of each message that none before it has."""
        sent = set[KindAndId]()
        for ids in ids_of:
            own: dict[str, dict[str, str]] = {}
            for kind, id_ in ids:
                if (kind, id_) not in sent and id_ in names.get(kind, ()):
                    own.setdefault(kind, {})[id_] = names[kind][id_]
            sent.update(ids)
            yield own

    def _remember(self, ids: Iterable[KindAndId], now: float) -> None:
        for kind, id_ in ids:
            if len(id_) <= REMEMBERED_LENGTH:
                if len(self._remembered) >= REMEMBERED_IDS:
                    self._remembered.clear()
                self._remembered[kind, id_] = now


def _with_names(change: Change, names: Mapping[str, Mapping[str, str]]) -> str:
    return f'{change.data[:-1]},"names":{json.dumps(names, ensure_ascii=False)}}}'
