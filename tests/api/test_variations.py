"""Variations over HTTP: duplicates that differ in a field of `data` that is not compared."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.operations.verify.parallel import verify
from tests.conftest import Site, erasable, erase, over_http
from tests.examples import RECORDED, body, login, story, v1
from tests.integration.driving import Clock
from tests.oracle import Oracle, differing_names
from tests.strategies import Body, noisy_deliveries, retouched

(FIRST,) = story(v1(0, "ann", "idle", note="one", nested={"a": {"b": 1}}))


def with_data(body: Body, **data: Any) -> Body:
    return {**body, "data": {**body["data"], **data}}


def raw(body: Body) -> bytes:
    return json.dumps(body).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def outcome(site: Site, body: Any) -> str:
    """What a delivery of one element was counted as."""
    counts = site.post(body).json
    (name,) = (it for it in ("appended", "duplicates", "conflicts", "quarantined") if counts[it])
    return name


def conflicts(site: Site, **query: Any) -> list[dict[str, Any]]:
    answer = site.get("/api/v1/conflicts", query_string=query)
    assert 200 == answer.status_code, answer.text
    return answer.json["data"]


def verified(site: Site) -> list[tuple[str, str]]:
    """The tables and fields in which verify finds a difference."""
    differences = verify(site.url, jobs=1, moments=1, seed=1).differences
    return [(it.table, it.field.partition("[")[0]) for it in differences]


def tamper(site: Site, statement: str) -> None:
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("SET search_path = projector")
        assert connection.execute(statement.encode()).rowcount


def test_a_variation_is_a_duplicate_whose_body_is_kept(site):
    """Counted and acknowledged as one; the first stays, and no view changes."""
    site.post(FIRST)
    site.project()
    before = site.get("/api/v1/agents/ann").json
    other = raw(with_data(FIRST, note="two", nested={"a": {"b": 2}}, more=None))
    assert ["duplicates"] * 2 == [outcome(site, other) for _ in range(2)]
    (row,) = conflicts(site)
    assert ("variation", 1, "e1", 2) == tuple(
        row[name] for name in ("kind", "position", "eventId", "deliveries")
    )
    assert ["more", "nested", "note"] == row["fields"]
    assert (sha256(other), sha256(raw(FIRST))) == (row["sha256"], row["eventSha256"])
    assert json.loads(other)["data"] == row["data"]
    ledgers = site.get("/api/v1/status").json["ledgers"]
    assert (2, 0) == (ledgers["duplicates"], ledgers["conflicts"])
    site.project()
    assert before == site.get("/api/v1/agents/ann").json
    assert [] == site.get("/api/v1/agents/ann/explain").json["around"]


def test_an_event_shows_its_duplicates_and_their_variations(site):
    """Each body once, in base64 and parsed; how often and when it came."""
    variation, conflict = with_data(FIRST, note="two"), with_data(FIRST, teamId="else", note="two")
    for one in (FIRST, FIRST, variation, conflict, variation):
        site.post(one)
    event = site.get("/api/v1/events/1").json
    assert 3 == len(event["duplicates"])
    found = {it["kind"]: it for it in event["conflicts"]}
    assert ["conflict", "variation"] == sorted(found)
    for kind, expected, fields, deliveries in (
        ("variation", variation, ["note"], 2),
        ("conflict", conflict, ["note", "teamId"], 1),
    ):
        shown = found[kind]
        assert raw(expected) == base64.b64decode(shown["body"])
        assert (expected, sha256(raw(expected))) == (shown["parsed"], shown["sha256"])
        assert (fields, deliveries) == (shown["fields"], shown["deliveries"])
        assert shown["firstTime"] <= shown["lastTime"]


def test_conflicts_are_filtered_by_kind(site):
    """Either, both, or none given; pages keep the filter."""
    site.post([FIRST, with_data(FIRST, note="two"), with_data(FIRST, teamId="else")])
    site.post([with_data(FIRST, note=3), with_data(FIRST, note=4)])
    kinds = ["conflict", *["variation"] * 3]
    for query, expected in (
        ({}, kinds),
        ({"kind": ["conflict", "variation"]}, kinds),
        ({"kind": "conflict"}, kinds[:1]),
        ({"kind": "variation", "agentId": "ann"}, kinds[1:]),
        ({"kind": "variation", "agentId": "bob"}, []),
    ):
        assert expected == sorted(row["kind"] for row in conflicts(site, **query))
    page = site.get("/api/v1/conflicts?kind=variation&limit=2").json
    rest = conflicts(site, kind="variation", cursor=page["meta"]["nextCursor"])
    assert conflicts(site, kind="variation") == page["data"] + rest
    refused = site.get("/api/v1/conflicts?kind=duplicate")
    assert ("kind", "conflict or variation") == (
        refused.json["errors"][0]["parameter"],
        refused.json["errors"][0]["allowed"],
    )
    exported = site.get(
        "/api/v1/conflicts?kind=variation", headers={"Accept": "application/x-ndjson"}
    )
    assert conflicts(site, kind="variation") == [
        json.loads(line) for line in exported.text.splitlines()
    ]


SAME = {
    "dispatch time": FIRST | {"comciscotimestamp": 5},
    "source": FIRST | {"source": "/com/cisco/wxcc/sub-2"},
    "envelope": FIRST | {"time": "2026-01-01T00:00:00Z", "odd": {"a": [1]}},
    "fewer attributes": {
        name: FIRST[name] for name in ("data", "comciscoorgid", "type", "id")
    },
    "key order": {
        **dict(reversed(FIRST.items())), "data": dict(reversed(FIRST["data"].items()))
    },
    "white space": json.dumps(FIRST, indent=4).encode() + b"\r\n",
    "escapes": raw(FIRST).replace(b'"one"', rb'"\u006fne"'),
    "numbers": raw(FIRST).replace(b'"b": 1', b'"b": 1.0e0'),
    "repeated key": raw(FIRST).replace(b'"note"', b'"note": 5, "note"'),
    "encoding": json.dumps(FIRST).encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_what_only_delivers_otherwise_is_no_variation(site, other):
    """The envelope and the spelling of JSON differ between deliveries; nothing is kept of them."""
    site.post(FIRST)
    assert "duplicates" == outcome(site, other)
    assert [] == conflicts(site) == site.get("/api/v1/events/1").json["conflicts"]
    assert 1 == len(site.get("/api/v1/events/1").json["duplicates"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (0, False), (None, False), (1, "1"), ([1, 2], [2, 1]), ({}, []), ("", None),
        ({"a": None}, {}), ({"a": [1]}, {"a": [1, 1]}), (10**40, 10**40 + 1), (0.1, 0.2),
        ("\ud800", "\ufffd"), ("\0", ""), ("é", "e\u0301"),
    ],
)  # fmt: skip
def test_values_that_differ_as_json_are_variations(site, one, other):
    """As conflicts are told: true is no number, arrays keep their order, null is not absent."""
    site.post(with_data(FIRST, note=one))
    assert "duplicates" == outcome(site, with_data(FIRST, note=other))
    assert [["note"]] == [row["fields"] for row in conflicts(site)]


def test_a_field_that_is_null_is_not_an_absent_one(site):
    """Whichever came first."""
    null = with_data(FIRST, note=None)
    absent = {**FIRST, "data": {k: v for k, v in FIRST["data"].items() if k != "note"}}
    site.post([{**one, "id": "x"} for one in (null, absent)])
    site.post([{**one, "id": "y"} for one in (absent, null)])
    assert [["note"], ["note"]] == [row["fields"] for row in conflicts(site)]


def test_where_all_data_is_compared_there_is_no_variation(site):
    """Of other types every difference is a conflict; its names are told too."""
    first = body("flow:error", 0, id="e1", anything=1)
    site.post(first)
    assert "duplicates" == outcome(site, first | {"odd": 1})
    assert "conflicts" == outcome(site, with_data(first, anything=2, more=1))
    assert "conflicts" == outcome(site, first | {"data": [1]})
    assert [["anything", "more"], sorted(first["data"])] == [
        row["fields"] for row in conflicts(site)
    ]
    assert ["conflict"] * 2 == [row["kind"] for row in conflicts(site)]


def test_names_are_shown_whatever_they_are(site):
    """Empty, or with a NUL or a lone surrogate."""
    site.post(FIRST)
    site.post(with_data(FIRST, **{"": 1, "a\0": 1, "b\ud800": 1, "ü": 1}))
    (row,) = conflicts(site)
    assert ["", "a\ufffd", "b\ufffd", "ü"] == row["fields"]


@pytest.mark.parametrize("depth", [200, 252, 256, 290])
@pytest.mark.parametrize("kind", ["list", "object"])
def test_what_nests_deep_is_shown_whole(site, depth, kind):
    """As deep as is accepted: of an event, in the ledger and in both exports."""
    opening, closing = {"list": ("[", "]"), "object": ('{"a":', "}")}[kind]
    deep = opening * depth + '"\\u00e9"' + closing * depth
    first = raw(with_data(FIRST, note="DEEP")).replace(b'"DEEP"', deep.encode())
    other = first.replace(rb"\u00e9", b"e")
    assert ["appended", "duplicates"] == [outcome(site, it) for it in (first, other)]
    event = site.get("/api/v1/events/1")
    assert 200 == event.status_code
    assert json.loads(first) == event.json["parsed"]
    assert (first, other) == (
        base64.b64decode(event.json["body"]),
        base64.b64decode(event.json["conflicts"][0]["body"]),
    )
    assert json.loads(other) == event.json["conflicts"][0]["parsed"]
    (row,) = conflicts(site)
    assert (["note"], json.loads(other)["data"]) == (row["fields"], row["data"])
    (line,) = site.get(
        "/api/v1/conflicts", headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    assert row == json.loads(line)
    table = site.get("/api/v1/conflicts", headers={"Accept": "text/csv"}).text
    (cells,) = csv.DictReader(io.StringIO(table, newline=""))
    assert row["data"] == json.loads(cells["data"])


def test_a_number_that_no_float_holds_is_shown_as_null(site):
    """Deep or not, what is answered is JSON; the bytes keep the number."""
    for id_, depth in (("x", 1), ("y", 290)):
        first = raw(with_data(FIRST, note="DEEP") | {"id": id_})
        site.post(first.replace(b'"DEEP"', b"[" * depth + b"1e400" + b"]" * depth))
    for position in (1, 2):
        shown = site.get(f"/api/v1/events/{position}").text
        assert "Infinity" not in shown
        innermost = json.loads(shown)["parsed"]["data"]["note"]
        while isinstance(innermost, list):
            (innermost,) = innermost
        assert innermost is None


def test_the_ledger_shows_to_whom_the_event_is_shown(make_site):
    """Of a team's agents, and of the token's organisations."""
    tokens = [
        {"token": "team", "role": "viewer", "teamIds": ["team-1"]},
        {"token": "other", "role": "viewer", "orgIds": ["umbra"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens))
    ann, bob = story(login(0, "ann"), login(0, "bob", teamId="team-2"))
    site.post([ann, bob, with_data(ann, note=1), with_data(bob, note=1)])
    site.project()

    def seen(token: str) -> list[str]:
        headers = {"Authorization": f"Bearer {token}"}
        return [it["agentId"] for it in site.get("/api/v1/conflicts", headers=headers).json["data"]]

    assert (["ann"], []) == (seen("team"), seen("other"))


# --- verify ---


@pytest.fixture
def kept(site):
    """A variation and a conflict, folded."""
    site.post([FIRST, with_data(FIRST, note="two"), with_data(FIRST, teamId="else")])
    site.project()
    assert [] == verified(site)
    return site


KIND, COUNT = ("conflicts", "kind"), ("ledger_counts", "count")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE conflicts SET kind = 'variation'", {KIND, COUNT}),
        ("UPDATE conflicts SET kind = 'conflict'", {KIND, COUNT}),
        ("UPDATE conflicts SET sha256 = sha256('')", {("conflicts", "sha256")}),
        ("UPDATE conflicts SET body = e.state FROM events AS e", {("conflicts", "row")}),
        ("UPDATE conflicts SET body = 'x'", {("conflicts", "row")}),
        ("DELETE FROM conflicts WHERE kind = 'conflict'", {COUNT}),
        ("UPDATE ledger_counts SET count = count + 1 WHERE ledger = 'conflicts'", {COUNT}),
    ],
)  # fmt: skip
def test_verify_judges_the_ledger_again(kept, change, expected):
    """From the bodies: a kind, a digest or a body that is another one is a difference."""
    if "sha256('')" in change:
        change += " WHERE kind = 'variation'"  # two rows of one event cannot have one digest
    tamper(kept, change)
    assert expected == {*verified(kept)}


# --- the law ---


@pytest.fixture(scope="module")
def emptied(template, tmp_path_factory):
    clock = Clock()
    with erasable(template, tmp_path_factory.mktemp("variations"), clock=clock) as site:
        yield site, clock


unnamed = st.dictionaries(
    st.sampled_from(["note", "more", "Ä", "\0"]),
    st.sampled_from([None, 0, 1, 1.0, True, "x", [], [1], {"a": 1}, {"a": None}]),
)


@st.composite
def repeated(draw) -> list[Body]:
    """Noise, some of it again with other fields."""
    deliveries: list[Body] = []
    for one in draw(noisy_deliveries(max_size=8)):
        deliveries.append(one)
        if isinstance(one.get("data"), dict):
            for more in draw(st.lists(unnamed, max_size=3)):
                again = draw(retouched(one)) if draw(st.booleans()) else one
                deliveries.append(with_data(again, **more))
    return deliveries


@over_http
@given(data=st.data())
def test_the_ledger_is_that_of_the_page(emptied, data):
    """Kind, fields and deliveries of each distinct body, counts and verify, for any deliveries."""
    site, clock = emptied
    erase(site.url)
    clock.now = RECORDED
    oracle, expected = Oracle(), {}
    for one in data.draw(repeated()):
        sizes = len(oracle.conflicts), len(oracle.variations)
        counts = oracle.deliver(raw(one), RECORDED)
        assert counts == site.post(one).json
        for kind, events, size in zip(
            ("conflict", "variation"), (oracle.conflicts, oracle.variations), sizes, strict=True
        ):
            for event in events[size:]:
                position = next(
                    number for number, it in enumerate(oracle.accepted, 1) if it.key == event.key
                )
                fields = differing_names(oracle.accepted[position - 1], event)
                shown = tuple(sorted({name.replace("\0", "\ufffd") for name in fields}))
                key = (kind, position, shown, sha256(raw(one)))
                expected[key] = expected.get(key, 0) + 1
    found = {
        (row["kind"], row["position"], tuple(row["fields"]), row["sha256"]): row["deliveries"]
        for row in conflicts(site, limit=1000)
    }
    assert expected == found
    site.project()
    assert [] == verified(site)
