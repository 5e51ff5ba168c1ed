"""The library's own test cases for recorders, run against our recorder.

Not run, since they do not apply:
- ``AggregateRecorderTestCase``: it demands that ``insert_events`` answers None, as recorders
  without positions do; what else it checks of streams is checked below.
- ``ProcessRecorderTestCase``: no recorder of ours appends events and a position in one transaction.
- ``InfrastructureFactoryTestCase``: it sets the library's connection settings; our factory reads
  ``DATABASE_URL`` alone.
- ``TranscoderTestCase``: bodies stay as received.
- ``test_performance``, ``test_concurrent_throughput``: they measure and assert nothing;
  ``make bench`` measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent, TrackingRecorder
from eventsourcing.tests import persistence as cases

from projector.event_log.application import LogFactory
from projector.event_log.store import EventStore
from projector.infrastructure.database import open_pool


@pytest.fixture
def store(database_url: str) -> Iterator[EventStore]:
    pool = open_pool(database_url, max_size=16)
    yield EventStore(pool)
    pool.close()


class _OverOurStore:
    """Gives the library's cases the test's store."""

    @pytest.fixture(autouse=True)
    def _store(self, store: EventStore) -> None:
        self.store = store

    def create_recorder(self) -> EventStore:
        return self.store


class TestApplicationRecorder(_OverOurStore, cases.ApplicationRecorderTestCase):
    """Positions, pages, topics, conflicts, concurrent writers with readers."""

    test_performance = None
    test_concurrent_throughput = None


class TestNonInterleaving(_OverOurStore, cases.NonInterleavingNotificationIDsBaseCase):
    """Positions of one insert are never mixed with those of another."""


class TestTrackingRecorder(cases.TrackingRecorderTestCase):
    """Positions of a projection of an integrator's own, as our factory keeps them."""

    @pytest.fixture(autouse=True)
    def _factory(self, database_url: str) -> Iterator[None]:
        with LogFactory({"DATABASE_URL": database_url}) as factory:
            self.factory = factory
            yield

    def create_recorder(self) -> TrackingRecorder:
        return self.factory.tracking_recorder()


def test_streams_are_read_by_version(store: EventStore) -> None:
    """Events of an originator come back by version, bounded and in either order."""
    stream = uuid4()
    stored = [
        StoredEvent(originator_id=stream, originator_version=n, topic=f"t{n}", state=b"s")
        for n in range(1, 4)
    ]
    store.insert_events(stored)
    assert stored == store.select_events(stream)
    assert [stored[2]] == store.select_events(stream, desc=True, limit=1)
    assert [stored[1]] == store.select_events(stream, gt=1, lte=2)


def test_an_insert_is_all_or_nothing(store: EventStore) -> None:
    """Where one event is known already, none of its insert is stored, and no position is used."""
    first, second = (
        StoredEvent(originator_id=uuid4(), originator_version=1, topic="t", state=b"s")
        for _ in range(2)
    )
    assert store.insert_events([first]) == [1]
    with pytest.raises(IntegrityError):
        store.insert_events([second, first])
    assert store.insert_events([second]) == [2]


def test_a_subscription_delivers_what_comes(store: EventStore) -> None:
    """The library's subscription follows our log."""
    event = StoredEvent(originator_id=uuid4(), originator_version=1, topic="t", state=b"s")
    with store.subscribe(gt=0) as subscription:
        store.insert_events([event])
        assert event.originator_id == next(subscription).originator_id
