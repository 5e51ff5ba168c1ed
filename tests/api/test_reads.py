"""Reads: filters, pages, parameters, freshness, histories and the passing hour."""

import base64
import json
import threading
import time
from urllib.parse import quote

import pytest

from projector.projection.runner import Runner
from tests.conftest import clone, open_site
from tests.examples import DAWN, at, body, channel, ended, login, logout, task, v1, v2

HOUR = 3_600_000
LAST_TIME = 2**53 - 1
LISTS = ("/api/v1/agents", "/api/v1/tasks")
SINGLES = ("/api/v1/agents/a1", "/api/v1/tasks/t1")
HISTORIES = ("/api/v1/agents/a1/history", "/api/v1/tasks/t1/history")
OPEN = ("/healthz", "/readyz", "/openapi.json")
EVERY_GET = (*LISTS, *SINGLES, *HISTORIES, "/api/v1/status", *OPEN)


def deliver(site, *told, prefix="e"):
    """Post events with ids of their own and fold them."""
    answer = site.post([one | {"id": one["id"] or f"{prefix}{n}"} for n, one in enumerate(told)])
    assert len(told) == answer.json["appended"], answer.text
    site.project()
    return int(answer.headers["X-Position"])


def ids(site, list_, **query):
    answer = site.get(f"/api/v1/{list_}", query_string=query)
    assert 200 == answer.status_code, answer.text
    assert len(answer.json["data"]) == answer.json["meta"]["count"]
    return [view[f"{list_[:-1]}Id"] for view in answer.json["data"]]


def refused(answer):
    """What a 400 says: which parameter, what was given, what is allowed."""
    assert 400 == answer.status_code, answer.text
    assert "application/problem+json" == answer.content_type
    assert all({"parameter", "given", "allowed"} == set(one) for one in answer.json["errors"])
    assert all(one["allowed"] for one in answer.json["errors"])
    return {one["parameter"]: one["given"] for one in answer.json["errors"]}


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory):
    """Five agents and eight tasks in different states; read only."""
    with open_site(clone(template), tmp_path_factory.mktemp("floor")) as site:
        phone, chat = ("c1", "telephony"), ("c2", "chat")
        deliver(
            site,
            login(0, "a1"),
            v2(10, "a1", "Available"),
            v2(20, "a1", "Ringing", "t1", phone, queueId="q1"),
            v2(30, "a1", "Connected", "t1", phone, queueId="q1"),
            v2(40, "a1", "Connected", "t2", chat, queueId="q2"),
            login(0, "a2", teamId="team-2"),
            v1(10, "a2", "Idle", idleCodeId="lunch"),
            channel(15, "a2", "email", "Available"),
            login(0, "a3", teamId="team-2"),
            v2(10, "a3", "Available"),
            login(0, "a4"),
            logout(10, "a4", "AGENT"),
            login(0, "a5", teamId="team 5 é&=+"),
            v2(10, "a5", "Meditating"),
            task(5, "t1", "new", queueId="q1"),
            task(15, "t1", "connect", queueId="q1"),
            task(30, "t1", "connected"),
            task(5, "t2", "new", channelType="chat", queueId="q2"),
            task(40, "t2", "connected", channelType="chat"),
            task(5, "t3", "parked", queueId="q1"),
            task(5, "t4", "parked", direction="OUTBOUND", queueId="q3"),
            task(5, "t5", "connected"),
            ended(50, "t5"),
            task(5, "t6", "failed", reason="why"),
            ended(50, "t7"),
            capture(60, "t8", "/x"),
        )
        yield site


def capture(moment, name, path):
    return body("capture:available", moment, taskId=name, filePath=path)


