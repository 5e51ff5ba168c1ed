"""The live stream: order, ids, resumption, filters, and what it does when readers are slow."""

import itertools
import json
import threading
import time
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest

from projector.infrastructure.database import VIEWS_CHANNEL, connect
from projector.projection.partitions import begin_batch
from projector.projection.read_models import FOLD_VERSION
from projector.projection.runner import Runner
from projector.query.live.changes import Changes
from projector.query.live.interest import Interest
from projector.query.scope import Scope
from projector.webex.simulator import Simulation
from tests.api.test_access import TOKENS
from tests.conftest import clone, open_site
from tests.examples import DAWN, RECORDED, ended, login, logout, task, v1, v2
from tests.integration.driving import Clock

PATH = "/api/v1/stream"
PATIENCE = 10.0  # seconds; reached only where something is wrong
_ids = itertools.count(1)


class Listener:
    """Reads a stream in a thread of its own, into a list of (id, event, data)."""

    def __init__(self, site, headers, query=None, path=PATH):
        others = {*site.service.feed._open}
        self.response = site.get(path, headers=headers, query_string=query, buffered=False)
        assert 200 == self.response.status_code, self.response.text
        (self._stream,) = site.service.feed._open - others
        self.frames = []  # with data, in their order
        self.pings = 0
        self.last_id = None
        self.text = ""
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        lines = {}
        for chunk in self.response.iter_encoded():
            self.text += chunk.decode()
            for line in chunk.decode().splitlines():
                name, _, value = line.partition(": ")
                lines[name] = value
                self.pings += name == ""
                self._take(lines if line == "" else {})
        self.ended.set()

    def _take(self, lines):
        if "id" in lines:
            self.last_id = int(lines["id"])
        if "data" in lines:
            self.frames.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
        lines.clear()

    def close(self):
        """Leave, as a server does for a client: what has been begun is ended first."""
        self._stream.close()
        self._thread.join(PATIENCE)
        self.response.close()

    def await_(self, holds):
        eventually(lambda: holds(self), self)
        return self

    def __str__(self):
        return f"{self.last_id} {self.subjects()} {self.text[-300:]}"

    def of(self, event):
        return [data for _, told, data in self.frames if told == event]

    def subjects(self):
        """Who was told of, in order, without repetitions that follow each other."""
        told = [data.get("agentId") or data.get("taskId") for _, _, data in self.frames]
        return [name for name, _ in itertools.groupby(told)]


def eventually(holds, what="it did not come to hold in time"):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, str(what)
        time.sleep(0.01)


def listen(site, *, since=None, token=None, **query):
    """A stream that has begun: its first bytes are there."""
    headers = {} if since is None else {"Last-Event-ID": str(since)}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Listener(site, headers, query).await_(lambda it: it.last_id is not None)


@contextmanager
def listening(site, **asked):
    with closing(listen(site, **asked)) as listener:
        yield listener


def tell(site, *bodies):
    """Deliver events and fold them."""
    answer = site.post([one | {"id": one["id"] or f"s{next(_ids)}"} for one in bodies])
    assert len(bodies) == answer.json["appended"]
    site.project()
    return int(answer.headers["X-Position"])


def settle(listener, site):
    """All that was told so far has arrived: a last agent, whom no filter but its own keeps out."""
    mark = f"mark{next(_ids)}"
    tell(site, login(0, mark))
    return listener.await_(lambda it: mark in it.subjects())


# --- what is told -----------------------------------------------------------------------------


def test_changes_are_told_as_the_reads_answer(site):
    """Agents and tasks by the views' own JSON, newest state, each with an id."""
    with listening(site) as heard:
        tell(site, login(0, "ann"), task(1, "t1", "new"))
        heard.await_(lambda it: len(it.frames) == 2)
        tell(site, v1(2, "ann", "Available"))
        heard.await_(lambda it: len(it.frames) == 3)
        assert ["agent", "task", "agent"] == [event for _, event, _ in heard.frames]
        assert site.get("/api/v1/tasks/t1").json == heard.of("task")[0]
        assert site.get("/api/v1/agents/ann").json == heard.of("agent")[-1]
        assert [0, 2, 3] == [id_ for id_, _, _ in heard.frames]


