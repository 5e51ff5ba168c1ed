"""Changes as readers get them, and which of them a reader is interested in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from projector.contract.views import SubjectLeft
from projector.projection.read_models import Key, Table
from projector.query.live.shown_before import Shown
from projector.query.scope import Scope

# Of some teams to what they see of a correction, as JSON; null: nothing.
SeenCorrection = Callable[[frozenset[str]], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A view, a correction or a departure as readers get it, with what filters need."""

    event: Literal["agent", "task", "correction", "adherence", "left"]
    table: Table[Any]  # of its subject
    key: Key
    partition: int
    position: int
    deadline: int | None = None  # that passed and changed the view; null where an event did
    refolded: int | None = None  # the number in ``refolded`` of what changed the view
    is_gone: bool = False  # its subject has no view any more
    shown: Shown  # of its subject, as it is now
    before: Sequence[Shown] = ()  # what readers may have of it, where one of them needs it
    data: str  # JSON, in the contract's spelling
    correction: SeenCorrection | None = None  # for readers of some teams, in place of ``data``

    @property
    def left_teams(self) -> frozenset[str]:
        """The teams of before that the subject is not of any more."""
        return frozenset[str]().union(*(it.teams for it in self.before)) - self.shown.teams

    def left(self) -> Change:
        """What a reader gets whom the subject has left."""
        left = SubjectLeft(
            kind=self.table.subject,
            org_id=self.key[0],
            **{self.table.column: self.key[1]},
        )
        return replace(self, event="left", data=left.model_dump_json(by_alias=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Which changes a caller may see and asks for: one of the values of each filter."""

    scope: Scope
    filters: Mapping[str, frozenset[str]]
    events: frozenset[str] = frozenset({"agent", "task", "correction"})

    def select(self, changes: Iterable[Change]) -> list[Change]:
        """The changes that match, and the departures of subjects that matched before."""
        return [*self._selected(changes)]

    def may_have_lost(self, change: Change) -> bool:
        """Whether the subject does not match, but another view of it might."""
        own_id = f"{change.table.subject}Id"
        facets = change.shown.facets
        return (
            self._is_about(change)
            and not self._matches(change, change.shown)
            and self.scope.covers_organisation(change.key[0])
            and self.filters.keys() <= facets.keys()
            and not self.filters.get(own_id, facets[own_id]).isdisjoint(facets[own_id])
        )

    def is_about(self, table: Table[Any]) -> bool:
        """Whether views of a kind may be sent, or the adherence that is made of them."""
        made_of = {"adherence"} if table.subject == "agent" else set()
        return not self.events.isdisjoint({table.subject, *made_of})

    def _is_about(self, change: Change) -> bool:
        return change.event == change.table.subject and self.is_about(change.table)

    def _selected(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            if change.event not in self.events:
                continue
            if not change.is_gone and self._matches(change, change.shown):
                yield from self._as_seen(change)
            elif any(self._matches(change, shown) for shown in change.before):
                yield change.left()

    def _as_seen(self, change: Change) -> Iterator[Change]:
        """A change, of a correction what was of the reader's teams; nothing where nothing was."""
        if change.event != "correction" or self.scope.team_ids is None:
            yield change
        elif change.correction is not None:
            data = change.correction(self.scope.team_ids)
            if data is not None:
                yield replace(change, data=data)

    def _matches(self, change: Change, shown: Shown) -> bool:
        return self.scope.covers(change.key[0], shown.teams) and shown.fits(self.filters)
