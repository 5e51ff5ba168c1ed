"""Changes: views that changed and corrections that were made, since a reader last looked.

Rule: each partition is folded up to a position of its own. So a reader keeps one position for each
partition. A batch is read from one database snapshot in the order of positions, and has all or none
of the changes of a position. Whoever goes on from the positions after it misses nothing.

The passing of time changes views without a position. So a reader also keeps the time up to which it
has looked for deadlines. It looks first among the views that it has, and then reads the new ones.
Replays and retries change them without a position, too: of these a reader keeps a number for each
partition. Where other tables serve, what it has read is worth nothing: it begins with a snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from projector.contract.adherence import adherence_row
from projector.contract.ledgers import CorrectionRow
from projector.contract.views import AgentView
from projector.event_log.reader import ENDLESS
from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import Pool, StoreUnavailable
from projector.infrastructure.sql import Columns
from projector.projection.arrival_delays import ArrivalDelays
from projector.projection.partitions import PROJECTION
from projector.projection.read_models import AGENTS, KEY_COLUMNS, TABLES, TASKS, Key, Table
from projector.query.as_of.reconstruct import AsOf, interval_starts
from projector.query.as_of.team_moments import TeamMoments
from projector.query.audit.ledgers import correction_periods, correction_row, seen_correction
from projector.query.current_views import current_state
from projector.query.live.interest import Change, Interest
from projector.query.live.refolded import Refolded, numbers_before, read_refolded, read_views_of
from projector.query.live.shown_before import as_shown, shown_before, stored_facets_between
from projector.query.live.snapshot import Place, SnapshotPage, read_page
from projector.query.own_fold import read_views
from projector.query.scope import teams_of

CHANGES_TOGETHER = 500  # about as many are read at a time

PartitionPositions = Mapping[int, int]  # the last position that was read, by partition
Subject = tuple[str, Key]  # its table and key
KnownAt = tuple[int, int]  # the position up to which a view was folded, and when it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a reader has read; times are epoch ms.

    A reader who has read a part of what there was has some views as they were at ``time``, and
    those that were ``told`` since then as they were when they were read.
    """

    positions: PartitionPositions
    refolded: PartitionPositions  # the last number of ``refolded``, by partition
    time: int  # at this time it had all there was,
    whole: PartitionPositions  # which was up to these positions
    told: Mapping[Subject, KnownAt]  # what was read since then, until it has all again
    looked: int  # up to here it has looked for deadlines

    @classmethod
    def at(cls, positions: PartitionPositions, refolded: PartitionPositions, time: int) -> Progress:
        """Of a reader who has all up to these positions."""
        return cls(
            positions=positions,
            refolded=refolded,
            time=time,
            whole=positions,
            told={},
            looked=time,
        )

    def known_at(self, subject: Subject, partition: int) -> KnownAt:
        """As of when the reader has a view."""
        return self.told.get(subject) or (self.whole[partition], self.time)

    @property
    def complete_up_to(self) -> int:
        """The reader has all changes up to this position."""
        return min(self.positions.values(), default=0)

    def has_numbers_of(self, other: Progress) -> bool:
        """Whether the reader has all that was folded again which another one has."""
        return all(self.refolded[partition] >= it for partition, it in other.refolded.items())

    def includes(self, change: Change) -> bool:
        """Whether the reader has a change."""
        if change.deadline is not None:
            return change.deadline <= self.looked
        if change.refolded is not None:
            return change.refolded <= self.refolded[change.partition]
        return change.position <= self.positions[change.partition]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """Some changes, by position, and how far a reader has read with them."""

    changes: Sequence[Change]
    progress: Progress
    more: bool  # whether there were more when it was read
    other_tables: bool = False  # since then other tables serve: readers need a snapshot


