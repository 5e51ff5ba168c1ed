"""Receive: whatever comes is answered, kept byte for byte, counted, and never stops the views."""

import base64
import codecs
import gzip
import hashlib
import io
import itertools
import json
import time

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from tests.compression import COMPRESSED
from tests.conftest import clone, open_site, over_http, sample
from tests.examples import ORG, body, capture, channel, ended, login, misspelt, task, v1, v2

DAY = 86_400_000
LIMIT = 1_048_576
_ids = itertools.count(1)


def fresh(prefix="x"):
    return f"{prefix}-{next(_ids)}"


def rows(site, query, *parameters):
    """What the tables hold."""
    with psycopg.connect(site.url, row_factory=dict_row) as connection:
        connection.execute("SET search_path = projector")
        return connection.execute(query, parameters).fetchall()


def stored(site):
    """The bodies of the log, in its order."""
    found = rows(site, "SELECT state FROM events ORDER BY notification_id")
    return [bytes(row["state"]) for row in found]


def quarantined(site):
    """The bodies in quarantine and how often each came."""
    found = rows(site, "SELECT body, deliveries FROM quarantine ORDER BY id")
    return {bytes(row["body"]): row["deliveries"] for row in found}


def counts(answer):
    assert 202 == answer.status_code, answer.text
    return tuple(
        answer.json[name]
        for name in ("received", "appended", "duplicates", "conflicts", "quarantined")
    )


def told(one, **more):
    """A body with an id of its own."""
    return one | {"id": fresh("e")} | more


def raw(one, *, ascii_only=True):
    return json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def shared(template, tmp_path_factory):
    """One service for all the bodies that must not disturb each other."""
    with open_site(clone(template), tmp_path_factory.mktemp("shared")) as opened:
        yield opened


def still_works(site):
    """A later sound event shows up in the view, by its id and in the list."""
    agent = fresh("agent")
    assert (1, 1, 0, 0, 0) == counts(site.post(told(login(0, agent))))
    site.project()
    assert "idle" == site.get(f"/api/v1/agents/{agent}").json["status"]
    listed = site.get("/api/v1/agents", query_string={"agentId": agent}).json["data"]
    assert [agent] == [view["agentId"] for view in listed]
    assert 200 == site.get("/api/v1/status").status_code
    assert 200 == site.get("/readyz").status_code


# --- one, several, none ---


def test_one_event_is_appended(site):
    """An object is one event; the answer counts it and tells the log's head."""
    answer = site.post(told(login(0, "a1")))
    assert (1, 1, 0, 0, 0) == counts(answer)
    assert "1" == answer.headers["X-Position"]
    assert "application/json" == answer.content_type
    assert {"received", "appended", "duplicates", "conflicts", "quarantined"} == set(answer.json)


def test_an_array_is_its_elements(site):
    """Each element of an array is counted and kept by itself."""
    bodies = [told(login(0, "a1")), told(v1(5, "a1", "Available")), 5, told(login(9, "a2"))]
    answer = site.post(bodies)
    assert (4, 3, 0, 0, 1) == counts(answer)
    assert "3" == answer.headers["X-Position"]
    site.project()
    assert "available" == site.get("/api/v1/agents/a1").json["status"]


def test_an_empty_array_is_nothing(site):
    """An empty array counts 0, and is answered with the log's head."""
    site.post(told(login(0, "a1")))
    answer = site.post(b" [ ] ")
    assert (0, 0, 0, 0, 0) == counts(answer)
    assert "1" == answer.headers["X-Position"]
    assert {} == quarantined(site)


def test_the_position_is_told_also_when_nothing_is_appended(site):
    """X-Position is the log's head after the commit, whatever became of the request."""
    first = told(login(0, "a1"))
    assert "0" == site.post(b"nonsense").headers["X-Position"]
    assert "0" == site.post(b"[]").headers["X-Position"]
    assert "2" == site.post([first, told(login(0, "a2"))]).headers["X-Position"]
    assert "2" == site.post(first).headers["X-Position"]
    assert "2" == site.post(first | {"data": first["data"] | {"teamId": "x"}}).headers["X-Position"]
    assert "2" == site.post(b"nonsense").headers["X-Position"]
    assert "3" == site.post([first, told(login(0, "a3"))]).headers["X-Position"]


# --- what is no event ---

