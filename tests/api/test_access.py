"""Access: who may read what, by role, organisation and team."""

import json

import pytest

from api import create_app
from projector.bootstrap.service import build_service
from projector.infrastructure.settings import read_settings
from tests.conftest import Site
from tests.examples import at, login, task, v1

TOKENS = [
    {"token": "all", "role": "operator"},
    {"token": "viewer", "role": "viewer"},
    {"token": "auditor", "role": "auditor", "orgIds": None, "teamIds": None},
    {"token": "acme", "role": "viewer", "orgIds": ["acme"]},
    {"token": "both", "role": "viewer", "orgIds": ["acme", "beta"]},
    {"token": "elsewhere", "role": "viewer", "orgIds": ["gamma"]},
    {"token": "no-org", "role": "viewer", "orgIds": []},
    {"token": "team-1", "role": "viewer", "teamIds": ["team-1"]},
    {"token": "teams", "role": "viewer", "teamIds": ["team-1", "team-2"]},
    {"token": "no-team", "role": "operator", "teamIds": []},
    {"token": "beta-1", "role": "viewer", "orgIds": ["beta"], "teamIds": ["team-1"]},
]
READS = (
    "/api/v1/agents",
    "/api/v1/agents/a1",
    "/api/v1/agents/a1/history",
    "/api/v1/agents/a1/timeline?from=0&to=1",
    "/api/v1/tasks",
    "/api/v1/tasks/t1",
    "/api/v1/tasks/t1/history",
    "/api/v1/tasks/t1/journey",
    "/api/v1/reports/adherence",
    "/api/v1/status",
)
OPEN = ("/healthz", "/readyz", "/openapi.json")


@pytest.fixture
def floor(make_site):
    """Agents a1 (team-1), a2 (team-2), a3 (none), their tasks, a waiting one, and beta's."""
    site = make_site(PROJECTOR_TOKENS=json.dumps(TOKENS))
    bodies = [
        login(0, "a1"),
        login(0, "a2", teamId="team-2"),
        login(0, "a3", teamId=None),
        login(0, "same"),
        login(0, "same") | {"comciscoorgid": "beta"},
        login(0, "b1") | {"comciscoorgid": "beta"},
        v1(5, "a1", "Connected", "t1"),
        v1(5, "a2", "Connected", "t2"),
        v1(6, "a1", "Consulting", "t12"),
        v1(7, "a2", "Consulting", "t12"),
        v1(8, "b1", "Connected", "tb") | {"comciscoorgid": "beta"},
        # In acme b1 has no team: that beta's has one lends no right.
        v1(9, "b1", "Connected", "stranger"),
        task(5, "waiting", "parked"),
    ]
    answer = site.post([one | {"id": f"e{n}"} for n, one in enumerate(bodies)])
    assert len(bodies) == answer.json["appended"]
    site.project()
    return site


def ask(site, token, path, **kwargs):
    headers = {"Authorization": f"Bearer {token}"}
    return site.client.get(path, headers=headers, **kwargs)


def ids(site, token, list_, **query):
    answer = ask(site, token, f"/api/v1/{list_}", query_string=query)
    assert 200 == answer.status_code, answer.text
    return [view[f"{list_[:-1]}Id"] for view in answer.json["data"]]


def status(site, token, path, **kwargs):
    answer = ask(site, token, path, **kwargs)
    if answer.status_code >= 400:
        assert "application/problem+json" == answer.content_type
        assert answer.status_code == answer.json["status"]
    return answer.status_code


def test_no_or_a_wrong_token_reads_nothing(floor):
    """401 with a challenge, on every read; a token must be given whole and as a bearer's."""
    wrong = (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer al"},
        {"Authorization": "Bearer alll"},
        {"Authorization": "Bearer ALL"},
        {"Authorization": "Bearer all all"},
        {"Authorization": "Bearer \u00e9\u00ff"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"Authorization": "Basic all"},
        {"Authorization": "Basic YWxsOmFsbA=="},
        {"Authorization": "all"},
        {"X-Token": "all"},
        {"Cookie": "projector-session-80=wrong"},
        {"Cookie": "projector-session-80=all"},
        {"Cookie": "projector-session-80="},
        {"Cookie": "other=all"},
        {"Cookie": 'projector-session-80="\\377"'},
    )
    for path in READS:
        for headers in wrong:
            answer = floor.client.get(path, headers=headers)
            assert (401, "application/problem+json") == (answer.status_code, answer.content_type)
            assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_a_token_in_the_address_is_no_token(floor):
    """An unknown parameter: 400, since validation precedes."""
    assert 400 == floor.client.get("/api/v1/agents?token=all").status_code


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_any_role_reads_the_floor(floor, scheme):
    """viewer, auditor and operator read every route of the floor; the scheme has no case."""
    for token in ("viewer", "auditor", "all"):
        for path in READS:
            answer = floor.client.get(path, headers={"Authorization": f"{scheme} {token}"})
            assert 200 == answer.status_code, (token, path)