def test_a_stream_begins_at_once_and_with_headers(site):
    """Bytes before any change, an id to go on from, no caching, no buffering on the way."""
    tell(site, login(0, "ann"))
    with listening(site) as heard:
        headers = heard.response.headers
        assert "text/event-stream" == headers["Content-Type"]
        assert ("no-store", "no") == (headers["Cache-Control"], headers["X-Accel-Buffering"])
        assert heard.text.startswith("retry: 1000\n")
        assert (1, []) == (heard.last_id, heard.frames)


def test_what_was_before_is_not_told(site):
    """Without Last-Event-ID only what happens from now on, however late it joins the feed."""
    tell(site, login(0, "old"))
    with listening(site) as first:
        tell(site, login(1, "new"))
        first.await_(lambda it: it.subjects() == ["new"])
        with listening(site) as second:
            tell(site, login(2, "newer"))
            second.await_(lambda it: it.subjects() == ["newer"])
        first.await_(lambda it: it.subjects() == ["new", "newer"])


def test_a_late_event_sends_its_correction(site):
    """The row of the ledger, as /corrections lists it, beside the view."""
    tell(site, login(0, "ann"), v1(60_000, "ann", "Available"))
    with listening(site) as heard:
        tell(site, v1(30_000, "ann", "Idle", idleCodeId="lunch"))
        heard.await_(lambda it: it.of("correction") and it.of("agent"))
        listed = site.get("/api/v1/corrections").json["data"]
        assert listed == heard.of("correction")
        assert 3 == listed[0]["position"]


def test_a_task_that_is_told_of_shows_what_time_has_changed(site):
    """Views are as of now: a task whose hour has passed is completed, also for filters."""
    with listening(site, status="completed") as heard:
        tell(site, task(0, "t1", "connected"), task(1, "t1", "ended"))
        heard.await_(lambda it: it.subjects() == ["t1"])
        assert [True] == [view["complete"] for view in heard.of("task")]


def test_quiet_streams_are_pinged(site, monkeypatch):
    """A comment while nothing comes, with where to go on from though nothing was of interest."""
    monkeypatch.setattr(site.service.feed, "ping_seconds", 0.05)
    with listening(site, agentId="nobody") as heard:
        position = tell(site, login(0, "ann"))
        heard.await_(lambda it: it.pings >= 3 and it.last_id == position)
        assert "\n: ping\n" in heard.text
        assert [] == heard.frames


# --- resumption -------------------------------------------------------------------------------


def newest(site):
    """All views by kind and id."""
    lists = {"agent": "agents", "task": "tasks"}
    return {
        (kind, view[f"{kind}Id"]): view["lastEvent"]["position"]
        for kind, list_ in lists.items()
        for view in site.get(f"/api/v1/{list_}?limit=1000").json["data"]
    }


def put_together(frames, known=None):
    """What a client knows that takes the frames as they come."""
    known = {} if known is None else known
    for _, kind, data in frames:
        if kind != "correction":
            known[kind, data[f"{kind}Id"]] = data["lastEvent"]["position"]
    return known


def test_a_stream_goes_on_where_it_was_left(site):
    """Only what changed after the id, agents, tasks and corrections, in order."""
    left = tell(site, login(0, "ann"), login(0, "bob"))
    tell(site, v1(9_000, "ann", "Available"), task(1, "t1", "new"), login(0, "cid"))
    tell(site, v1(5_000, "ann", "Idle", idleCodeId="tea"))
    with listening(site, since=left) as heard:
        heard.await_(lambda it: len(it.frames) == 4)
        assert ["t1", "cid", "ann"] == heard.subjects()
        assert 1 == len(heard.of("correction"))
        ids = [id_ for id_, _, _ in heard.frames]
        assert sorted(ids) == ids
        assert site.service.store.head() == ids[-1]
    with listening(site, since=0) as heard:
        heard.await_(lambda it: len(it.frames) == 5)


def test_many_changes_are_resumed_in_batches(site, monkeypatch):
    """More than one reading takes: each is told once, and the last id says that all were."""
    monkeypatch.setattr(
        site.service.feed,
        "_changes",
        Changes(site.service.pool, site.service.store, site.service.delays, limit=7),
    )
    agents, tasks = [f"a{n}" for n in range(50)], [f"t{n}" for n in range(9)]
    tell(site, *(login(0, name) for name in agents), *(task(0, name, "new") for name in tasks))
    with listening(site, since=0) as heard:
        heard.await_(lambda it: len(it.frames) == 59)
        assert agents + tasks == heard.subjects()
        assert 59 == heard.frames[-1][0]
    with listening(site, since=heard.frames[20][0]) as again:
        again.await_(lambda it: it.frames and it.frames[-1][0] == 59)
        assert {*heard.subjects()[21:]} <= {*again.subjects()}