# --- filters ---


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "a1 a2 a3 a4 a5"),
        ({"agentId": "a1"}, "a1"),
        ({"agentId": ["a1", "a3", "none"]}, "a1 a3"),
        ({"agentId": "A1"}, ""),
        ({"agentId": "a"}, ""),
        ({"status": "connected"}, "a1"),
        ({"status": ["idle", "connected"]}, "a1 a2"),
        ({"status": "logged-out"}, "a4"),
        ({"status": "Meditating"}, "a5"),
        ({"status": "meditating"}, ""),
        ({"currentState": "connected"}, "a1"),
        ({"currentState": ["available", "logged-out"]}, "a3 a4"),
        ({"teamId": "team-1"}, "a1 a4"),
        ({"teamId": ["team-1", "team-2"]}, "a1 a2 a3 a4"),
        ({"teamId": "team 5 é&=+"}, "a5"),
        ({"queueId": "q2"}, "a1"),
        ({"queueId": "q1"}, ""),
        ({"channelType": "telephony"}, "a1"),
        ({"channelType": "chat"}, "a1"),
        ({"channelType": ["chat", "email"]}, "a1 a2"),
        ({"loggedIn": "true"}, "a1 a2 a3 a5"),
        ({"loggedIn": "false"}, "a4"),
        ({"loggedIn": ["false", "true"]}, "a1 a2 a3 a4 a5"),
        ({"status": "idle", "teamId": "team-2"}, "a2"),
        ({"status": "idle", "teamId": "team-1"}, ""),
        ({"status": ["idle", "available"], "teamId": ["team-2", "x"], "loggedIn": "true"}, "a2 a3"),
        ({"orgId": "acme"}, "a1 a2 a3 a4 a5"),
        ({"orgId": ["other", "acme"], "agentId": "a1"}, "a1"),
        ({"orgId": "other"}, ""),
        ({"teamId": "%"}, ""),
        ({"teamId": "' OR true --"}, ""),
        ({"teamId": '"], "x": ["'}, ""),
        ({"agentId": "x" * 5_000}, ""),
        ({"teamId": "\0"}, ""),
        ({"agentId": "\0"}, ""),
    ],
    ids=str,
)
def test_agents_are_filtered(floor, query, expected):
    """A filter given several times fits any of its values; different filters must all fit."""
    assert expected.split() == ids(floor, "agents", **query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "t1 t2 t3 t4 t5 t6 t7 t8"),
        ({"taskId": ["t2", "t1"]}, "t1 t2"),
        ({"status": "queued"}, "t3 t4"),
        ({"status": ["completed", "failed"]}, "t5 t6"),
        ({"status": "abandoned"}, "t7"),
        ({"status": "unknown"}, "t8"),
        ({"status": "assigned"}, "t1 t2"),
        ({"currentState": "ended"}, "t5 t7"),
        ({"currentState": ["parked", "failed"]}, "t3 t4 t6"),
        ({"queueId": "q1"}, "t1 t3"),
        ({"queueId": ["q2", "q3"]}, "t2 t4"),
        ({"channelType": "chat"}, "t2"),
        ({"direction": "OUTBOUND"}, "t4"),
        ({"agentId": "a1"}, "t1 t2"),
        ({"agentId": ["a1", "a2"]}, "t1 t2"),
        ({"agentId": "a2"}, ""),
        ({"open": "true"}, "t1 t2 t3 t4"),
        ({"open": "false"}, "t5 t6 t7 t8"),
        ({"open": ["true", "false"]}, "t1 t2 t3 t4 t5 t6 t7 t8"),
        ({"open": "true", "queueId": "q1", "agentId": "a1"}, "t1"),
        ({"orgId": "other"}, ""),
    ],
    ids=str,
)
def test_tasks_are_filtered(floor, query, expected):
    """The same for tasks: agentId is any participant; a task of captures alone is not open."""
    assert expected.split() == ids(floor, "tasks", **query)


