"""Reconciliation from end to end: a disturbed day, the stand-in vendor, and the truth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from projector.operations.job_queue import Interrupted, JobFailed, JobQueue
from projector.operations.reconciliation import log_comparison
from projector.webex.api_client import VendorRefuses
from projector.webex.api_queries import ApiQueries
from projector.webex.simulator.api_server import ApiServer, Faults, serving
from tests.conftest import Site, clone, cloned, database_of, open_site, slow
from tests.integration.driving import tables
from tests.integration.reconciling import (
    HOUR_MS,
    Day,
    credentials,
    deliver,
    listed,
    live,
    reconcile,
    reconciler,
)

NOT_IN_APIS = {"agent:channelType_state_change", "task:origin-updated", "task:failed",
          "task:conference-transferred"}  # fmt: skip
PATHS = {"agents": "agentId", "tasks": "taskId"}


@pytest.fixture(scope="module")
def day():
    """An hour and a quarter in a small contact centre: 5 % lost, 5 % twice, 10 % late."""
    return live(hours=1.25, agents=6, seed=5)


def window(day: Day) -> dict[str, int]:
    return {"from": day.start, "to": day.end}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return lambda: tmp_path_factory.mktemp("day")


@pytest.fixture(scope="module")
def delivered(template, folders):
    """Makes a database with the events of some bodies, once; tests work on copies of it."""
    made: dict[str, str] = {}

    def database(bodies) -> str:
        key = json.dumps(bodies)
        if key not in made:
            url = clone(template)
            with open_site(url, folders()) as site:
                deliver(site, bodies)
            made[key] = url
        return made[key]

    return database


@pytest.fixture(scope="module")
def reconciled(template, delivered, folders, day):
    """The database of the day after its reconciliation, and the report."""
    url = clone(template, database_of(delivered(day.deliveries)))
    with open_site(url, folders()) as site, serving(ApiServer(day.records)) as root:
        report = reconcile(site, root, folders(), **window(day))
    return url, report


@pytest.fixture(scope="module")
def truth(template, delivered, folders, day):
    """What the API shows where every webhook of the day arrived."""
    with (
        cloned(template, database_of(delivered(day.truth))) as url,
        open_site(url, folders()) as site,
    ):
        return shown(site, day)


@pytest.fixture
def copied(template, folders):
    """Services over copies of databases. A copy is dropped after its service has ended."""
    with ExitStack() as stack:

        def make(url: str) -> Site:
            copy = stack.enter_context(cloned(template, database_of(url)))
            return stack.enter_context(open_site(copy, folders()))

        yield make


def shown(site, day: Day) -> dict[str, Any]:
    """What the API shows at the end of a day: views, intervals, and the figures of each hour."""
    answers: dict[str, Any] = {"figures": figures(site, day)}
    for name, key in PATHS.items():
        for view in listed(site, f"/api/v1/{name}", at=day.end):
            id_ = view[key]
            rows = listed(site, f"/api/v1/{name}/{id_}/history", at=day.end)
            answers[name[:-1], id_] = [view, [*rows]]
    return answers


def figures(site, day: Day) -> list[Any]:
    return [
        site.get("/api/v1/summary", query_string={"at": at, "window": HOUR_MS}).json
        for at in range(day.end, day.start, -HOUR_MS)
    ]


def without(answer: Any, *names: str) -> Any:
    """An answer without some fields, at any depth."""
    if isinstance(answer, dict):
        return {key: without(it, *names) for key, it in answer.items() if key not in names}
    return [without(it, *names) for it in answer] if isinstance(answer, list) else answer


ARRIVAL = ("position", "recordedTime", "settled")  # may differ between two stores of one set
IDENTITY = ("id", "eventId")  # a reconciled event has the id of its row
COUNTS = ("eventCount", "lastEvent", "anomalyCount")


def exceptions(day: Day, report: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """The fields, by subject, that no API of the vendor can restore; ``*`` for all."""
    found: dict[tuple[str, str], set[str]] = {}
    for body in day.lost:
        data = body["data"]
        subject = ("agent", data["agentId"]) if "agentId" in data else ("task", data["taskId"])
        if subject[0] == "agent":  # a repaired agent has channels of unknown state
            found.setdefault(subject, set()).add("channels")
        if body["type"] == "agent:channelType_state_change":
            found.setdefault(subject, set()).update({"channels", *COUNTS})
        elif body["type"] == "agent:logout":
            found.setdefault(subject, set()).update({"loggedOutBy", "teamId"})
        elif body["type"] == "capture:available":
            found.setdefault(subject, set()).add("captures")
        elif body["type"] in NOT_IN_APIS:
            found.setdefault(subject, set()).add("*")
    for body in lost_near_consults(day):
        found.setdefault(("task", body["data"]["taskId"]), set()).add("*")
    for fact in report["indistinct"]:
        found.setdefault((fact["kind"], fact["id"]), set()).add("*")
        if fact["taskId"]:
            found.setdefault(("task", fact["taskId"]), set()).add("*")
    return found


def consulted_tasks(bodies: Sequence[Any]) -> set[str]:
    """Tasks that have a second beginning: the contact of a consult to an entry point."""
    begun = Counter(body["data"]["taskId"] for body in bodies if body["type"] == "task:new")
    return {task_id for task_id, count in begun.items() if count > 1}


def may_be_of_a_child(body: Any, consulted: set[str]) -> bool:
    """Whether the row of a webhook may be that of the consult's own contact."""
    is_shared = body["type"] in {
        f"task:{word}" for word in ("new", "parked", "connect", "connected", "ended")
    }
    return is_shared and body["data"]["taskId"] in consulted