def test_some_routes_are_always_open(floor):
    """Life, readiness and the document need no token, and mind no wrong one."""
    for path in OPEN:
        assert 200 == floor.client.get(path).status_code
        assert 200 == status(floor, "wrong", path)


def test_lists_are_filtered_by_organisation(floor):
    """A caller sees the organisations of the token, and asks for some of them by orgId."""
    assert ["a1", "a2", "a3", "b1", "same", "b1", "same"] == ids(floor, "all", "agents")
    assert ["a1", "a2", "a3", "b1", "same"] == ids(floor, "acme", "agents")
    assert ["b1", "same"] == ids(floor, "all", "agents", orgId="beta")
    assert ids(floor, "all", "agents") == ids(floor, "both", "agents")
    assert ids(floor, "all", "agents") == ids(floor, "all", "agents", orgId=["beta", "acme"])
    assert [] == ids(floor, "elsewhere", "agents")
    assert [] == ids(floor, "no-org", "agents")
    assert ["tb"] == ids(floor, "both", "tasks", orgId="beta")
    assert [] == ids(floor, "all", "agents", orgId="gamma")


def test_organisations_that_a_token_does_not_cover_are_refused(floor):
    """403 on every read, even if another one asked for is covered."""
    for path in READS[:-1]:
        of = f"{path}{'&' if '?' in path else '?'}orgId="
        assert 403 == status(floor, "acme", f"{of}beta")
        assert 403 == status(floor, "acme", f"{of}acme&orgId=beta")
        assert 403 == status(floor, "no-org", f"{of}acme")
        assert 200 == status(floor, "acme", f"{of}acme")


def test_a_subject_is_looked_up_in_the_organisations_of_the_token(floor):
    """One of two is found without orgId by who sees only one; elsewhere it is not known."""
    assert 409 == status(floor, "both", "/api/v1/agents/same")
    assert 409 == status(floor, "both", "/api/v1/agents/same/history")
    named = ask(floor, "both", "/api/v1/agents/same").json["detail"]
    assert [True, True] == ["acme" in named, "beta" in named]
    assert 200 == status(floor, "acme", "/api/v1/agents/same")
    assert 200 == status(floor, "both", "/api/v1/agents/same", query_string={"orgId": "beta"})
    assert 404 == status(floor, "elsewhere", "/api/v1/agents/same")
    assert 404 == status(floor, "acme", "/api/v1/agents/b-unknown")
    assert 404 == status(floor, "acme", "/api/v1/tasks/tb")
    assert 404 == status(floor, "no-org", "/api/v1/tasks/t1")
    answer = ask(floor, "both", "/api/v1/agents/same", query_string={"orgId": "beta"})
    assert "beta" == answer.json["orgId"]


def test_lists_are_filtered_by_team(floor):
    """A token with teamIds sees these teams' agents, and the tasks in which one takes part."""
    assert ["a1", "same", "b1", "same"] == ids(floor, "team-1", "agents")
    assert ["a1", "a2", "same", "b1", "same"] == ids(floor, "teams", "agents")
    assert ["b1", "same"] == ids(floor, "beta-1", "agents")
    assert [] == ids(floor, "no-team", "agents")
    assert ["t1", "t12", "tb"] == ids(floor, "team-1", "tasks")
    assert ["t1", "t12", "t2", "tb"] == ids(floor, "teams", "tasks")
    assert [] == ids(floor, "no-team", "tasks")
    assert [] == ids(floor, "team-1", "agents", teamId="team-2")
    assert ["t12"] == ids(floor, "team-1", "tasks", agentId="a2")


