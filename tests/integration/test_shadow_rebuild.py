"""Shadow rebuild: another version of the fold, and a switch that readers do not notice."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from projector.domain.agent import AgentState
from projector.domain.events import PARTITIONS
from projector.infrastructure.database import SCHEMA, SHADOW_SCHEMA, connect
from projector.operations import shadow_rebuild as rebuild
from projector.operations.shadow_rebuild import RebuildError
from projector.operations.verify.parallel import verify
from projector.projection import runner
from projector.projection.partitions import OtherFold
from projector.projection.read_models import FOLD_VERSION
from projector.projection.runner import Runner
from projector.query import own_fold
from projector.webex.simulator import Simulation
from tests.examples import story, v1
from tests.integration.driving import eventually, tables
from tests.integration.reconciling import listed

LIFE = story(
    v1(1_000, "ann", "idle"),
    v1(2_000, "ann", "ringing", "t"),
    v1(3_000, "ann", "connected", "t"),
    v1(4_000, "bob", "idle"),
)


SET_APART = f"""
    UPDATE {SHADOW_SCHEMA}.agents SET state = replace(state, '"team_id"', '"no_team"')
"""


def post_life(site) -> None:
    for body in LIFE:
        site.post(body)
    site.project()


def shadow_runner(site, **more: Any) -> Runner:
    return Runner(site.service.store, site.url, shadow=True, **more)


def test_the_same_fold_fills_the_same_shadow_tables(site):
    """Table by table; the serving tables are not touched, and the comparison has no difference."""
    post_life(site)
    before = tables(site.url)
    rebuild.begin(site.url)
    with connect(site.url) as connection:
        assert 0 == rebuild.progress(connection)[1].position
    shadow_runner(site, batch_events=2).catch_up()
    assert before == tables(site.url)
    with connect(site.url) as connection:
        assert {4} == {it.position for it in rebuild.progress(connection)}
        for name in rebuild.DERIVED:
            query = f"SELECT (SELECT array_agg(r ORDER BY r) FROM {{}}.{name} AS r)::text AS it"
            rows = [
                connection.execute(query.format(schema).encode()).fetchone()["it"]
                for schema in (SCHEMA, SHADOW_SCHEMA)
            ]
            assert rows[0] == rows[1], name
    assert (3, 0, 0) == ((it := rebuild.compare(site.url)).subjects, it.count, it.not_comparable)


def test_another_fold_is_compared_switched_and_switched_back(site):
    """The comparison says before the switch what differs; a second switch goes back."""
    post_life(site)
    first = site.get("/api/v1/agents/ann").json
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "FOLD_VERSION", FOLD_VERSION + 1)
        patch.setattr(rebuild, "FOLD_VERSION", FOLD_VERSION + 1)
        patch.setattr(AgentState, "apply_event", _held_step(AgentState.apply_event))
        rebuild.begin(site.url)
        shadow_runner(site).catch_up()
    comparison = rebuild.compare(site.url)
    (difference,) = comparison.first
    assert {("agent", "status", "connected", "on-hold"): 1} == comparison.changes
    assert ("agent", "ann", "status", "connected", "on-hold") == (
        difference.kind, difference.id, difference.field, difference.before, difference.after,
    )  # fmt: skip
    assert first == site.get("/api/v1/agents/ann").json
    serving, shadow = rebuild.switch(site.url)
    assert (FOLD_VERSION + 1, FOLD_VERSION) == (serving.fold, shadow.fold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_fold, "FOLD_VERSION", FOLD_VERSION + 1)
        assert "on-hold" == site.get("/api/v1/agents/ann").json["status"]
    rebuild.switch(site.url)
    assert first == site.get("/api/v1/agents/ann").json
    assert [] == verify(site.url, jobs=1, moments=2, seed=1).differences
    rebuild.drop(site.url)
    with connect(site.url) as connection, pytest.raises(RebuildError, match="no shadow tables"):
        rebuild.progress(connection)


def _held_step(step: Any) -> Any:
    def other(state: AgentState, recorded: Any) -> Any:
        found = step(state, recorded)
        for leg in state.legs.values():
            if leg.state == "connected":
                leg.state = "on-hold"
        return found

    return other


def test_a_runner_of_another_version_leaves_the_tables_alone(site, monkeypatch):
    """It says so and folds nothing."""
    post_life(site)
    monkeypatch.setattr(runner, "FOLD_VERSION", FOLD_VERSION + 1)
    site.post(v1(9_000, "cid", "idle") | {"id": "e9"})
    with pytest.raises(OtherFold, match=f"version {FOLD_VERSION} .*version {FOLD_VERSION + 1}:"):
        site.project()
    assert 404 == site.get("/api/v1/agents/cid").status_code


def test_tables_of_another_version_are_not_read(site):
    """Whatever needs them is a 503 that says what to do; the log and intake do not need them."""
    post_life(site)
    _set_version(site.url, FOLD_VERSION - 1)
    for path in (
        "/readyz",
        "/api/v1/agents",
        "/api/v1/agents/ann",
        "/api/v1/agents/ann/history",
        "/api/v1/agents/ann/explain",
        "/api/v1/tasks?status=abandoned",
        "/api/v1/agents?at=5",
        "/api/v1/summary",
        "/api/v1/anomalies",
        "/api/v1/corrections",
        "/api/v1/stream",
    ):
        answer = site.get(path)
        assert 503 == answer.status_code, path
        assert "`projector rebuild` fills them anew" in answer.json["detail"], path
    for path in ("/api/v1/events", "/api/v1/conflicts", "/api/v1/quarantine", "/api/v1/status"):
        assert 200 == site.get(path).status_code, path
    assert 1 == site.post(v1(9_000, "cid", "idle") | {"id": "e9"}).json["appended"]


def test_tables_of_another_version_are_emptied_and_filled_anew(site):
    """As a start of the whole service does it, unless somebody fills shadow tables."""
    assert rebuild.empty_tables_of_another_fold(site.url) is None
    post_life(site)
    before = tables(site.url)
    assert rebuild.empty_tables_of_another_fold(site.url) is None
    assert before == tables(site.url)
    _set_version(site.url, FOLD_VERSION - 1)
    rebuild.begin(site.url)
    assert rebuild.empty_tables_of_another_fold(site.url) is None
    rebuild.drop(site.url)
    assert FOLD_VERSION - 1 == rebuild.empty_tables_of_another_fold(site.url)
    with connect(site.url) as connection, pytest.raises(RebuildError, match="no shadow tables"):
        rebuild.progress(connection)
    assert [] == site.get("/api/v1/agents").json["data"]
    site.project()
    assert before == tables(site.url)
    assert [] == verify(site.url, jobs=1, moments=2, seed=1).differences


def _set_version(url: str, version: int) -> None:
    with connect(url) as connection:
        connection.execute("UPDATE projections SET fold_version = %s", (version,))


def test_tables_in_which_nothing_is_folded_are_of_the_version_that_folds_first(site, monkeypatch):
    """So a fresh database needs no rebuild, whatever the release."""
    monkeypatch.setattr(runner, "FOLD_VERSION", FOLD_VERSION + 5)
    post_life(site)
    with connect(site.url) as connection:
        rows = connection.execute("SELECT fold_version FROM projections").fetchall()
    assert [FOLD_VERSION + 5] * PARTITIONS == [row["fold_version"] for row in rows]


def test_tables_that_are_behind_or_read_all_the_time_are_not_switched(site, monkeypatch):
    """The command ends with a sentence that says so, and nothing has changed."""
    post_life(site)
    with pytest.raises(RebuildError, match="no shadow tables"):
        rebuild.switch(site.url)
    rebuild.begin(site.url)
    with pytest.raises(RebuildError, match="already"):
        rebuild.begin(site.url)
    monkeypatch.setattr(rebuild, "STANDSTILL_SECONDS", 0.05)
    with pytest.raises(RebuildError, match="do not catch up"):
        rebuild.switch(site.url, seconds=0.3)
    shadow_runner(site).catch_up()
    with psycopg.connect(site.url) as reader:
        reader.execute("SELECT count(*) FROM projector.agents")
        with pytest.raises(RebuildError, match="reads the tables all the time"):
            rebuild.switch(site.url, seconds=0.3)
        assert 200 == site.get("/api/v1/agents/ann").status_code
    rebuild.switch(site.url)


def test_the_service_may_not_make_tables(site):
    """Only the user that migrates may."""
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS plain")
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA projector TO plain")
    try:
        with pytest.raises(RebuildError, match="use the one that migrates"):
            rebuild.begin(_as_role(site.url, "plain"))
    finally:
        with psycopg.connect(site.url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY plain; DROP ROLE plain")


def _as_role(url: str, role: str) -> str:
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}options=-c%20role%3D{role}"


def test_during_a_switch_no_request_fails_or_mixes_both_sets(site):
    """Clients read and webhooks come all the time, while the tables are switched again and again.

    The two sets differ in every agent, so an answer that mixes them would show.
    """
    world = iter(Simulation(8, 3, start_ms=1_790_000_000_000))
    bodies = [next(world) for _ in range(1_200)]
    site.post(bodies[:600])
    site.project()
    rebuild.begin(site.url)
    shadow_runner(site).catch_up()
    with connect(site.url) as connection:
        connection.execute(SET_APART.encode())
    stop, odd, seen, reads = threading.Event(), [], set(), []

    def read() -> None:
        while not stop.is_set():
            views = [*listed(site, "/api/v1/agents")]
            kinds = {view["teamId"] is None for view in views}
            seen.update(kinds)
            reads.append(len(views))
            if len(kinds) != 1 or len(views) != reads[0]:
                odd.append(kinds)
            paths = ("tasks?limit=5", "summary", f"agents/{views[0]['agentId']}/history")
            codes = [site.get(f"/api/v1/{path}").status_code for path in paths]
            if codes != [200, 200, 200]:
                odd.append(codes)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(reads) > 3)
        for _ in range(6):
            rebuild.switch(site.url)
            count = len(reads)
            eventually(lambda count=count: len(reads) > count + 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [] == odd
    assert {True, False} == seen


def test_both_sets_follow_the_log_through_switches(site):
    """The switch waits for the shadow tables and loses nothing, and both sets end alike."""
    world = iter(Simulation(6, 4, start_ms=1_790_000_000_000))
    bodies = [next(world) for _ in range(1_500)]
    stop = threading.Event()
    rebuild.begin(site.url)
    threads = [
        threading.Thread(target=it.run, args=(stop,))
        for it in (Runner(site.service.store, site.url), shadow_runner(site))
    ]
    for thread in threads:
        thread.start()
    try:
        for begin in range(0, 1_500, 50):
            assert 202 == site.post(bodies[begin : begin + 50]).status_code
            if begin % 500 == 250:
                rebuild.switch(site.url)
    finally:
        head = site.service.store.head()
        with connect(site.url) as connection:
            eventually(lambda: all(it.position == head for it in rebuild.progress(connection)))
        stop.set()
        for thread in threads:
            thread.join()
    found = rebuild.compare(site.url)
    assert (0, 0) == (found.count, found.not_comparable)
    assert [] == verify(site.url, jobs=1, moments=1, seed=1).differences