def lost_near_consults(day: Day) -> list[Any]:
    consulted = consulted_tasks(day.truth)
    return [body for body in day.lost if may_be_of_a_child(body, consulted)]


def restorable(day: Day) -> Counter[str]:
    """How many events of each type were lost that the vendor's rows tell for sure."""
    shared = {body["id"] for body in lost_near_consults(day)}
    return Counter(
        body["type"]
        for body in day.lost
        if body["type"] not in NOT_IN_APIS and body["id"] not in shared
    )


def test_after_reconciliation_the_api_shows_the_truth(copied, reconciled, truth, day):
    """Every view and interval, but for what the report says that no API has."""
    expected, (database, report) = truth, reconciled
    found, excepted = shown(copied(database), day), exceptions(day, report)
    assert expected.keys() == found.keys()
    assert sum("*" in fields for fields in excepted.values()) < len(expected) / 10
    for subject in expected.keys() - {"figures"}:
        fields = excepted.get(subject, set())
        if "*" not in fields:
            hidden = (*ARRIVAL, *IDENTITY, *fields)
            assert without(expected[subject], *hidden) == without(found[subject], *hidden)
    assert [] == report["failures"]
    assert 0 < report["gapsClosed"] <= report["gapsFound"]
    assert 0 < report["correctionsMade"]
    assert {"failed"} >= {row["ours"][0]["status"] for row in report["differing"]}


@pytest.mark.slow
def test_where_the_vendor_has_all_lost_events_every_figure_is_the_truth(make_site, tmp_path):
    """Whole views, whole histories and the summaries of each hour are equal.

    Channel types alone have no rows: those of a repaired agent are of unknown state.
    """
    day = live(hours=1.25, agents=6, seed=6, spare=_not_restorable)
    assert 100 < len(day.lost)
    ours, truth = make_site(), make_site()
    deliver(truth, day.truth)
    deliver(ours, day.deliveries)
    hidden = (*ARRIVAL, *IDENTITY, "channels")
    expected = without(shown(truth, day), *hidden)
    assert expected != without(shown(ours, day), *hidden)
    with serving(ApiServer(day.records)) as root:
        report = reconcile(ours, root, tmp_path, **window(day))
    assert [] == report["indistinct"]
    assert expected == without(shown(ours, day), *hidden)


def _not_restorable(bodies: list[Any]) -> set[str]:
    """The ids of events that no API has whole, or that are too close to another to be distinct."""
    consulted = consulted_tasks(bodies)
    found = {
        body["id"]
        for body in bodies
        if body["type"] in NOT_IN_APIS | {"agent:logout", "capture:available"}
        or may_be_of_a_child(body, consulted)
    }
    alike: dict[tuple[Any, ...], list[Any]] = {}
    for body in bodies:
        data = body["data"]
        names = ("agentId", "taskId", "currentState")
        alike.setdefault((body["type"], *map(data.get, names)), []).append(body)
    for same in alike.values():
        for one, other in pairwise(same):
            if other["data"]["createdTime"] - one["data"]["createdTime"] <= 2_000:
                found |= {one["id"], other["id"]}
    return found


