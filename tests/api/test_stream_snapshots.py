"""Streams that begin with a snapshot: what it has, of which moment it is, and names."""

import itertools
import json
import threading
from contextlib import contextmanager

import pytest

from projector.infrastructure.database import connect
from projector.query.live.changes import Changes
from projector.webex.simulator import Simulation
from tests.api.test_access import TOKENS
from tests.api.test_stream import (
    HOUR,
    LATELY,
    MINUTE,
    eventually,
    everything,
    listen,
    listening,
    tell,
)
from tests.conftest import clone, open_site
from tests.examples import RECORDED, ended, login, task, v1, v2
from tests.integration.driving import Clock, follow

LISTS = {"agent": "agents", "task": "tasks"}


class StreamedFloor:
    """What a client has that does as the docs say: by kind, organisation and id."""

    def __init__(self):
        self.views, self.names, self.snapshots = {}, {}, []

    def take(self, frames):
        for _, event, data in frames:
            for kind, names in data.pop("names", {}).items():
                self.names.setdefault(kind, {}).update(names)
            if event == "reset":
                self.views = {}
            elif event == "snapshot":
                self.snapshots.append(data)
            elif event == "left":
                self.views.pop(key_of(data["kind"], data), None)
            elif event in LISTS:
                self.views[key_of(event, data)] = data
        return self


def key_of(kind, data):
    return kind, data["orgId"], data[f"{kind}Id"]


def floor_of(listener):
    return StreamedFloor().take(json.loads(json.dumps(listener.frames)))


def snapshot_of(site, **asked):
    """What the stream sends up to the event `snapshot`."""
    with listening(site, snapshot="true", **asked) as heard:
        heard.await_(lambda it: it.of("snapshot"))
    return heard


