"""The projection over a real database: any arrival, any pages, crashes, and rivals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from projector.database import become_service, connect
from projector.events import Origin
from projector.projections import Runner
from projector.simulate import Simulation
from projector.store import Request
from projector.tables import TABLES
from projector.webex import judge
from tests.conftest import Site, clone, open_site
from tests.examples import DAWN, NOW, RECORDED, v1
from tests.laws.memory import MemoryLog, answers, comparable, deliver_all, oracle_answers
from tests.oracle import Oracle
from tests.strategies import arrivals, batches, believable_deliveries, noisy_deliveries


class Clock:
    """Stands at the moment of recording until the test reads."""

    now = RECORDED

    def __call__(self) -> int:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shared(template: str, tmp_path_factory: Any, clock: Clock) -> Iterator[Site]:
    """One service for all examples; each example has an organisation of its own."""
    with open_site(clone(template), tmp_path_factory.mktemp("site"), clock=clock) as site:
        yield site


ORGANISATIONS = ("acme", "umbra")  # that the strategies name
_examples = count(1)


def set_apart(bodies: list[Any], example: int) -> list[Any]:
    """The same bodies under organisations of the example's own."""
    text = json.dumps(bodies)
    for organisation in ORGANISATIONS:
        text = text.replace(f'"{organisation}"', f'"{organisation}-{example}"')
    return json.loads(text)


def read_back(site: Site, example: int) -> dict[str, Any]:
    """All views and intervals of an example, over HTTP."""
    query = "&".join(f"orgId={organisation}-{example}" for organisation in ORGANISATIONS)
    told: dict[str, Any] = {}
    for table in TABLES:
        name, path = f"{table.column[:-3]}Id", f"/api/v1/{table.name}"
        views = site.get(f"{path}?{query}&limit=1000").json["data"]
        told[table.name] = {(view["orgId"], view[name]): comparable(view) for view in views}
        told[table.intervals] = {
            (org, id_): site.get(f"{path}/{id_}/history?orgId={org}&limit=1000").json["data"]
            for org, id_ in told[table.name]
            if "/" not in id_  # such an id is reached by the list's filter alone
        }
    return told


# Without shrinking: each step goes through HTTP and a database, and the laws of the fold shrink.
@settings(max_examples=60, phases=[Phase.explicit, Phase.generate])
@given(
    st.data(),
    st.one_of(believable_deliveries(), noisy_deliveries()),
)
def test_what_is_read_is_what_the_oracle_says(shared, clock, data, bodies):
    """Any order, repeats, requests and pages, crashes between them: the oracle's answer."""
    example = next(_examples)
    requests = set_apart(data.draw(batches(data.draw(arrivals(bodies)))), example)
    clock.now = RECORDED
    oracle = Oracle()
    with connect(shared.url) as connection:
        become_service(connection)
        runner = Runner(shared.service.store, shared.url, page_events=data.draw(st.integers(1, 9)))
        for request in requests:
            assert oracle.deliver(request, RECORDED) == shared.post(request).json
            if data.draw(st.booleans()):
                _crash(connection, runner)
            if data.draw(st.booleans()):
                runner.take_page(connection)
    shared.project()
    clock.now = NOW
    expected = oracle_answers(oracle, NOW)
    for table in TABLES:
        histories = expected[table.intervals]
        expected[table.intervals] = {k: rows for k, rows in histories.items() if "/" not in k[1]}
    assert expected == read_back(shared, example)


def _crash(connection: Any, runner: Runner) -> None:
    """Fold a page and lose the transaction, as a process that dies before its commit."""
    with connection.transaction():
        runner.take_page(connection)
        raise psycopg.Rollback


def simulated(number: int) -> list[Any]:
    return list(islice(Simulation(12, 3, start_ms=RECORDED - 8 * 3_600_000), number))


