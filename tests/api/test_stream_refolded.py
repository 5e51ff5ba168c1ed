"""What changes views without a new position: streams are told of replays, retries and switches."""

import json
from contextlib import closing

import pytest

from projector.domain.agent import AgentState
from projector.infrastructure.database import connect
from projector.operations import refolded
from projector.operations import shadow_rebuild as rebuild
from projector.projection.runner import Runner
from projector.query.live.changes import Changes
from projector.query.live.interest import Interest
from projector.query.scope import Scope
from tests.api.test_access import TOKENS
from tests.api.test_stream import (
    Listener,
    listening,
    names_told,
    settle,
    settled,
    tell,
)
from tests.api.test_stream_snapshots import floor_of, listed
from tests.examples import login, task, v1
from tests.integration.test_replay import run


@pytest.fixture
def fold(monkeypatch):
    """Sets what the fold makes of a word: another word, or an error."""
    apply_event = AgentState.apply_event
    meanings = {}

    def meant(state, recorded):
        word = recorded.event.word
        if meanings.get(word) is ZeroDivisionError:
            raise ZeroDivisionError("no such word")
        found = apply_event(state, recorded)
        state.current_state = meanings.get(word, state.current_state)
        return found

    monkeypatch.setattr(AgentState, "apply_event", meant)

    def mean(**words):
        meanings.clear()
        meanings.update(words)

    return mean


def ask(site, verb, agent):
    answer = site.client.post(
        f"/api/v1/parked/{verb}", json={"orgId": "acme", "agentId": agent}, headers=site.headers
    )
    assert 200 == answer.status_code, answer.text


# --- replays ----------------------------------------------------------------------------------


def test_what_a_replay_changes_is_told(site, fold):
    """The view to whom it fits, `left` to whom it fitted before; nothing of what is as before."""
    fold(available="busy")
    tell(site, login(0, "ann"), v1(1, "ann", "available"), login(0, "bob"))
    last = site.service.store.head()
    with (
        listening(site, currentState="busy") as busy,
        listening(site, currentState="available") as available,
        listening(site) as everything,
    ):
        fold()
        run(site)
        busy.await_(lambda it: names_told(it) == [("left", "ann")])
        available.await_(lambda it: names_told(it) == [("agent", "ann")])
        everything.await_(lambda it: names_told(it) == [("agent", "ann")])
        assert [site.get("/api/v1/agents/ann").json] == everything.of("agent")
        assert last == everything.last_id
        run(site)
        assert [] == settled(settle(everything, site), site, before=1)


def test_a_dry_run_tells_nothing(site, fold):
    """It changes nothing."""
    fold(available="busy")
    tell(site, login(0, "ann"), v1(1, "ann", "available"))
    with listening(site) as heard:
        fold()
        assert 1 == run(site, dryRun=True)["changed"]["count"]
        assert [] == settled(heard, site)


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_many_that_a_replay_changes_are_told_in_parts(site, fold, monkeypatch, limit):
    """More than one reading takes, beside new events; none is missed."""
    service = site.service
    changes = Changes(service.pool, service.store, service.delays, limit=limit)
    monkeypatch.setattr(service.feed, "_changes", changes)
    names = [f"a{number}" for number in range(9)]
    fold(available="busy")
    tell(site, *(login(0, name) for name in names))
    tell(site, *(v1(1, name, "available") for name in names))
    with listening(site, currentState="busy") as busy, listening(site) as heard:
        fold()
        run(site, agentIds=names[:5])
        busy.await_(lambda it: len(it.frames) == 5)
        run(site)
        tell(site, v1(2, "a1", "idle"), v1(2, "b1", "idle"))
        settle(heard, site)
        busy.await_(lambda it: len(it.frames) == 9)
        assert {("left", name) for name in names} == {*names_told(busy)}
        assert listed(site, kinds=["agent"]) == by_now(site, floor_of(heard).views)


def by_now(site, views):
    """The views, with what only the clock changes as it is now."""
    now = listed(site, kinds=["agent"])
    return {key: view | {"settled": now[key]["settled"]} for key, view in views.items()}


