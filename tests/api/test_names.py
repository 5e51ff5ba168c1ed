"""Names: an operator imports them, and answers have them where they are asked for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from projector.contract.names import NAME_KINDS
from projector.operations.names import NameEntry
from tests.conftest import Site, clone, open_site
from tests.examples import ORG, at, story, task, v1

TOKENS = [
    {"token": "operator", "role": "operator"},
    {"token": "viewer", "role": "viewer"},
    {"token": "red", "role": "viewer", "teamIds": ["red"]},
    {"token": "red-operator", "role": "operator", "teamIds": ["red"]},
    {"token": "other", "role": "operator", "orgIds": ["other"]},
]
TOLD = story(
    v1(0, "ann", "idle", teamId="red", idleCodeId="lunch"),
    v1(0, "bob", "available", teamId="blue"),
    task(1, "t", "parked", queueId="sales"),
    v1(2, "bob", "connected", "t", teamId="blue"),
)
NAMES = [
    {"orgId": ORG, "kind": "agent", "id": "ann", "name": "Ann Archer"},
    {"orgId": ORG, "kind": "agent", "id": "bob", "name": "Bob Baker"},
    {"orgId": ORG, "kind": "team", "id": "red", "name": "Red Team"},
    {"orgId": ORG, "kind": "team", "id": "blue", "name": "Blue Team"},
    {"orgId": ORG, "kind": "queue", "id": "sales", "name": "Sales"},
    {"orgId": ORG, "kind": "idleCode", "id": "lunch", "name": "Lunch"},
]


@pytest.fixture
def site(database_url: str, tmp_path: Any) -> Iterator[Site]:
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    with open_site(database_url, tmp_path, **settings) as opened:
        opened.post([*TOLD])
        opened.project()
        yield opened


@pytest.fixture(scope="module")
def named(template: str, tmp_path_factory: Any) -> Iterator[Site]:
    """A floor whose names are imported; only to be read."""
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    folder = tmp_path_factory.mktemp("names")
    with open_site(clone(template), folder, **settings) as opened:
        opened.post([*TOLD])
        opened.project()
        assert put(opened, NAMES).status_code == 200
        yield opened


def put(site: Site, names: Any, token: str = "operator", **more: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return site.client.put("/api/v1/names", json={"names": names, **more}, headers=headers)


def get(site: Site, path: str, token: str = "viewer", **query: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return site.client.get(f"/api/v1/{path}", query_string=query, headers=headers)


def known(site: Site, token: str = "viewer", **query: Any) -> dict[str, str]:
    return {it["id"]: it["name"] for it in get(site, "names", token, **query).json["data"]}


# --- the directory ---


def test_names_are_imported_changed_and_taken_back(site: Site) -> None:
    """Each import says what the operator calls some ids from now on; the others stay."""
    assert {"stored": 6, "removed": 0} == put(site, NAMES).json
    assert {"lunch": "Lunch"} == known(site, kind="idleCode")
    ann = NAMES[0] | {"name": "  Ann Ash "}
    assert {"stored": 1, "removed": 1} == put(site, [ann, NAMES[5] | {"name": " "}]).json
    assert {} == known(site, kind="idleCode")
    assert {"ann": "Ann Ash", "bob": "Bob Baker"} == known(site, kind="agent")


def test_the_longest_id_has_a_name(site: Site) -> None:
    """As long as ids of the log may be."""
    put(
        site,
        [{"orgId": "\U0001f600" * 128, "kind": "queue", "id": "\U0001f600" * 128, "name": "Q"}],
    )
    assert {"\U0001f600" * 128: "Q"} == known(site)


def test_a_row_tells_its_source_and_when(site: Site) -> None:
    put(site, NAMES[:1])
    (row,) = get(site, "names").json["data"]
    assert NAMES[0] | {"source": "import", "updatedTime": row["updatedTime"]} == row
    before = row["updatedTime"]
    put(site, NAMES[:1])
    assert before == get(site, "names").json["data"][0]["updatedTime"]


def test_the_operators_name_counts_before_the_vendors(site: Site) -> None:
    """And where it is taken back, the vendor's configuration counts, and then a row."""
    store = site.service.name_store
    for source, name in (("rows", "From a row"), ("configuration", "Configured")):
        store.keep(source, [NameEntry(org_id=ORG, kind="agent", id="ann", name=name)])
    put(site, NAMES[:1])
    shown = [known(site)["ann"]]
    put(site, [NAMES[0] | {"name": None}])
    shown.append(known(site)["ann"])
    store.keep("configuration", [NameEntry(org_id=ORG, kind="agent", id="ann", name=None)])
    shown.append(known(site)["ann"])
    assert ["Ann Archer", "Configured", "From a row"] == shown