def test_nothing_is_lost_by_reconnecting_while_pages_are_folded(site):
    """A client that keeps leaving and coming again knows in the end what the views show."""
    stop = threading.Event()
    runners = [
        threading.Thread(
            target=Runner(site.service.store, site.url, batch_events=size).run, args=(stop,)
        )
        for size in (7, 13)
    ]
    bodies = list(itertools.islice(Simulation(8, 3, start_ms=RECORDED - 3_600_000), 900))
    for runner in runners:
        runner.start()
    known, last, steady = {}, 0, listen(site)
    try:
        for start in range(0, len(bodies), 30):
            with listening(site, since=last) as heard:
                site.post(bodies[start : start + 30])
                heard.await_(lambda it, last=last: it.last_id > last or it.frames)
            put_together(heard.frames, known)
            assert heard.last_id >= last
            last = heard.last_id
        eventually(lambda: site.service.views.position() == len(bodies))
    finally:
        stop.set()
        for runner in runners:
            runner.join()
    with listening(site, since=last) as heard:
        heard.await_(lambda it: it.last_id == len(bodies))
    expected = newest(site)
    assert expected == put_together(heard.frames, known)
    with closing(steady):
        steady.await_(lambda it: put_together(it.frames) == expected)


def test_partitions_at_different_positions_lose_nothing(site):
    """The id stays at the partition that is furthest behind; what it folds later is told."""
    site.post([login(n, f"a{n}") | {"id": f"l{n}"} for n in range(40)])
    runner = Runner(site.service.store, site.url)
    with listening(site) as heard, connect(site.url) as held, connect(site.url) as other:
        with held.transaction():
            cursor = held.cursor(row_factory=psycopg.rows.tuple_row)
            partitions = begin_batch(cursor, 8, 100, fold=FOLD_VERSION)
            assert 8 == len(partitions.partitions)
            while runner.process_batch(other):
                pass
            heard.await_(lambda it: len(it.frames) > 5)
            ahead = len(heard.frames)
            assert ahead < 40
            assert {0} == {id_ for id_, _, _ in heard.frames}
        with listening(site, since=0) as resumed:
            resumed.await_(lambda it: len(it.frames) == ahead)
            site.project()
            heard.await_(lambda it: len(it.frames) == 40)
            resumed.await_(lambda it: len(it.frames) == 40)
            assert 40 == heard.last_id == resumed.last_id
    assert put_together(heard.frames) == newest(site) == put_together(resumed.frames)


# --- filters and scope ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory):
    """Agents and tasks that differ in what filters ask for."""
    data = tmp_path_factory.mktemp("stream")
    with open_site(clone(template), data, PROJECTOR_TOKENS=json.dumps(TOKENS)) as site:
        tell(
            site,
            login(0, "a1"),
            login(0, "a2", teamId="team-2"),
            login(0, "b1") | {"comciscoorgid": "beta"},
            logout(9, "gone", "AGENT"),
            v1(5, "a1", "Connected", "t1"),
            task(1, "t1", "connected", queueId="q1"),
            task(2, "t2", "parked", direction="OUTBOUND", channelType="chat", queueId="q2"),
            v1(60_000, "a2", "Available"),
        )
        tell(site, v1(30_000, "a2", "Idle", idleCodeId="tea"))
        yield site


FILTERS = [
    ({}, {"a1", "a2", "b1", "gone", "t1", "t2", "!a2"}),
    ({"orgId": "beta"}, {"b1"}),
    ({"orgId": ["acme", "beta"], "loggedIn": "true"}, {"a1", "a2", "b1", "!a2"}),
    ({"agentId": "a1"}, {"a1", "t1"}),
    ({"agentId": ["a2", "gone"]}, {"a2", "!a2", "gone"}),
    ({"taskId": ["t1", "t2"]}, {"t1", "t2"}),
    ({"taskId": "t1", "agentId": "a1"}, {"t1"}),
    ({"teamId": "team-2"}, {"a2", "!a2"}),
    ({"queueId": ["q2", "q9"]}, {"t2"}),
    ({"channelType": "chat"}, {"t2"}),
    ({"direction": "OUTBOUND"}, {"t2"}),
    ({"direction": "OUTBOUND", "teamId": "team-2"}, set()),
    ({"open": "true"}, {"t1", "t2"}),
    ({"open": "false"}, set()),
    ({"loggedIn": "false"}, {"gone"}),
    ({"loggedIn": "true", "teamId": "team-1"}, {"a1", "b1"}),
    ({"currentState": "available"}, {"a2", "!a2"}),
    ({"agentId": "a\0"}, set()),
]