def test_what_was_shown_before_a_late_reader_looks_is_told_in_doubt(site, fold):
    """An event and then a replay: nothing says any more what was shown before the event."""
    fold(available="busy")
    tell(site, login(0, "ann"), login(0, "bob"))
    tell(site, v1(1, "ann", "available"), v1(1, "bob", "available"))
    changes = site.service.feed._changes
    progress = changes.progress()
    tell(site, v1(2, "ann", "connected", "t1"))
    fold()
    run(site)
    for filters, expected in (
        ({"currentState": {"busy"}}, {("left", "ann"), ("left", "bob")}),
        ({"currentState": {"busy"}, "agentId": {"bob"}}, {("left", "bob")}),
        ({"currentState": {"available"}}, {("left", "ann"), ("agent", "bob")}),
        ({"direction": {"INBOUND"}}, set()),
    ):
        interest = Interest(
            scope=Scope(), filters={name: frozenset(it) for name, it in filters.items()}
        )
        batch = changes.after(progress, [interest])
        assert expected == {(it.event, it.key[1]) for it in interest.select(batch.changes)}
    elsewhere = Interest(scope=Scope(team_ids=frozenset({"team-2"})), filters={})
    assert [] == elsewhere.select(changes.after(progress, [elsewhere]).changes)


def test_a_team_that_a_replay_corrects_leaves_its_tokens(make_site):
    """The agent and its open task, who were shown in that team; the right team gets the views."""
    site = make_site(PROJECTOR_TOKENS=json.dumps(TOKENS))
    tell(site, login(0, "ann", teamId="team-2"), v1(5, "ann", "Connected", "t1"))
    tell(site, task(5, "t1", "connected"))
    with connect(site.url) as connection:
        connection.execute(
            """UPDATE agents SET state = replace(state, '"team-2"', '"team-1"'),
                facets = jsonb_set(facets, '{teamId}', '["team-1"]')"""
        )
    with (
        listening(site, token="team-1") as before,
        listening(site, token="teams", teamId="team-2") as after,
        listening(site, token="beta-1") as beta,
    ):
        run(site)
        before.await_(lambda it: {*names_told(it)} == {("left", "ann"), ("left", "t1")})
        after.await_(lambda it: names_told(it) == [("agent", "ann")])
        assert "team-2" not in before.text
        assert [] == beta.frames


def test_what_is_gone_after_a_replay_leaves(site, fold):
    """Its only event cannot be folded any more: it is parked, and has no view."""
    tell(site, login(0, "ann", "poison"), login(0, "bob"))
    with (
        listening(site, loggedIn="true") as heard,
        closing(
            Listener(site, {"Accept": "text/event-stream"}, path="/api/v1/reports/adherence")
        ) as adherence,
    ):
        adherence.await_(lambda it: it.last_id is not None)
        fold(poison=ZeroDivisionError)
        run(site)
        assert 404 == site.get("/api/v1/agents/ann").status_code
        for listener in (heard, adherence):
            listener.await_(lambda it: names_told(it) == [("left", "ann")])


# --- parked subjects --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["retry", "skip"])
def test_what_waited_is_told(site, fold, verb):
    """At once, not with the next event: the view, and `left` to whom it does not fit any more."""
    fold(poison=ZeroDivisionError)
    tell(site, login(0, "ann", "Idle"))
    tell(site, v1(1, "ann", "poison"), v1(2, "ann", "Available"))
    with listening(site, status="idle") as idle, listening(site) as heard:
        if verb == "retry":
            fold()
        ask(site, verb, "ann")
        heard.await_(lambda it: names_told(it) == [("agent", "ann")])
        assert [site.get("/api/v1/agents/ann").json] == heard.of("agent")
        idle.await_(lambda it: names_told(it) == [("left", "ann")])


def test_who_was_parked_from_the_first_event_on_appears(site, fold):
    """There was no view before."""
    fold(poison=ZeroDivisionError)
    tell(site, login(0, "ann", "poison"), login(0, "bob"))
    with listening(site, teamId="team-9") as other, listening(site) as heard:
        fold()
        ask(site, "retry", "ann")
        heard.await_(lambda it: names_told(it) == [("agent", "ann")])
        settle(heard, site)
        assert [] == other.frames


def test_a_retry_that_folds_nothing_tells_nothing(site, fold):
    """It is parked as before."""
    fold(poison=ZeroDivisionError)
    tell(site, login(0, "ann"), v1(1, "ann", "poison"))
    with listening(site) as heard:
        ask(site, "retry", "ann")
        assert [] == settled(heard, site)


# --- who was away -----------------------------------------------------------------------------