# --- pages ---


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100, 1000])
def test_a_walk_by_cursor_is_complete_without_repeats(floor, limit):
    """Pages are full, the last one's cursor is null."""
    for list_, count in (("agents", 5), ("tasks", 8)):
        pages, cursor = [], None
        while True:
            query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            answer = floor.get(f"/api/v1/{list_}", query_string=query).json
            pages.append([view[f"{list_[:-1]}Id"] for view in answer["data"]])
            cursor = answer["meta"]["nextCursor"]
            if cursor is None:
                break
        assert [f"{list_[0]}{n + 1}" for n in range(count)] == [
            id_ for page in pages for id_ in page
        ]
        assert all(limit == len(page) for page in pages[:-1])
        assert -(-count // limit) == len(pages)


def test_a_walk_keeps_its_filters(floor):
    """The cursor goes on behind a place; the filters are given again, and are the same."""
    first = floor.get("/api/v1/agents?teamId=team-1&limit=1").json
    cursor = first["meta"]["nextCursor"]
    assert ["a4"] == ids(floor, "agents", teamId="team-1", limit=1, cursor=cursor)
    other = floor.get("/api/v1/agents", query_string={"teamId": "team-2", "cursor": cursor})
    assert {"cursor": cursor} == refused(other)


def test_a_walk_is_stable_while_agents_arrive(site):
    """Who was there at the start is met exactly once, whoever comes in between."""
    deliver(site, *(login(0, f"m{n:02}") for n in range(0, 40, 2)))
    seen, cursor = [], None
    for page in range(100):
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        answer = site.get("/api/v1/agents", query_string=query).json
        seen += [view["agentId"] for view in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
        if cursor is None:
            break
        deliver(
            site, login(0, f"m{(page * 11) % 40:02}x"), login(0, f"a{page}"), prefix=f"p{page}-"
        )
    assert sorted(seen) == seen
    assert len(set(seen)) == len(seen)
    assert {f"m{n:02}" for n in range(0, 40, 2)} <= set(seen)


def test_views_are_listed_by_organisation_and_id_in_code_points(site):
    """Strings by Unicode code point, whatever the locale."""
    names = ["B", "a", "Z", "é", "z", "_", "😀", "\uffee", "a b", "aB", "ab", "10", "9"]
    orgs = ["b", "B", "é"]
    told = [login(0, name) | {"comciscoorgid": org} for org in orgs for name in names]
    deliver(site, *told)
    expected = sorted((org, name) for org in orgs for name in names)
    answer = site.get("/api/v1/agents").json["data"]
    assert expected == [(view["orgId"], view["agentId"]) for view in answer]
    walked, cursor = [], ""
    while cursor is not None:
        query = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = site.get("/api/v1/agents", query_string=query).json
        walked += [(view["orgId"], view["agentId"]) for view in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert expected == walked


def test_an_empty_list_is_a_list(site):
    """Nothing stored: an empty list with a null cursor."""
    for path in LISTS:
        assert {"meta": {"nextCursor": None, "count": 0}, "data": []} == site.get(path).json


# --- bad parameters ---

NO_WHOLE_NUMBER = [
    "",
    "x",
    "-1",
    "1.5",
    "1e3",
    " 1",
    "+1",
    "\u0661",
    "²",
    "0x1",
    "null",
    "9" * 5_000,
    "1_0",
]


@pytest.mark.parametrize("given", [*NO_WHOLE_NUMBER, "0", "1001", str(2**64)])
def test_a_limit_is_between_1_and_1000(floor, given):
    """400 naming the parameter, what was given and what is allowed."""
    for path in (*LISTS, *HISTORIES):
        answer = floor.get(path, query_string={"limit": given})
        assert {"limit": given} == refused(answer)
        assert "1000" in answer.json["errors"][0]["allowed"]


@pytest.mark.parametrize("given", [*NO_WHOLE_NUMBER, str(LAST_TIME + 1), str(2**64)])
@pytest.mark.parametrize("name", ["from", "to"])
def test_times_are_whole_numbers_to_2_to_the_53(floor, name, given):
    """Times outside 0..2^53-1 are refused."""
    for path in HISTORIES:
        answer = floor.get(path, query_string={name: given})
        assert {name: given} == refused(answer)
        assert str(LAST_TIME) in answer.json["errors"][0]["allowed"]


def test_the_bounds_themselves_are_allowed(floor):
    """0, 2^53-1, 1 and 1000."""
    for path in HISTORIES:
        for query in ({"from": "0"}, {"to": "0"}, {"from": str(LAST_TIME)}, {"to": str(LAST_TIME)}):
            assert 200 == floor.get(path, query_string=query).status_code
    for path in (*LISTS, *HISTORIES):
        for limit in ("1", "1000"):
            assert 200 == floor.get(path, query_string={"limit": limit}).status_code


@pytest.mark.parametrize("path", EVERY_GET)
def test_unknown_parameters_are_refused(floor, path):
    """On every GET; several wrong ones are all named, and what is known is told."""
    answer = floor.get(path, query_string={"nonsense": "1", "x\0y": ["2", "3"], "": "4"})
    assert {"nonsense": "1", "x\0y": ["2", "3"], "": "4"} == refused(answer)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, name) for path in (*LISTS, *HISTORIES) for name in ("limit", "cursor")),
        *((path, name) for path in HISTORIES for name in ("from", "to")),
    ],
)
def test_what_is_not_repeatable_is_given_once(floor, path, name):
    """Given twice, even with one value, it is refused, and both values are told."""
    answer = floor.get(path, query_string={name: ["1", "1"]})
    assert {name: ["1", "1"]} == refused(answer)