def told_of(listener):
    return {
        ("!" if kind == "correction" else "") + (data.get("agentId") or data["taskId"])
        for _, kind, data in listener.frames
    }


@pytest.mark.parametrize(
    ("query", "expected"), FILTERS, ids=lambda it: str(sorted(it) if isinstance(it, set) else it)
)
def test_filters_apply_to_what_is_sent(floor, query, expected):
    """Any value of a filter, all filters together, each kind by the facets that it has."""
    with listening(floor, since=0, **query) as heard:
        # The end of what there is: the ping after it says so by its id.
        heard.await_(lambda it: told_of(it) >= expected)
        time.sleep(0.05)
        assert expected == told_of(heard)


@pytest.mark.parametrize("list_", ["agents", "tasks"])
def test_filters_find_what_the_lists_find(floor, list_):
    """For each filter of a list and each value shown: the same subjects."""
    views = floor.get(f"/api/v1/{list_}").json["data"]
    key = f"{list_[:-1]}Id"
    for name in ("status", "currentState", "queueId"):
        for value in {view[name] for view in views if view[name]}:
            found = floor.get(f"/api/v1/{list_}", query_string={name: value}).json["data"]
            with listening(floor, since=0, **{name: value}) as heard:
                expected = {view[key] for view in found}
                heard.await_(
                    lambda it, expected=expected: {v[key] for v in it.of(list_[:-1])} == expected
                )


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("acme", {"a1", "a2", "gone", "t1", "t2", "!a2"}),
        ("elsewhere", set()),
        ("team-1", {"a1", "b1", "t1"}),
        ("teams", {"a1", "a2", "b1", "t1", "!a2"}),
        ("no-team", set()),
        ("beta-1", {"b1"}),
    ],
)
def test_a_stream_tells_what_the_token_may_see(floor, token, expected):
    """Its organisations; agents of its teams, tasks with such a participant, their corrections."""
    with listening(floor, since=0, token=token) as heard:
        heard.await_(lambda it: told_of(it) >= expected)
        time.sleep(0.05)
        assert expected == told_of(heard)


# --- what leaves ------------------------------------------------------------------------------


def names_told(listener):
    """Of each frame its event and its subject's id."""
    return [(told, data.get("agentId") or data["taskId"]) for _, told, data in listener.frames]


def told_after(site, listener, *bodies):
    """What is told of these events."""
    before = len(listener.frames)
    tell(site, *bodies)
    return settled(listener, site, before)


def settled(listener, site, before=0):
    """What was told but for the mark, from a frame on."""
    told = names_told(settle(listener, site))[before:]
    return [it for it in told if not it[1].startswith("mark")]


def test_a_subject_that_leaves_a_filter_is_told(site):
    """`left` with its id and no more, once; without a view before it, too; coming back, a view."""
    tell(site, login(0, "ann"), login(0, "bob"))
    with listening(site, status="idle") as heard:
        assert [("left", "ann")] == told_after(site, heard, v1(1, "ann", "Available"))
        data = {"kind": "agent", "orgId": "acme", "agentId": "ann", "taskId": None}
        assert [data] == heard.of("left")
        assert [] == told_after(site, heard, v1(2, "ann", "Connected", "t1"))
        assert [("agent", "ann")] == told_after(site, heard, v1(3, "ann", "Idle"))
        assert [("left", "ann")] == told_after(site, heard, v1(4, "ann", "Available"))
        assert site.service.store.head() == heard.last_id