def test_who_resumes_is_told_what_was_folded_again_meanwhile(site, fold):
    """By the position that it had, also with batches and positions after it."""
    fold(available="busy")
    tell(site, login(0, "ann"), v1(1, "ann", "available"), login(0, "bob"))
    with listening(site, currentState="busy") as heard:
        last = heard.last_id
    fold()
    run(site)
    tell(site, login(9, "cid"))
    with listening(site, since=last, currentState="busy") as again:
        again.await_(lambda it: names_told(it) == [("left", "ann")])
    with listening(site, since=last) as again:
        again.await_(lambda it: {*names_told(it)} == {("agent", "ann"), ("agent", "cid")})
        last = again.last_id
    with listening(site, since=last) as again:
        assert [] == settled(again, site)


def test_old_entries_are_deleted(site, fold, monkeypatch):
    """A day is kept for those who resume; the numbers go on, and streams are told as before."""
    fold(available="busy")
    tell(site, login(0, "ann"), v1(1, "ann", "available"))
    with listening(site) as heard:
        fold()
        run(site)
        heard.await_(lambda it: len(it.frames) == 1)
        monkeypatch.setattr(refolded, "KEPT_MS", -60_000)
        fold(available="busy")
        run(site)
        with connect(site.url) as connection:
            assert [] == connection.execute("SELECT number FROM refolded").fetchall()
        monkeypatch.setattr(refolded, "KEPT_MS", 60_000)
        fold()
        run(site)
        heard.await_(lambda it: len(it.frames) >= 2)


# --- other tables -----------------------------------------------------------------------------


def rebuilt(site):
    rebuild.begin(site.url)
    Runner(site.service.store, site.url, shadow=True).catch_up()


def test_a_switch_sends_a_snapshot_to_each_stream(site, fold):
    """Whether it began with one or not; then what changes is told as before."""
    fold(available="busy")
    tell(site, login(0, "ann"), v1(1, "ann", "available"), login(0, "bob"), task(0, "t1", "parked"))
    with (
        listening(site, currentState=["busy", "idle"]) as plain,
        listening(site, snapshot="true") as whole,
        closing(
            Listener(site, {"Accept": "text/event-stream"}, path="/api/v1/reports/adherence")
        ) as adherence,
    ):
        whole.await_(lambda it: len(it.of("snapshot")) == 1)
        adherence.await_(lambda it: it.last_id is not None)
        fold()
        rebuilt(site)
        rebuild.switch(site.url)
        whole.await_(lambda it: len(it.of("snapshot")) == 2)
        plain.await_(lambda it: it.of("snapshot"))
        adherence.await_(lambda it: it.of("snapshot"))
        assert listed(site) == floor_of(whole).views
        assert listed(site, kinds=["agent"], currentState="idle") == floor_of(plain).views
        assert ["reset", "agent", "snapshot"] == [event for _, event, _ in plain.frames]
        assert ["ann", "bob"] == [row["agentId"] for row in adherence.of("adherence")]
        tell(site, v1(2, "bob", "Connected", "t2"))
        plain.await_(lambda it: it.frames[-1][1] == "left")
        whole.await_(lambda it: it.frames[-1][2].get("taskId") == "t2")
        assert site.service.store.head() == whole.last_id
        assert 2 == len(whole.of("reset"))


def test_other_tables_that_are_behind_are_told_as_they_are_folded(site):
    """Emptied tables are filled anew: positions go back, and nothing is missed."""
    tell(site, login(0, "ann"), login(0, "bob"))
    with connect(site.url) as connection:
        connection.execute("UPDATE projections SET fold_version = fold_version - 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("projector.query.own_fold.FOLD_VERSION", rebuild.FOLD_VERSION - 1)
        with listening(site) as heard:
            heard.await_(lambda it: it.last_id == 2)
            assert rebuild.FOLD_VERSION - 1 == rebuild.empty_tables_of_another_fold(site.url)
            heard.await_(lambda it: it.of("snapshot"))
            patch.undo()
            assert [{"agents": 0, "tasks": 0, "position": 0}] == heard.of("snapshot")
            assert 0 == heard.last_id
            site.project()
            heard.await_(lambda it: {*put_agents(it)} == {"ann", "bob"} and it.last_id == 2)


def put_agents(listener):
    return [data["agentId"] for data in listener.of("agent")]


def test_who_resumes_after_a_switch_gets_a_snapshot(site):
    """An id from before the switch says nothing of the tables that serve now."""
    last = tell(site, login(0, "ann"), login(0, "bob"))
    rebuilt(site)
    rebuild.switch(site.url)
    with listening(site, since=last) as heard:
        heard.await_(lambda it: it.of("snapshot"))
        assert ["ann", "bob"] == put_agents(heard)
    last = tell(site, login(1, "cid"))
    with listening(site, since=last) as heard:
        assert [] == settled(heard, site)