@pytest.mark.parametrize("given", ["", "yes", "1", "TRUE", "True", "true ", "true\n", "false\0"])
def test_flags_are_true_or_false(floor, given):
    """Nothing else is one, alone or beside a right one."""
    for path, name in (("/api/v1/agents", "loggedIn"), ("/api/v1/tasks", "open")):
        assert {name: given} == refused(floor.get(path, query_string={name: given}))
        both = floor.get(path, query_string={name: ["true", given]})
        assert [name] == list(refused(both))


def encoded(value):
    """A cursor with a key and no right digest."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(bytes(12) + text).decode()


NO_CURSORS = {
    "empty": "",
    "text": "nonsense",
    "not base64": "%%%",
    "not ascii": "é",
    "one character": "a",
    "NUL": "\0",
    "no JSON": encoded(b"hello"),
    "not UTF-8": encoded(b"\xff\xfe"),
    "object": encoded({"a": 1}),
    "null": encoded(None),
    "empty place": encoded([]),
    "three parts": encoded(["a", "b", "c"]),
    "numbers": encoded([1, 2]),
    "nested": encoded([["a"], ["b"]]),
    "null parts": encoded([None, None]),
    "boolean": encoded([True]),
    "float": encoded([1.5]),
    "NaN": encoded(b"[NaN]"),
    "Infinity": encoded(b"[Infinity]"),
    "huge integer": encoded([2**63]),
    "huger integer": encoded([10**400]),
    "most negative": encoded([-(2**63) - 1]),
    "last integer": encoded([2**63 - 1]),
    "too many digits": encoded(b"[" + b"1" * 5_000 + b"]"),
    "NUL inside": encoded(["acme", "a\0"]),
    "NUL in the organisation": encoded(["\0", "a1"]),
    "surrogate inside": encoded(["acme", "\ud800"]),
    "surrogate in the organisation": encoded(["\ud800", "a"]),
    "deep": encoded(b"[" * 50_000),
    "long": encoded(["x" * 100_000, "y"]),
}


@pytest.mark.parametrize("cursor", NO_CURSORS.values(), ids=NO_CURSORS)
def test_a_cursor_that_no_answer_gave_is_refused(floor, cursor):
    """400 naming the cursor, also where its key has the right shape."""
    for path in (*LISTS, *HISTORIES):
        assert {"cursor": cursor} == refused(floor.get(path, query_string={"cursor": cursor}))


@pytest.mark.parametrize(
    ("cursor", "path"),
    [
        (encoded([5]), "/api/v1/agents"),
        (encoded([5]), "/api/v1/tasks"),
        (encoded(["acme", "a1"]), HISTORIES[0]),
        (encoded(["acme", "a1"]), HISTORIES[1]),
        *((NO_CURSORS[name], path) for name in ("empty", "text", "null") for path in LISTS),
    ],
)
def test_a_cursor_of_another_kind_is_refused(floor, cursor, path):
    """A history's cursor is none of a list, nor the other way round."""
    assert {"cursor": cursor} == refused(floor.get(path, query_string={"cursor": cursor}))