WHOLE_AND_UNUSABLE = {
    "empty": b"",
    "space": b" ",
    "text": b"hello",
    "half": b'{"id":"e1",',
    "form": b"id=e1&type=agent:login",
    "nan": b'{"id":"e1","type":"flow:error","comciscoorgid":"acme","data":{"x":NaN}}',
    "infinity": b'{"id":"e1","type":"flow:error","comciscoorgid":"acme","data":{"x":Infinity}}',
    "4301 digits": b'{"id":"e1","type":"flow:error","comciscoorgid":"acme","x":'
    + b"1" * 4301
    + b"}",
    "invalid UTF-8": b'{"id":"\xff"}',
    "NUL": b"\0",
    "objects nested 100000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "open nesting": b"[" * 1_000_000,
    "open objects": b'{"a":' * 200_000,
    "null": b"null",
    "true": b"true",
    "number": b"-1.5e3",
    "string": b'"text"',
    "empty object": b"{}",
    "library's shape": b'{"_type_":"datetime_iso","_data_":"2026-01-01T00:00:00"}',
    "library's other shape": b'{"_type_": "uuid_hex", "_data_": {"id": [1]}}',
    "no id": raw(login(0, "a1") | {"id": ""}),
}


@pytest.mark.parametrize("hostile", WHOLE_AND_UNUSABLE.values(), ids=WHOLE_AND_UNUSABLE)
def test_what_makes_no_event_is_kept_whole_and_counted(shared, hostile):
    """Authentic but unusable: 202, one quarantined, the bytes as received, and all goes on."""
    before = quarantined(shared).get(hostile, 0)
    for more in (1, 2):
        assert (1, 0, 0, 0, 1) == counts(shared.post(hostile))
        assert before + more == quarantined(shared).get(hostile)
    still_works(shared)


ELEMENTS_OF_NO_EVENT = {
    "scalars": ([1, None, True, "x", 1.5], 5),
    "equal scalars": ([1, 1, 1], 3),
    "nested arrays": ([[], [[]], [[{"id": "e1"}]]], 3),
    "library's shapes": ([{"_type_": "x", "_data_": [1]}] * 2, 2),
    "empty objects": ([{}, {}], 2),
}


@pytest.mark.parametrize(
    ("elements", "count"), ELEMENTS_OF_NO_EVENT.values(), ids=ELEMENTS_OF_NO_EVENT
)
def test_elements_that_make_no_event_are_counted_one_by_one(site, elements, count):
    """Of an array each unusable element is quarantined; the sound ones beside it are appended."""
    agent = told(login(0, "a1"))
    assert (count + 1, 1, 0, 0, count) == counts(site.post([*elements, agent]))
    assert count == sum(quarantined(site).values())
    assert {raw(element) for element in elements} == set(quarantined(site))
    still_works(site)


def test_quarantine_keeps_one_row_for_equal_bytes(site):
    """One row per SHA-256 of the bytes, with a delivery count over all requests."""
    site.post(b"[{},  {},{ }]")
    site.post(b"{}")
    site.post(b" {}")
    assert {b"{}": 3, b"{ }": 1, b" {}": 1} == quarantined(site)
    found = rows(site, "SELECT sha256, body FROM quarantine")
    assert all(bytes(one["sha256"]) == hashlib.sha256(one["body"]).digest() for one in found)


def test_quarantine_keeps_headers_but_no_credentials(site):
    """The headers of the delivery are kept, except those that let someone in."""
    headers = {
        "X-Trace": "t-1",
        "authorization": "Bearer secret-a",
        "Cookie": "projector-session-80=secret-b",
        "User-Agent": "webex",
    }
    site.post(b"nonsense", headers=headers)
    kept = rows(site, "SELECT headers FROM quarantine")[0]["headers"]
    lower = {name.lower(): value for name, value in kept.items()}
    assert ("t-1", "webex") == (lower["x-trace"], lower["user-agent"])
    assert set() == {"authorization", "cookie"} & set(lower)
    assert "secret-" not in json.dumps(kept)


def test_headers_with_any_bytes_are_kept(site):
    """Header values may hold any byte of Latin-1; the request is answered all the same."""
    assert (1, 0, 0, 0, 1) == counts(site.post(b"nonsense", headers={"X-Odd": "caf\u00e9 \u00ff"}))
    still_works(site)


def test_an_unusable_event_takes_no_key(site):
    """The same event arriving sound later is judged afresh."""
    sound = told(login(0, "a1"))
    unsound = sound | {"data": sound["data"] | {"createdTime": -1}}
    assert (1, 0, 0, 0, 1) == counts(site.post(unsound))
    assert (1, 1, 0, 0, 0) == counts(site.post(sound))
    assert (1, 0, 0, 0, 1) == counts(site.post(unsound))


# --- one unreadable element ---

SPOILED = {
    "5000 digits": b'{"id":"e9","type":"agent:state_change","comciscoorgid":"acme",'
    b'"data":{"agentId":"a1","x":%s}}' % (b"7" * 5_000),
    "NaN": b'{"x":NaN}',
    "Infinity": b"-Infinity",
    "line feed": b'{"id":"a\nb"}',
    "escape": rb'{"id":"\q"}',
    "no UTF-8": b'{"id":"\xff"}',
    "nesting of 100000": b"[" * 100_000 + b"]" * 100_000,
    "objects nested 100000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED)
def test_an_unreadable_element_is_quarantined_and_its_neighbours_appended(site, spoiled):
    """Before it and after it; it is kept as its own bytes."""
    before, after = raw(told(login(0, "a1"))), raw(told(v1(5, "a1", "Available")))
    sent = b"[%s, %s ,%s]" % (before, spoiled, after)
    assert (3, 2, 0, 0, 1) == counts(site.post(sent))
    assert [before, after] == stored(site)
    assert {spoiled: 1} == quarantined(site)
    assert ["not-json"] == [row["reason"] for row in rows(site, "SELECT reason FROM quarantine")]
    assert (1, 0, 0, 0, 1) == counts(site.post(b"[%s]" % spoiled))
    assert {spoiled: 2} == quarantined(site)
    still_works(site)


@pytest.mark.parametrize(
    "pattern", [b"[%s,NaN", b"[%s,NaN]]", b"[%s NaN]", b"[%s,NaN,]", b"[%s,x]"]
)
def test_an_array_that_cannot_be_cut_stays_whole(site, pattern):
    """One body, counted as one, and nothing of it is appended."""
    sent = pattern % raw(told(login(0, "a1")))
    assert (1, 0, 0, 0, 1) == counts(site.post(sent))
    assert {sent: 1} == quarantined(site)


# --- compressed bodies ---


ENCODINGS = {**COMPRESSED, "identity": ("identity", bytes), "empty": ("", bytes)}


def encoded(site, content, encoding):
    return site.post(content, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(("encoding", "compress"), ENCODINGS.values(), ids=ENCODINGS)
def test_a_compressed_body_is_the_body(site, encoding, compress):
    """Events and the unusable are cut from the decoded body; each keeps its own decoded bytes."""
    one, other = raw(told(login(0, "a1"))), raw(told(v1(5, "a1", "Available")))
    assert (1, 1, 0, 0, 0) == counts(encoded(site, compress(one), encoding))
    several = b"[%s ,{} , %s]" % (one, other)
    assert (3, 1, 1, 0, 1) == counts(encoded(site, compress(several), encoding))
    assert (1, 0, 0, 0, 1) == counts(encoded(site, compress(b"nonsense"), encoding))
    assert [one, other] == stored(site)
    assert {b"{}": 1, b"nonsense": 1} == quarantined(site)
    site.project()
    assert "available" == site.get("/api/v1/agents/a1").json["status"]
    event = site.get("/api/v1/events/1").json
    assert hashlib.sha256(one).hexdigest() == event["sha256"]
    assert one == base64.b64decode(event["body"])


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, identity", "x"]
)
def test_any_other_encoding_is_refused(site, encoding):
    """415, which says what is supported; nothing is stored."""
    answer = encoded(site, gzip.compress(raw(told(login(0, "a1")))), encoding)
    assert 415 == problem(answer)
    assert "gzip, deflate" == answer.headers["Accept-Encoding"]
    assert repr(encoding) in answer.json["detail"]
    assert ([], {}) == (stored(site), quarantined(site))


def test_the_limit_is_of_the_decoded_body(site):
    """A bomb is 413, and so is one byte too many; the limit itself is taken."""
    whole = raw(told(login(0, "a1"))).ljust(LIMIT)
    for encoding, compress in ENCODINGS.values():
        assert 413 == problem(encoded(site, compress(whole + b" "), encoding)), encoding
    assert 413 == problem(encoded(site, gzip.compress(bytes(200 << 20)), "gzip"))
    assert 413 == problem(encoded(site, gzip.compress(whole) + gzip.compress(b" "), "gzip"))
    assert ([], {}) == (stored(site), quarantined(site))
    assert (1, 1, 0, 0, 0) == counts(encoded(site, gzip.compress(whole), "gzip"))
    still_works(site)


BROKEN = {
    "not compressed": b'{"id":"e1"}',
    "empty": b"",
    "cut": gzip.compress(b'{"id":"e1"}')[:-1],
    "followed by garbage": gzip.compress(b'{"id":"e1"}') + b"{}",
    "wrong checksum": gzip.compress(b'{"id":"e1"}')[:-8] + bytes(8),
    "only a head": gzip.compress(b"")[:10],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_is_not_compressed_as_it_says_is_quarantined(shared, broken):
    """202: as no JSON, with the bytes as received and the headers that tell of it."""
    before = quarantined(shared).get(broken, 0)
    for encoding in ("gzip", "deflate"):
        assert (1, 0, 0, 0, 1) == counts(encoded(shared, broken, encoding))
    assert before + 2 == quarantined(shared)[broken]
    row = rows(shared, "SELECT reason, headers FROM quarantine WHERE body = %s", broken)[0]
    assert "not-json" == row["reason"]
    still_works(shared)


def test_members_of_gzip_follow_one_another(site):
    """As RFC 1952 has it: one body in several members is one body."""
    whole = raw(told(login(0, "a1")))
    members = b"".join(gzip.compress(part) for part in (whole[:9], b"", whole[9:]))
    assert (1, 1, 0, 0, 0) == counts(encoded(site, members, "gzip"))
    assert [whole] == stored(site)


SHORT_SPOILED = [it for it in SPOILED.values() if len(it) < 10_000]  # to be printed


@over_http
@given(
    content=st.binary(max_size=60)
    | st.sampled_from([b"[]", b"[NaN,1]", b'{"id":"law"}', b" [ {} ] ", codecs.BOM_UTF8 + b"[1]"])
    | st.lists(st.sampled_from([*SHORT_SPOILED, b"{}", b"1"]), max_size=3).map(
        lambda parts: b"[" + b",".join(parts) + b"]"
    ),
    how=st.sampled_from([*ENCODINGS.values()]),
)
def test_compression_makes_no_difference(shared, content, how):
    """Any body: the same counts, and the same bodies in quarantine, as without it."""
    encoding, compress = how
    start = quarantined(shared)
    plain = counts(shared.post(content))
    middle = quarantined(shared)
    assert plain == counts(encoded(shared, compress(content), encoding))
    end = quarantined(shared)
    assert {b: n - start.get(b, 0) for b, n in middle.items() if n != start.get(b, 0)} == {
        b: n - middle.get(b, 0) for b, n in end.items() if n != middle.get(b, 0)
    }


# --- CloudEvents over HTTP ---


def binary(one, **more):
    """The headers of binary mode for an event, and its data as the body."""
    headers = {f"ce-{name}": str(value) for name, value in one.items() if name != "data"}
    return raw(one["data"]), {"ce-specversion": "1.0", "ce-source": "/x/sub"} | headers | more


@pytest.mark.parametrize("parameters", ["", "; charset=utf-8"])
def test_structured_and_batched_mode_are_an_object_and_an_array(site, parameters):
    """The content types of CloudEvents are taken; a batch may be empty."""
    one, other, third = (told(login(0, agent)) for agent in ("a1", "a2", "a3"))
    structured, batch = (
        {"content_type": f"application/cloudevents{kind}+json{parameters}"}
        for kind in ("", "-batch")
    )
    assert (1, 1, 0, 0, 0) == counts(site.post(one, **structured))
    assert (3, 2, 1, 0, 0) == counts(site.post([one, other, third], **batch))
    assert (0, 0, 0, 0, 0) == counts(site.post([], **batch))
    assert [raw(one), raw(other), raw(third)] == stored(site)


def test_structured_mode_may_repeat_its_attributes_in_headers(site):
    """The binding allows it; the body counts."""
    one = told(login(0, "a1"))
    _, headers = binary(one | {"id": "another", "type": "agent:logout"})
    kind = "application/cloudevents+json"
    assert (1, 1, 0, 0, 0) == counts(site.post(one, headers=headers, content_type=kind))
    assert [raw(one)] == stored(site)


def test_binary_mode_is_the_same_event(site):
    """Attributes in headers, extensions among them: the event is that of structured mode."""
    one = told(login(0, "a1"), source="/com/cisco/wxcc/sub-1", specversion="1.0")
    data, headers = binary(one)
    sent = {"headers": headers, "content_type": "application/json"}
    assert (1, 1, 0, 0, 0) == counts(site.post(data, **sent))
    assert (1, 0, 1, 0, 0) == counts(site.post(one))
    assert (1, 0, 1, 0, 0) == counts(site.post(data, **sent))
    attributes = {name: value for name, value in one.items() if name != "data"}
    expected = dict(sorted((attributes | {"datacontenttype": "application/json"}).items()))
    element = json.dumps(expected, separators=(",", ":")).encode()[:-1] + b',"data":' + data + b"}"
    assert [element] == stored(site)
    site.project()
    assert "idle" == site.get("/api/v1/agents/a1").json["status"]
    row = site.get("/api/v1/events/1").json
    assert (one["id"], hashlib.sha256(element).hexdigest()) == (row["id"], row["sha256"])


def test_binary_mode_keeps_the_bytes_of_the_data(site):
    """Spaces, escapes and raw surrogates, compressed on the way or not."""
    data = b' {"agentId" : "a1",\t"teamId":"\xed\xa0\x80", "createdTime":1.50e1}\r\n'
    headers = binary(told(login(0, "a1")))[1]
    assert (1, 1, 0, 0, 0) == counts(site.post(data, headers=headers))
    zipped = headers | {"ce-id": fresh("e"), "content-encoding": "gzip"}
    assert (1, 1, 0, 0, 0) == counts(site.post(gzip.compress(data), headers=zipped))
    assert [True, True] == [body_.endswith(b',"data":' + data + b"}") for body_ in stored(site)]


def test_attributes_are_percent_encoded(site):
    """An id of any text; what is no UTF-8 makes the delivery unusable, with its own reason."""
    data, headers = binary(told(login(0, "a1")))
    assert (1, 1, 0, 0, 0) == counts(site.post(data, headers=headers | {"ce-id": "%C3%A9%20%25"}))
    assert ["é %"] == [row["event_id"] for row in rows(site, "SELECT event_id FROM events")]
    assert (1, 0, 0, 0, 1) == counts(site.post(data, headers=headers | {"ce-id": "%C0%A0"}))
    row = rows(site, "SELECT reason, body, headers FROM quarantine")[0]
    assert ("unsound-attribute", data) == (row["reason"], bytes(row["body"]))
    assert "%C0%A0" in row["headers"].values()


def test_the_time_of_dispatch_may_stand_in_a_header(site):
    """As in structured mode it is the fallback for an absent created time."""
    one = told(body("agent:login", 0), data={"agentId": "a1"}, comciscotimestamp=1_767_225_600_000)
    data, headers = binary(one)
    assert (1, 1, 0, 0, 0) == counts(site.post(data, headers=headers))
    site.project()
    assert 1_767_225_600_000 == site.get("/api/v1/agents/a1").json["stateSince"]


def test_an_unusable_event_of_binary_mode_is_quarantined_as_a_whole_element(site):
    """Judged like any other: without a subject, an organisation or an id."""
    data, headers = binary(told(login(0, "a1")))
    without_org = {name: value for name, value in headers.items() if name != "ce-comciscoorgid"}
    for content, sent, reason in (
        (b"{}", headers, "no-agent-id"),
        (b"", headers, "no-agent-id"),
        (b"[1]", headers, "no-agent-id"),
        (data, without_org, "no-organisation"),
        (data, headers | {"ce-id": ""}, "no-id"),
        (data, headers | {"ce-id": "%00"}, "unsound-id"),
        (data, headers | {"ce-type": "x" * 513}, "too-long-type"),
    ):
        assert (1, 0, 0, 0, 1) == counts(site.post(content, headers=sent)), reason
        last = rows(site, "SELECT reason, body FROM quarantine ORDER BY id DESC LIMIT 1")[0]
        assert reason == last["reason"]
        assert json.loads(bytes(last["body"]))["type"] == sent["ce-type"]
    still_works(site)


@pytest.mark.parametrize("data", [b"nonsense", b'{"x":NaN}', b'{},"id":"other"', b"\xff"])
def test_data_that_is_no_json_is_quarantined_as_received(site, data):
    """With the headers, and it cannot add an attribute to those of the headers."""
    headers = binary(told(body("flow:error", 0)))[1]
    assert (1, 0, 0, 0, 1) == counts(site.post(data, headers=headers))
    row = rows(site, "SELECT reason, body, headers FROM quarantine")[0]
    assert ("not-json", data) == (row["reason"], bytes(row["body"]))
    assert headers["ce-id"] in row["headers"].values()


@pytest.mark.parametrize("missing", ["id", "type", "source", "specversion"])
def test_stray_headers_make_no_binary_mode(site, missing):
    """Without all required attributes the body is read as it is without headers."""
    one = told(login(0, "a1"))
    _, headers = binary(one | {"id": "another"})
    headers.pop(f"ce-{missing}")
    assert (1, 1, 0, 0, 0) == counts(site.post(one, headers=headers))
    assert [raw(one)] == stored(site)


# --- nesting ---


def deep(depth, brackets="[]"):
    if brackets == "[]":
        return "[" * depth + "]" * depth
    return '{"a":' * depth + "1" + "}" * depth


NESTED = {
    # How deep the value may be so that the whole nests 256: what is around it counts.
    "unknown field": ('{{"deep":{deep},{rest}}}', 255),
    "in data": ('{{"data":{{"agentId":"{agent}","createdTime":5,"deep":{deep}}},{rest}}}', 254),
    "a compared field": (
        '{{"data":{{"agentId":"{agent}","createdTime":5,"connectedChannels":{deep}}},{rest}}}',
        254,
    ),
    "a text field": ('{{"data":{{"agentId":"{agent}","teamId":{deep}}},{rest}}}', 254),
    "in place of a dispatch time": ('{{"comciscotimestamp":{deep},{rest}}}', 255),
    "in place of the source": ('{{"source":{deep},{rest}}}', 255),
}


@pytest.mark.parametrize("place", NESTED)
def test_nesting_to_256_is_always_taken(shared, place):
    """Nesting to 256 is taken wherever it stands, alone or in an array, and projected."""
    pattern, depth = NESTED[place]
    for brackets, around in itertools.product(("[]", "{}"), ("{}", "[ {} ]")):
        agent = fresh("agent")
        rest = f'"id":"{fresh("e")}","type":"agent:login","comciscoorgid":"{ORG}"'
        if '"data"' not in pattern:
            rest += f',"data":{{"agentId":"{agent}"}}'
        text = pattern.format(deep=deep(depth, brackets), rest=rest, agent=agent)
        assert (1, 1, 0, 0, 0) == counts(shared.post(around.format(text).encode()))
        assert (1, 0, 1, 0, 0) == counts(shared.post(text.encode()))
        shared.project()
        assert "idle" == shared.get(f"/api/v1/agents/{agent}").json["status"]
    still_works(shared)


@pytest.mark.parametrize("depth", [257, 299, 300, 301, 400, 700, 900, 990, 1_100, 5_000, 100_000])
def test_deeper_nesting_is_answered(shared, depth):
    """Deeper may be refused; taken or not it is answered, counted and kept, and all goes on."""
    for brackets in ("[]", "{}"):
        text = (
            f'{{"id":"{fresh("e")}","type":"agent:state_change","comciscoorgid":"{ORG}",'
            f'"data":{{"agentId":"{fresh("agent")}","connectedChannels":{deep(depth, brackets)}}}}}'
        )
        for sent in (text, f"[{text}]"):
            received, *rest = counts(shared.post(sent.encode()))
            assert (received, received) == (1, sum(rest))
    still_works(shared)


# --- text ---

ODD_TEXTS = {
    "NUL": r'"a\u0000b"',
    "escaped surrogate": r'"a\ud800b"',
    "wrong pair": r'"\udc00\ud800"',
    "raw surrogate": b'"a\xed\xa0\x80b"',
    "raw pair": b'"\xed\xa0\xbd\xed\xb8\x80"',
    "escaped pair": r'"\ud83d\ude00"',
    "non-character": '"\uffff\ufffe"',
    "right to left": '"\u202eabc"',
    "control characters": r'"\u0001\u001f\n\t\u007f\u0085"',
    "only NUL": r'"\u0000"',
}
VALUE_FIELDS = [
    "currentState",
    "teamId",
    "queueId",
    "idleCodeId",
    "idleCodeName",
    "wrapUpAuxCodeId",
    "destination",
    "origin",
    "direction",
    "channelId",
    "channelType",
    "outboundType",
    "loggedOutBy",
    "profileType",
    "filePath",
    "terminatingParty",
    "reason",
    "more",
]


def as_shown(text):
    """What a reader of the page expects: U+FFFD for NUL and lone surrogates."""
    value = json.loads(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_text_is_legal_in_values(shared, text):
    """NUL and lone surrogates in values: stored as they came, shown as U+FFFD."""
    value = text if isinstance(text, bytes) else text.encode()
    agent, task_id = fresh("agent"), fresh("task")
    data = b",".join(b'"%s":%s' % (name.encode(), value) for name in VALUE_FIELDS)
    data += b',"agentId":"%s","taskId":"%s","createdTime":5,"connectedChannels":[%s]' % (
        agent.encode(),
        task_id.encode(),
        value,
    )
    bodies = [
        b'{"id":"%s","type":"%s","comciscoorgid":"acme","subject":%s,"x":%s,"data":{%s}}'
        % (fresh("e").encode(), kind, value, value, data)
        for kind in (
            b"agent:login",
            b"agent:channel_state_change",
            b"agent:channelType_state_change",
            b"task:connect",
            b"task:ended",
            b"capture:available",
            b"flow:error",
        )
    ]
    assert (7, 7, 0, 0, 0) == counts(shared.post(b"[" + b",".join(bodies) + b"]"))
    assert bodies == stored(shared)[-7:]
    shared.project()
    agent_view = shared.get(f"/api/v1/agents/{agent}").json
    task_view = shared.get(f"/api/v1/tasks/{task_id}").json
    shown = as_shown(text)
    assert {shown} == {agent_view[f] for f in ("teamId", "currentState", "destination")}
    assert {shown} == {task_view[f] for f in ("reason", "terminatingParty", "queueId", "origin")}
    assert shown == task_view["captures"][0]["filePath"]
    found = shared.get("/api/v1/agents", query_string={"teamId": shown, "currentState": shown})
    assert agent in [view["agentId"] for view in found.json["data"]]
    assert shown == shared.get(f"/api/v1/agents/{agent}/history").json["data"][-1]["currentState"]
    still_works(shared)


UNSOUND_NAMES = {
    "513 bytes": "x" * 513,
    "257 of two bytes": "é" * 257,
    "600 characters": "x" * 600,
    "600 of four bytes": "😀" * 600,
    "NUL": "a\0b",
    "surrogate": "a\ud800",
}
FIVE = ("id", "type", "comciscoorgid", "comciscocorgid", "agentId", "taskId")


def named(field, name):
    """An agent's state at work on a task, with one of the five names replaced."""
    whole = told(v1(0, fresh("agent"), "Connected", fresh("task")))
    if field == "comciscocorgid":
        whole = misspelt(whole)
    if field in ("agentId", "taskId"):
        return whole | {"data": whole["data"] | {field: name}}
    return whole | {field: name}


@pytest.mark.parametrize("field", FIVE)
def test_unsound_names_are_quarantined(shared, field):
    """Names that no index can hold are kept in quarantine, escaped or raw, alone or in an array."""
    for name, ascii_only in itertools.product(UNSOUND_NAMES.values(), (True, False)):
        body_ = raw(named(field, name), ascii_only=ascii_only)
        if not ascii_only and "\0" in name:
            body_ = body_.replace(b"\0", rb"\u0000")  # raw it were no JSON
        assert (1, 0, 0, 0, 1) == counts(shared.post(body_))
        assert (1, 0, 0, 0, 1) == counts(shared.post(b"[" + body_ + b"]"))
        assert 2 == quarantined(shared)[body_]
    still_works(shared)


@pytest.mark.parametrize("fill", ["x", "é", "😀", '"', "/", "%", "\u0001"])
def test_names_of_512_bytes_are_taken_and_found(shared, fill):
    """Each name may fill its bound: stored, projected, listed, filtered."""
    room = 512 // len(fill.encode())
    names = [f"{next(_ids):08}" for _ in range(4)]
    agent, task_id, org, id_ = (name + fill * ((512 - 8) // len(fill.encode())) for name in names)
    assert room * len(fill.encode()) == 512
    whole = v1(0, agent, "Connected", task_id) | {"id": id_, "comciscoorgid": org}
    assert (1, 1, 0, 0, 0) == counts(shared.post(whole))
    assert (1, 0, 1, 0, 0) == counts(shared.post(whole))
    shared.project()
    asked = {"orgId": org, "agentId": agent}
    views = shared.get("/api/v1/agents", query_string=asked).json["data"]
    assert [(org, agent, task_id, id_)] == [
        (view["orgId"], view["agentId"], view["taskId"], view["lastEvent"]["id"]) for view in views
    ]
    tasks = shared.get("/api/v1/tasks", query_string={"agentId": agent}).json["data"]
    assert [task_id] == [view["taskId"] for view in tasks]
    still_works(shared)


# --- long values ---

LONG = 900_000
LONG_FIELDS = {
    "teamId": ("agents", "teamId"),
    "queueId": ("agents", "queueId"),
    "currentState": ("agents", "currentState"),
    "idleCodeId": ("agents", None),
    "channelId": ("agents", None),
    "channelType": ("agents", "channelType"),
    "destination": ("agents", None),
    "wrapUpAuxCodeId": ("agents", None),
    "filePath": ("tasks", None),
    "reason": ("tasks", None),
    "direction": ("tasks", "direction"),
    "origin": ("tasks", None),
    "unknownField": ("agents", None),
}


@pytest.mark.parametrize(
    ("field", "fill"),
    sample(
        [*((field, "x") for field in LONG_FIELDS), ("teamId", "😀"), ("filePath", "😀")], every=4
    ),
)
def test_a_long_value_is_stored_projected_read_and_found(shared, field, fill):
    """900 kB in any field but the five names: kept, folded, shown whole, and found by filters."""
    list_, filter_ = LONG_FIELDS[field]
    name = fresh("subject")
    value = f"{name} " + fill * (LONG // len(fill.encode()))
    data = {field: value}
    if list_ == "agents" and field == "idleCodeId":
        whole = [told(v1(0, name, "Idle", **data))]
    elif list_ == "agents" and field == "currentState":
        whole = [told(v1(0, name, value, f"task-{name}"))]
    elif list_ == "agents":
        whole = [told(v2(0, name, "Connected", f"task-{name}", **data))]
    elif field == "filePath":
        whole = [told(capture(0, name, value))]
    else:
        whole = [told(ended(0, name) | {"data": ended(0, name)["data"] | data})]
    assert (1, 1, 0, 0, 0) == counts(shared.post(raw(whole[0], ascii_only=False)))
    assert (1, 0, 1, 0, 0) == counts(shared.post(raw(whole[0], ascii_only=False)))
    shared.project()
    answer = shared.get(f"/api/v1/{list_}/{name}")
    assert 200 == answer.status_code
    assert (field == "unknownField") is (value not in json.dumps(answer.json, ensure_ascii=False))
    assert 200 == shared.get(f"/api/v1/{list_}/{name}/history").status_code
    if filter_ and fill == "x":  # percent signs make thrice as much of the other
        found = shared.get(f"/api/v1/{list_}", query_string={filter_: value}).json
        assert [1, name] == [found["meta"]["count"], found["data"][0][f"{list_[:-1]}Id"]]
        missed = shared.get(f"/api/v1/{list_}", query_string={filter_: value[:-1]}).json
        assert 0 == missed["meta"]["count"]
    still_works(shared)


def test_a_long_value_in_the_envelope_is_stored(shared):
    """source, comciscotimestamp and unknown envelope fields may be as long as the body."""
    for field in ("source", "comciscotimestamp", "datacontenttype", "unknown"):
        agent = fresh("agent")
        whole = told(login(0, agent), **{field: "9" * LONG})
        assert (1, 1, 0, 0, 0) == counts(shared.post(whole))
        shared.project()
        assert 200 == shared.get(f"/api/v1/agents/{agent}").status_code
    still_works(shared)


def test_a_source_of_any_text_leaves_the_status_readable(site):
    """NUL and lone surrogates are legal in values, the source's tail among them."""
    for tail in (r"\ud800", r"\u0000", "x" * 900_000, r"\ud83d\ude00"):
        whole = raw(told(login(0, "a1"), source="SOURCE"))
        sent = whole.replace(b"SOURCE", b"/com/cisco/wxcc/" + tail.encode())
        assert (1, 1, 0, 0, 0) == counts(site.post(sent))
        assert 200 == site.get("/api/v1/status").status_code, tail[:20]


def test_an_array_may_hold_ten_thousand_elements(shared):
    """As many elements as the limit has room for, each counted."""
    prefix = fresh("many")
    element = '{{"id":"{}{}","type":"flow:error","comciscoorgid":"acme"}}'
    elements = [element.format(prefix, number) for number in range(10_000)]
    sent = f"[{','.join(elements)}]".encode()
    assert len(sent) <= LIMIT
    assert (10_000, 10_000, 0, 0, 0) == counts(shared.post(sent))
    assert (10_000, 0, 10_000, 0, 0) == counts(shared.post(sent))
    assert (10_000, 0, 0, 0, 10_000) == counts(shared.post(b"[" + b"11," * 9_999 + b"11]"))
    assert 10_000 == quarantined(shared)[b"11"]
    still_works(shared)


# --- times ---


def lived(site, given, **more):
    """The view of an agent after a login with this created time, and the counts."""
    agent = fresh("agent")
    whole = told(login(0, agent), **more)
    data = {name: value for name, value in whole["data"].items() if name != "createdTime"}
    data |= {} if given == "absent" else {"createdTime": given}
    taken = counts(site.post(whole | {"data": data}))
    site.project()
    answer = site.get(f"/api/v1/agents/{agent}")
    return answer.json if answer.status_code == 200 else None, taken


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, 0),
        (5, 5),
        ("5", 5),
        ("000005", 5),
        (5.0, 5),
        (123_456_789_012, 123_456_789_012),
        ("1767225600000", 1_767_225_600_000),
        (1.7672256e12, 1_767_225_600_000),
    ],
    ids=repr,
)
def test_times_are_shown_as_they_stand(shared, given, expected):
    """Of one digit or twelve, number, float or text: no guessing of units."""
    view, taken = lived(shared, given)
    assert (1, 1, 0, 0, 0) == taken
    times = (view["session"]["loginTime"], view["stateSince"], view["statusSince"])
    assert (expected,) * 4 == (*times, view["lastEvent"]["createdTime"])


@pytest.mark.parametrize(
    "given",
    [
        -1,
        True,
        False,
        1.5,
        "",
        "-1",
        "1.0",
        "\u0661\u0662\u0663",
        "²",
        "\uff11\uff17",
        [],
        {},
        [5],
        10**29,
        "9" * 30,
        "soon",
    ],
    ids=repr,
)
def test_unusable_times_are_quarantined(shared, given):
    """Negative, boolean, fraction, other text, structures, and times of thirty digits."""
    assert (None, (1, 0, 0, 0, 1)) == lived(shared, given)


def test_a_time_may_be_a_day_ahead_but_not_more(shared):
    """Clock skew counts at once; more than 24 h ahead waits for an operator."""
    now = time.time_ns() // 1_000_000
    soon, taken = lived(shared, now + DAY - 60_000)
    assert (now + DAY - 60_000, (1, 1, 0, 0, 0)) == (soon["stateSince"], taken)
    assert (None, (1, 0, 0, 0, 1)) == lived(shared, now + DAY + 60_000)


@pytest.mark.parametrize("given", [None, "absent"])
@pytest.mark.parametrize("dispatched", [1_767_225_600_000, "1767225600000"])
def test_without_a_created_time_the_dispatch_counts(shared, given, dispatched):
    """comciscotimestamp stands in for an absent time; the view says that none was created."""
    view, taken = lived(shared, given, comciscotimestamp=dispatched)
    assert (1, 1, 0, 0, 0) == taken
    assert (1_767_225_600_000, None) == (view["stateSince"], view["lastEvent"]["createdTime"])


IN_TWO_DAYS = str(time.time_ns() // 10**6 + 2 * DAY)


@pytest.mark.parametrize(
    "dispatched",
    [None, "", "soon", -1, True, [], "9" * 30, pytest.param(IN_TWO_DAYS, id="in two days")],
)
def test_without_any_time_the_arrival_counts(shared, dispatched):
    """Where the dispatch is no time either, or a day ahead, recorded time remains."""
    before = time.time_ns() // 1_000_000
    view, taken = lived(shared, "absent", comciscotimestamp=dispatched)
    assert (1, 1, 0, 0, 0) == taken
    assert before <= view["stateSince"] == view["lastEvent"]["recordedTime"]


def test_of_an_event_without_a_time_the_first_delivery_counts(site):
    """A repeat with another dispatch time is a duplicate and moves nothing."""
    whole = told(login(0, "a1"), comciscotimestamp="5")
    del whole["data"]["createdTime"]
    assert (1, 1, 0, 0, 0) == counts(site.post(whole))
    assert (1, 0, 1, 0, 0) == counts(site.post(whole | {"comciscotimestamp": "3"}))
    site.project()
    assert 5 == site.get("/api/v1/agents/a1").json["stateSince"]
    assert ["dispatched"] == [row["time_source"] for row in rows(site, "SELECT * FROM events")]


# --- organisation ---


def test_both_spellings_of_the_organisation_are_one(site):
    """comciscoorgid or comciscocorgid: the same event."""
    whole = told(login(0, "a1"))
    assert (1, 1, 0, 0, 0) == counts(site.post(whole))
    assert (1, 0, 1, 0, 0) == counts(site.post(misspelt(whole)))
    both = whole | {"comciscocorgid": "other"}
    assert (1, 0, 1, 0, 0) == counts(site.post(both))


def test_without_an_organisation_the_default_counts(make_site):
    """The configured default, else quarantine."""
    whole = told(login(0, "a1"))
    del whole["comciscoorgid"]
    assert (1, 0, 0, 0, 1) == counts(make_site().post(whole))
    site = make_site(PROJECTOR_DEFAULT_ORG_ID="default-org")
    assert (1, 1, 0, 0, 0) == counts(site.post(whole))
    assert (1, 0, 1, 0, 0) == counts(site.post(whole | {"comciscoorgid": "default-org"}))
    assert (1, 1, 0, 0, 0) == counts(site.post(whole | {"comciscocorgid": "own-org"}))
    site.project()
    found = site.get("/api/v1/agents").json["data"]
    assert ["default-org", "own-org"] == [view["orgId"] for view in found]


# --- identity ---


def test_the_type_joins_the_key(site):
    """One id under two types is two events; under two organisations too."""
    first, second = login(0, "a1"), task(0, "t1", "new")
    same_id = [one | {"id": "one"} for one in (first, second, first | {"comciscoorgid": "b"})]
    assert (3, 3, 0, 0, 0) == counts(site.post(same_id))


def test_where_the_id_is_the_tasks_the_time_tells_events_apart(site):
    """id == taskId: other times are other events, null is one more, equal ones are duplicates."""
    ids = {"id": "t1"}
    first = task(0, "t1", "parked") | ids
    undated = first | {"data": first["data"] | {"createdTime": None}}
    absent = first | {"data": {k: v for k, v in first["data"].items() if k != "createdTime"}}
    as_text = first | {"data": first["data"] | {"createdTime": str(first["data"]["createdTime"])}}
    assert (1, 1, 0, 0, 0) == counts(site.post(first))
    assert (1, 1, 0, 0, 0) == counts(site.post(task(9, "t1", "parked") | ids))
    assert (1, 1, 0, 0, 0) == counts(site.post(undated))
    assert (1, 0, 1, 0, 0) == counts(site.post(undated))
    assert (1, 0, 0, 1, 0) == counts(site.post(absent)), "one key, but null differs from absent"
    assert (1, 0, 0, 1, 0) == counts(site.post(as_text)), "one key as parsed, but text is no number"
    assert (1, 0, 1, 0, 0) == counts(site.post(first))


@pytest.mark.parametrize("heading", ["conference-done", "conference-transferred"])
def test_headings_without_their_prefix_are_the_same_events(site, heading):
    """The page's headings lack `task:`; the event is the task's all the same."""
    whole = told(task(0, "t1", heading))
    assert (1, 1, 0, 0, 0) == counts(site.post(whole | {"type": heading}))
    assert (1, 0, 1, 0, 0) == counts(site.post(whole))
    site.project()
    view = site.get("/api/v1/tasks/t1").json
    assert ("connected", f"task:{heading}") == (view["currentState"], view["lastEvent"]["type"])


def with_reason(text, id_="e1", extra=""):
    return (
        f'{{"id":"{id_}","type":"task:ended","comciscoorgid":"acme"{extra},'
        f'"data":{{"taskId":"t1","createdTime":5,"reason":{text}}}}}'
    ).encode()


@pytest.mark.parametrize(
    ("one", "other", "conflicts"),
    [
        ("1", "1.0", 0),
        ('{"a":1,"b":[1,2]}', ' { "b" : [1.0,2] , "a":1e0 }', 0),
        ("[1,2]", "[2,1]", 1),
        ("true", "1", 1),
        ("false", "0", 1),
        ("null", '""', 1),
        ('{"a":null}', "{}", 1),
        (r'"\u00e9"', '"é"', 0),
        (r'"\ud800"', r'"\ud801"', 1),
        (r'"\u0000"', '""', 1),
        ('{"a":1,"a":2}', '{"a":2}', 0),
        ('{"a":1,"a":2}', '{"a":1}', 1),
    ],
)
def test_a_second_delivery_is_a_duplicate_or_a_conflict(shared, one, other, conflicts):
    """Compared as JSON values: key order free, array order kept, 1 = 1.0, true no number."""
    id_ = fresh("e")
    assert (1, 1, 0, 0, 0) == counts(shared.post(with_reason(one, id_)))
    assert (1, 0, 1 - conflicts, conflicts, 0) == counts(shared.post(with_reason(other, id_)))
    id_ = fresh("e")
    within = b"[" + with_reason(one, id_) + b"," + with_reason(other, id_) + b"]"
    assert (2, 1, 1 - conflicts, conflicts, 0) == counts(shared.post(within))


def test_null_differs_from_absent(site):
    """A field that is null on one delivery and missing on the other makes a conflict."""
    whole = told(ended(0, "t1"))
    assert (1, 1, 0, 0, 0) == counts(site.post(whole))
    null = whole | {"data": whole["data"] | {"queueId": None}}
    assert (1, 0, 0, 1, 0) == counts(site.post(null))


def test_what_the_page_does_not_name_makes_no_conflict(site):
    """Unknown fields, source, dispatch time and headers are not compared."""
    whole = told(login(0, "a1"))
    site.post(whole)
    for other in (
        whole | {"data": whole["data"] | {"unknown": [1]}},
        whole | {"source": "/com/cisco/wxcc/sub-2", "specversion": "2", "x": {}},
        whole | {"comciscotimestamp": 5},
        {name: whole[name] for name in ("data", "comciscoorgid", "type", "id")},
    ):
        assert (1, 0, 1, 0, 0) == counts(site.post(other, headers={"X-Other": "1"}))
    assert 4 == rows(site, "SELECT count(*) AS n FROM duplicates")[0]["n"]


def test_of_unknown_types_all_of_data_counts(site):
    """Types that are not agent:, task: or capture: have no page: all their data is compared."""
    whole = body("flow:error", 0, id="e1", anything=1)
    assert (1, 1, 0, 0, 0) == counts(site.post(whole))
    assert (1, 0, 1, 0, 0) == counts(site.post(whole | {"x": 1}))
    other = whole | {"data": whole["data"] | {"anything": 2}}
    assert (1, 0, 0, 1, 0) == counts(site.post(other))


def test_a_conflict_is_kept_whole_once_and_changes_nothing(site):
    """The first accepted stays; each other body is one row with a delivery count."""
    first = told(login(0, "a1", teamId="right"))
    wrong = first | {"data": first["data"] | {"teamId": "wrong"}}
    third = first | {"data": first["data"] | {"teamId": "third"}}
    site.post(first)
    site.project()
    before = site.get("/api/v1/agents/a1").json
    spaced = b" " + raw(wrong) + b"\n"
    assert (1, 0, 0, 1, 0) == counts(site.post(spaced))
    assert (1, 0, 0, 1, 0) == counts(site.post(spaced))
    assert (2, 0, 1, 1, 0) == counts(site.post([third, first]))
    kept = rows(site, "SELECT * FROM conflicts ORDER BY deliveries DESC")
    assert [(spaced, 2), (raw(third), 1)] == [(bytes(r["body"]), r["deliveries"]) for r in kept]
    assert {1} == {row["position"] for row in kept}
    site.project()
    after = site.get("/api/v1/agents/a1").json
    assert before | {"settled": None} == after | {"settled": None}
    ledgers = {"duplicates": 1, "conflicts": 2, "quarantine": 0, "corrections": 0, "anomalies": 0}
    assert ledgers == site.get("/api/v1/status").json["ledgers"]


def test_one_request_may_hold_an_event_its_repeats_and_its_conflicts(site):
    """Within one array the first in it is accepted; the counts always sum up."""
    first = told(login(0, "a1"))
    wrong = first | {"data": first["data"] | {"teamId": "wrong"}}
    other = told(login(5, "a2"))
    answer = site.post([first, wrong, first, other, wrong, 5, first])
    assert (7, 2, 2, 2, 1) == counts(answer)
    assert "2" == answer.headers["X-Position"]
    assert [(raw(wrong), 2)] == [
        (bytes(row["body"]), row["deliveries"])
        for row in rows(site, "SELECT body, deliveries FROM conflicts")
    ]
    assert [raw(first), raw(other)] == stored(site)
    still_works(site)


# --- bytes ---

KEPT = {
    "spaces": b' {\r\n\t"id" : "%s" , "type":"agent:login","comciscoorgid":"acme","data":{"agentId":"a1"}}\n ',  # noqa: E501
    "escapes": rb'{"id":"%s","\u0074ype":"agent\u003alogin","comciscoorgid":"acme","data":{"agentId":"\/\u00e9"}}',  # noqa: E501
    "duplicate keys": b'{"id":"x","id":"%s","type":"x","type":"agent:login","comciscoorgid":"acme",'
    b'"data":{},"data":{"agentId":"a1","agentId":"a1"}}',
    "numbers": b'{"id":"%s","type":"agent:login","comciscoorgid":"acme","data":{"agentId":"a1",'
    b'"createdTime":1.50e1,"x":-0.0,"y":1E400}}',
    "raw surrogates": b'{"id":"%s","type":"agent:login","comciscoorgid":"acme","data":{"agentId":"a1",'  # noqa: E501
    b'"teamId":"\xed\xa0\x80\xed\xb0\x80"}}',
}


@pytest.mark.parametrize("pattern", KEPT.values(), ids=KEPT)
def test_bodies_are_kept_byte_for_byte(shared, pattern):
    """A single body with all around it; an element of an array as its own bytes, cut unchanged."""
    alone, element = (
        pattern.replace(b"%s", fresh("e").encode()),
        pattern.replace(b"%s", fresh("e").encode()).strip(),
    )
    assert (1, 1, 0, 0, 0) == counts(shared.post(alone))
    assert (2, 1, 0, 0, 1) == counts(shared.post(b"[ \t" + element + b"\r\n,\n[ 1 ] ]"))
    assert [alone, element] == stored(shared)[-2:]
    assert b"[ 1 ]" in quarantined(shared)
    still_works(shared)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["unmarked", "marked"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_bodies_in_any_unicode_encoding_are_events(shared, encoding, mark):
    """JSON in UTF-8, 16 or 32, marked or not: stored as received, projected, known again."""
    agent = fresh("agent-é😀")
    one, other = told(login(0, agent)), told(v1(5, agent, "Available"))
    alone = (mark + json.dumps(one, ensure_ascii=False)).encode(encoding)
    element = json.dumps(other, ensure_ascii=False)
    array = (mark + f"[ {element} ]").encode(encoding)
    assert (1, 1, 0, 0, 0) == counts(shared.post(alone))
    assert (1, 1, 0, 0, 0) == counts(shared.post(array))
    assert [alone, element.encode(encoding)] == stored(shared)[-2:]
    assert (2, 0, 2, 0, 0) == counts(shared.post([one, other]))
    shared.project()
    assert "available" == shared.get(f"/api/v1/agents/{agent}").json["status"]


def test_a_marked_body_that_is_no_json_is_kept_whole(site):
    """Where nothing can be cut, the whole body is kept, its mark included."""
    for hostile in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE + b"x", codecs.BOM_UTF8 + b"[1,"):
        assert (1, 0, 0, 0, 1) == counts(site.post(hostile))
        assert hostile in quarantined(site)


def test_the_content_type_and_the_query_do_not_matter(site):
    """What counts is the body: forms, files and texts are read as JSON like any other."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "!"):
        answer = site.post(told(login(0, fresh("agent"))), content_type=kind)
        assert (1, 1, 0, 0, 0) == counts(answer)


# --- types ---


@pytest.mark.parametrize(
    "type_",
    ["agent:", "task:", "capture:", "agent:unknown", "task:unknown", "capture:other", ":", "x"],
)
def test_unknown_types_are_no_errors(shared, type_):
    """They are stored, change nothing and stop nothing."""
    whole = told(body(type_, 0, agentId=fresh("agent"), taskId=fresh("task")))
    assert (1, 1, 0, 0, 0) == counts(shared.post(whole))
    still_works(shared)


@pytest.mark.parametrize("type_", ["capture:other", "capture:"])
def test_of_captures_only_the_available_is_a_tasks_event(shared, type_):
    """The task's events are every task:*, capture:available and agents' state events: no others."""
    task_id = fresh("task")
    assert (1, 1, 0, 0, 0) == counts(shared.post(told(body(type_, 0, taskId=task_id))))
    shared.project()
    assert 404 == shared.get(f"/api/v1/tasks/{task_id}").status_code


def test_other_types_make_no_view(site):
    """flow:error and its like are in the log alone, even when they name an agent and a task."""
    assert (1, 1, 0, 0, 0) == counts(
        site.post(told(body("flow:error", 0, agentId="a1", taskId="t1")))
    )
    site.project()
    assert (404, 404) == tuple(
        site.get(path).status_code for path in ("/api/v1/agents/a1", "/api/v1/tasks/t1")
    )


WRONG_VALUES = (None, True, 0, -1.5, "", [], {}, [[1]], {"a": {"b": 1}}, 10**400)


@pytest.mark.parametrize("wrong", WRONG_VALUES, ids=lambda value: repr(value)[:12])
def test_wrong_types_in_every_field_are_answered(shared, wrong):
    """Any value in any field: each element is appended or quarantined, and all goes on."""
    wholes = (
        v2(0, "a1", "Connected", "t1", ("c1", "telephony"), connectedChannels=["c1"]),
        channel(0, "a1", "telephony", "Idle"),
        ended(0, "t1"),
        capture(0, "t1", "/x"),
        login(0, "a1"),
    )
    bodies = []
    for whole in wholes:
        one = told(whole)
        bodies += [one | {"id": fresh("e")} | {name: wrong} for name in one]
        fields = {*one["data"], *VALUE_FIELDS, "connectedChannels", "agentId", "taskId"}
        bodies += [told(one, data=one["data"] | {name: wrong}) for name in sorted(fields)]
    received, appended, duplicates, conflicts, bad = counts(shared.post(bodies))
    assert (len(bodies), len(bodies)) == (received, appended + duplicates + conflicts + bad)
    assert appended > len(bodies) / 2
    still_works(shared)


# --- refusals ---


def problem(answer):
    """The status of a problem document, checked for its shape."""
    assert "application/problem+json" == answer.content_type
    assert {"type", "title", "status", "detail"} == set(answer.json) - {"errors"}
    assert answer.status_code == answer.json["status"]
    assert answer.json["title"]
    assert answer.json["detail"]
    return answer.status_code


def test_bodies_to_the_limit_are_taken_and_longer_ones_refused(site):
    """1 MiB by default, and nothing of a longer body is stored."""
    whole = raw(told(login(0, "a1")))
    assert (1, 1, 0, 0, 0) == counts(site.post(whole.ljust(LIMIT)))
    assert 413 == problem(site.post(b"x" * (LIMIT + 1)))
    assert {} == quarantined(site)
    still_works(site)


def chunked(site, content):
    """A body that does not tell its length."""
    return site.client.post(
        "/webhooks/webex",
        input_stream=io.BytesIO(content),
        environ_overrides={"wsgi.input_terminated": True},
        headers={"Transfer-Encoding": "chunked"},
    )


def test_the_limit_holds_without_a_content_length(site):
    """A chunked body is taken to the limit and refused beyond it."""
    whole = raw(told(login(0, "a1")))
    assert (1, 1, 0, 0, 0) == counts(chunked(site, whole))
    assert 413 == problem(chunked(site, b" " * (LIMIT + 1)))
    assert (1, 0, 1, 0, 0) == counts(chunked(site, whole.ljust(LIMIT)))
    assert {} == quarantined(site)


def test_the_limit_can_be_set(make_site):
    """PROJECTOR_BODY_LIMIT, in bytes."""
    site = make_site(PROJECTOR_BODY_LIMIT="10")
    assert (1, 0, 0, 0, 1) == counts(site.post(b"0123456789"))
    assert 413 == problem(site.post(b"0123456789a"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_webhooks_are_posted(shared, method):
    """Any other method: 405, as a problem document, saying what is allowed."""
    answer = shared.client.open("/webhooks/webex", method=method, headers=shared.headers)
    assert 405 == problem(answer)
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/webex/", "/webhooks/other", "/x%00"])
def test_other_paths_are_problem_documents(shared, path):
    """404, or whatever a page of the service's own answers there, never a bare text."""
    answer = shared.client.post(path, data=b"{}")
    assert problem(answer) in (404, 405)


def test_a_store_out_of_reach_is_told_and_nothing_acknowledged(make_site):
    """503 with Retry-After: the sender must try again."""
    site = make_site()
    site.service.intake_pool.close()
    answer = site.post(told(login(0, "a1")))
    assert 503 == problem(answer)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_body_is_base64_free(site):
    """The log holds the bytes themselves."""
    whole = raw(told(login(0, "a1")))
    site.post(whole)
    assert base64.b64encode(whole) not in stored(site)
    assert [whole] == stored(site)


@pytest.mark.slow
def test_as_many_elements_as_the_limit_has_room_for_are_answered(site):
    """Anything authentic is 202, and the time for it grows with the count, not with its square.

    The vendor gives up after 5 s and would deliver again.
    """
    seconds = []
    for count in (30_000, 300_000):
        started = time.monotonic()
        answer = site.post(b"[" + b"1," * (count - 1) + b"1]")
        seconds.append(time.monotonic() - started)
        assert (count, 0, 0, 0, count) == counts(answer)
    assert seconds[1] < 40 * seconds[0]
    assert {b"1": 330_000} == quarantined(site)
