"""The projection in a database: restarts, wake-ups and reconciled facts."""

from __future__ import annotations

import json
import threading
import time
from itertools import islice
from typing import Any

from projector.domain.events import Origin
from projector.event_log.store import Request
from projector.infrastructure.database import connect
from projector.projection.read_models import TABLES
from projector.webex.simulator import Simulation
from projector.webex.webhook import judge
from tests.examples import DAWN, NOW, RECORDED, v1
from tests.integration.driving import eventually, follow
from tests.laws.memory import MemoryLog, answers, deliver_all, oracle_answers
from tests.oracle import Oracle


def simulated(number: int) -> list[Any]:
    return list(islice(Simulation(12, 3, start_ms=RECORDED - 8 * 3_600_000), number))


def test_a_restarted_runner_goes_on_from_its_position(site):
    """Only later events are folded; earlier ones are not read again."""
    bodies = simulated(400)
    site.post(bodies[:200])
    site.project()
    with connect(site.url) as connection:
        # Marks that a second fold of the first half would overwrite.
        connection.execute("UPDATE agents SET later_facets = '{\"mark\": []}'")
    site.post([body for body in bodies[200:] if not body["type"].startswith("agent:")])
    site.project()
    with connect(site.url) as connection:
        marked = connection.execute("SELECT count(*) AS n FROM agents WHERE later_facets IS NULL")
        assert marked.fetchone() == {"n": 0}
    assert site.service.store.head() == site.service.views.position()


def test_a_runner_wakes_when_events_come(site):
    """It folds a commit at once, long before it would look without a notification."""
    stop = threading.Event()
    runner = follow(site, stop)
    site.post(simulated(1))
    eventually(lambda: site.service.views.position() == 1)
    times = []
    for body in simulated(11)[1:]:
        began = time.monotonic()
        position = int(site.post(body).headers["X-Position"])
        eventually(lambda position=position: site.service.views.position() >= position)
        times.append(time.monotonic() - began)
    stop.set()
    runner.join()
    assert sorted(times)[len(times) // 2] < 0.5  # without a notification: a second


def test_a_simulated_morning_has_no_anomaly(site):
    """And it folds to what the oracle says."""
    bodies = simulated(2_000)
    oracle = deliver_all(Oracle(), bodies, RECORDED)
    log = deliver_all(MemoryLog(), bodies, RECORDED)
    assert oracle_answers(oracle, NOW) == answers(log, NOW)
    site.post(bodies)
    site.project()
    lists = [site.get(f"/api/v1/{table.name}?limit=1000").json["data"] for table in TABLES]
    assert sum(view["anomalyCount"] for views in lists for view in views) == 0


def test_a_webhook_close_to_a_reconciled_fact_restates_it(site):
    """Also in another batch: the webhook is folded, whichever of both came first."""
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