def test_who_never_fitted_does_not_leave(site, monkeypatch):
    """Also not where a filter is of another kind, of another id, or of other organisations."""
    monkeypatch.setattr(site.service.feed, "ping_seconds", 0.05)
    tell(site, login(0, "ann"), task(0, "t1", "parked"))
    steps = (
        v1(1, "ann", "Connected", "t1"),
        task(1, "t1", "connected"),
        login(1, "new", "Available"),
    )
    with (
        listening(site, status="connected", agentId="bob") as of_bob,
        listening(site, teamId="team-1", direction="INBOUND") as of_neither,
        listening(site, status="idle", orgId="beta") as of_beta,
        listening(site, status="idle") as idle,
    ):
        assert [("left", "ann")] == told_after(site, idle, *steps)
        position = site.service.store.head()
        for heard in (of_bob, of_neither, of_beta):
            heard.await_(lambda it: it.last_id == position)
            assert [] == heard.frames


def test_what_lasted_only_between_two_looks_is_not_told(site):
    """Whoever fitted neither before nor after was never had."""
    tell(site, login(0, "ann", "Available"))
    with listening(site, status="idle") as heard:
        steps = v1(1, "ann", "Idle"), v1(2, "ann", "Available")
        assert [] == told_after(site, heard, *steps)


def test_tasks_leave_filters(site):
    """By queue, by status, by being over."""
    tell(site, task(0, "t1", "parked", queueId="q1"), task(0, "t2", "parked", queueId="q2"))
    with listening(site, open="true") as heard, listening(site, queueId="q1") as of_q1:
        tell(site, task(9, "t1", "parked", queueId="q2"))
        of_q1.await_(lambda it: names_told(it) == [("left", "t1")])
        tell(site, ended(20, "t2"))
        heard.await_(lambda it: names_told(it) == [("task", "t1"), ("left", "t2")])
        data = {"kind": "task", "orgId": "acme", "agentId": None, "taskId": "t2"}
        assert [data] == heard.of("left")


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_what_left_while_nobody_listened_is_told_on_return(site, monkeypatch, limit):
    """By what fitted at the id, whatever came between, and in batches of any size."""
    changes = Changes(site.service.pool, site.service.store, site.service.delays, limit=limit)
    monkeypatch.setattr(site.service.feed, "_changes", changes)
    tell(site, login(0, "ann"), login(0, "bob"), login(0, "cid"), login(0, "dan", "Available"))
    with listening(site, status="idle") as heard:
        last = heard.last_id
    tell(
        site, v1(1, "ann", "Available"), v1(2, "ann", "Connected", "t1"), v1(3, "bob", "Available")
    )
    tell(site, v1(9, "bob", "Idle"), v1(9, "dan", "Idle"), v1(10, "dan", "Available"))
    with listening(site, since=last, status="idle") as heard:
        assert {("left", "ann"), ("agent", "bob")} == {*settled(heard, site)}


def test_who_left_and_then_changed_once_more_is_told(site, monkeypatch):
    """Where not all is read at once, what was there is told by what the reader has of it."""
    changes = Changes(site.service.pool, site.service.store, site.service.delays, limit=1)
    monkeypatch.setattr(site.service.feed, "_changes", changes)
    tell(site, login(0, "ann"), login(0, "bob"))
    last = site.service.store.head()
    tell(site, v1(1, "ann", "Available"))
    tell(site, v1(2, "bob", "Idle", idleCodeId="tea"))
    tell(site, v1(3, "ann", "Connected", "t1"))
    with listening(site, since=last, status="idle") as heard:
        assert [("agent", "bob"), ("left", "ann")] == settled(heard, site)


def test_an_id_within_a_request_loses_nothing(site):
    """A reader has of its subjects what they showed before the request, or after it."""
    tell(site, login(0, "ann"), login(0, "bob", "Available"))
    request = v1(5, "ann", "Available"), v1(6, "bob", "Idle"), v1(7, "ann", "Connected", "t1")
    of_bob = tell(site, *request) - 1
    tell(site, v1(8, "bob", "Available"))
    with listening(site, since=of_bob, status="idle") as heard:
        assert {("left", "ann"), ("left", "bob")} == {*settled(heard, site)}


def test_a_late_event_makes_its_subject_leave(site):
    """It changes what is shown now; its correction goes to those whom the view fits."""
    tell(site, task(0, "t1", "parked", queueId="q1"), task(9, "t1", "connected"))
    with listening(site, queueId="q1") as of_q1, listening(site, queueId="q2") as of_q2:
        tell(site, task(5, "t1", "parked", queueId="q2"))
        of_q2.await_(lambda it: names_told(it) == [("task", "t1"), ("correction", "t1")])
        of_q1.await_(lambda it: names_told(it) == [("left", "t1")])


