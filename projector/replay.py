"""Replay: subjects folded anew from the log, into the same tables, while all else goes on.

The rule of this file: some subjects at a time, in one transaction that holds their lanes and keeps
how far the replay is; so a run that was killed goes on after what was committed. It folds by what
live intake folds by, up to where the lane has folded; a dry run is the same, taken back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import TupleRow, tuple_row

from projector.database import VIEWS_CHANNEL, Pool, is_passing, open_pool, translated
from projector.events import LANE_BUCKETS, LANES
from projector.jobs import Held, Interrupted, Jobs
from projector.lanes import count_projected, hold
from projector.machine import Interval
from projector.parking import fold_waiting
from projector.processes import die_with_parent
from projector.projections import project
from projector.rows import Key
from projector.shapes import interval_row
from projector.shares import MOST_EVENTS, MOST_SUBJECTS, apart
from projector.store import EventStore, now_ms
from projector.tables import INTERVAL_COLUMNS, TABLES, Table, from_row

MANY_EVENTS = 50_000  # from which on several processes are worth their start
REST = 4  # times as long as it worked a replay rests while intake is at work
FIRST = 100  # changed subjects that are listed; the count tells of all
BEFORE_ALL, AFTER_ALL = -1, (1 << 63) - 1  # times
Place = tuple[str, str, str]  # kind, organisation and id of the last subject that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayScope:
    """Which subjects: all that fit what is given; times are epoch ms, inclusive."""

    org_ids: Sequence[str] | None = None
    agent_ids: Sequence[str] = ()
    task_ids: Sequence[str] = ()
    start: int | None = None
    end: int | None = None
    parked: bool = False
    dry_run: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> ReplayScope:
        return cls(
            org_ids=asked.get("orgIds"),
            agent_ids=asked.get("agentIds") or (),
            task_ids=asked.get("taskIds") or (),
            start=asked.get("from"),
            end=asked.get("to"),
            parked=asked.get("parked") or False,
            dry_run=asked.get("dryRun") or False,
        )

    def tables(self) -> list[Table[Any]]:
        """The kinds of subjects that may fit: who names only agents means no task."""
        named = {"agents": self.agent_ids, "tasks": self.task_ids}
        return [it for it in TABLES if named[it.name] or not any(named.values())]

    def condition(self, table: Table[Any]) -> sql.Composed:
        """Of rows of the log."""
        parts = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(f"{table.subject}_bucket"))]
        if self.org_ids is not None:
            parts.append(sql.SQL("org_id = ANY(%(orgs)s)").format())
        if self.agent_ids or self.task_ids:
            parts.append(sql.SQL("{} = ANY(%(ids)s)").format(sql.Identifier(table.column)))
        if self.start is not None or self.end is not None:
            parts.append(
                sql.SQL(
                    "(org_id, {0}) IN (SELECT org_id, {0} FROM events WHERE {1} IS NOT NULL"
                    " AND time >= %(start)s AND time <= %(end)s)"
                ).format(sql.Identifier(table.column), sql.Identifier(f"{table.subject}_bucket"))
            )
        if self.parked:
            parts.append(
                sql.SQL("(org_id, {}) IN (SELECT org_id, id FROM parked WHERE kind = {})").format(
                    sql.Identifier(table.column), table.name
                )
            )
        return sql.SQL(" AND ").join(parts)

    def parameters(self, table: Table[Any]) -> dict[str, Any]:
        ids = self.agent_ids if table.name == "agents" else self.task_ids
        return {
            "orgs": None if self.org_ids is None else list(self.org_ids),
            "ids": list(ids),
            "start": 0 if self.start is None else self.start,
            "end": AFTER_ALL if self.end is None else self.end,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The first of what a replay shows otherwise of a subject."""

    kind: str
    org_id: str
    id: str
    field: str
    before: Any
    after: Any
    event_id: str | None

    def row(self) -> dict[str, Any]:
        return {
            "subject": {"kind": self.kind, "orgId": self.org_id, "id": self.id},
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "eventId": self.event_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which share of a replay a process works on: the lanes whose number leaves it as a rest."""

    job: int
    share: int
    shares: int


class Replayer:
    """Runs replays, large ones by several processes over the database that ``url`` names."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        *,
        url: str | None = None,
        processes: int = os.cpu_count() or 1,
        wait: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._pool = pool
        self._store = store
        self._url = url
        self._processes = processes
        self._wait = wait  # sleeps for some seconds, where intake needs the database more

    def run(self, held: Held) -> None:
        """Fold what the scope names, from where it was left."""
        scope = ReplayScope.of(held.job.asked)
        total = self._total(scope)
        alone = self._url is None or total < MANY_EVENTS
        shares = held.progress.setdefault("shares", 1 if alone else min(self._processes, LANES))
        held.progress |= {"processed": held.progress.get("processed", 0)}
        held.progress |= {"began": now_ms(), "before": held.progress["processed"]}
        held.progress.setdefault("places", {})
        held.report.setdefault("changed", {"count": 0, "first": []})
        held.report["total"] = total
        held.save()
        try:
            if shares == 1:
                part = Part(job=held.job.id, share=0, shares=1)
                self.fold(part, scope, held.progress["places"].get("0"), held.look)
            else:
                self._in_parallel(held, shares)
        finally:
            held.reload()
        held.report |= {"processed": held.progress["processed"], "etaMs": 0}

    def _in_parallel(self, held: Held, shares: int) -> None:
        """A process for each share; all end where this one is told to, or one of them fails."""
        context = get_context("spawn")  # a connection is not for two processes
        stop = context.Event()
        parts = [Part(job=held.job.id, share=share, shares=shares) for share in range(shares)]
        begin = partial(_begin, self._url or "", stop)
        with ProcessPoolExecutor(shares, context, begin) as pool:
            running = {pool.submit(_fold_part, part, held.job.asked) for part in parts}
            try:
                while running:
                    held.look()
                    done, running = wait(running, timeout=1.0, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            finally:
                stop.set()

    def fold(
        self,
        part: Part,
        scope: ReplayScope,
        place: Sequence[str] | None,
        look: Callable[[], None],
    ) -> None:
        """Fold a share from a place on; ``look`` raises where the work is to end."""
        while (found := self._next(part, scope, place)) is not None:
            look()
            table, keys, events = found
            begun, head = time.monotonic(), self._store.head()
            place = (table.name, *keys[-1])
            self._replay(part, scope, table, keys, place=place, events=events)
            if self._store.head() > head:
                # Intake is at work: all processes together take a fifth of a core.
                self._wait((time.monotonic() - begun) * REST * part.shares)

    def _total(self, scope: ReplayScope) -> int:
        """How many events the scope has; one of an agent and a task counts for both."""
        total = 0
        with translated(), self._pool.connection() as connection:
            for table in scope.tables():
                row = connection.execute(
                    sql.SQL("SELECT count(*) AS events FROM events WHERE {}").format(
                        scope.condition(table)
                    ),
                    scope.parameters(table),
                ).fetchone()
                total += row["events"] if row else 0
        return total

    def _next(
        self, part: Part, scope: ReplayScope, place: Sequence[str] | None
    ) -> tuple[Table[Any], Sequence[Key], int] | None:
        """The subjects of a share after a place, some at a time, and how many events they have."""
        tables = scope.tables()
        if place is not None:
            names = [table.name for table in tables]
            tables = tables[names.index(place[0]) if place[0] in names else 0 :]
        for table in tables:
            after = list(place[1:]) if place is not None and place[0] == table.name else ["", ""]
            parameters = scope.parameters(table) | {"after": after, "limit": MOST_SUBJECTS}
            with translated(), self._pool.connection() as connection:
                rows = connection.execute(
                    sql.SQL(_SUBJECTS).format(
                        id=sql.Identifier(table.column),
                        bucket=sql.Identifier(f"{table.subject}_bucket"),
                        scope=scope.condition(table),
                        width=LANE_BUCKETS,
                        shares=part.shares,
                        share=part.share,
                    ),
                    parameters,
                ).fetchall()
            for keys in apart(rows):
                events = {(row["org_id"], row["id"]): row["events"] for row in rows}
                return table, keys, sum(events[key] for key in keys)
        return None

    def _replay(  # noqa: PLR0913 - some subjects of a run
        self,
        part: Part,
        scope: ReplayScope,
        table: Table[Any],
        keys: Sequence[Key],
        *,
        place: Place,
        events: int,
    ) -> None:
        """Fold some subjects anew and keep what changed, with how far the run is."""
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row, binary=True) as cur,
        ):
            with connection.transaction(force_rollback=scope.dry_run):
                others = refold(cur, self._store, table, keys)
            if others and not scope.dry_run:
                cur.execute("SELECT pg_notify(%s, %s)", (VIEWS_CHANNEL, str(self._store.head())))

            def add(progress: dict[str, Any], report: dict[str, Any]) -> None:
                progress["processed"] += events
                progress["places"][str(part.share)] = place
                found = report["changed"]
                found["count"] += len(others)
                found["first"] += [it.row() for it in others[: FIRST - len(found["first"])]]
                report |= _pace(progress, report["total"])

            Jobs(self._pool).merge(cur, part.job, add)