def test_single_subjects_outside_the_teams_are_refused(floor):
    """403 for one of other teams or of none, and alike for one that there is not."""
    for path, expected in {
        "agents/a1": 200,
        "agents/a2": 403,
        "agents/a3": 403,
        "agents/none": 403,
        "tasks/t1": 200,
        "tasks/t12": 200,
        "tasks/t2": 403,
        "tasks/waiting": 403,
        "tasks/stranger": 403,
        "tasks/none": 403,
    }.items():
        assert expected == status(floor, "team-1", f"/api/v1/{path}"), path
        assert expected == status(floor, "team-1", f"/api/v1/{path}/history"), path
        if path.startswith("agents/"):
            window = f"from={at(0)}&to={at(1)}"
            assert expected == status(floor, "team-1", f"/api/v1/{path}/timeline?{window}"), path
        if path.startswith("tasks/"):
            assert expected == status(floor, "team-1", f"/api/v1/{path}/journey"), path


def test_a_refusal_does_not_tell_what_other_teams_have(floor):
    """The same words for a subject of another team, of another organisation, and for none."""
    for kind, ids_ in (("agent", ("a2", "none", "later")), ("task", ("t2", "none", "later"))):
        answers = [
            ask(floor, token, f"/api/v1/{kind}s/{id_}{rest}").json["detail"].replace(id_, "")
            for token in ("team-1", "beta-1")
            for id_ in ids_
            for rest in ("", "?orgId=beta", "?at=1", "/history", "/events", "/explain")
        ]
        assert {f"The token's teams take part in no {kind} ''."} == {*answers}


def test_organisations_where_the_teams_take_no_part_are_not_told(floor):
    """Of two agents of one id the one of the team is found; without any it is as one unknown."""
    elsewhere = login(1, "same", teamId="team-2") | {"comciscoorgid": "beta", "id": "moved"}
    floor.post(elsewhere)
    floor.project()
    found = ask(floor, "team-1", "/api/v1/agents/same")
    assert (200, "acme") == (found.status_code, found.json["orgId"])
    assert 409 == status(floor, "teams", "/api/v1/agents/same")
    assert 403 == status(floor, "no-team", "/api/v1/agents/same")


def test_the_team_is_the_one_of_now(floor):
    """Who moves to another team is seen by that team from then on."""
    floor.post(v1(60, "a1", "Idle", teamId="team-2") | {"id": "moved"})
    floor.project()
    assert 403 == status(floor, "team-1", "/api/v1/agents/a1")
    assert 403 == status(floor, "team-1", "/api/v1/tasks/t1")
    assert "a1" not in ids(floor, "team-1", "agents")


def test_pages_of_a_scoped_list_are_full(floor):
    """limit counts what the caller sees, and the cursor goes on behind it."""
    first = ask(floor, "team-1", "/api/v1/agents?limit=1").json
    second = ask(
        floor,
        "team-1",
        "/api/v1/agents",
        query_string={"limit": 3, "cursor": first["meta"]["nextCursor"]},
    ).json
    seen = [view["agentId"] for view in first["data"] + second["data"]]
    assert (["a1", "same", "b1", "same"], None) == (seen, second["meta"]["nextCursor"])


def test_a_cursor_grants_nothing(floor):
    """A cursor of a caller who sees all shows another only what is theirs."""
    cursor = ask(floor, "all", "/api/v1/agents?limit=1").json["meta"]["nextCursor"]
    assert ["b1", "same"] == ids(floor, "beta-1", "agents", cursor=cursor)


def test_without_tokens_the_local_operator_has_one(site):
    """On loopback one operator token is made at first start and kept for the next."""
    assert 200 == site.get("/api/v1/agents").status_code
    kept = site.service.settings.data_dir / "operator-token"
    assert f"Bearer {kept.read_text()}" == site.headers["Authorization"]
    assert "600" == oct(kept.stat().st_mode)[-3:]
    again = build_service(site.service.settings, site.url)
    try:
        assert again.tokens.find(kept.read_text()) is not None
    finally:
        again.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])
def test_without_tokens_nobody_reads_from_elsewhere(database_url, tmp_path, host):
    """Not on loopback: no token is made, every read is 401, what is open stays so."""
    settings = read_settings({"PROJECTOR_DATA_DIR": str(tmp_path), "HOST": host})
    service = build_service(settings, database_url)
    site = Site(
        url=database_url, service=service, client=create_app(service).test_client(), headers={}
    )
    try:
        for path in READS:
            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
                assert 401 == site.client.get(path, headers=headers).status_code
        for path in OPEN:
            assert 200 == site.client.get(path).status_code
        assert not (tmp_path / "operator-token").exists()
    finally:
        service.close()


def test_configured_tokens_replace_the_local_one(floor):
    """Where tokens are configured no other is made."""
    assert not (floor.service.settings.data_dir / "operator-token").exists()
