"""The log over HTTP: filters, orders, pages, one event with all that is kept of it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.domain.events import Origin, restatements
from tests.conftest import Site, erasable, erase, open_site, over_http
from tests.examples import RECORDED, at, body, login, story, task, v1
from tests.integration.driving import Clock
from tests.laws.memory import MemoryLog
from tests.strategies import noisy_deliveries


def events(site: Site, **query: Any) -> list[dict[str, Any]]:
    """All pages of an answer."""
    found, cursor = [], ""
    while cursor is not None:
        page = query | ({"cursor": cursor} if cursor else {})
        answer = site.get("/api/v1/events", query_string=page)
        assert 200 == answer.status_code, answer.text
        found += answer.json["data"]
        cursor = answer.json["meta"]["nextCursor"]
    return found


def ids(site: Site, **query: Any) -> list[str]:
    return [it["id"] for it in events(site, **query)]


SOME = story(
    login(0, "ann", "Available"),
    v1(10_000, "ann", "connected", "t", queueId="q-1"),
    task(5_000, "t", "new", queueId="q-1"),
    v1(20_000, "bob", "idle", teamId="team-2"),
    body("thing:happened", 7_000),
)


def test_the_log_is_told_in_both_orders(site):
    """As things happened, or as they were recorded; rows are as those of a subject's events."""
    for one in (SOME[1], SOME[0], SOME[3], SOME[2], SOME[4]):
        site.post(one)
    site.project()
    assert ["e1", "e3", "e5", "e2", "e4"] == ids(site)
    assert ["e2", "e1", "e4", "e3", "e5"] == ids(site, order="recorded")
    (row,) = events(site, agentId="bob")
    assert row == site.get("/api/v1/agents/bob/events").json["data"][0]
    (row,) = events(site, type="thing:happened")
    assert (None, None, None) == (row["agentId"], row["taskId"], row["restates"])
    meta = site.get("/api/v1/events?limit=2").json["meta"]
    assert (2, 5) == (meta["count"], meta["position"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "task:new"}, "e3"),
        ({"type": ["task:new", "agent:login"]}, "e1 e3"),
        ({"agentId": "ann"}, "e1 e2"),
        ({"agentId": ["ann", "bob"]}, "e1 e2 e4"),
        ({"taskId": "t"}, "e3 e2"),
        ({"agentId": "bob", "taskId": "t"}, ""),
        ({"teamId": "team-1"}, "e1"),
        ({"teamId": ["team-1", "team-2"]}, "e1 e4"),
        ({"queueId": "q-1"}, "e3 e2"),
        ({"queueId": "q-1", "type": "task:new"}, "e3"),
        ({"orgId": "acme"}, "e1 e3 e5 e2 e4"),
        ({"orgId": "other"}, ""),
        ({"origin": "webhook"}, "e1 e3 e5 e2 e4"),
        ({"origin": ["import", "reconciliation"]}, ""),
        ({"from": at(5_000), "to": at(10_000)}, "e3 e5"),
        ({"from": at(5_001), "to": at(10_001)}, "e5 e2"),
        ({"recordedFrom": RECORDED + 2, "recordedTo": RECORDED + 3}, "e3 e4"),
        ({"recordedTo": RECORDED - 1}, ""),
        ({"recordedFrom": RECORDED + 5}, ""),
        ({"toPosition": 2}, "e1 e2"),
        ({"agentId": "a\0b"}, ""),
    ],
)
def test_filters(database_url, tmp_path, query, expected):
    """Each finds any of its values, together all must fit; `from` and `to` as [from, to)."""
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:
        for number, one in enumerate(SOME):
            clock.now = RECORDED + number
            site.post(one)
        for order in ("created", "recorded"):
            told = [number for number, one in enumerate(SOME) if one["id"] in expected.split()]
            in_order = expected.split() if order == "created" else [SOME[n]["id"] for n in told]
            assert in_order == ids(site, order=order, **query)
            assert in_order == ids(site, order=order, limit=1, **query)


