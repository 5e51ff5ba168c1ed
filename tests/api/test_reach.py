"""Reach: what a token of some teams may ask, route by route, and that no answer tells of others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from api.auth.authorization import Reach
from api.http.routing import ROUTES, Route
from tests.api.test_session import CHANGES, address_of
from tests.conftest import Site, clone, open_site
from tests.examples import ORG, at, login, task, v1

TOKENS = [
    {"token": "all", "role": "operator"},
    {"token": "org", "role": "operator", "orgIds": [ORG]},
    {"token": "team", "role": "operator", "teamIds": ["red"]},
]
# What needs more than a team's token, in full: whoever adds a route decides.
BEYOND_TEAMS = {
    ("get", "/api/v1/quarantine"): Reach.ORGANISATIONS,
    ("get", "/api/v1/quarantine/digest"): Reach.ORGANISATIONS,
    ("get", "/api/v1/quarantine/<id>"): Reach.ORGANISATIONS,
    ("get", "/api/v1/audit-trail"): Reach.EVERYTHING,
    ("post", "/api/v1/quarantine/<id>/retry"): Reach.EVERYTHING,
    ("post", "/api/v1/quarantine/<id>/release"): Reach.EVERYTHING,
    ("put", "/api/v1/names"): Reach.ORGANISATIONS,
    ("put", "/api/v1/thresholds"): Reach.EVERYTHING,
    ("delete", "/api/v1/thresholds"): Reach.EVERYTHING,
    ("get", "/api/v1/thresholds/changes"): Reach.EVERYTHING,
    ("post", "/api/v1/replays"): Reach.ORGANISATIONS,
    ("get", "/api/v1/replays"): Reach.ORGANISATIONS,
    ("get", "/api/v1/replays/<id>"): Reach.ORGANISATIONS,
    ("delete", "/api/v1/replays/<id>"): Reach.ORGANISATIONS,
    ("post", "/api/v1/reconciliations"): Reach.ORGANISATIONS,
    ("get", "/api/v1/reconciliations"): Reach.ORGANISATIONS,
    ("get", "/api/v1/reconciliations/<id>"): Reach.ORGANISATIONS,
    ("delete", "/api/v1/reconciliations/<id>"): Reach.ORGANISATIONS,
}
BOUNDED = {
    *("/api/v1/agents", "/api/v1/agents/<agent_id>", "/api/v1/tasks", "/api/v1/tasks/<task_id>"),
    *(
        f"/api/v1/{one}/{part}"
        for one in ("agents/<agent_id>", "tasks/<task_id>")
        for part in ("history", "events", "explain")
    ),
    *("/api/v1/agents/<agent_id>/timeline", "/api/v1/tasks/<task_id>/journey"),
    *("/api/v1/summary", "/api/v1/reports/adherence", "/api/v1/reports/queues"),
    *("/api/v1/reports/agents", "/api/v1/reports/differences"),
    *("/api/v1/anomalies", "/api/v1/corrections", "/api/v1/conflicts"),
    *("/api/v1/events", "/api/v1/events/digest", "/api/v1/events/<position>"),
    *(f"/api/v1/{ledger}/digest" for ledger in ("anomalies", "corrections", "conflicts", "names")),
    *(f"/api/v1/reports/{it}/digest" for it in ("adherence", "queues", "agents", "differences")),
    *("/api/v1/status", "/api/v1/stream", "/api/v1/session", "/api/v1/names", "/api/v1/alerts"),
    *("/api/v1/thresholds", "/api/v1/parked", "/api/v1/parked/retry", "/api/v1/parked/skip"),
}
NEEDED = {
    "/api/v1/agents/<agent_id>/timeline": f"?from={at(0)}&to={at(90_000)}",
    "/api/v1/reports/queues": f"?from={at(0)}&to={at(90_000)}",
    "/api/v1/reports/agents": f"?from={at(0)}&to={at(90_000)}",
    "/api/v1/reports/differences": (
        f"?report=agents&from={at(0)}&to={at(90_000)}&knownAt=1&knownAt=2000000000000"
    ),
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def site(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Ann of the red team, and Bob of another one, whose ids and words all have `blue` in them."""
    with open_site(
        clone(template),
        tmp_path_factory.mktemp("reach"),
        PROJECTOR_TOKENS=json.dumps(TOKENS),
        PROJECTOR_ALLOW_UNSIGNED="1",
    ) as site:
        yield filled(site)