def test_names_in_the_query_may_be_any_text(floor):
    """NUL, invalid UTF-8 and separators in filters and orgId are looked for, and found nowhere."""
    for path in LISTS:
        for query in ("orgId=%00", "orgId=%FF", "status=%FF", "agentId=%ED%A0%80", "agentId=%00a"):
            assert [] == floor.get(f"{path}?{query}").json.get("data"), query
    for path in (*SINGLES, *HISTORIES):
        for query in ("orgId=%00", "orgId=%FF", "orgId=%ED%A0%80", f"orgId={'x' * 5_000}"):
            assert 404 == floor.get(f"{path}?{query}").status_code, query


def test_an_empty_filter_is_refused(floor):
    """An empty text names nothing."""
    for path in LISTS:
        assert {"status": ""} == refused(floor.get(f"{path}?status="))
        assert {"orgId": ""} == refused(floor.get(f"{path}?orgId="))


def test_validation_precedes_every_other_refusal(floor):
    """400 before 401, 403, 404 and the wait for a position."""
    for path in (*LISTS, *SINGLES, *HISTORIES, "/api/v1/agents/none", "/api/v1/status"):
        assert 400 == floor.client.get(f"{path}?nonsense=1").status_code
        headers = {"X-Min-Position": "nonsense"}
        assert 400 == floor.client.get(path, headers=headers).status_code
        headers = {"X-Min-Position": "999999", "Authorization": "Bearer wrong"}
        assert 401 == floor.client.get(path, headers=headers).status_code
    started = time.monotonic()
    assert 400 == floor.get("/healthz?x=1", headers={"X-Min-Position": "999999"}).status_code
    assert time.monotonic() - started < 2


# --- X-Min-Position ---


@pytest.mark.parametrize(
    "given", ["x", "-1", "1.5", "1e3", "", "+1", "0x1", "\u0661", "1, 2", "9" * 5_000]
)
@pytest.mark.parametrize("path", EVERY_GET)
def test_a_position_that_is_no_integer_is_refused(floor, path, given):
    """400 saying which, what was given and what is allowed, on every GET."""
    if not given.isascii():
        given = given.encode().decode("latin-1")
    assert {"X-Min-Position": given} == refused(floor.get(path, headers={"X-Min-Position": given}))


@pytest.mark.parametrize("path", EVERY_GET)
def test_a_position_that_is_reached_is_answered_at_once(floor, path):
    """0, the head, and leading zeros."""
    head = floor.get("/api/v1/status").json["head"]["position"]
    for given in (0, 1, head, f"0000{head}"):
        assert 200 == floor.get(path, headers={"X-Min-Position": str(given)}).status_code


@pytest.mark.slow
def test_a_position_out_of_reach_is_refused_after_five_seconds(site):
    """503 with a problem document, on every GET, /healthz and /openapi.json among them."""
    deliver(site, login(0, "a1"), v1(5, "a1", "Connected", "t1"))
    app, found, lock = site.client.application, {}, threading.Lock()

    def ask(path):
        started = time.monotonic()
        headers = site.headers | {"X-Min-Position": "999999"}
        answer = app.test_client().get(path, headers=headers)
        with lock:
            found[path] = (answer.status_code, answer.content_type, time.monotonic() - started)

    threads = [threading.Thread(target=ask, args=(path,)) for path in EVERY_GET]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(EVERY_GET) == set(found)
    for path, (status, kind, seconds) in found.items():
        assert (503, "application/problem+json") == (status, kind), path
        assert 4.5 < seconds < 7, path


def test_a_read_after_its_write_sees_it(site):
    """With X-Min-Position of the 202 the answer waits for the projection that is on its way."""
    stop = threading.Event()
    thread = threading.Thread(target=Runner(site.service.store, site.url).run, args=(stop,))
    thread.start()
    try:
        for n in range(5):
            answer = site.post(login(n, f"a{n}") | {"id": f"e{n}"})
            headers = {"X-Min-Position": answer.headers["X-Position"]}
            assert 200 == site.get(f"/api/v1/agents/a{n}", headers=headers).status_code
    finally:
        stop.set()
        thread.join()


