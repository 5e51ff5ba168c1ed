"""The log's guarantees, tested by attempts to break them."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from projector.domain.events import PARTITIONS, Offered
from projector.event_log import store as module
from projector.event_log.store import EventStore, Request, _call_append, _offered_rows
from projector.infrastructure.database import become_service, connect, open_pool
from projector.projection.partitions import begin_batch, end_batch
from projector.projection.read_models import FOLD_VERSION
from projector.webex.webhook import judge
from tests.strategies import envelope

NOW = 1_800_000_000_000


def offer(id_: str, **data: Any) -> Offered:
    """A sound event, as intake would offer it."""
    element = envelope(id_, "agent:login", {"agentId": id_, "createdTime": NOW, **data})
    offered = judge(json.dumps(element).encode(), element, now=NOW, default_org=None)
    assert isinstance(offered, Offered)
    return offered


def request(*ids: str) -> Request:
    return Request(events=[offer(id_) for id_ in ids])


@pytest.fixture
def store(database_url: str) -> Iterator[EventStore]:
    pool = open_pool(database_url, max_size=8)
    yield EventStore(pool, clock=lambda: NOW)
    pool.close()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.cursor(row_factory=tuple_row).execute(query.encode()).fetchall()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET topic = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE duplicates SET recorded_time = 0",
        "DELETE FROM duplicates",
        "TRUNCATE duplicates",
    ],
)
@pytest.mark.parametrize("who", ["service", "owner"])
def test_the_database_refuses_to_change_the_log(database_url, store, change, who):
    """Neither the service's role (by grants) nor the owner (by trigger) changes or removes."""
    store.append([request("a"), request("a")])
    with connect(database_url) as connection:
        if who == "service":
            become_service(connection)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change.encode())
    assert rows(database_url, "SELECT topic FROM events") == [("agent:login",)]
    assert rows(database_url, "SELECT count(*) FROM duplicates") == [(1,)]


@pytest.mark.parametrize("table", ["conflicts", "quarantine"])
def test_evidence_is_not_changed_by_the_service(database_url, table):
    """Of conflicts and quarantine the service may raise the delivery count and nothing else."""
    with connect(database_url) as connection:
        become_service(connection)
        connection.execute(f"UPDATE {table} SET deliveries = 2".encode())
        told = "kind" if table == "conflicts" else "reason"
        for change in (
            f"UPDATE {table} SET body = ''",
            f"UPDATE {table} SET {told} = 'conflict'",
            f"DELETE FROM {table}",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change.encode())


def test_positions_have_no_holes_whatever_is_refused(database_url, store):
    """Duplicates, conflicts and rolled back appends use no position."""
    other = offer("b", destination="else")
    store.append([request("a", "b")])
    receipt = store.append([request("a"), Request(events=[other]), request("c")])
    outcomes = [outcome for part in receipt for outcome in part.outcomes]
    assert outcomes == ["duplicate", "conflict", "appended"]
    with pytest.raises(psycopg.Error):
        # A NUL never gets this far; it stands for any fault inside an append.
        store.append([request("d"), Request(events=[offer("e")], unusable=[_Broken()])])
    store.append([request("f")])
    assert rows(database_url, "SELECT notification_id, event_id FROM events ORDER BY 1") == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
        (4, "f"),
    ]


class _Broken:
    body = b""
    reason = "\0"


def test_recorded_time_never_falls_along_the_log(database_url):
    """Not even when the clock is set back."""
    clock = iter([NOW, NOW - 60_000, NOW + 5, NOW - 1])
    pool = open_pool(database_url, max_size=2)
    store = EventStore(pool, clock=lambda: next(clock))
    for id_ in "abcd":
        store.append([request(id_)])
    pool.close()
    assert rows(database_url, "SELECT recorded_time FROM events ORDER BY notification_id") == [
        (NOW,),
        (NOW,),
        (NOW + 5,),
        (NOW + 5,),
    ]


def test_each_event_has_the_position_of_its_request(database_url, store):
    """Requests that are committed together each begin at their own first new event."""
    store.append([request("a")])
    store.append([request("a", "b", "c"), request("d"), request("d", "e")])
    assert rows(
        database_url, "SELECT event_id, request_position FROM events ORDER BY notification_id"
    ) == [("a", 1), ("b", 2), ("c", 2), ("d", 4), ("e", 5)]


def test_the_same_event_twice_in_one_request(database_url, store):
    """The first is appended, and the second is counted as a duplicate."""
    twin, rival = offer("a"), offer("a", destination="else")
    (receipt,) = store.append([Request(events=[twin, twin, rival, rival])])
    assert list(receipt.outcomes) == ["appended", "duplicate", "conflict", "conflict"]
    assert rows(database_url, "SELECT deliveries FROM conflicts") == [(2,)]
    assert receipt.counts == {
        "received": 4,
        "appended": 1,
        "duplicates": 1,
        "conflicts": 2,
        "quarantined": 0,
    }


