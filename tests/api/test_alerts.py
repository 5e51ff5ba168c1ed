"""Alerts: the agents and queues that are amber or red now, within the caller's scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from projector.operations.alerts.watch import AlertWatch
from tests.conftest import Site, open_site
from tests.examples import ORG, RECORDED, body, story, task, v1

MINUTE = 60_000
TOKENS = [
    {"token": "operator", "role": "operator"},
    {"token": "red", "role": "viewer", "teamIds": ["red"]},
    {"token": "other", "role": "viewer", "orgIds": ["other"]},
]
START = RECORDED - 60 * MINUTE  # when the story begins
NOON = START - 1_767_225_600_000  # the same, after dawn
# Ann is idle from 0 on, Bob is connected from 5 on, of the queue sales.
TOLD = story(
    v1(NOON, "ann", "idle", teamId="red"),
    v1(NOON, "bob", "available", teamId="blue"),
    v1(NOON + 5 * MINUTE, "bob", "connected", "t", teamId="blue", queueId="sales"),
    v1(NOON, "cid", "available", teamId="red"),
    v1(NOON, "dan", "idle", teamId="red") | {"comciscoorgid": "other"},
)


class Moments:
    """The clock of a site: it stands until a test sets it."""

    now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Moments:
    return Moments()


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Moments) -> Iterator[Site]:
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    with open_site(database_url, tmp_path, clock=clock, **settings) as opened:
        clock.now = START + 5 * MINUTE
        told(opened, *TOLD)
        yield opened


def told(site: Site, *bodies: Any) -> None:
    site.post([*bodies])
    site.project()


def ask(site: Site, token: str = "operator", **query: Any) -> Any:
    answer = site.client.get(
        "/api/v1/alerts", query_string=query, headers={"Authorization": f"Bearer {token}"}
    )
    assert 200 == answer.status_code, answer.text
    return answer.json


def brief(site: Site, token: str = "operator", **query: Any) -> list[tuple[Any, ...]]:
    return [
        (it["agentId"] or it["queueId"], it["status"] or it["measure"], it["level"])
        for it in ask(site, token, orgId=query.pop("orgId", ORG), **query)["data"]
    ]


def set_rules(site: Site, *rules: dict[str, Any]) -> None:
    headers = {"Authorization": "Bearer operator"}
    version = site.client.get("/api/v1/thresholds", headers=headers).json["meta"]["version"]
    answer = site.client.put(
        "/api/v1/thresholds",
        json={"rules": rules, "why": "test", "version": version},
        headers=headers,
    )
    assert 200 == answer.status_code, answer.text


def waits(count: int, *, moment: int = 0, queue: str | None = "sales", **more: Any) -> list[Any]:
    """Tasks that begin to wait, a minute apart."""
    more = more if queue is None else {"queueId": queue, **more}
    return [
        task(NOON + moment + n * MINUTE, f"{queue}{n}", "parked", **more) | {"id": f"{queue}-{n}"}
        for n in range(count)
    ]


def test_an_agent_is_amber_and_then_red(site: Site, clock: Moments) -> None:
    """Exactly when the limit is reached. The level began when it was reached."""
    found = {}
    for minute in (0, 14.999, 15, 29.999, 30):
        clock.now = START + round(minute * MINUTE)
        alerts = [it for it in ask(site, orgId=ORG)["data"] if it["agentId"] == "ann"]
        found[minute] = [(it["level"], it["since"] - START, it["value"]) for it in alerts]
    assert {
        0: [],
        14.999: [],
        15: [("amber", 15 * MINUTE, 15 * MINUTE)],
        29.999: [("amber", 15 * MINUTE, 29.999 * MINUTE)],
        30: [("red", 30 * MINUTE, 30 * MINUTE)],
    } == found


def test_a_row_says_everything(site: Site, clock: Moments) -> None:
    """Who, what, since when, how much, the limit, and the rule that counts."""
    clock.now = START + 26 * MINUTE
    alerts = ask(site, orgId=ORG)
    assert {"amber": 2, "red": 0} == alerts["meta"]["levels"]
    assert {"pending": 0, "failed": 0} == alerts["meta"]["posts"]
    assert {
        "level": "amber",
        "subject": "agent",
        "orgId": ORG,
        "agentId": "bob",
        "teamId": "blue",
        "queueId": "sales",
        "channelType": None,
        "status": "connected",
        "measure": None,
        "since": START + 25 * MINUTE,
        "value": 21 * MINUTE,
        "limit": 20 * MINUTE,
        "rule": {
            "subject": "agent",
            "status": "connected",
            "orgId": None,
            "teamId": None,
            "queueId": None,
            "amberMs": 20 * MINUTE,
            "redMs": 40 * MINUTE,
            "source": "default",
        },
    } == alerts["data"][1]


def test_red_comes_first_then_the_oldest(site: Site, clock: Moments) -> None:
    clock.now = START + 32 * MINUTE
    assert [("ann", "idle", "red"), ("bob", "connected", "amber")] == brief(site)
    clock.now = START + 50 * MINUTE
    assert [("ann", "idle", "red"), ("bob", "connected", "red")] == brief(site)


def test_filters(site: Site, clock: Moments) -> None:
    """The counts are of all levels, whichever is asked for."""
    clock.now = START + 32 * MINUTE
    told(site, *waits(1))
    ann, bob = ("ann", "idle", "red"), ("bob", "connected", "amber")
    sales = ("sales", "longestWaitMs", "red")
    assert [sales, ann] == brief(site, level="red")
    assert [bob] == brief(site, level="amber")
    assert [sales, ann, bob] == brief(site, level=["amber", "red"])
    assert [sales, bob] == brief(site, queueId="sales")
    assert [ann] == brief(site, teamId="red")
    assert [bob] == brief(site, teamId=["blue", "none"])
    assert [] == brief(site, queueId="a\0b")
    assert [("dan", "idle", "red")] == brief(site, orgId="other")
    meta = ask(site, orgId=ORG, level="amber")["meta"]
    assert {"count": 1, "levels": {"amber": 1, "red": 2}} == {
        name: meta[name] for name in ("count", "levels")
    }


@pytest.mark.parametrize("query", [{"level": "green"}, {"cursor": "x"}, {"status": "idle"}])
def test_other_parameters_are_refused(site: Site, query: Any) -> None:
    answer = site.client.get(
        "/api/v1/alerts", query_string=query, headers={"Authorization": "Bearer operator"}
    )
    assert 400 == answer.status_code


def test_a_token_of_a_team_sees_its_own_agents(site: Site, clock: Moments) -> None:
    """In every organisation of the token; others see other organisations' alone."""
    clock.now = START + 50 * MINUTE
    seen = {
        token: [it["agentId"] for it in ask(site, token)["data"]]
        for token in ("operator", "red", "other")
    }
    assert {"operator": ["ann", "dan", "bob"], "red": ["ann", "dan"], "other": ["dan"]} == seen
    assert [] == brief(site, "red", teamId="blue")
    headers = {"Authorization": "Bearer other"}
    refused = site.client.get(f"/api/v1/alerts?orgId={ORG}", headers=headers)
    assert 403 == refused.status_code