# --- single subjects ---


def test_an_unknown_subject_is_not_found(floor):
    """404 as a problem document, for views and histories alike."""
    for list_ in ("agents", "tasks"):
        for id_ in (
            "none",
            "A1",
            "a1%20",
            "%00",
            "a1%00",
            "%EF%BF%BD",
            "%FF",
            "x" * 5_000,
            "..",
            "%2E%2E",
        ):
            for tail in ("", "/history"):
                answer = floor.get(f"/api/v1/{list_}/{id_}{tail}")
                found = (answer.status_code, answer.content_type)
                assert (404, "application/problem+json") == found, (list_, id_, tail)


ODD_IDS = (
    "a b", "a+b", "a%b", "a%20b", "é😀", "a?b", "a#b", "a&b=c", "a;b", '"a"', "'a'", "\\", "\t",
    "\n", "history", "_", "*", "a:b", "{a}", "null", "\ufffd", "\u200b", ".", "x" * 512, "é" * 256,
)  # fmt: skip


def test_ids_are_percent_encoded_in_paths(site):
    """Any id but one with a slash is reached by its path; any at all by the filter."""
    names = [*ODD_IDS, "a/b", "/", "a//b", "../a"]
    deliver(site, *(v1(0, name, "Connected", name) for name in names))
    for list_ in ("agents", "tasks"):
        key = f"{list_[:-1]}Id"
        for name in names:
            assert [name] == ids(site, list_, **{key: name})
        for name in ODD_IDS:
            if name == ".":
                continue  # a path's own word for "here": clients remove it
            answer = site.get(f"/api/v1/{list_}/{quote(name, safe='')}")
            assert (200, name) == (answer.status_code, answer.json.get(key)), name
            history = site.get(f"/api/v1/{list_}/{quote(name, safe='')}/history")
            assert (200, 1) == (history.status_code, history.json["meta"]["count"]), name


def test_an_id_with_nul_is_nobodys(site):
    """No id holds NUL, so an id with NUL is 404, even where U+FFFD stands in an agent's own id."""
    deliver(site, v1(0, "a\ufffd", "Connected", "t\ufffd"))
    for path in ("agents/a%00", "agents/a%00/history", "tasks/t%00", "tasks/t%00/history"):
        assert 404 == site.get(f"/api/v1/{path}").status_code, path
    assert [] == ids(site, "agents", agentId="a\0")
    assert ["a\ufffd"] == ids(site, "agents", agentId="a\ufffd")


def test_a_subject_of_several_organisations_must_be_named_by_both(site):
    """409 lists them; orgId picks one; an orgId that has it not is 404."""
    told = v1(0, "a1", "Connected", "t1")
    other = v1(5, "a1", "On-Hold", "t1") | {"comciscoorgid": "beta"}
    deliver(site, told, other)
    for path in (*SINGLES, *HISTORIES):
        answer = site.get(path)
        assert (409, "application/problem+json") == (answer.status_code, answer.content_type)
        assert "acme" in answer.text
        assert "beta" in answer.text
        assert 409 == site.get(f"{path}?orgId=acme&orgId=beta").status_code
        assert 200 == site.get(f"{path}?orgId=beta").status_code
        assert 200 == site.get(f"{path}?orgId=beta&orgId=gamma").status_code
        assert 404 == site.get(f"{path}?orgId=gamma").status_code
    assert "on-hold" == site.get("/api/v1/agents/a1?orgId=beta").json["status"]
    assert "connected" == site.get("/api/v1/agents/a1?orgId=acme").json["status"]
    history = site.get("/api/v1/agents/a1/history?orgId=beta").json["data"]
    assert [at(5)] == [row["from"] for row in history]


# --- histories ---

STARTS = (0, 10, 20, 30, 40)