def listed(site, *, kinds=("agent", "task"), token=None, **query):
    """The views of the lists that have all these filters, by the key of a client."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    found = {}
    for kind in kinds:
        answer = site.get(
            f"/api/v1/{LISTS[kind]}", query_string={"limit": 1000, **query}, headers=headers
        )
        assert 200 == answer.status_code, answer.text
        found |= {key_of(kind, view): view for view in answer.json["data"]}
    return found


@contextmanager
def reading(site, monkeypatch, *, limit):
    """All that streams read, so many at a time."""
    service = site.service
    changes = Changes(service.pool, service.store, service.delays, limit=limit)
    monkeypatch.setattr(service.feed, "_changes", changes)
    yield changes


# --- what it has ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory):
    """Agents and tasks that differ in what filters ask for; two tasks are over."""
    data = tmp_path_factory.mktemp("snapshots")
    with open_site(clone(template), data, PROJECTOR_TOKENS=json.dumps(TOKENS)) as site:
        tell(
            site,
            login(0, "a1"),
            login(0, "a2", teamId="team-2"),
            login(0, "b1") | {"comciscoorgid": "beta"},
            v1(5, "a1", "Connected", "t1"),
            v1(6, "a2", "Connected", "t3"),
            task(1, "t1", "connected", queueId="q1"),
            task(2, "t2", "parked", direction="OUTBOUND", channelType="chat", queueId="q2"),
            task(2, "t3", "connected", queueId="q2"),
            ended(30, "t3"),
            task(3, "t4", "parked", queueId="q1"),
            ended(40, "t4"),
        )
        yield site


AGENTS_AND_TASKS, AGENTS_ALONE, TASKS_ALONE = ("agent", "task"), ("agent",), ("task",)


@pytest.mark.parametrize(
    ("query", "kinds", "also"),
    [
        ({}, AGENTS_AND_TASKS, {"open": "true"}),
        ({"orgId": "beta"}, AGENTS_AND_TASKS, {"open": "true"}),
        ({"agentId": "a2"}, AGENTS_AND_TASKS, {"open": "true"}),
        ({"queueId": "q2"}, AGENTS_AND_TASKS, {"open": "true"}),
        ({"channelType": ["chat", "telephony"]}, AGENTS_AND_TASKS, {"open": "true"}),
        ({"direction": "OUTBOUND"}, TASKS_ALONE, {"open": "true"}),
        ({"open": "false"}, TASKS_ALONE, {}),
        ({"stale": ["true", "false"]}, TASKS_ALONE, {}),
        ({"taskId": ["t1", "t3"]}, TASKS_ALONE, {}),
        ({"status": ["connected", "completed"]}, AGENTS_AND_TASKS, {}),
        ({"teamId": "team-2"}, AGENTS_ALONE, {}),
        ({"loggedIn": "true"}, AGENTS_ALONE, {}),
        ({"teamId": "team-2", "direction": "OUTBOUND"}, (), {}),
        ({"agentId": "a\0"}, (), {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [1, 2, 500])
def test_a_snapshot_has_what_the_lists_have(  # noqa: PLR0917 - pytest passes by name
    floor, monkeypatch, query, kinds, also, limit
):
    """Of tasks the open ones, unless a filter says which; agents first; between two marks."""
    with reading(floor, monkeypatch, limit=limit):
        heard = snapshot_of(floor, **query)
    expected = {
        key: view
        for kind in kinds
        for key, view in listed(
            floor, kinds=[kind], **query, **(also if kind == "task" else {})
        ).items()
    }
    assert expected == floor_of(heard).views
    events = [event for _, event, _ in heard.frames]
    count = {kind: events.count(kind) for kind in LISTS}
    assert ["reset", *["agent"] * count["agent"], *["task"] * count["task"], "snapshot"] == events
    head = floor.service.store.head()
    assert [{"position": head}] == heard.of("reset")
    end = {"agents": count["agent"], "tasks": count["task"], "position": head}
    assert [end] == heard.of("snapshot")
    assert bool(kinds) == bool(expected)


@pytest.mark.parametrize("token", ["acme", "elsewhere", "team-1", "teams", "no-team", "beta-1"])
def test_a_snapshot_has_what_the_token_may_see(floor, token):
    """Its organisations and teams, as for lists."""
    expected = listed(floor, kinds=["agent"], token=token)
    expected |= listed(floor, kinds=["task"], token=token, open="true")
    assert expected == floor_of(snapshot_of(floor, token=token)).views


@pytest.mark.parametrize(
    ("query", "wrong"), [("snapshot=yes", "snapshot"), ("names=1", "names"), ("limit=5", "limit")]
)
def test_a_wrong_option_is_refused(floor, query, wrong):
    """400, naming it, and no stream stays open."""
    answer = floor.get(f"/api/v1/stream?{query}")
    assert (400, [wrong]) == (answer.status_code, [it["parameter"] for it in answer.json["errors"]])
    assert not floor.service.feed._open


# --- and what comes after it ------------------------------------------------------------------


def test_after_a_snapshot_come_the_changes(site):
    """One connection: the view that changed, what left, and nothing that was there before."""
    tell(site, login(0, "ann"), login(0, "bob"), task(0, "t1", "parked"))
    with listening(site, snapshot="true", status=["idle", "queued"]) as heard:
        heard.await_(lambda it: it.of("snapshot"))
        tell(site, v1(1, "ann", "Available"), v1(2, "bob", "Idle", idleCodeId="tea"))
        heard.await_(lambda it: it.last_id == site.service.store.head())
        expected = [("agent", "ann"), ("agent", "bob"), ("task", "t1")]
        expected += [("left", "ann"), ("agent", "bob")]
        assert expected == names_of_subjects(heard)


def test_a_snapshot_shows_what_time_has_changed(database_url, tmp_path):
    """As of the clock of the answer; a deadline after it is told as ever."""
    clock = Clock()
    with open_site(database_url, tmp_path, clock=clock) as site:
        tell(site, login(LATELY, "ann"), v2(LATELY + 5, "ann", "Ringing", "t1"))
        clock.now += 5 * MINUTE
        with listening(site, snapshot="true", agentId="ann") as heard:
            heard.await_(lambda it: it.of("snapshot"))
            assert ["unknown"] == [view["status"] for view in heard.of("agent")]
            clock.now += 24 * HOUR
            heard.await_(lambda it: len(it.of("agent")) == 2)
            assert "logged-out" == heard.of("agent")[1]["status"]


def test_a_client_that_comes_back_begins_with_a_snapshot_again(site):
    """With Last-Event-ID, too: what changed meanwhile is in it, and what left is not."""
    tell(site, login(0, "ann"), login(0, "bob"))
    last = snapshot_of(site, status="idle").last_id
    tell(site, v1(1, "ann", "Available"), login(1, "cid"))
    with listening(site, since=last, snapshot="true", status="idle") as again:
        again.await_(lambda it: it.of("snapshot"))
        expected = [("agent", "bob"), ("agent", "cid")]
        assert expected == [it for it in names_of_subjects(again) if it[0] != "reset"]


def names_of_subjects(listener):
    return [
        (event, data.get("agentId") or data.get("taskId"))
        for _, event, data in listener.frames
        if event not in {"reset", "snapshot"}
    ]


# --- one moment -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(6))
def test_a_change_between_two_pages_is_not_missed(site, monkeypatch, place):
    """Who came into the filter, left it or did both, before its page or after it."""
    names = [f"a{number}" for number in range(6)]
    tell(site, *(login(0, name, "Available" if name > "a2" else "Idle") for name in names))
    with reading(site, monkeypatch, limit=1) as changes:
        with_page, pages, moment = changes.with_page, [], [0]

        def told_between(*asked):
            answer = with_page(*asked)
            pages.append(answer)
            if len(pages) == place + 1:
                for word in ("Idle", "Available"):
                    moment[0] += 10
                    some = names if word == "Idle" else names[::2]
                    tell(site, *(v1(moment[0], name, word) for name in some))
            return answer

        monkeypatch.setattr(changes, "with_page", told_between)
        with listening(site, snapshot="true", status="idle") as heard:
            heard.await_(lambda it: it.of("snapshot"))
            last = tell(site, login(0, "a9"))
            heard.await_(lambda it: it.last_id == last)
    assert listed(site, kinds=["agent"], status="idle") == floor_of(heard).views


def test_what_fits_for_a_page_alone_leaves(site, monkeypatch):
    """Ann fits when her page is read, and neither before nor at the end: she is `left`."""
    tell(site, login(0, "abe"), login(0, "ann", "Available"), login(0, "zoe"))
    with reading(site, monkeypatch, limit=1) as changes:
        with_page, calls = changes.with_page, []
        steps = [v1(10, "ann", "Idle"), v1(20, "ann", "Available")]

        def told_between(progress, interest, place):
            answer = with_page(progress, interest, place)
            if answer[1] is not None:
                calls.append(names_in(answer[1].changes))
                if steps:
                    tell(site, steps.pop(0))
            return answer

        monkeypatch.setattr(changes, "with_page", told_between)
        heard = snapshot_of(site, status="idle")
    assert ["abe", "ann", "zoe"] == [name for page in calls for name in page]
    assert ("left", "ann") == names_of_subjects(heard)[-2]
    assert {"abe", "zoe"} == {id_ for _, _, id_ in floor_of(heard).views}


def names_in(changes):
    return [change.key[1] for change in changes]


def test_snapshots_amid_changes_become_what_the_lists_show(site, monkeypatch):
    """Streams that begin at any moment of a busy floor, with small pages, end up alike."""
    monkeypatch.setattr(site.service.feed, "ping_seconds", 0.1)
    bodies = list(itertools.islice(Simulation(8, 3, start_ms=RECORDED - HOUR), 600))
    stop = threading.Event()
    runners = [follow(site, stop, batch_events=size) for size in (7, 13)]
    heard = []
    queries = [{"status": ["idle", "available", "connected"]}, {"open": "true"}, {}]
    try:
        with reading(site, monkeypatch, limit=5):
            for start in range(0, len(bodies), 60):
                site.post(bodies[start : start + 60])
                query = queries[len(heard) % 3]
                heard.append((listen(site, snapshot="true", **query), query))
            eventually(lambda: site.service.views.position() == len(bodies))
            for listener, _ in heard:
                listener.await_(lambda it: it.of("snapshot"))
                listener.await_(lambda it: it.last_id == len(bodies))
    finally:
        stop.set()
        for runner in runners:
            runner.join()
        for listener, _ in heard:
            listener.close()
    for listener, query in heard:
        kinds = TASKS_ALONE if "open" in query else AGENTS_AND_TASKS
        expected = without_clock(listed(site, kinds=kinds, **query))
        found = without_clock(floor_of(listener).views)
        if not query:  # it is told of tasks that end, and not of those that were over before
            expected = {key: it for key, it in expected.items() if key in found or is_open(it)}
        assert expected == found


def without_clock(views):
    return {
        key: {name: it for name, it in view.items() if name != "settled"}
        for key, view in views.items()
    }


def is_open(view):
    return not (view.get("complete") or view.get("stale"))


# --- what it costs ----------------------------------------------------------------------------


def test_a_slow_reader_holds_no_connection(site, monkeypatch):
    """Between two messages nothing is held: all connections are there for others."""
    tell(site, *(login(0, f"a{number}") for number in range(20)))
    with reading(site, monkeypatch, limit=2):
        slow = [iter(site.service.feed.open(everything(), snapshot=True)) for _ in range(40)]
        for stream in slow:
            for _ in range(8):
                next(stream)
        with connect(site.url) as connection:
            row = connection.execute(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%'"
            ).fetchone()
        assert 0 == row["n"]
        assert 200 == site.get("/api/v1/agents").status_code
        assert (
            20
            == sum(1 for it in iter(lambda: next(slow[0]).change, None) if it.event == "agent")
            + 8
            - 2
        )  # the message that begins the stream, and the mark