_SUBJECTS = """
    SELECT org_id, {id} AS id, count(*) AS events FROM events
    WHERE {scope} AND {bucket} / {width} %% {shares} = {share}
        AND (org_id, {id}) > ((%(after)s::text[])[1], (%(after)s::text[])[2])
    GROUP BY org_id, {id} ORDER BY org_id, {id} LIMIT %(limit)s
"""


def _pace(progress: Mapping[str, Any], total: int) -> dict[str, Any]:
    """How fast it goes, since it was begun or taken up again, and how long it will."""
    seconds = max(1, now_ms() - progress["began"]) / 1_000
    speed = (progress["processed"] - progress["before"]) / seconds
    left = max(0, total - progress["processed"])
    return {
        "processed": progress["processed"],
        "eventsPerSecond": round(speed, 1),
        "etaMs": round(1_000 * left / speed) if speed else None,
    }


# --- a process of several ---

_BEGUN: list[Any] = []  # of this process: its replayer, its jobs, and what tells it to end


def _begin(url: str, stop: Any) -> None:
    die_with_parent()
    pool = open_pool(url, max_size=2)
    _BEGUN.extend([Replayer(pool, EventStore(pool)), Jobs(pool), stop])


def _fold_part(part: Part, asked: Mapping[str, Any]) -> None:
    replayer, jobs, stop = _BEGUN
    job = jobs.find("replay", part.job)

    def look() -> None:
        if stop.is_set():
            raise Interrupted("The worker stops.")

    place = job.progress["places"].get(str(part.share))
    replayer.fold(part, ReplayScope.of(asked), place, look)