@pytest.fixture(scope="module")
def lived(template, tmp_path_factory):
    """One agent a1 and one task t1, each with an interval from each of STARTS on."""
    with open_site(clone(template), tmp_path_factory.mktemp("lived")) as site:
        words = ("Available", "Idle", "Available", "Idle")
        deliver(
            site,
            login(0, "a1"),
            *(v1(moment, "a1", word) for moment, word in zip(STARTS[1:], words, strict=True)),
            *(
                task(moment, "t1", word)
                for moment, word in zip(
                    STARTS, ("new", "parked", "connect", "connected", "on-hold"), strict=True
                )
            ),
        )
        yield site


def starts(site, path, **query):
    answer = site.get(path, query_string=query)
    assert 200 == answer.status_code, answer.text
    assert len(answer.json["data"]) == answer.json["meta"]["count"]
    return tuple(row["from"] - DAWN for row in answer.json["data"])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, STARTS),
        (0, None, STARTS),
        (1, None, STARTS),
        (9, None, STARTS),
        (10, None, STARTS[1:]),
        (11, None, STARTS[1:]),
        (39, None, (30, 40)),
        (40, None, (40,)),
        (41, None, (40,)),
        (10**9, None, (40,)),
        (None, 0, ()),
        (None, 1, (0,)),
        (None, 10, (0,)),
        (None, 11, (0, 10)),
        (None, 41, STARTS),
        (10, 11, (10,)),
        (15, 16, (10,)),
        (15, 25, (10, 20)),
        (10, 30, (10, 20)),
        (-100, 0, ()),
        (-100, 5, (0,)),
        (50, 60, (40,)),
        (15, 15, ()),
        (25, 15, ()),
    ],
)
def test_a_window_selects_the_intervals_that_overlap_it(lived, start, end, expected):
    """`from` and `to` select intervals that overlap [from, to), uncut."""
    query = {} if start is None else {"from": at(start)}
    query |= {} if end is None else {"to": at(end)}
    for path in HISTORIES:
        assert expected == starts(lived, path, **query)