class Changes:
    """Reads what changed, a batch at a time, so that memory is bounded."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        delays: ArrivalDelays,
        *,
        clock: Callable[[], int] = now_ms,
        limit: int = CHANGES_TOGETHER,
    ) -> None:
        self._pool = pool
        self._store = store
        self._delays = delays
        self._clock = clock
        self._limit = limit

    def progress(self, *, since: int | None = None) -> Progress:
        """That of a reader who has all there is, or all up to the position ``since``."""
        with read_views(self._pool) as cur:
            positions, numbers = _positions(cur)
            if since is None:
                time = self._clock()
            else:
                positions = dict.fromkeys(positions, since)
                numbers |= numbers_before(cur, since)
                row = cur.execute(_RECORDED_TIME, {"position": since}).fetchone()
                time = row[0] if row else 0
        return Progress.at(positions, numbers, time)

    def after(
        self, progress: Progress, interests: Sequence[Interest], *, look_every_ms: int = 0
    ) -> ChangeBatch:
        """The next changes for readers with these interests.

        Deadlines are looked for where ``look_every_ms`` have passed since the last time.
        """
        with read_views(self._pool) as cur:
            return self._after(cur, progress, interests, look_every_ms)

    def with_page(
        self, progress: Progress, interest: Interest, place: Place
    ) -> tuple[ChangeBatch, SnapshotPage | None]:
        """The next changes, and after the last of them a page of a snapshot, of the same moment.

        So whoever reads a snapshot has all of its pages as of the progress of the last one.
        """
        with read_views(self._pool) as cur:
            batch = self._after(cur, progress, [interest], look_every_ms=0)
            if batch.more or batch.other_tables:
                return batch, None
            now = batch.progress.looked
            rows, next_place = read_page(cur, interest, place, now=now, limit=self._limit)
            position = batch.progress.complete_up_to
            views: Sequence[Change] = [
                self._change(place.table, (position, *row, ()), now) for row in rows
            ]
            if "adherence" in interest.events:
                views = _with_adherence(cur, views, now)
            page = SnapshotPage(
                changes=[it for it in views if it.event in interest.events], next=next_place
            )
            return batch, page

    def _after(
        self,
        cur: Cursor[TupleRow],
        progress: Progress,
        interests: Sequence[Interest],
        look_every_ms: int,
    ) -> ChangeBatch:
        now = self._clock()
        folded: PartitionPositions
        folded, numbers = _positions(cur)
        refolded = read_refolded(cur, progress.refolded, numbers, limit=self._limit)
        if refolded.other_tables:
            # They may have come less far than those of before.
            new = Progress.at(folded, numbers, now)
            return ChangeBatch(changes=(), progress=new, more=False, other_tables=True)
        looks = now - progress.looked >= max(look_every_ms, 1)
        passed, last_deadline = self._passed(cur, progress, now) if looks else ([], None)
        again = self._folded_again(cur, refolded, progress, now)
        # A position says of what was folded again up to it, too: that is read first.
        upto = folded if refolded.end is None else progress.positions
        changed, end = self._changed(cur, progress, upto, now)
        changed = self._with_before(cur, changed, progress, interests, now)
        changed = self._with_seen_corrections(cur, changed, interests, now)
        moved = [it for some in (again, changed) for it in self._tasks_of_moved(cur, some, now)]
        changes: Sequence[Change] = [*passed, *again, *changed, *moved]
        told: dict[Subject, KnownAt] = {
            (it.table.name, it.key): (folded[it.table.partition_of(it.key)], now) for it in changes
        }
        if any("adherence" in it.events for it in interests):
            changes = _with_adherence(cur, changes, now)
        positions = {
            partition: _read_up_to(progress.positions[partition], position, end)
            for partition, position in upto.items()
        }
        looked = progress.looked if not looks else now if last_deadline is None else last_deadline
        is_whole = end is None and refolded.end is None
        return ChangeBatch(
            changes=changes,
            progress=Progress(
                positions=positions,
                refolded={
                    partition: _read_up_to(progress.refolded[partition], number, refolded.end)
                    for partition, number in numbers.items()
                },
                time=looked if is_whole else progress.time,
                whole=positions if is_whole else progress.whole,
                told={} if is_whole else {**progress.told, **told},
                looked=looked,
            ),
            more=not is_whole or last_deadline is not None,
        )

    def _passed(
        self, cur: Cursor[TupleRow], progress: Progress, now: int
    ) -> tuple[Sequence[Change], int | None]:
        """The first views that deadlines changed, and the time up to which they are complete."""
        looked = progress.looked
        values = {"looked": looked, "now": now, "limit": self._limit}
        parts = [_rows(cur, it, progress.positions, values) for it in _PASSED_DEADLINES]
        rows, end = _first(parts, self._limit)
        changes = []
        for table, (deadline, facets, later_facets, *row) in rows:
            change = self._change(table, row, now)
            before = stored_facets_between(facets, later_facets, looked, now)
            changes.append(
                replace(
                    change,
                    deadline=deadline,
                    before=[
                        as_shown(table, change.key[1], it, change.shown.teams) for it in before
                    ],
                )
            )
        return changes, end

    def _changed(
        self, cur: Cursor[TupleRow], progress: Progress, folded: PartitionPositions, now: int
    ) -> tuple[Sequence[Change], int | None]:
        """The first changes by events, and the position up to which they are complete."""
        advanced = {
            partition: progress.positions[partition]
            for partition, position in folded.items()
            if position > progress.positions[partition]
        }
        values = {"limit": self._limit}
        parts = [_rows(cur, it, advanced, values) for it in _SOURCES if advanced]
        rows, end = _first(parts, self._limit)
        return [self._change(table, row, now) for table, row in rows], end

    def _folded_again(
        self, cur: Cursor[TupleRow], refolded: Refolded, progress: Progress, now: int
    ) -> Sequence[Change]:
        """The subjects that were folded again, with all that they had shown before."""
        changes = []
        for table in TABLES:
            subjects = [it for it in refolded.subjects if it.table is table]
            views = {
                it.key: it
                for it in (
                    self._change(table, row, now)
                    for row in read_views_of(cur, table, [subject.key for subject in subjects])
                )
            }
            changes += [
                replace(
                    views.get(it.key) or it.gone(),
                    refolded=it.number,
                    before=it.shown_before(
                        *progress.known_at((table.name, it.key), it.partition), now
                    ),
                )
                for it in subjects
            ]
        return changes

    def _with_before(
        self,
        cur: Cursor[TupleRow],
        changes: Sequence[Change],
        progress: Progress,
        interests: Sequence[Interest],
        now: int,
    ) -> Sequence[Change]:
        """The changes, with what their subjects showed before where a reader may have lost them."""
        with_teams = any(it.scope.team_ids is not None for it in interests)
        lost = defaultdict[KnownAt, set[Subject]](set)  # by as of when readers have them
        for change in changes:
            if any(it.may_have_lost(change) for it in interests):
                subject = (change.table.name, change.key)
                lost[progress.known_at(subject, change.partition)].add(subject)
        before = {
            (table.name, key): shown
            for (position, since), subjects in lost.items()
            for table in TABLES
            for key, shown in shown_before(
                cur,
                self._store,
                table,
                [key for name, key in subjects if name == table.name],
                position=position,
                since=since,
                now=now,
                with_teams=with_teams,
            ).items()
        }
        return [
            it
            if it.event == "correction"
            else replace(it, before=before.get((it.table.name, it.key), ()))
            for it in changes
        ]

    def _with_seen_corrections(
        self,
        cur: Cursor[TupleRow],
        changes: Sequence[Change],
        interests: Sequence[Interest],
        now: int,
    ) -> Sequence[Change]:
        """The changes; of each correction also what readers of some teams see of it."""
        readers = {it.scope.team_ids for it in interests} - {None}
        if not readers:
            return changes
        as_of = AsOf(now=now, known_time=now)
        moments = {teams: TeamMoments(cur, self._store, teams, as_of) for teams in readers if teams}
        return [
            replace(it, correction=_seen_by(it, moments).get) if it.event == "correction" else it
            for it in changes
        ]

    def _tasks_of_moved(
        self, cur: Cursor[TupleRow], changes: Sequence[Change], now: int
    ) -> Sequence[Change]:
        """The open tasks of agents that have left a team: the scope of the team may lose them."""
        left_teams = {
            it.key: (it, teams) for it in changes if it.table is AGENTS and (teams := it.left_teams)
        }
        if not left_teams:
            return []
        changed = []
        for agent_id, *row in cur.execute(_OPEN_TASKS, KEY_COLUMNS.parameters(left_teams)):
            task = self._change(TASKS, row, now)
            agent, teams = left_teams[task.key[0], agent_id]
            before = replace(task.shown, teams=task.shown.teams | teams)
            changed.append(
                replace(
                    task,
                    partition=agent.partition,
                    position=agent.position,
                    refolded=agent.refolded,
                    before=[before],
                )
            )
        return changed

    def _change(self, table: Table[Any], row: Sequence[Any], now: int) -> Change:
        position, partition, org_id, id_, text, counters, teams, *ledger = row
        state = current_state(table, text, counters, now)
        view = table.view(org_id, id_, state, settled=self._delays.settled(org_id, state, now))
        model = correction_row(tuple(ledger)) if ledger else view
        return Change(
            event="correction" if ledger else table.subject,
            table=table,
            key=(org_id, id_),
            partition=partition,
            position=position,
            shown=as_shown(table, id_, table.facets(state), teams),
            data=model.model_dump_json(by_alias=True),
        )


def _seen_by(
    change: Change, moments: Mapping[frozenset[str], TeamMoments]
) -> Mapping[frozenset[str], str]:
    """What each of some readers sees of a correction, by their teams."""
    row, seen_by = CorrectionRow.model_validate_json(change.data), dict[frozenset[str], str]()
    for teams, its in moments.items():
        seen = seen_correction(row, correction_periods(its, change.table, row))
        if seen is not None:
            seen_by[teams] = seen.model_dump_json(by_alias=True)
    return seen_by


def _with_adherence(cur: Cursor[TupleRow], changes: Sequence[Change], now: int) -> Sequence[Change]:
    """The changes, and after each one of an agent the same as a change of its adherence."""
    agents = [it for it in changes if it.event == "agent"]
    starts = interval_starts(cur, AGENTS, {it.key: ENDLESS for it in agents})
    with_adherence = []
    for change in changes:
        with_adherence.append(change)
        if change.event == "agent":
            start, data = starts.get(change.key), change.data
            if not change.is_gone:
                view = AgentView.model_validate_json(data)
                row = adherence_row(view, interval_start=start, time=now)
                data = row.model_dump_json(by_alias=True)
            with_adherence.append(replace(change, event="adherence", data=data))
    return with_adherence


def _positions(cur: Cursor[TupleRow]) -> tuple[dict[int, int], dict[int, int]]:
    """Up to where each partition is folded, and its last number of ``refolded``.

    StoreUnavailable where other tables came between the snapshot of the database and this query.
    """
    rows = cur.execute(_POSITIONS_AND_NUMBERS, {"name": PROJECTION}).fetchall()
    if not rows:
        raise StoreUnavailable("The tables are being exchanged.")
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


_POSITIONS_AND_NUMBERS = """
    SELECT partition, position,
        coalesce((SELECT max(number) FROM refolded AS r WHERE r.partition = p.partition), 0)
    FROM projections AS p WHERE name = %(name)s
