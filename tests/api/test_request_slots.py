"""Slots of requests: what many ask for leaves threads and connections to webhooks."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from projector.infrastructure.slots import REQUESTS_AT_ONCE
from tests.conftest import Site
from tests.examples import login


def test_webhooks_are_taken_while_no_request_has_a_slot(site: Site):
    """Every other route is refused at once, with the time after which to come again."""
    with ExitStack() as stack:
        for _ in range(REQUESTS_AT_ONCE):
            stack.enter_context(site.service.request_slots.take())
        for path in ("/api/v1/agents", "/api/v1/events", "/api/v1/stream", "/metrics", "/readyz"):
            answer = site.get(path)
            assert (503, "1") == (answer.status_code, answer.headers["Retry-After"]), path
            assert "application/problem+json" == answer.content_type
        assert 200 == site.get("/healthz").status_code
        assert 202 == site.post(login(0, "ann", "Available") | {"id": "1"}).status_code
    assert 200 == site.get("/api/v1/agents").status_code
    assert 'projector_slots_refused_total{kind="requests"} 5.0' in site.client.get("/metrics").text
    assert 0 == site.service.request_slots.taken


def test_webhooks_are_taken_while_readers_hold_all_connections(site: Site):
    """Intake has connections of its own: none of those who wait for another is before it."""
    pool = site.service.pool
    with ExitStack() as stack:
        for _ in range(pool.max_size):
            stack.enter_context(pool.connection())
        refused: list[int] = []
        reader = threading.Thread(
            target=lambda: refused.append(site.get("/api/v1/events").status_code)
        )
        reader.start()
        receipt = site.post([login(0, "ann", "Available") | {"id": "1"}, {"id": "unusable"}])
        counts = [receipt.json[name] for name in ("appended", "quarantined")]
        assert (202, [1, 1]) == (receipt.status_code, counts)
        reader.join()
    assert [503] == refused
