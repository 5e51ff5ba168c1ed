"""The real HTTP API and database, driven at random, against the independent oracle."""

from __future__ import annotations

from itertools import count
from typing import Any

import psycopg
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from projector.infrastructure.database import become_service, connect
from projector.projection.runner import Runner
from tests.conftest import Site, clone, open_site
from tests.examples import NOW, RECORDED
from tests.integration.driving import Clock, read_back, set_apart, without_slashes
from tests.laws.memory import line, oracle_answers
from tests.oracle import Oracle
from tests.strategies import HOUR, believable_deliveries, disputed, noisy_deliveries

places = st.integers(0, 99)
page_sizes = st.integers(1, 9)
_examples = count(1)


class ServiceMachine(RuleBasedStateMachine):
    """Deliver, deliver again, dispute, fold, lose a page, restart, wait; what is read is right."""

    site: Site
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.example = next(_examples)
        self.oracle = Oracle()
        self.delivered: list[Any] = []
        self.reader = NOW - 12 * HOUR  # when the answers are read
        self.connection = self.restarted()
        # What another example left behind, a page that fails included, is none of this one's.
        head = self.site.service.store.head()
        self.connection.execute("UPDATE projections SET position = %s", (head,))

    def restarted(self) -> Any:
        connection = connect(self.site.url)
        become_service(connection)
        self.runner = Runner(self.site.service.store, self.site.url, batch_events=5)
        return connection

    def teardown(self) -> None:
        self.read()  # whatever a run has come to
        self.connection.close()

    @initialize(bodies=st.one_of(believable_deliveries(), noisy_deliveries()))
    def draw_a_day(self, bodies: list[Any]) -> None:
        self.day = set_apart(bodies, self.example)
        note("\n".join(line(body) for body in self.day))

    @rule(chosen=st.lists(places, min_size=1, max_size=8))
    def deliver(self, chosen: list[int]) -> None:
        """Any events of the day in any order, perhaps again, as one request."""
        self.post([self.day[place % len(self.day)] for place in chosen if self.day])

    @rule(data=st.data(), place=places)
    def dispute(self, data: Any, place: int) -> None:
        """Something else under a key that may be known."""
        if self.delivered:
            body = self.delivered[place % len(self.delivered)]
            self.post(data.draw(disputed(body)) if isinstance(body.get("data"), dict) else body)

    def post(self, request: Any) -> None:
        self.clock.now = RECORDED
        assert self.oracle.deliver(request, RECORDED) == self.site.post(request).json
        self.delivered += request if isinstance(request, list) else [request]

    @rule(pages=st.integers(1, 4), size=page_sizes)
    def fold(self, pages: int, size: int) -> None:
        """Some pages, so that what comes next may be late."""
        self.runner = Runner(self.site.service.store, self.site.url, batch_events=size)
        for _ in range(pages):
            self.runner.process_batch(self.connection)

    @rule()
    def lose_a_page(self) -> None:
        """As a process that dies before its commit."""
        with self.connection.transaction():
            self.runner.process_batch(self.connection)
            raise psycopg.Rollback

    @rule()
    def restart(self) -> None:
        """Nothing of the old runner is left."""
        self.connection.close()
        self.connection = self.restarted()

    @rule(ms=st.sampled_from([1, 60_000, HOUR, HOUR + 1]))
    def wait(self, ms: int) -> None:
        self.reader += ms

    @rule()
    def read(self) -> None:
        """All views, intervals and anomalies are the oracle's."""
        self.site.project()
        self.clock.now = self.reader
        expected = without_slashes(oracle_answers(self.oracle, self.reader))
        assert expected == read_back(self.site, self.example)

    @invariant()
    def keeps_every_event(self) -> None:
        """The log has what the oracle accepted of this example, no more and no less."""
        kept = self.connection.execute(
            "SELECT count(*) AS n FROM events WHERE org_id LIKE %s", (f"%-{self.example}",)
        ).fetchone()
        assert {"n": len(self.oracle.accepted)} == kept


def test_whatever_happens_what_is_read_is_what_the_oracle_says(template, tmp_path):
    """Any run of deliveries, repeats, disputes, pages, crashes, restarts and pauses."""
    clock = Clock()
    with open_site(clone(template), tmp_path, clock=clock) as site:
        machine = type("Machine", (ServiceMachine,), {"site": site, "clock": clock})
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=20))