"""


def _read_up_to(before: int, folded: int, end: int | None) -> int:
    # Never back: old numbers are deleted, and a reader must not read twice what it has.
    return max(before, folded if end is None else min(folded, end))


Source = tuple[Table[Any], sql.Composed]  # a query for rows, and of which kind of subject
ChangedRows = Sequence[tuple[Table[Any], TupleRow]]


def _rows(
    cur: Cursor[TupleRow],
    source: Source,
    positions: PartitionPositions,
    values: Mapping[str, int],
) -> ChangedRows:
    table, query = source
    parameters = {**_POSITIONS.parameters(positions.items()), **values}
    return [(table, row) for row in cur.execute(query, parameters)]


def _first(parts: Sequence[ChangedRows], limit: int) -> tuple[ChangedRows, int | None]:
    """The first rows of all parts, and the position or time up to which they are complete.

    Null: they are all that there is.
    """
    rows = sorted((it for part in parts for it in part), key=_place)
    ends = [_place(part[-1]) for part in (*parts, rows[:limit]) if len(part) >= limit]
    end = min(ends, default=None)
    return [it for it in rows if end is None or _place(it) <= end], end


def _place(it: tuple[Table[Any], TupleRow]) -> int:
    """The position of a row that an event changed, or the time of one that a deadline changed."""
    return int(it[1][0])


_POSITIONS = Columns({"partition": "smallint", "after": "bigint"})
# The first rows of each partition, by its index, and of these the first. WITH TIES: all of a
# position.
_NEXT = """
    SELECT c.* FROM {positions} CROSS JOIN LATERAL (
        SELECT * FROM {changed} WHERE partition = k.partition AND position > k.after
        ORDER BY position FETCH FIRST %(limit)s ROWS WITH TIES
    ) AS c
    ORDER BY c.position FETCH FIRST %(limit)s ROWS WITH TIES