def test_a_stream_that_joins_while_the_feed_reads_misses_nothing(site, monkeypatch):
    """What the feed then reads, it reads for the others only."""
    changes, began, may_read = site.service.feed._changes, threading.Event(), threading.Event()

    def held_after(progress, interests, **asked):
        if asked:  # it is the feed
            began.set()
            assert may_read.wait(PATIENCE)
        return Changes.after(changes, progress, interests, **asked)

    tell(site, login(0, "ann"))
    monkeypatch.setattr(changes, "after", held_after)
    with listening(site, status="available"):
        assert began.wait(PATIENCE)
        with listening(site, status="idle") as heard:
            eventually(lambda: len(site.service.feed._joined) == 2)
            time.sleep(0.1)  # it has caught up
            tell(site, v1(1, "ann", "Available"), login(1, "bob"))
            may_read.set()
            heard.await_(lambda it: names_told(it) == [("left", "ann"), ("agent", "bob")])


def test_who_leaves_a_team_leaves_its_tokens(make_site):
    """An agent, and its open tasks with it; of what they are now nothing is told but the id."""
    site = make_site(PROJECTOR_TOKENS=json.dumps(TOKENS))
    tell(site, login(0, "ann"), login(0, "bob", teamId="team-2"))
    tell(site, v1(5, "ann", "Connected", "t1"), v1(5, "bob", "Connected", "t2"))
    tell(site, task(5, "t1", "connected"), task(5, "t2", "connected"))
    with listening(site, token="team-1") as heard:
        assert [] == told_after(site, heard, v1(6, "bob", "on-hold", "t2"))
        last = heard.last_id
        moved = login(9, "ann", teamId="team-2")
        assert {("left", "ann"), ("left", "t1")} == {*told_after(site, heard, moved)}
        assert "team-2" not in heard.text
        assert [] == told_after(site, heard, v1(10, "ann", "Connected", "t1"))
    with listening(site, since=last, token="team-1") as again:
        told = {*settled(again, site)}
        assert {("left", "ann"), ("left", "t1")} == told
    with listening(site, since=last, token="teams") as both:
        both.await_(lambda it: ("task", "t1") in names_told(it))
        assert [] == both.of("left")


# --- the passing of time ----------------------------------------------------------------------


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed_site(database_url, tmp_path, clock):
    with open_site(database_url, tmp_path, clock=clock) as site:
        yield site


MINUTE, HOUR = 60_000, 3_600_000
LATELY = RECORDED - DAWN - MINUTE  # a moment, a minute ago


def test_a_deadline_is_told(timed_site, clock):
    """Without any event: the view to whom it fits now, `left` to whom it does not any more."""
    site = timed_site
    tell(site, login(LATELY, "ann"), v2(LATELY + 5, "ann", "Ringing", "t1"))
    tell(site, task(LATELY, "t2", "connected"), ended(LATELY + 9, "t2"))
    with (
        listening(site, status="ringing", teamId="team-1") as ringing,
        listening(site, status="unknown", teamId="team-1") as unknown,
        listening(site, status="logged-out") as away,
        listening(site, status="completed") as completed,
    ):
        clock.now += 5 * MINUTE
        ringing.await_(lambda it: names_told(it) == [("left", "ann")])
        unknown.await_(lambda it: names_told(it) == [("agent", "ann")])
        assert site.get("/api/v1/agents/ann").json == unknown.of("agent")[0]
        clock.now += HOUR
        completed.await_(lambda it: names_told(it) == [("task", "t2")])
        clock.now += 24 * HOUR
        away.await_(lambda it: names_told(it) == [("agent", "ann")])
        unknown.await_(lambda it: names_told(it)[1:] == [("left", "ann")])
        assert 1 == len(ringing.frames)
        assert 4 == ringing.last_id == away.last_id