def test_a_window_does_not_cut_its_intervals(lived):
    """What a window shows is as in the whole history: its own ends, its own length."""
    for path in HISTORIES:
        whole = lived.get(path).json["data"]
        inside = lived.get(path, query_string={"from": at(15), "to": at(25)}).json["data"]
        assert whole[1:3] == inside
        assert [10, 10] == [row["durationMs"] for row in inside]
        assert (None, None) == (whole[-1]["to"], whole[-1]["durationMs"])
        assert [row["from"] for row in whole[1:]] == [row["to"] for row in whole[:-1]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(("start", "end"), [(None, None), (15, None), (15, 35), (None, 35)])
def test_a_history_is_walked_by_cursor(lived, start, end, limit):
    """Page by page the same rows, each once, full pages, a null cursor at the end."""
    query = {} if start is None else {"from": at(start)}
    query |= {} if end is None else {"to": at(end)}
    for path in HISTORIES:
        whole = lived.get(path, query_string=query).json["data"]
        rows, cursor, pages = [], "", 0
        while cursor is not None:
            asked = query | {"limit": limit} | ({"cursor": cursor} if cursor else {})
            answer = lived.get(path, query_string=asked).json
            rows += answer["data"]
            cursor, pages = answer["meta"]["nextCursor"], pages + 1
        assert whole == rows
        assert -(-len(whole) // limit) == pages


# --- the hour (semantics 5) ---


def hour_site(site, now):
    """Tasks whose end was more or less than an hour before now, with and without work left."""
    long_ago, lately = now - DAWN - HOUR - 60_000, now - DAWN - HOUR + 60_000
    told = []
    for name, end, works in (
        ("late", long_ago, True),
        ("done", long_ago, False),
        ("soon", lately, True),
    ):
        agent = f"agent-{name}"
        told += [
            task(end - 20, name, "connected"),
            v1(end - 20, agent, "Connected", name),
            ended(end, name),
        ]
        told += [] if works else [v1(end - 5, agent, "Wrapup-Done", name)]
    deliver(site, *told)
    return at(long_ago)


def test_a_task_is_complete_an_hour_after_its_end(site):
    """Nobody writes it: view, filters and history apply the hour when read."""
    end = hour_site(site, time.time_ns() // 1_000_000)
    late, soon = (site.get(f"/api/v1/tasks/{name}").json for name in ("late", "soon"))
    fields = ("status", "complete", "completedTime", "currentState", "stateSince", "anomalyCount")
    assert ("completed", True, end + HOUR, "ended", end, 1) == tuple(late[name] for name in fields)
    assert ("assigned", False, None, "ended", 0) == tuple(
        soon[name] for name in fields if name != "stateSince"
    )
    assert ["done", "late"] == ids(site, "tasks", open="false")
    assert ["soon"] == ids(site, "tasks", open="true")
    assert ["done", "late"] == ids(site, "tasks", status="completed")
    assert ["soon"] == ids(site, "tasks", status="assigned")
    assert ["done", "late", "soon"] == ids(site, "tasks", status=["assigned", "completed"])
    assert ["late"] == ids(site, "tasks", agentId="agent-late", open="false", currentState="ended")
    shown = {view["taskId"]: view["status"] for view in site.get("/api/v1/tasks").json["data"]}
    assert {"late": "completed", "done": "completed", "soon": "assigned"} == shown


def test_the_passing_hour_begins_an_interval_of_its_own(site):
    """Its eventId is null; windows, limits and cursors treat it like any other."""
    end = hour_site(site, time.time_ns() // 1_000_000)
    path = "/api/v1/tasks/late/history"
    rows = site.get(path).json["data"]
    expected = [
        (end - 20, end, 20, "assigned", "connected"),
        (end, end + HOUR, HOUR, "assigned", "ended"),
        (end + HOUR, None, None, "completed", "ended"),
    ]
    fields = ("from", "to", "durationMs", "status", "currentState")
    assert expected == [tuple(row[name] for name in fields) for row in rows]
    assert [False, False, True] == [row["eventId"] is None for row in rows]
    moment = end + HOUR
    for query, wanted in (
        ({"from": moment}, rows[2:]),
        ({"from": moment - 1}, rows[1:]),
        ({"from": moment + 1}, rows[2:]),
        ({"to": moment}, rows[:2]),
        ({"to": moment + 1}, rows),
        ({"from": end, "to": moment}, rows[1:2]),
    ):
        assert wanted == site.get(path, query_string=query).json["data"], query
    for limit in (1, 2, 3, 4):
        walked, cursor = [], ""
        while cursor is not None:
            asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            answer = site.get(path, query_string=asked).json
            walked += answer["data"]
            cursor = answer["meta"]["nextCursor"]
            assert len(walked) <= len(rows)
        assert rows == walked
    done = site.get("/api/v1/tasks/done/history").json["data"]
    assert "completed" == done[-1]["status"]
    assert None is not done[-1]["eventId"]
    assert "assigned" == site.get("/api/v1/tasks/soon/history").json["data"][-1]["status"]


def test_an_event_after_the_hour_makes_it_stand(site):
    """A late wrap-up changes nothing any more; a reopening undoes all."""
    end = hour_site(site, time.time_ns() // 1_000_000)
    before = site.get("/api/v1/tasks/late/history").json["data"]
    deliver(site, v1(end + HOUR - DAWN + 10, "agent-late", "Wrapup-Done", "late"), prefix="w")
    view = site.get("/api/v1/tasks/late").json
    assert (True, end + HOUR, 1) == (view["complete"], view["completedTime"], view["anomalyCount"])
    assert before == site.get("/api/v1/tasks/late/history").json["data"]
    deliver(site, task(end + HOUR - DAWN + 20, "late", "connected"), prefix="r")
    view = site.get("/api/v1/tasks/late").json
    fields = ("status", "complete", "completedTime", "endedTime")
    assert ("assigned", False, None, None) == tuple(view[name] for name in fields)
    assert ["late", "soon"] == ids(site, "tasks", open="true")
    rows = site.get("/api/v1/tasks/late/history").json["data"]
    assert ["connected", "ended", "ended", "connected"] == [row["currentState"] for row in rows]