def test_a_caller_counts_the_posts_of_their_scope(site: Site, clock: Moments) -> None:
    """In the list and in the status: those of a team's agents, those of an organisation."""
    told(site, *waits(6))
    clock.now = START + 40 * MINUTE
    AlertWatch(site.service.pool, site.service.alerts, clock=clock).check()
    with psycopg.connect(site.url) as connection:
        connection.execute(
            "UPDATE projector.alert_posts SET failed_time = 1"
            " WHERE body::json->'data'->>'agentId' = 'bob'"
        )
    posts = {token: ask(site, token)["meta"]["posts"] for token in ("operator", "red", "other")}
    assert {
        "operator": {"pending": 4, "failed": 1},
        "red": {"pending": 2, "failed": 0},
        "other": {"pending": 1, "failed": 0},
    } == posts
    for token, counted in posts.items():
        headers = {"Authorization": f"Bearer {token}"}
        status = site.client.get("/api/v1/status", headers=headers).json
        assert counted == status["alertPosts"]


def test_a_token_of_a_team_sees_the_waits_in_which_its_agents_take_part(
    site: Site, clock: Moments
) -> None:
    """As in the summary and the list of tasks: not the whole queue."""
    told(
        site,
        *waits(6),
        *story(
            v1(NOON + 7 * MINUTE, "cid", "ringing", "sales3", teamId="red", queueId="sales")
            | {"id": "offer"},
            v1(NOON + 8 * MINUTE, "cid", "available", teamId="red") | {"id": "free"},
        ),
    )
    clock.now = START + 10 * MINUTE
    waiting = {
        token: [
            (it["measure"], it["level"], it["value"], it["since"] - START)
            for it in ask(site, token)["data"]
            if it["subject"] == "queue"
        ]
        for token in ("operator", "red")
    }
    assert {
        "operator": [
            ("longestWaitMs", "red", 10 * MINUTE, 3 * MINUTE),
            ("waiting", "amber", 6, 4 * MINUTE),
        ],
        "red": [("longestWaitMs", "red", 7 * MINUTE, 6 * MINUTE)],
    } == waiting