def test_what_is_appended_is_what_was_lost_and_once(copied, reconciled, tmp_path, day):
    """Type by type: what no webhook brought and an API has. A second run appends nothing."""
    database, report = reconciled
    site = copied(database)
    with serving(ApiServer(day.records)) as root:
        again = reconcile(site, root, tmp_path, **window(day))
    expected = restorable(day)
    expected.subtract(row["type"] for row in report["indistinct"])
    near = Counter(body["type"] for body in lost_near_consults(day))
    assert +appended(report) == Counter(row["type"] for row in fetched(site))
    assert Counter() == +expected - appended(report)
    assert Counter() == +appended(report) - expected - near
    assert Counter() == +appended(again)
    assert [] == again["missing"]
    assert 0 == site.get("/api/v1/status").json["ledgers"]["conflicts"]


@pytest.mark.slow
@pytest.mark.parametrize("skew_ms", [-900, 1_500])
def test_rows_and_webhooks_of_one_event_may_have_different_times(make_site, tmp_path, skew_ms):
    """Within the tolerance: only what was lost is appended, though every time differs.

    What lies within it of another fact of its kind may count as told by that one's webhook.
    """
    site, day = make_site(), live(hours=0.75, agents=6, seed=5, skew_ms=skew_ms)
    deliver(site, day.deliveries)
    with serving(ApiServer(day.records)) as root:
        window_ = {"from": day.start - 2_000, "to": day.end + 2_000}
        report = reconcile(site, root, tmp_path, **window_)
        again = reconcile(site, root, tmp_path, **window_)
    lost = Counter(body["type"] for body in day.lost)
    near = Counter(row["type"] for row in report["indistinct"])
    assert Counter() == +appended(report) - lost
    assert Counter() == restorable(day) - appended(report) - near
    assert near.total() < lost.total() / 5
    assert Counter() == +appended(again)


def appended(report: dict[str, Any]) -> Counter[str]:
    """How many events of each type a run appended."""
    found: Counter[str] = Counter()
    for source in report["sources"].values():
        for type_, counts in source["types"].items():
            found[type_] += counts["appended"]
    return found


def fetched(site) -> list[dict[str, Any]]:
    """The events that the log has from reconciliation."""
    return [*listed(site, "/api/v1/events", origin="reconciliation")]


@pytest.mark.parametrize("versions", slow("1", "both"))
def test_webhooks_of_either_version_match(make_site, tmp_path, versions):
    """Webhooks of the first version name no channel, and still match the vendor's rows."""
    site, day = make_site(), live(hours=0.5, agents=5, seed=4, versions=versions)
    deliver(site, day.deliveries)
    with serving(ApiServer(day.records)) as root:
        reconcile(site, root, tmp_path, **window(day))
        again = reconcile(site, root, tmp_path, **window(day))
    assert fetched(site)
    assert [] == [row for row in fetched(site) if row["restates"] is not None]
    assert [] == again["missing"]


def test_a_webhook_that_comes_after_reconciliation_is_a_restatement(copied, reconciled, truth, day):
    """Lost webhooks arrive on the next day: the API shows the truth, and counts nothing twice."""
    ours = copied(reconciled[0])
    deliver(ours, day.lost)
    assert without(truth, *ARRIVAL) == without(shown(ours, day), *ARRIVAL)


def test_a_dry_run_says_what_is_missing_and_appends_nothing(copied, delivered, tmp_path):
    """It names the events that the run after it appends."""
    day = live(hours=0.5, agents=4, seed=2)
    site = copied(delivered(day.deliveries))
    before = tables(site.url), site.service.store.head()
    with serving(ApiServer(day.records)) as root:
        dry = reconcile(site, root, tmp_path, **window(day), dryRun=True)
        assert before == (tables(site.url), site.service.store.head())
        assert [] == [*listed(site, "/api/v1/names")]
        real = reconcile(site, root, tmp_path, **window(day))
    assert [it["eventId"] for it in real["missing"]] == [it["eventId"] for it in dry["missing"]]
    assert without(real["sources"], "requests") == without(dry["sources"], "requests")
    # What the rows call agents, teams, sites, queues and idle codes is in the directory.
    rows = [*listed(site, "/api/v1/names")]
    agents = {it["agentId"] for it in listed(site, "/api/v1/agents")}
    assert {id_: f"Agent {id_[:8]}" for id_ in agents} == {
        it["id"]: it["name"] for it in rows if it["kind"] == "agent"
    }
    assert {"agent", "team", "site", "queue", "idleCode"} <= {it["kind"] for it in rows}
    assert {"rows"} == {it["source"] for it in rows}