@pytest.mark.parametrize("limit", [1, 500])
def test_deadlines_that_passed_while_nobody_listened_are_told(
    timed_site, clock, monkeypatch, limit
):
    """After a resume; and what fitted only for a while counts as had, if events came after it."""
    site = timed_site
    changes = Changes(
        site.service.pool, site.service.store, site.service.delays, clock=clock, limit=limit
    )
    monkeypatch.setattr(site.service.feed, "_changes", changes)
    names = ["ann", "bob", "cid"]
    tell(site, *(login(LATELY, name) for name in names))
    last = tell(site, *(v2(LATELY + n, name, "Ringing", name) for n, name in enumerate(names, 1)))
    with listening(site, status="unknown", teamId="team-1", since=last) as heard:
        clock.now += 10 * MINUTE
        heard.await_(lambda it: names_told(it) == [("agent", name) for name in names])
    tell(site, *(login(LATELY, f"other{n}", teamId="team-2") for n in range(5)))
    tell(site, v2(LATELY + 10 * MINUTE, "bob", "Connected", "t9"))
    with listening(site, status="unknown", teamId="team-1", since=last) as again:
        again.await_(lambda it: len(it.frames) == 3)
        assert {("agent", "ann"), ("agent", "cid"), ("left", "bob")} == {*names_told(again)}
    with listening(site, status="ringing", teamId="team-1", since=last) as again:
        again.await_(lambda it: len(it.frames) == 3)
        assert {("left", name) for name in names} == {*names_told(again)}
    with listening(site, status="unknown", teamId="team-1", since=0) as fresh:
        fresh.await_(lambda it: it.last_id == site.service.store.head())
        # Between two pages bob may have been had.
        assert ["ann", "cid"] == [view["agentId"] for view in fresh.of("agent")]


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", "\N{SUPERSCRIPT ONE}", "1" * 19, "1,2"])
def test_an_id_that_is_no_position_is_refused(site, given):
    """400 before 401, naming the header."""
    answer = site.client.get(PATH, headers={"Last-Event-ID": given})
    assert (400, "application/problem+json") == (answer.status_code, answer.content_type)
    assert ["Last-Event-ID"] == [error["parameter"] for error in answer.json["errors"]]


def test_an_id_beyond_the_log_is_refused(site):
    """400, which says where the log ends."""
    head = tell(site, login(0, "ann"))
    answer = site.get(PATH, headers={"Last-Event-ID": str(head + 1)})
    assert 400 == answer.status_code
    assert f"up to {head}" in answer.json["errors"][0]["allowed"]
    listen(site, since=head).close()


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("", {}, 401),
        ("", {"Authorization": "Bearer wrong"}, 401),
        ("?orgId=beta", {"Authorization": "Bearer acme"}, 403),
        ("?nonsense=1", {}, 400),
        ("?limit=1", {}, 400),
        ("?open=maybe", {}, 400),
        ("", {"X-Min-Position": "soon"}, 400),
    ],
)
def test_what_is_wrong_is_refused(floor, query, headers, expected):
    """As by every read, in the same order, by problem documents; and no stream stays open."""
    answer = floor.client.get(PATH + query, headers=headers)
    assert (expected, "application/problem+json") == (answer.status_code, answer.content_type)
    eventually(lambda: not floor.service.feed._open)


def test_a_position_is_waited_for(site):
    """X-Min-Position: the stream begins once the views are there."""
    position = int(site.post(login(0, "ann") | {"id": "w1"}).headers["X-Position"])
    later = threading.Timer(0.1, site.project)
    later.start()
    with closing(Listener(site, {"X-Min-Position": str(position)})) as heard:
        heard.await_(lambda it: it.last_id == position)
    later.join()


def test_only_so_many_streams_are_open(make_site):
    """Beyond the cap 503 with Retry-After; who leaves makes room; HEAD takes none."""
    site = make_site(PROJECTOR_STREAMS="2")
    for _ in range(3):
        answer = site.client.head(PATH, headers=site.headers)
        assert (200, "text/event-stream") == (answer.status_code, answer.content_type)
    with listening(site), listening(site) as second:
        answer = site.get(PATH)
        assert (503, "application/problem+json") == (answer.status_code, answer.content_type)
        assert "1" == answer.headers["Retry-After"]
        second.close()
        listen(site).close()
        # A client that left before it read anything gives its place back too.
        site.get(PATH, buffered=False).close()
        listen(site).close()


# --- the feed ---------------------------------------------------------------------------------


def connections(site):
    """The process ids of the database's connections that listen for views."""
    with connect(site.url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = %s",
            [f'LISTEN "{VIEWS_CHANNEL}"'],
        )
        return [row["pid"] for row in rows]