def test_a_queue_is_amber_and_red_by_its_longest_wait(site: Site, clock: Moments) -> None:
    """Exactly at the limit; when nobody waits any more, the alert is over."""
    told(site, *waits(1))
    levels = {}
    for seconds in (59, 60, 179, 180):
        clock.now = START + seconds * 1_000
        levels[seconds] = brief(site, queueId="sales")
    amber, red = ("sales", "longestWaitMs", "amber"), ("sales", "longestWaitMs", "red")
    assert {59: [], 60: [amber], 179: [amber], 180: [red]} == levels
    told(site, task(NOON + 4 * MINUTE, "sales0", "connected", queueId="sales") | {"id": "taken"})
    clock.now = START + 5 * MINUTE
    assert [] == brief(site, queueId="sales")


def test_a_queue_is_amber_and_red_by_how_many_wait(site: Site, clock: Moments) -> None:
    """The level began when so many waited."""
    set_rules(
        site,
        {"subject": "queue", "measure": "longestWaitMs", "channelType": "telephony"},
        {"subject": "queue", "measure": "waiting", "queueId": "sales", "amber": 2, "red": 3},
    )
    told(site, *waits(1))
    clock.now = START + 9 * MINUTE
    assert [] == brief(site, queueId="sales")
    told(site, *waits(2)[1:])
    assert [("sales", "waiting", "amber")] == brief(site, queueId="sales")
    told(site, *waits(4)[2:])
    (row,) = ask(site, queueId="sales")["data"]
    assert ("red", START + 2 * MINUTE, 4, 3) == tuple(
        row[name] for name in ("level", "since", "value", "limit")
    )


def test_queues_are_told_apart_by_channel_type(site: Site, clock: Moments) -> None:
    """E-mails wait for hours, and a type that no rule is for has no alert."""
    told(
        site,
        *waits(1, queue="mail", channelType="email"),
        *waits(1, queue="form", channelType="workItem"),
        *waits(1, queue="talk", channelType="CHAT"),
    )
    clock.now = START + 3 * MINUTE
    assert [("talk", "longestWaitMs", "amber")] == brief(site)
    set_rules(site, {"subject": "queue", "measure": "longestWaitMs", "queueId": "form", "red": 1})
    assert ("form", "longestWaitMs", "red") in brief(site)


def test_a_wait_without_a_queue_is_shown(site: Site, clock: Moments) -> None:
    told(site, *waits(1, queue=None))
    clock.now = START + 2 * MINUTE
    (row,) = ask(site, orgId=ORG)["data"]
    assert (None, "longestWaitMs") == (row["queueId"], row["measure"])


def test_the_most_specific_rule_counts(site: Site, clock: Moments) -> None:
    """A rule without limits takes back what a more general one says."""
    clock.now = START + 31 * MINUTE
    set_rules(
        site,
        {"subject": "agent", "status": "idle", "teamId": "red"},
        {"subject": "agent", "status": "connected", "queueId": "sales", "amberMs": 0, "redMs": 1},
    )
    assert [("bob", "connected", "red")] == brief(site)
    (row,) = ask(site, orgId=ORG)["data"]
    assert ("operator", "sales") == (row["rule"]["source"], row["rule"]["queueId"])