def tables(url: str) -> dict[str, list[Any]]:
    with connect(url) as connection:
        return {
            name: [
                tuple(row.values())
                for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3".encode())
            ]
            for table in TABLES
            for name in (table.name, table.intervals)
        }


def follow(site: Site, stop: threading.Event, **options: Any) -> threading.Thread:
    thread = threading.Thread(
        target=Runner(site.service.store, site.url, **options).run, args=(stop,)
    )
    thread.start()
    return thread


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


def test_two_runners_at_once_are_exact(site):
    """Rivals over one database fold each event once: the tables equal those of a single runner."""
    stop = threading.Event()
    rivals = [follow(site, stop, page_events=size) for size in (13, 29)]
    bodies = simulated(3_000)
    for start in range(0, len(bodies), 50):
        assert site.post(bodies[start : start + 50]).status_code == 202
    eventually(lambda: site.service.views.position() == 3_000)
    stop.set()
    for rival in rivals:
        rival.join()
    raced = tables(site.url)
    with connect(site.url) as connection:
        for table in TABLES:
            connection.execute(f"TRUNCATE {table.name}, {table.intervals}".encode())
        connection.execute("UPDATE projections SET position = 0")
    site.project()
    assert tables(site.url) == raced


def test_a_restarted_runner_goes_on_where_it_stood(site):
    """Only what came since is folded; the rest is not read again."""
    bodies = simulated(400)
    site.post(bodies[:200])
    site.project()
    with connect(site.url) as connection:
        # What a second reading of the first half would rewrite is marked.
        connection.execute("UPDATE agents SET due_facets = '{\"mark\": []}'")
    site.post([body for body in bodies[200:] if not body["type"].startswith("agent:")])
    site.project()
    with connect(site.url) as connection:
        marked = connection.execute("SELECT count(*) AS n FROM agents WHERE due_facets IS NULL")
        assert marked.fetchone() == {"n": 0}
    assert site.service.store.head() == site.service.views.position()


def test_a_runner_wakes_when_events_come(site):
    """A commit is followed at once, long before the next poll."""
    stop = threading.Event()
    runner = follow(site, stop)
    site.post(simulated(1))
    eventually(lambda: site.service.views.position() == 1)
    times = []
    for body in simulated(11)[1:]:
        began = time.monotonic()
        position = int(site.post(body).headers["X-Position"])
        eventually(lambda wanted=position: site.service.views.position() >= wanted)
        times.append(time.monotonic() - began)
    stop.set()
    runner.join()
    assert sorted(times)[len(times) // 2] < 0.5  # a poll would take a second


def test_the_simulated_centre_is_believable(site):
    """A simulated morning folds to what the oracle says, without one anomaly."""
    bodies = simulated(2_000)
    oracle = deliver_all(Oracle(), bodies, RECORDED)
    log = deliver_all(MemoryLog(), bodies, RECORDED)
    assert oracle_answers(oracle, NOW) == answers(log, NOW)
    site.post(bodies)
    site.project()
    found = [site.get(f"/api/v1/{table.name}?limit=1000").json["data"] for table in TABLES]
    assert sum(view["anomalyCount"] for views in found for view in views) == 0


def test_a_webhook_near_a_reconciled_fact_is_weighed_with_it(site):
    """Page by page as all at once: the webhook is folded, whichever came first."""
    for first, second in ((Origin.RECONCILIATION, Origin.WEBHOOK), tuple(Origin)[:2]):
        agent = f"agent-{first}"
        for moment, origin in ((5_000, first), (6_000, second)):
            body = v1(moment, agent, "available") | {"id": f"{agent}-{moment}"}
            offered = judge(json.dumps(body).encode(), body, now=RECORDED, default_org=None)
            site.service.store.append([Request(events=[offered], origin=origin)])
            site.project()
        view = site.get(f"/api/v1/agents/{agent}").json
        webhook_time = DAWN + (5_000 if first is Origin.WEBHOOK else 6_000)
        assert (1, webhook_time) == (view["eventCount"], view["stateSince"])