def test_a_run_for_named_agents_reads_only_them(copied, delivered, tmp_path):
    """No other agent, and no task."""
    day = live(hours=0.5, agents=4, seed=2, lose=0.3)
    site = copied(delivered(day.deliveries))
    agent_id = next(body["data"]["agentId"] for body in day.lost if "agentId" in body["data"])
    vendor = ApiServer(day.records)
    with serving(vendor) as root:
        report = reconcile(site, root, tmp_path, **window(day), agentIds=[agent_id])
    assert {agent_id} == {row["id"] for row in report["missing"]}
    assert not {"tasks", "taskDetails"} & report["sources"].keys()


@pytest.mark.slow
def test_a_window_in_the_middle_of_sessions_and_tasks_is_reconciled_whole(make_site, tmp_path):
    """What began before it and still ran is compared too; what comes later is not."""
    site, day = make_site(), live(hours=1.5, agents=5, seed=8, lose=0.2)
    deliver(site, day.deliveries)
    start, end = day.end - HOUR_MS, day.end - HOUR_MS // 2
    with serving(ApiServer(day.records)) as root:
        report = reconcile(site, root, tmp_path, **{"from": start, "to": end})
    times = {row["time"] for row in report["missing"]}
    assert min(times) < start < max(times) < end


@pytest.fixture(scope="module")
def clean(template, delivered, folders):
    """A short day, its database, and its report without any fault."""
    day = live(hours=0.3, agents=4, seed=2)
    database = delivered(day.deliveries)
    with (
        cloned(template, database_of(database)) as url,
        open_site(url, folders()) as site,
        serving(ApiServer(day.records)) as root,
    ):
        return day, database, reconcile(site, root, folders(), **window(day))


@pytest.mark.parametrize("fault", ["429", *slow("500", "slow", "truncated", "expired")])
def test_passing_faults_do_not_change_the_report(copied, tmp_path, clean, fault):
    """Such as temporary refusals, broken answers and expired tokens."""
    day, database, report = clean
    faults = Faults(every={3: fault}, slow_seconds=0.01)
    with serving(ApiServer(day.records, faults=faults)) as root:
        borne = reconcile(copied(database), root, tmp_path, **window(day))
    assert without(report, "requests") == without(borne, "requests")
    assert report["requests"] < borne["requests"] or fault == "slow"


@pytest.mark.slow
def test_small_pages_and_full_windows_lose_nothing(copied, delivered, tmp_path, monkeypatch):
    """Windows are halved until no answer is cut short."""
    monkeypatch.setattr("projector.webex.api_queries.ACTIVITIES_ROWS", 40)
    monkeypatch.setattr("projector.webex.api_queries.ACTIVITIES_PAGE", 20)
    monkeypatch.setattr("projector.webex.api_queries.TASKS_PAGE", 7)
    monkeypatch.setattr("projector.webex.api_client.REQUESTS_A_MINUTE", 100_000)
    monkeypatch.setattr(log_comparison, "SUBJECTS_COMPARED_TOGETHER", 2)
    monkeypatch.setattr(log_comparison, "APPENDED_TOGETHER", 3)
    day = live(hours=0.5, agents=4, seed=2)
    found = []
    for limits in ({}, {"most_activities": 40, "search_page": 2}):
        site = copied(delivered(day.deliveries))
        with serving(ApiServer(day.records, a_minute=100_000, **limits)) as root:
            report = reconcile(site, root, tmp_path, **window(day))
        found.append(({row["id"] for row in fetched(site)}, report["failures"]))
    assert found[0][0] == found[1][0] != set()
    assert [] == found[0][1] == found[1][1]


def test_unknown_states_are_counted_by_name_and_make_no_event(copied, delivered, tmp_path):
    """Such an event would show a state that no agent is in."""
    day = live(hours=0.2, agents=3, seed=2)
    site = copied(delivered(day.deliveries))
    with serving(ApiServer(day.records, faults=Faults(rows="strange"))) as root:
        report = reconcile(site, root, tmp_path, **window(day))
    assert {"agentSession", "taskDetails"} <= report["unknown"].keys()
    types = {row["type"] for row in report["missing"]}
    assert types <= {"agent:login", "agent:logout", "task:new"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"PROJECTOR_WEBEX_CLIENT_SECRET": "wrong"}, "refuses the refresh token"),
        ({"PROJECTOR_WEBEX_REFRESH_TOKEN": "wrong"}, "refuses the refresh token"),
        ({"PROJECTOR_WEBEX_ORG_ID": "another"}, "do not cover the organisation"),
        ({"PROJECTOR_WEBEX_ACCESS_TOKEN": "stale_C_org"}, "refuses PROJECTOR_WEBEX_ACCESS_TOKEN"),
        ({"PROJECTOR_WEBEX_CLIENT_ID": ""}, "Nothing is configured"),
    ],
)
def test_wrong_credentials_fail_the_run_with_a_sentence(make_site, tmp_path, wrong, said):
    """The sentence has no secret."""
    site, day = make_site(), live(hours=0.1, agents=2, seed=2)
    with serving(ApiServer(day.records)) as root, pytest.raises(JobFailed, match=said) as raised:
        reconcile(site, root, tmp_path, changed=wrong, **window(day))
    assert not [it for it in wrong.values() if it and it in str(raised.value)]
    assert 0 == site.service.store.head()