def test_one_connection_listens_for_all(site):
    """However many streams there are; none where nobody reads any more."""
    assert [] == connections(site)
    with ExitStack() as stack:
        heard = [stack.enter_context(listening(site)) for _ in range(20)]
        tell(site, login(0, "ann"))
        for one in heard:
            one.await_(lambda it: it.subjects() == ["ann"])
        assert 1 == len(connections(site))
    eventually(lambda: connections(site) == [])
    with listening(site) as again:
        tell(site, login(0, "bob"))
        again.await_(lambda it: it.subjects() == ["bob"])
        assert 1 == len(connections(site))


def test_the_feed_survives_the_loss_of_its_connection(site):
    """It connects again and tells what was folded meanwhile; the streams stay open."""
    with listening(site) as heard:
        tell(site, login(0, "ann"))
        heard.await_(lambda it: it.subjects() == ["ann"])
        with connect(site.url) as connection:
            (pid,) = connections(site)
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        tell(site, login(0, "bob"))
        heard.await_(lambda it: it.subjects() == ["ann", "bob"])
        eventually(lambda: connections(site) not in ([], [pid]))
        tell(site, login(0, "cid"))
        heard.await_(lambda it: it.subjects() == ["ann", "bob", "cid"])


def test_changes_are_told_without_a_notification(site, monkeypatch):
    """A page whose notification is not heard is found by looking."""
    monkeypatch.setattr("projector.query.live.streams.VIEWS_CHANNEL", "elsewhere")
    with listening(site) as heard:
        for name in ("ann", "bob"):
            tell(site, login(0, name))
            heard.await_(lambda it, name=name: it.subjects()[-1:] == [name])


def test_a_slow_reader_is_dropped_and_the_others_go_on(site, monkeypatch):
    """Its stream ends where too much waits; it resumes from its last id without loss."""
    monkeypatch.setattr(site.service.feed, "waiting", 50)
    slow = iter(site.service.feed.open(everything()))
    begun = next(slow)
    with listening(site) as quick:
        joined = threading.Thread(target=lambda: heard.append(next(slow)), daemon=True)
        heard = []
        joined.start()
        tell(site, login(0, "first"))
        joined.join(PATIENCE)
        assert ["agent"] == [told.change.event for told in heard]
        for start in range(0, 120, 20):
            tell(site, *(login(n, f"a{n}") for n in range(start, start + 20)))
            quick.await_(lambda it, seen=start + 21: len(it.frames) >= seen)
        assert [] == list(slow)  # it waits for nobody: the end is there
        assert begun.position < heard[0].position
        with listening(site, since=heard[0].position) as again:
            again.await_(lambda it: len(it.frames) == 120)
        settle(quick, site)


def everything():
    return Interest(scope=Scope(), filters={})


def test_streams_end_with_the_service(template, tmp_path):
    """Service.close() ends all of them, and the feed's thread with its connection."""
    with open_site(clone(template), tmp_path) as site:
        heard = [listen(site) for _ in range(3)]
        tell(site, login(0, "ann"))
        for one in heard:
            one.await_(lambda it: it.frames)
    for one in heard:
        assert one.ended.wait(PATIENCE)
    assert [] == [it.name for it in threading.enumerate() if it.name == "feed"]


def test_a_database_that_is_away_is_told(site):
    """503 before the stream begins; a stream that is being resumed ends."""
    site.service.pool.close()
    answer = site.get(PATH)
    assert (503, "application/problem+json") == (answer.status_code, answer.content_type)
    assert not site.service.feed._open


def test_streams_have_slots_of_each_token(make_site):
    """One token leaves some for the others; who ends a stream has its slot again."""
    tokens = [{"token": name, "role": "viewer"} for name in ("one", "other")]
    site = make_site(
        PROJECTOR_TOKENS=json.dumps(tokens), PROJECTOR_STREAMS="3", PROJECTOR_STREAMS_PER_TOKEN="2"
    )
    other = {"Authorization": "Bearer other"}
    with listening(site), listening(site) as second:
        answer = site.get(PATH)
        assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
        assert "2 streams of this token" in answer.json["detail"]
        third = site.get(PATH, headers=other, buffered=False)
        assert 200 == third.status_code
        assert "3 streams are under way" in site.get(PATH, headers=other).json["detail"]
        metrics = site.client.get("/metrics").text
        assert 'projector_slots_refused_total{kind="streams"} 2.0' in metrics
        third.close()
        second.close()
        listen(site).close()
    assert 0 == site.service.stream_slots.taken