"""
_CHANGED_VIEWS = """
    SELECT v.position, v.partition, v.org_id, v.id, v.state, v.counters, {teams}
    FROM ({next}) AS v ORDER BY v.position
"""
_NEW_CORRECTIONS = """
    SELECT l.position, l.partition, v.org_id, v.id, v.state, v.counters, {teams},
        l.start, {subject}, l.org_id, l.id, l.position, l.finish, l.event_id, l.recorded_time,
        l.before, l.after, l.events
    FROM ({next}) AS l JOIN {views} AS v ON v.org_id = l.org_id AND v.id = l.id
    ORDER BY l.position, l.org_id, l.id, l.start
"""
# Of the views up to the positions. An index finds the rows whose last deadline has not been seen.
_PASSED = """
    SELECT s.deadline, v.facets, v.later_facets,
        v.position, v.partition, v.org_id, v.id, v.state, v.counters, {teams}
    FROM {positions} JOIN {views} AS v ON v.partition = k.partition AND v.position <= k.after
    CROSS JOIN LATERAL (
        SELECT (stage->>'from')::bigint AS deadline
        FROM jsonb_array_elements(v.later_facets) AS stage
    ) AS s
    WHERE (v.later_facets->-1->>'from')::bigint > %(looked)s AND v.deadline <= %(now)s
        AND s.deadline > %(looked)s AND s.deadline <= %(now)s
    ORDER BY s.deadline FETCH FIRST %(limit)s ROWS WITH TIES
"""
_OPEN_TASKS = sql.SQL("""
    SELECT k.id, v.position, v.partition, v.org_id, v.id, v.state, v.counters, {teams}
    FROM {agents} JOIN tasks AS v ON v.org_id = k.org_id
        AND v.facets @> jsonb_build_object('agentId', jsonb_build_array(k.id))
        AND v.facets @> '{{"open": ["true"]}}'
""").format(teams=teams_of(TASKS), agents=KEY_COLUMNS.unnest("k"))
_RECORDED_TIME = "SELECT recorded_time FROM log WHERE position = %(position)s"


def _source(table: Table[Any], query: LiteralString, changed: str) -> Source:
    positions = _POSITIONS.unnest("k")
    return table, sql.SQL(query).format(
        next=sql.SQL(_NEXT).format(positions=positions, changed=sql.Identifier(changed)),
        positions=positions,
        views=sql.Identifier(table.name),
        subject=table.subject,
        teams=teams_of(table),
    )


_SOURCES = [
    *(_source(table, _CHANGED_VIEWS, table.name) for table in TABLES),
    *(_source(table, _NEW_CORRECTIONS, table.corrections) for table in TABLES),
]
_PASSED_DEADLINES = [_source(table, _PASSED, table.name) for table in TABLES]