def refold(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], keys: Sequence[Key]
) -> list[Changed]:
    """Fold subjects anew up to where their lanes have folded; what is shown otherwise."""
    lanes = sorted({table.lane_of(key) for key in keys})
    positions = {lane: hold(cur, lane) for lane in lanes}
    upto = {key: positions[table.lane_of(key)] for key in keys}
    before = shown(cur, table, keys)
    _forget(cur, store, table, keys, upto)
    try:
        with cur.connection.transaction():
            _fold(cur, store, table, upto)
    except psycopg.Error as error:
        if is_passing(error):
            raise
        _fold_apart(cur, store, table, upto)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - what one subject brings must not stop the others
        _fold_apart(cur, store, table, upto)
    after = shown(cur, table, keys)
    found = (changed(table, key, before.get(key), after.get(key)) for key in keys)
    return [it for it in found if it is not None]


def _forget(
    cur: Cursor[TupleRow],
    store: EventStore,
    table: Table[Any],
    keys: Sequence[Key],
    upto: Mapping[Key, int],
) -> None:
    """Delete all that is stored of subjects; of parked ones what waits counts as folded."""
    columns = [[org_id for org_id, _ in keys], [id_ for _, id_ in keys]]
    for name in table.all_names:
        cur.execute(
            sql.SQL(
                "DELETE FROM {} AS r USING unnest(%b::text[], %b::text[]) AS k(org_id, id)"
                " WHERE r.org_id = k.org_id AND r.id = k.id"
            ).format(sql.Identifier(name)),
            columns,
        )
    parked = cur.execute(
        "DELETE FROM parked AS r USING unnest(%b::text[], %b::text[]) AS k(org_id, id)"
        " WHERE r.kind = %b AND r.org_id = k.org_id AND r.id = k.id"
        " RETURNING r.org_id, r.id, r.position",
        [*columns, table.name],
    ).fetchall()
    for org_id, id_, position in parked:
        key = (org_id, id_)
        waiting = store.count(cur, table.column, *key, after=position - 1, upto=upto[key])
        count_projected(cur, (table.name, table.bucket_of(key)), waiting)