def test_of_an_id_that_comes_twice_the_last_counts(site: Site) -> None:
    put(site, [NAMES[0], NAMES[0] | {"name": "Ann Ash"}])
    assert {"ann": "Ann Ash"} == known(site)


@pytest.mark.parametrize(
    "names",
    [
        None,
        {},
        [1],
        [{"kind": "agent", "id": "a"}],
        [{"kind": "agents", "id": "a", "name": "A"}],
        [{"kind": "agent", "id": "", "name": "A"}],
        [{"kind": "agent", "id": "a", "name": "A", "title": "B"}],
        [{"kind": "agent", "id": "a", "name": "A" * 501}],
        [{"kind": "agent", "id": "a\0", "name": "A"}],
        [{"orgId": ORG, "kind": "agent", "id": "ä" * 257, "name": "A"}],
        [{"orgId": "o" * 513, "kind": "agent", "id": "a", "name": "A"}],
        [{"kind": "agent", "id": "a", "name": "A\0"}],
        [{"kind": "agent", "id": "a", "name": "A\ud800"}],
        [{"kind": "agent", "id": "a", "name": "A"}],  # no organisation, and no default
        [NAMES[0]] * 10_001,
    ],
    ids=str,
)
def test_what_cannot_be_a_name_is_refused_whole(site: Site, names: Any) -> None:
    """The refusal says what a list of names is, and nothing of the import is kept."""
    offered = [NAMES[1], *names] if isinstance(names, list) else names
    answer = put(site, offered)
    assert 400 == answer.status_code
    (error,) = answer.json["errors"]
    assert "names" == error["parameter"]
    assert {} == known(site)


def test_a_refusal_shows_the_name_that_is_wrong(site: Site) -> None:
    """And not the thousands beside it."""
    wrong = NAMES[2] | {"kind": "squad"}
    (error,) = put(site, [*NAMES[:2], wrong, *NAMES[3:]]).json["errors"]
    assert wrong == json.loads(error["given"])


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
def test_a_body_that_nests_deep_is_refused(site: Site, depth: int) -> None:
    data = b'{"names":' + b"[" * depth + b"]" * depth + b"}"
    headers = {"Authorization": "Bearer operator"}
    for method, path in ((site.client.put, "names"), (site.client.post, "replays")):
        answer = method(f"/api/v1/{path}", data=data, headers=headers)
        assert 400 == answer.status_code, answer.text


def test_without_an_organisation_it_is_the_default_one(make_site: Any) -> None:
    site = make_site(PROJECTOR_TOKENS=json.dumps(TOKENS), PROJECTOR_DEFAULT_ORG_ID="home")
    put(site, [{"kind": "site", "id": "1", "name": "Berlin"}])
    assert ["home"] == [it["orgId"] for it in get(site, "names").json["data"]]


def test_only_operators_of_all_teams_and_of_the_organisation_import(site: Site) -> None:
    for token in ("viewer", "red-operator", "other"):
        assert 403 == put(site, NAMES, token).status_code
    assert 401 == put(site, NAMES, "nobody").status_code
    assert {} == known(site)


def test_a_viewer_of_a_team_sees_no_other_team(named: Site) -> None:
    """Queues and codes belong to all teams."""
    assert {"ann", "red", "sales", "lunch"} == known(named, "red").keys()
    assert 6 == len(known(named))
    assert {} == known(named, "other")
    names = get(named, "tasks", "viewer", names="true").json["names"]
    assert {"bob": "Bob Baker"} == names["agent"]


@pytest.mark.parametrize("kind", NAME_KINDS)
def test_names_are_filtered_by_kind(named: Site, kind: str) -> None:
    expected = {it["id"]: it["name"] for it in NAMES if it["kind"] == kind}
    assert expected == known(named, kind=kind)
    assert expected.keys() & {"ann"} == known(named, kind=kind, id="ann").keys()