def test_only_the_owner_can_read_a_renewed_token(make_site, tmp_path):
    """It stands in a private file, and in no repr."""
    with serving(ApiServer(live(hours=0.1, agents=2).records)) as root:
        own = credentials(root, tmp_path)
        token = own.token()
    kept = tmp_path / "webex-token"
    assert 0o600 == kept.stat().st_mode & 0o777
    assert token == json.loads(kept.read_text())["access_token"]
    assert token not in repr(own)
    assert own.token() == credentials("http://127.0.0.1:9", tmp_path).token()  # kept, not asked


def test_an_interrupted_run_goes_on_from_its_step(copied, delivered, tmp_path):
    """Its report equals that of a run without interruption."""
    day = live(hours=0.5, agents=4, seed=2)
    whole, broken = (copied(delivered(day.deliveries)) for _ in range(2))
    with serving(ApiServer(day.records)) as root:
        expected = reconcile(whole, root, tmp_path, **window(day))
        jobs = JobQueue(broken.service.pool)
        asked = {**window(day), "agentIds": [], "dryRun": False}
        job = jobs.enqueue("reconciliation", asked, who="test", why=None)
        saves: list[int] = []

        def is_stopping() -> bool:
            saves.append(1)
            return len(saves) % 7 == 0

        for _ in range(100):
            claimed = jobs.claim(is_stopping)
            try:
                reconciler(broken, root, tmp_path).run(claimed)
                break
            except Interrupted:
                continue
    report = jobs.find("reconciliation", job.id).report
    assert len(saves) > 20
    names = ("steps", "gapsFound", "gapsClosed", "failures", "indistinct", "unusable")
    assert {it: expected[it] for it in names} == {it: claimed.report[it] for it in names}
    facts = [{row["id"] for row in fetched(site)} for site in (whole, broken)]
    assert facts[0] == facts[1] != set()
    assert report["orgId"]


def test_a_task_that_is_open_for_days_is_read_by_its_id(make_site, tmp_path):
    """The vendor compares a window with its creation, which is long before the window."""
    day = live(hours=0.5, agents=4, seed=2, lose=0.0)
    site, records = make_site(), day.records
    task_id = next(body["data"]["taskId"] for body in day.truth if body["type"] == "task:new")
    new = next(body for body in day.truth if body["type"] == "task:new")
    deliver(site, [new])
    days = 5 * 24 * HOUR_MS
    kept = records.tasks[task_id]
    kept |= {"endedTime": None, "isActive": True}
    last = day.end + days
    kept["activities"].append(
        kept["activities"][-1]
        | {"id": f"{task_id}-{last}-parked", "eventName": "parked", "createdTime": last}
    )
    with serving(ApiServer(records)) as root:
        reconcile(site, root, tmp_path, **{"from": last - HOUR_MS, "to": last + 1})
    assert last in [row["time"] for row in fetched(site) if row["taskId"] == task_id]


def test_refused_captures_are_appended_without_path(copied, delivered, tmp_path, monkeypatch):
    """The report says why."""

    def refuse(*_: Any) -> Any:
        raise VendorRefuses("The vendor refuses POST /v1/captures/query (403).", 403)

    day = live(hours=0.5, agents=4, seed=2, lose=0.3)
    site = copied(delivered(day.deliveries))
    monkeypatch.setattr(ApiQueries, "captures", refuse)
    with serving(ApiServer(day.records)) as root:
        report = reconcile(site, root, tmp_path, **window(day))
    assert ["captures"] == [line["source"] for line in report["failures"]]
    assert "capture:available" in {row["type"] for row in fetched(site)}
    views = [*listed(site, "/api/v1/tasks")]
    assert None in {it["filePath"] for view in views for it in view["captures"]}
