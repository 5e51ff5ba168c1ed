"""What the routes tell of organisations that a caller does not see, and the headers of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.http.routing import ROUTES
from api.pages.shell import static_digest
from api.resources.metrics import escaped
from projector.infrastructure.clock import HOUR_MS
from projector.infrastructure.database import connect
from projector.infrastructure.settings import read_settings
from tests.conftest import Site, open_site
from tests.examples import ORG, login, v1
from tests.integration.driving import Clock

NOW = 1_790_000_000_000
TOKENS = [
    {"token": "all", "role": "viewer"},
    {"token": "ours", "role": "viewer", "orgIds": [ORG]},
    {"token": "theirs", "role": "viewer", "orgIds": ["umbra"]},
    {"token": "both", "role": "viewer", "orgIds": [ORG, "umbra"]},
    {"token": "none", "role": "viewer", "orgIds": []},
    {"token": "team", "role": "operator", "teamIds": ["team-1"]},
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(database_url: str, folder: Path, clock: Clock, **settings: str) -> Any:
    return open_site(
        database_url,
        folder,
        clock=clock,
        PROJECTOR_TOKENS=json.dumps(TOKENS),
        PROJECTOR_ALLOW_UNSIGNED="1",
        PROJECTOR_WEBEX_ORG_ID=ORG,
        **settings,
    )


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Site]:
    """Our organisation keeps `sub-own` at the vendor; `sub-x` has fallen silent."""
    with opened(database_url, tmp_path, clock) as site:
        fill(site, clock)
        yield site


def fill(site: Site, clock: Clock) -> None:
    for hour in range(1, 25):
        clock.now = NOW - hour * HOUR_MS
        for _ in range(20):
            site.service.monitor.count(["sub-own", "sub-x"])
    clock.now = NOW
    site.service.monitor.count(["sub-own", "sub-x"])
    clock.now = NOW + HOUR_MS
    with connect(site.url) as connection:
        connection.execute(
            "INSERT INTO subscriptions (id, name, resource_version, status, checked_time)"
            " VALUES ('sub-own', 'ours', 'v1', 'active', 1)"
        )
    bodies = [
        login(0, "ann") | {"id": "e1"},
        v1(2_000, "bob", "idle") | {"id": "e2"},
        login(0, "eve") | {"id": "e3", "comciscoorgid": "umbra"},
        v1(2_000, "eve", "connected", "t") | {"id": "e4", "comciscoorgid": "umbra"},
        login(3_000, "eve") | {"id": "e5", "comciscoorgid": "umbra"},
    ]
    for body in bodies:
        assert 202 == site.post(body).status_code
        site.project()
    site.post(bodies[0])
    site.post(login(0, "ann", teamId="else") | {"id": "e1"})
    site.post(bodies[2])
    site.post(bodies[2])
    site.post({**v1(1_000, "eve", "available"), "id": "e6", "comciscoorgid": "umbra"})  # late
    site.post("no json")
    site.project()


# --- the status ---


def test_the_status_has_the_subscriptions_of_the_tokens_organisations(site: Site) -> None:
    """Whose one is that the service does not keep itself is not known: all is needed to see it."""

    def seen(token: str) -> list[str]:
        status = site.client.get("/api/v1/status", headers=bearer(token)).json
        return [it["id"] for it in status["subscriptions"]]

    assert ["sub-1", "sub-own", "sub-x"] == seen("all") == seen("team")
    assert ["sub-own"] == seen("ours") == seen("both")
    assert [] == seen("theirs") == seen("none")


def test_the_status_counts_the_ledgers_of_the_tokens_organisations(site: Site) -> None:
    """Those of all organisations add up to the whole, but for bodies that are of none."""

    def sizes(token: str) -> dict[str, int]:
        found: dict[str, int] = site.client.get("/api/v1/status", headers=bearer(token)).json[
            "ledgers"
        ]
        return found

    whole = sizes("all")
    parts = {token: sizes(token) for token in ("ours", "theirs", "both", "none")}
    assert (1, 2) == (parts["ours"]["duplicates"], parts["theirs"]["duplicates"])
    assert (1, 0) == (parts["ours"]["conflicts"], parts["theirs"]["conflicts"])
    assert {0} == {*parts["none"].values()}
    assert whole | {"quarantine": 0} == parts["both"]
    assert {name: parts["ours"][name] + parts["theirs"][name] for name in whole} == parts["both"]
    assert min(whole.values()) > 0
    for token in ("ours", "theirs"):
        for ledger in ("corrections", "anomalies"):
            rows = site.client.get(f"/api/v1/{ledger}", headers=bearer(token)).json["data"]
            assert len(rows) == parts[token][ledger], (token, ledger)


def test_the_status_counts_the_parked_subjects_of_the_tokens_organisations(site: Site) -> None:
    """Of a projection, how far it is concerns everybody."""
    with connect(site.url) as connection:
        connection.execute(
            "INSERT INTO parked (kind, org_id, id, bucket, position, event_position, cause,"
            " parked_time) VALUES ('agents', 'umbra', 'eve', 0, 1, 1, '', 1)"
        )

    def parked(token: str) -> list[int]:
        status = site.client.get("/api/v1/status", headers=bearer(token)).json
        return [it["parked"] for it in status["projections"]]

    assert ([1], [0], [1]) == (parked("all"), parked("ours"), parked("theirs"))


# --- what is open ---


@pytest.mark.parametrize(
    ("token", "names"),
    [(None, False), ("all", True), ("ours", False), ("team", False), ("unknown", False)],
)
def test_open_routes_name_subscriptions_to_who_sees_all(
    site: Site, token: str | None, names: object
) -> None:
    """To everybody else they tell how many there are."""
    headers = {} if token is None else bearer(token)
    ready, metrics = (site.client.get(path, headers=headers) for path in ("/readyz", "/metrics"))
    assert (200, 200) == (ready.status_code, metrics.status_code)
    assert names == ("sub-" in ready.text + metrics.text)
    said = "2 of the subscriptions are silent, though they should not be"
    assert names == (said not in ready.json["warnings"])
    assert (2 if names else 1) == len(ready.json["warnings"])
    assert 'projector_subscriptions{state="no-data"} 2.0' in metrics.text.splitlines()
    assert 'projector_subscriptions{state="heard"} 1.0' in metrics.text.splitlines()
    for text in (ORG, "umbra"):
        assert text not in ready.text + metrics.text


def test_a_setting_opens_the_names(database_url: str, tmp_path: Path, clock: Clock) -> None:
    """Also without a token."""
    with opened(database_url, tmp_path, clock, PROJECTOR_OPEN_SUBSCRIPTIONS="1") as site:
        fill(site, clock)
        assert 'subscription="sub-x"' in site.client.get("/metrics").text
        assert "sub-x" in site.client.get("/readyz").text


@pytest.mark.parametrize(
    ("given", "opens"),
    [
        ({}, True),
        ({"HOST": "0.0.0.0"}, False),
        ({"PROJECTOR_TOKENS": json.dumps(TOKENS)}, False),
        ({"PROJECTOR_TOKENS": json.dumps(TOKENS), "PROJECTOR_OPEN_SUBSCRIPTIONS": "1"}, True),
        ({"PROJECTOR_OPEN_SUBSCRIPTIONS": "0"}, False),
    ],
)
def test_names_are_open_where_one_operator_is_alone(given: dict[str, str], opens: object) -> None:
    """On this machine, without tokens; or as the setting says."""
    assert opens == read_settings(given).open_subscriptions


LABELS = (
    "a\nprojector_up 1",
    "\r\n",
    "\x85\u2028\u2029\x0b\x0c\x1b[2J",
    'say "hi"',
    "a\\nb",
    "\ud800",
)


def test_no_label_forges_a_line(site: Site) -> None:
    """Whatever is in the name of a subscription, each line is a sample of ours."""
    site.service.monitor.count(LABELS[:-1])
    text = site.client.get("/metrics", headers=bearer("all")).text
    for line in text.splitlines():
        assert line.startswith(("# HELP projector_", "# TYPE projector_", "projector_")), line
        assert not line.startswith("projector_up")
        assert not any(ord(it) < 32 or 127 <= ord(it) < 160 for it in line)
    (family,) = (
        it
        for it in text_string_to_metric_families(text)
        if it.name == "projector_subscription_no_data"
    )
    assert {escaped(it) for it in LABELS[:-1]} < {
        it.labels["subscription"] for it in family.samples
    }


def test_two_labels_stay_two() -> None:
    """What is escaped is no other label."""
    near = [*LABELS, "a\\nprojector_up 1", "\\r\\n", "\\x85", "\\ud800", "\\\\ud800"]
    assert len({*near}) == len({escaped(it) for it in near})
    for label in near:
        assert escaped(label).isprintable()
        escaped(label).encode()
    assert "plain: ä 漢" == escaped("plain: ä 漢")


# --- headers ---


def test_no_answer_is_kept_or_taken_for_another_type(site: Site) -> None:
    """Also errors, files and pages; files of the pages alone are kept."""
    paths = {it.path.replace("<id>", "1").replace("<position>", "1") for it in ROUTES}
    for path in sorted({*paths, "/", "/nowhere", "/static/x/page.js"}):
        for headers in ({}, bearer("all"), bearer("all") | {"Accept": "text/csv"}):
            for method in ("GET", "POST", "OPTIONS"):
                answer = site.client.open(path, method=method, headers=headers)
                kept = [answer.headers.getlist(it) for it in ("Cache-Control", NOSNIFF)]
                assert [["no-store"], ["nosniff"]] == kept, (method, path, answer.status)
                answer.close()
    file = site.client.get(f"/static/{static_digest()}/app.js")
    assert (200, "nosniff") == (file.status_code, file.headers[NOSNIFF])
    assert "immutable" in file.headers["Cache-Control"]


NOSNIFF = "X-Content-Type-Options"