def test_a_status_without_a_rule_has_no_alert(site: Site, clock: Moments) -> None:
    """Nobody is alarmed by an agent who is available."""
    clock.now = START + 10**9
    assert "cid" not in {it["agentId"] for it in ask(site)["data"]}


def test_the_passing_of_time_is_applied(site: Site, clock: Moments) -> None:
    """Whoever rings without news for five minutes does not ring any more."""
    told(site, v1(NOON + MINUTE, "cid", "ringing", "r", teamId="red") | {"id": "rings"})
    found = {}
    for minute in (2, 5.9, 6, 20):
        clock.now = START + round(minute * MINUTE)
        found[minute] = [it for it in brief(site) if it[0] == "cid"]
    rings = [("cid", "ringing", "red")]
    assert {2: rings, 5.9: rings, 6: [], 20: []} == found


def test_what_follows_a_deadline_has_its_own_time(site: Site, clock: Moments) -> None:
    """An agent whose wrap-up time ends is in the state before it, since that deadline."""
    told(
        site,
        *story(
            v1(NOON, "eve", "idle", teamId="red") | {"id": "e-idle"},
            v1(NOON + MINUTE, "eve", "ringing", "r", teamId="red") | {"id": "e-rings"},
        ),
    )
    clock.now = START + 7 * MINUTE
    shown = site.get("/api/v1/agents/eve").json
    set_rules(site, {"subject": "agent", "status": shown["status"], "teamId": "red", "amberMs": 1})
    (row,) = [it for it in ask(site, orgId=ORG)["data"] if it["agentId"] == "eve"]
    assert (shown["status"], shown["statusSince"] + 1) == (row["status"], row["since"])
    assert START + 6 * MINUTE == shown["statusSince"]


def test_a_long_word_is_a_status_like_others(site: Site, clock: Moments) -> None:
    """It has no rule, and hides no other alert."""
    told(site, v1(NOON, "long", "x" * 600_000, teamId="red") | {"id": "long"})
    clock.now = START + 16 * MINUTE
    assert ("ann", "idle", "amber") in brief(site)


def test_names(site: Site, clock: Moments) -> None:
    """Those of agents, teams and queues, where they are asked for."""
    headers = {"Authorization": "Bearer operator"}
    ann = {"orgId": ORG, "kind": "agent", "id": "ann", "name": "Ann Archer"}
    red = {"orgId": ORG, "kind": "team", "id": "red", "name": "Red Team"}
    site.client.put("/api/v1/names", json={"names": [ann, red]}, headers=headers)
    clock.now = START + 16 * MINUTE
    answer = ask(site, orgId=ORG, names="true")
    assert {"agent": {"ann": "Ann Archer"}, "team": {"red": "Red Team"}} == answer["names"]
    assert "names" not in ask(site, orgId=ORG)


def test_metrics_count_alerts(site: Site, clock: Moments) -> None:
    """Of all organisations, and posts by what became of them."""
    clock.now = START + 31 * MINUTE
    text = site.client.get("/metrics").text
    for line in (
        'projector_alerts{level="amber"} 1.0',
        'projector_alerts{level="red"} 2.0',
        'projector_alert_posts{state="pending"} 0.0',
        'projector_alert_posts{state="failed"} 0.0',
    ):
        assert line in text


def test_read_models_of_another_fold_are_not_read(site: Site) -> None:
    """503 for alerts; the metrics do without them."""
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("UPDATE projector.projections SET fold_version = 0")
    headers = {"Authorization": "Bearer operator"}
    assert 503 == site.client.get("/api/v1/alerts", headers=headers).status_code
    text = site.client.get("/metrics").text
    assert "projector_alerts{" not in text
    assert "projector_alert_posts{" in text


def test_an_agent_without_a_first_word_has_no_alert(site: Site, clock: Moments) -> None:
    told(site, body("agent:login", NOON, agentId="bare") | {"id": "bare"})
    clock.now = START + MINUTE
    assert [] == brief(site)