def test_a_directory_has_pages_and_files(named: Site) -> None:
    first = get(named, "names", limit=4).json
    rest = get(named, "names", limit=4, cursor=first["meta"]["nextCursor"]).json
    assert (4, 2, None) == (len(first["data"]), len(rest["data"]), rest["meta"]["nextCursor"])
    lines = named.client.get(
        "/api/v1/names",
        headers={"Authorization": "Bearer viewer", "Accept": "application/x-ndjson"},
    ).data.splitlines()
    assert [*first["data"], *rest["data"]] == [json.loads(line) for line in lines]


# --- names in answers ---


def test_answers_have_names_only_where_they_are_asked_for(named: Site) -> None:
    for path in ("agents", "tasks", "agents/ann", "agents/ann/history", "events"):
        plain, with_names = get(named, path).json, get(named, path, names="true").json
        assert "names" not in plain
        assert plain == {field: it for field, it in with_names.items() if field != "names"}
        assert plain == get(named, path, names="false").json
        assert with_names["names"], path
    assert 400 == get(named, "agents", names="yes").status_code


def test_names_are_those_of_the_ids_in_the_answer(named: Site) -> None:
    assert {
        "agent": {"ann": "Ann Archer"},
        "team": {"red": "Red Team"},
        "idleCode": {"lunch": "Lunch"},
    } == get(named, "agents/ann", names="true").json["names"]
    assert {
        "agent": {"bob": "Bob Baker"},
        "queue": {"sales": "Sales"},
    } == get(named, "tasks/t", names="true").json["names"]


def test_the_names_in_an_answer_follow_the_scope(named: Site) -> None:
    """An event may carry the id of a team that the caller may not see."""
    names = get(named, "agents", "red", names="true").json["names"]
    assert {"agent": {"ann": "Ann Archer"}, "team": {"red": "Red Team"}} | {
        "idleCode": {"lunch": "Lunch"}
    } == names


def test_a_cursor_keeps_the_wish(named: Site) -> None:
    first = get(named, "agents", names="true", limit=1).json
    cursor = first["meta"]["nextCursor"]
    assert get(named, "agents", names="true", limit=1, cursor=cursor).json["names"]
    assert 400 == get(named, "agents", limit=1, cursor=cursor).status_code


def test_an_id_with_two_names_has_none(site: Site) -> None:
    """It is the id of two organisations, and the map has no organisation."""
    put(site, [NAMES[0], NAMES[0] | {"orgId": "other", "name": "Anna"}])
    assert {} == get(site, "agents/ann", names="true").json["names"]
    names = get(site, "agents/ann", names="true", orgId=ORG).json["names"]
    assert {"agent": {"ann": "Ann Archer"}} == names


def test_reports_and_their_files_have_names(named: Site) -> None:
    span = {"from": at(0), "to": at(60_000), "interval": "60000", "names": "true"}
    names = get(named, "reports/agents", **span).json["names"]
    assert "Lunch" == names["idleCode"]["lunch"]
    lines = file(named, "reports/agents", "application/x-ndjson", span).splitlines()
    by_agent = {row["agentId"]: row["names"] for row in map(json.loads, lines)}
    assert {"agent": {"ann": "Ann Archer"}, "team": {"red": "Red Team"}} | {
        "idleCode": {"lunch": "Lunch"}
    } == by_agent["ann"]
    rows = [*csv.DictReader(io.StringIO(file(named, "reports/agents", "text/csv", span)))]
    assert [("Ann Archer", "Red Team"), ("Bob Baker", "Blue Team")] == [
        (row["names.agentId"], row["names.teamId"]) for row in rows
    ]


def test_the_file_of_the_log_has_names(named: Site) -> None:
    text = file(named, "events", "text/csv", {"names": "true", "agentId": "bob"})
    assert {"Bob Baker"} == {row["names.agentId"] for row in csv.DictReader(io.StringIO(text))}
    plain = file(named, "events", "text/csv", {"agentId": "bob"})
    assert "names" not in plain.splitlines()[0]


def file(site: Site, path: str, content_type: str, query: dict[str, Any]) -> str:
    headers = {"Authorization": "Bearer viewer", "Accept": content_type}
    answer = site.client.get(f"/api/v1/{path}", query_string=query, headers=headers)
    assert 200 == answer.status_code, answer.text
    return answer.text


def test_a_changed_name_changes_no_view(site: Site) -> None:
    """Neither the log nor a fold knows it."""
    before = get(site, "agents").json, get(site, "status").json["head"]
    put(site, NAMES)
    site.project()
    assert before == (get(site, "agents").json, get(site, "status").json["head"])