@pytest.mark.parametrize("order", ["created", "recorded"])
def test_pages_stay_right_while_events_arrive(site, order):
    """Each match once, those of the moment of the first page and no other."""
    site.post(story(*(v1(1_000 * n, "ann", "idle") for n in range(10))))
    before = ids(site, order=order)
    found, cursor = [], ""
    while cursor is not None:
        query = {"order": order, "limit": 3} | ({"cursor": cursor} if cursor else {})
        answer = site.get("/api/v1/events", query_string=query).json
        found += [it["id"] for it in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
        late = v1(500 * len(found), "ann", "available")
        site.post(late | {"id": f"late {len(found)}"})
    assert before == found
    assert 14 == len(ids(site, order=order))


def test_an_event_has_all_that_is_kept_of_it(site):
    """Its body byte for byte, its duplicates, and what contradicted it."""
    (first,) = story(v1(0, "ann", "idle"))
    raw = json.dumps(first, indent=3).encode()
    other = {**first, "data": {**first["data"], "currentState": "available"}}
    for one in (raw, raw, other, other, raw):
        assert 202 == site.post(one).status_code
    found = site.get("/api/v1/events/1").json
    assert events(site)[0] == {name: found[name] for name in events(site)[0]}
    assert raw == base64.b64decode(found["body"])
    assert (first, hashlib.sha256(raw).hexdigest()) == (found["parsed"], found["sha256"])
    assert 2 == len(found["duplicates"])
    (conflict,) = found["conflicts"]
    assert (other, 2) == (conflict["parsed"], conflict["deliveries"])
    assert other == json.loads(base64.b64decode(conflict["body"]))


def test_a_body_that_is_hard_to_show_is_shown(site):
    """Lone surrogates are replaced, numbers of any size stay; the bytes are as they came."""
    raw = json.dumps(v1(0, "ann", "idle") | {"id": "x", "n": 10**40}).encode()
    raw = raw.replace(b'"idle"', b'"idle", "odd": "a\\ud800b"')
    site.post(raw)
    found = site.get("/api/v1/events/1")
    assert raw == base64.b64decode(found.json["body"])
    assert ("a?b", 10**40) == (found.json["parsed"]["data"]["odd"], found.json["parsed"]["n"])


@pytest.mark.parametrize("given", ["0", "99", "999999999999999999"])
def test_a_position_that_is_not_there_is_not_found(site, given):
    """Whatever it is."""
    site.post(SOME)
    assert 404 == site.get(f"/api/v1/events/{given}").status_code


@pytest.mark.parametrize("given", ["x", "-1", "1.0", "1e3", "9" * 19, "%2B1"])
def test_a_position_that_is_none_is_named(site, given):
    """Before it is asked who asks."""
    answer = site.client.get(f"/api/v1/events/{given}")
    assert 400 == answer.status_code
    assert "position" == answer.json["errors"][0]["parameter"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("from", "x"), ("to", "-1"), ("recordedFrom", "1.5"), ("recordedTo", ""), ("limit", "0"),
        ("limit", "1001"), ("order", "newest"), ("cursor", "x"), ("origin", "guess"), ("type", ""),
        ("agentId", ""), ("toPosition", "x"), ("nonsense", "1"), ("at", "1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["events", "events/digest"])
def test_a_bad_parameter_is_named(site, path, name, given):
    """With what was given and what is allowed."""
    answer = site.get(f"/api/v1/{path}", query_string={name: given})
    assert 400 == answer.status_code
    (error,) = answer.json["errors"]
    assert (name, given) == (error["parameter"], error["given"])
    assert error["allowed"]


def test_a_token_sees_the_events_of_its_organisations_and_teams(make_site):
    """Those that name an agent of a team, or a task in which one takes part at that time."""
    tokens = [
        {"token": "all", "role": "operator"},
        {"token": "team", "role": "viewer", "teamIds": ["team-1"]},
        {"token": "org", "role": "viewer", "orgIds": ["acme"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens))
    (waiting,) = story(task(0, "w", "new"))
    elsewhere = {**SOME[0], "comciscoorgid": "umbra"}
    site.post([*SOME, waiting | {"id": "w"}, elsewhere])
    site.project()

    def seen(token: str, path: str = "events", **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return site.get(f"/api/v1/{path}", headers=headers, query_string=query)

    assert 7 == seen("all").json["meta"]["count"]
    # Nobody of the team took part in the task at the time of e3.
    assert ["e1", "e1", "e2"] == [it["id"] for it in seen("team").json["data"]]
    assert {"acme"} == {it["orgId"] for it in seen("org").json["data"]}
    assert 403 == seen("org", orgId="umbra").status_code
    assert 404 == seen("org", "events/7").status_code
    assert 404 == seen("team", "events/4").status_code
    assert 404 == seen("team", "events/3").status_code
    assert 200 == seen("team", "events/2").status_code


@pytest.fixture(scope="module")
def emptied(template, tmp_path_factory):
    clock = Clock()
    with erasable(template, tmp_path_factory.mktemp("log"), clock=clock) as site:
        yield site, clock


@over_http
@given(data=st.data())
def test_filters_and_restatements_are_those_of_the_whole_log(emptied, data):
    """As found by looking at every event, whatever is in it and however it is paged."""
    site, clock = emptied
    erase(site.url)
    log, clock.now = MemoryLog(), RECORDED
    for one in data.draw(noisy_deliveries()):
        clock.now += data.draw(st.integers(0, 1))
        log.begin_request()
        site.post(one)
        log.deliver(one, clock.now, Origin.WEBHOOK)
    head = data.draw(st.integers(RECORDED, clock.now))
    known = [it for it in log.events.values() if it.recorded_time <= head]
    values = {
        "type": sorted({it.event.type for it in known}),
        "agentId": sorted({it.event.agent_id for it in known if it.event.agent_id}),
        "taskId": sorted({it.event.task_id for it in known if it.event.task_id}),
        "teamId": sorted({it.event.team_id for it in known if it.event.team_id}),
        "queueId": sorted({it.event.queue_id for it in known if it.event.queue_id}),
    }
    given = {
        name: data.draw(st.lists(st.sampled_from(some), max_size=2))
        for name, some in values.items()
        if some and data.draw(st.booleans())
    }
    order = data.draw(st.sampled_from(["created", "recorded"]))
    fields = {"type": "type", "agentId": "agent_id", "taskId": "task_id", "teamId": "team_id",
              "queueId": "queue_id"}  # fmt: skip
    fitting = [
        it
        for it in known
        if all(not some or getattr(it.event, fields[name]) in some for name, some in given.items())
    ]
    fitting.sort(key=lambda it: (it.time, it.position) if order == "created" else it.position)
    repeats = {}
    for name in ("agent_subject", "task_subject"):
        subjects: dict[Any, list[Any]] = {}
        for it in sorted(known, key=lambda it: it.order):
            if (subject := getattr(it.event, name)) is not None:
                subjects.setdefault((it.event.org_id, subject), []).append(it)
        for some in subjects.values():
            repeats |= restatements(some)
    query = {"order": order, "limit": data.draw(st.integers(1, 9)), "recordedTo": head} | given
    expected = [(it.position, repeats.get(it.position)) for it in fitting]
    assert expected == [(it["position"], it["restates"]) for it in events(site, **query)]