def test_variations_are_kept_whichever_way_they_come(database_url, store, monkeypatch):
    """Beside new events, within a request, of several events, and whatever is read at a time."""
    monkeypatch.setattr(module, "BODIES_TOGETHER", 2)
    first = [offer(id_) for id_ in "abcde"]
    others = [offer(id_, more=number) for id_ in "abcde" for number in (1, 2)]
    (receipt,) = store.append([Request(events=first[:1] + others[:2] + others[:1])])
    assert ["appended", *["duplicate"] * 3] == list(receipt.outcomes)
    store.append([Request(events=first[1:])])
    second = [Request(events=[*others[2:], offer("f")]), Request(events=[*first, others[2]])]
    assert [8, 6] == [receipt.counts["duplicates"] for receipt in store.append(second)]
    kept = rows(database_url, "SELECT position, kind, body, deliveries, sha256 FROM conflicts")
    expected = {
        (number // 2 + 1, "variation", other.body, 2 if number in (0, 2) else 1,
         hashlib.sha256(other.body).digest())
        for number, other in enumerate(others)
    }  # fmt: skip
    assert (10, expected) == (len(kept), {*kept})
    assert [(3 + 14,)] == rows(database_url, "SELECT count(*) FROM duplicates")


def test_a_variation_is_not_older_than_the_log(database_url):
    """Though the clock is set back between its append and itself, so that ledgers can be sealed."""
    clock = iter([NOW, NOW + 1_000, NOW + 500, NOW - 60_000])
    pool = open_pool(database_url, max_size=2)
    store = EventStore(pool, clock=lambda: next(clock))
    store.append([request("a")])
    store.append([request("b")])
    store.append([Request(events=[offer("a", more=1)])])
    pool.close()
    assert [(NOW + 1_000, NOW + 1_000)] == rows(
        database_url, "SELECT first_time, last_time FROM conflicts"
    )


def test_an_append_of_new_events_and_equal_bodies_is_one_call(store, monkeypatch):
    """Bodies are compared, and the log is read for it, only where the bytes differ."""

    def compare(*_: Any) -> None:
        raise AssertionError("nothing is to be compared")

    monkeypatch.setattr(module, "differing_fields", compare)
    store.append([request("a", "b")])
    store.append([request("a", "c"), request("b", "c")])
    with pytest.raises(AssertionError):
        store.append([Request(events=[offer("a", more=1)])])


def test_an_empty_request_gets_the_head(store):
    """A request that offers nothing is answered with the log's head."""
    store.append([request("a", "b")])
    assert [receipt.head for receipt in store.append([Request()])] == [2]


def test_a_tailing_reader_skips_nothing_under_slow_appenders(database_url):
    """50 appenders, some of which hold their transaction open or abort: each event is read once."""
    pool = open_pool(database_url, max_size=50)
    store = EventStore(pool)
    acknowledged: set[str] = set()
    read: list[int] = []
    done = threading.Event()

    def append(number: int) -> None:
        dice = random.Random(number)
        for turn in range(6):
            names = [f"{number}-{turn}-{part}" for part in range(dice.randint(1, 4))]
            with pool.connection() as connection:
                try:
                    with connection.transaction():
                        _append_within(connection, names)
                        time.sleep(dice.random() / 200)  # slow between the append and the commit
                        if dice.random() < 0.2:
                            raise psycopg.Rollback
                        acknowledged.update(names)
                except psycopg.Error:
                    acknowledged.difference_update(names)
                    raise

    def tail() -> None:
        with pool.connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row, binary=True)
            while True:
                last = done.is_set()
                with connection.transaction():
                    batch = begin_batch(cursor, PARTITIONS, 7, fold=FOLD_VERSION)
                    if batch is not None:
                        entries = store.batch(
                            cursor, batch.partitions, after=batch.after, end=batch.last
                        )
                        read.extend(entry.position for entry in entries)
                        end_batch(cursor, batch, {})
                if batch is None and last:
                    return

    reader = threading.Thread(target=tail)
    reader.start()
    writers = [threading.Thread(target=append, args=(number,)) for number in range(50)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    pool.close()
    assert list(range(1, len(acknowledged) + 1)) == read
    stored = {name for (name,) in rows(database_url, "SELECT event_id FROM events")}
    assert acknowledged == stored


def _append_within(connection: Any, names: list[str]) -> None:
    """What ``EventStore.append`` does, inside a transaction that the caller ends."""
    _call_append(connection.cursor(row_factory=tuple_row), _offered_rows([request(*names)]), NOW)