def _fold(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold all together, or page by page one that has many events."""
    if len(upto) == 1:
        [(key, head)] = upto.items()
        if store.count(cur, table.column, *key, after=0, upto=head) > MOST_EVENTS:
            _fold_apart(cur, store, table, upto)
            return
    asked = [(*key, BEFORE_ALL, AFTER_ALL, head) for key, head in upto.items()]
    told = store.between(cur, table.column, asked, kind=table.name)
    new = {
        key: sorted(events, key=lambda recorded: recorded.position)
        for key, events in zip(upto, told, strict=True)
        if events
    }
    if new:
        project(cur, store, table, new, known=0)


def _fold_apart(
    cur: Cursor[TupleRow], store: EventStore, table: Table[Any], upto: Mapping[Key, int]
) -> None:
    """Fold each by itself, and park those that cannot be folded."""
    for key, head in upto.items():
        place = (table.name, table.bucket_of(key))
        count_projected(cur, place, -store.count(cur, table.column, *key, after=0, upto=head))
        fold_waiting(cur, store, table, key, after=0, head=head)


# --- what is shown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    view: Mapping[str, Any]
    intervals: Sequence[Interval]


def shown(cur: Cursor[TupleRow], table: Table[Any], keys: Sequence[Key]) -> dict[Key, Shown]:
    columns = [[org_id for org_id, _ in keys], [id_ for _, id_ in keys]]
    intervals: dict[Key, list[Interval]] = {key: [] for key in keys}
    for org_id, id_, *row in cur.execute(
        sql.SQL(
            "SELECT org_id, id, {} FROM {} JOIN unnest(%b::text[], %b::text[]) AS k(org_id, id)"
            " USING (org_id, id) WHERE known_to IS NULL ORDER BY start"
        ).format(sql.SQL(INTERVAL_COLUMNS), sql.Identifier(table.intervals)),
        columns,
    ):
        intervals[org_id, id_].append(from_row(row))
    rows = cur.execute(
        sql.SQL(
            "SELECT org_id, id, state, tally FROM {} JOIN unnest(%b::text[], %b::text[])"
            " AS k(org_id, id) USING (org_id, id)"
        ).format(sql.Identifier(table.name)),
        columns,
    )
    return {
        (org_id, id_): Shown(
            view=_view(table, (org_id, id_), state, tally), intervals=intervals[org_id, id_]
        )
        for org_id, id_, state, tally in rows
    }


def _view(table: Table[Any], key: Key, state: str, tally: Mapping[str, int]) -> Mapping[str, Any]:
    try:
        view = table.view(*key, table.load(state, tally), settled=False)
    except ValueError:  # another version of the fold, or another hand
        return {"state": state}
    return dict(view.model_dump(mode="json", by_alias=True))


def changed(
    table: Table[Any], key: Key, before: Shown | None, after: Shown | None
) -> Changed | None:
    for field, old, new, event_id in _differences(table, before, after):
        return Changed(
            kind=table.subject,
            org_id=key[0],
            id=key[1],
            field=field,
            before=old,
            after=new,
            event_id=event_id,
        )
    return None


def _differences(
    table: Table[Any], before: Shown | None, after: Shown | None
) -> Iterator[tuple[str, Any, Any, str | None]]:
    old = before.view if before else {}
    new = after.view if after else {}
    last = (new.get("lastEvent") or {}).get("id")
    if before is None or after is None:  # a subject that was not there, or is no more
        yield "status", old.get("status"), new.get("status"), last
    for field in dict.fromkeys([*new, *old]):
        if old.get(field) != new.get(field):
            yield field, old.get(field), new.get(field), last
    rows = (before.intervals if before else [], after.intervals if after else [])
    for place in range(max(map(len, rows))):
        one, other = (row[place] if place < len(row) else None for row in rows)
        if one != other:
            told_by = other or one
            shown, now = (it and _interval(table, it) for it in (one, other))
            yield "intervals", shown, now, told_by.event_id if told_by else None


def _interval(table: Table[Any], it: Interval) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(
        interval_row(table.interval, it, None).model_dump_json(by_alias=True)
    )
    return {name: row[name] for name in row if name not in {"to", "durationMs"}}