def filled(site: Site) -> Site:
    bodies = [
        login(0, "ann", teamId="red"),
        v1(10_000, "ann", "connected", "t", teamId="red"),
        task(10_000, "t", "connected"),
        login(0, "blue-bob", teamId="blue"),
        v1(10_000, "blue-bob", "connected", "blue-task", teamId="blue", queueId="blue-queue"),
        task(10_000, "blue-task", "connected", queueId="blue-queue"),
        v1(5_000, "blue-bob", "idle", teamId="blue", idleCodeId="blue-code"),  # late
        v1(20_000, "blue-cid", "idle", teamId="blue"),  # an anomaly: there was no login
        task(0, "blue-waits", "parked", queueId="blue-queue"),
    ]
    for number, body in enumerate(bodies):
        name = "blue" if "blue" in json.dumps(body) else "red"
        assert 202 == site.post(body | {"id": f"{name}-{number}"}).status_code
        site.project()
    site.post(bodies[3] | {"id": "blue-3", "data": bodies[3]["data"] | {"profileType": "blue"}})
    site.post('"blue"')
    site.client.put(
        "/api/v1/names",
        json={"names": [{"orgId": ORG, "kind": "agent", "id": "blue-bob", "name": "blue"}]},
        headers=bearer("all"),
    )
    replay = {"agentIds": ["blue-bob"], "why": "blue"}
    site.client.post("/api/v1/replays", json=replay, headers=bearer("all"))
    return site


def test_every_route_has_its_reach() -> None:
    """In the one place where it is declared."""
    with_role = [it for it in ROUTES if it.role is not None]
    beyond = {(it.method, it.path): it.reach for it in with_role if it.reach is not Reach.TEAMS}
    assert BEYOND_TEAMS == beyond
    assert BOUNDED == {it.path for it in with_role if it.reach is Reach.TEAMS}


@pytest.mark.parametrize(
    "route", [it for it in ROUTES if it.role], ids=lambda it: f"{it.method} {it.path}"
)
def test_what_is_of_all_teams_is_refused_to_a_team(site: Site, route: Route) -> None:
    """Whether there is such a thing or not; what needs everything is refused to an organisation."""
    for id_ in ("1", "999"):
        url = address_of(route.method, route.path).replace("/1", f"/{id_}")
        url = url.replace("<agent_id>", "ann").replace("<task_id>", "t").replace("<position>", id_)
        url += NEEDED.get(route.path.removesuffix("/digest"), "")
        content = CHANGES.get((route.method, route.path))

        def asked(token: str) -> int:
            answer = site.client.open(
                url,  # noqa: B023 - it is called at once
                method=route.method,
                json=content,  # noqa: B023 - it is called at once
                headers=bearer(token) | {"Accept": "application/json"},
            )
            answer.close()
            return answer.status_code

        if route.reach is not Reach.TEAMS:
            assert 403 == asked("team"), url
        if route.reach is Reach.EVERYTHING:
            assert 403 == asked("org"), url
        if route.reach is Reach.TEAMS and route.method == "get" and id_ == "1":
            assert asked("team") == 200, url


@pytest.mark.parametrize(
    "route",
    [it for it in ROUTES if it.method == "get" and it.role and it.reach is Reach.TEAMS],
    ids=lambda it: it.path,
)
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_no_answer_tells_a_team_of_others(site: Site, route: Route, accept: str) -> None:
    """No id, no name and no word of another team; and all of it is there for who sees all."""
    urls = [
        route.path.replace("<agent_id>", agent).replace("<task_id>", task_).replace("<position>", n)
        + NEEDED.get(route.path.removesuffix("/digest"), "")
        for agent, task_ in (("ann", "t"), ("blue-bob", "blue-task"))
        for n in map(str, range(1, 11))
    ]
    told = False
    for url in dict.fromkeys(urls):
        for more in ("", "names=true") if "names" in route.query.model_fields else ("",):
            full = f"{url}{'&' if '?' in url else '?'}{more}" if more else url
            team, everyone = (text(site, full, token, accept) for token in ("team", "all"))
            told = told or "blue" in everyone.replace("blue-bob", "", 1)
            assert "blue" not in without(team, url), (full, team)
    silent = {"/api/v1/session", "/api/v1/status", "/api/v1/alerts", "/api/v1/thresholds"}
    silent |= {"/api/v1/parked", "/api/v1/summary", "/api/v1/stream"}
    is_silent = route.path in silent or "differences" in route.path or route.of_all_rows
    assert told or is_silent


def text(site: Site, url: str, token: str, accept: str) -> str:
    """The answer, of a stream the first part of it."""
    headers = bearer(token) | {"Accept": accept}
    with site.client.get(url, headers=headers) as answer:
        if answer.is_streamed and "event-stream" in answer.content_type:
            return str(next(iter(answer.response)))
        return answer.text


def without(said: str, url: str) -> str:
    """What was said, without the id that was asked for."""
    for id_ in ("blue-bob", "blue-task"):
        if id_ in url:
            said = said.replace(f"'{id_}'", "")
    return said
