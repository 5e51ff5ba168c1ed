"""What is taken can be shown: bodies at the deepest nesting that is taken, on every route."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from typing import Any

import pytest

from projector.webex.json_body import DEEPEST_NESTING
from tests.api.test_stream import Listener
from tests.conftest import Site
from tests.examples import DAWN, login, task, v1

LONG = 10**40  # more than 64 bits
IN_DATA = DEEPEST_NESTING - 2  # levels of a value of ``data``
NESTINGS = {
    "lists": ("[", "]"),
    "objects": ('{"a":', "}"),
    "ids": ('{"agentId":', "}"),  # as the fields that answers name
}
ACCEPTED = ("application/json", "text/csv", "application/x-ndjson")
SPAN = f"from={DAWN}&to={DAWN + 3_600_000}"
EXPORTS = (
    "/api/v1/events?body=true",
    "/api/v1/conflicts?",
    f"/api/v1/reports/queues?{SPAN}",
    f"/api/v1/reports/agents?{SPAN}",
)
PAGES = (
    "/api/v1/events/1?",
    "/api/v1/events/2?",
    "/api/v1/agents?",
    "/api/v1/tasks?",
    "/api/v1/agents/ann?",
    "/api/v1/agents/ann/history?",
    "/api/v1/agents/ann/events?",
    "/api/v1/agents/ann/explain?",
    "/api/v1/tasks/t1?",
    "/api/v1/tasks/t1/history?",
    "/api/v1/tasks/t1/events?",
    "/api/v1/tasks/t1/explain?",
    "/api/v1/tasks/t1/journey?",
    "/api/v1/corrections?",
    "/api/v1/anomalies?",
    "/api/v1/quarantine?",
    "/api/v1/quarantine/1?",
    "/api/v1/summary?",
)


def nested(kind: str, levels: int) -> str:
    """A JSON value that nests so deep."""
    opening, closing_ = NESTINGS[kind]
    return opening * levels + str(LONG) + closing_ * levels


def body(event: dict[str, Any], value: str) -> bytes:
    """An event with a value of ``data`` that stands there as it is written."""
    data = event["data"] | {"deep": "DEEP"}
    return json.dumps(event | {"data": data}).encode().replace(b'"DEEP"', value.encode())


def outcome(site: Site, delivered: bytes) -> str:
    (name,) = [it for it, count in site.post(delivered).json.items() if count and it != "received"]
    return name


@pytest.mark.parametrize("kind", NESTINGS)
def test_every_route_shows_the_deepest_body_that_is_taken(site: Site, kind: str) -> None:
    """Lists, single things, exports and the stream, with and without names."""
    deepest = nested(kind, IN_DATA)
    agent = v1(0, "ann", "available", id="e1")
    call = task(0, "t1", "new", id="e2")
    with closing(Listener(site, {})) as heard:
        assert "appended" == outcome(site, body(agent, deepest))
        assert "conflicts" == outcome(site, body(v1(0, "ann", "idle", id="e1"), deepest))
        assert "appended" == outcome(site, body(call, deepest))
        assert "duplicates" == outcome(site, body(call, nested(kind, IN_DATA - 1)))  # a variation
        deeper = body(login(0, "bob") | {"id": "e3"}, nested(kind, IN_DATA + 1))
        assert "quarantined" == outcome(site, deeper)
        site.project()
        heard.await_(lambda it: {"ann", "t1"} <= {*it.subjects()})
    for path in (*PAGES, *EXPORTS):
        for names in ("", "&names=true"):
            answer = site.get(f"{path}{names}")
            if names and answer.status_code == 400:  # it takes no names
                assert "names" == answer.json["errors"][0]["parameter"]
                continue
            assert 200 == answer.status_code, (path, names, answer.text[:300])
            json.loads(answer.text)
    for path in EXPORTS:
        for accepted in ACCEPTED:
            for names in ("", "&names=true"):
                answer = site.get(f"{path}{names}", headers={"Accept": accepted})
                assert answer.status_code in {200, 400 if names else 200}, (path, names, accepted)
    event = site.get("/api/v1/events/1").json
    assert json.loads(base64.b64decode(event["body"])) == event["parsed"]
    for names in ("", "?names=true"):
        rows = site.get(f"/api/v1/conflicts{names}").json["data"]
        assert [json.loads(deepest)] == [it["data"]["deep"] for it in rows if it["agentId"]]
    assert deeper == base64.b64decode(site.get("/api/v1/quarantine/1").json["body"])
