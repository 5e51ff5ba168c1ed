"""`projector verify` finds no difference in sound tables, and every change of a row."""

from __future__ import annotations

import json
import threading
from itertools import islice, product
from multiprocessing import active_children

import psycopg
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from projector.cli.main import main
from projector.infrastructure.database import connect
from projector.infrastructure.process_pool import WorkerDied
from projector.operations import batches
from projector.operations.verify.counts import ALL_SUBJECTS, SubjectFilter
from projector.operations.verify.parallel import verify
from projector.webex.simulator import Simulation
from tests.conftest import (
    DERIVED,
    Site,
    clone,
    cloned,
    database_of,
    on_database,
    open_site,
    over_http,
    slow,
)
from tests.examples import ORG, RECORDED, capture, ended, login, story, task, v1, v2
from tests.integration.driving import arrived, eventually, follow
from tests.strategies import believable_deliveries, noisy_deliveries

CLEAN = {"jobs": 1, "moments": 1_000, "seed": 1}


@pytest.mark.parametrize("lives", [believable_deliveries(), *slow(noisy_deliveries())],
                         ids=["believable", "noise"])  # fmt: skip
@over_http
@given(data=st.data())
def test_live_tables_agree_with_the_log(timed, lives, data):
    """For any order of arrival, any origins, and any size of requests and batches."""
    site, clock = timed
    arrived(site, clock, data, lives)
    result = verify(site.url, **CLEAN | {"seed": data.draw(st.integers(0, 99))})
    assert [] == result.differences
    assert 0 == result.left


# --- tampering ---

LATE = (
    story(
        login(0, "ann", "Available"),
        task(5_000, "t", "new", queueId="q"),
        v2(20_000, "ann", "connected", "t", ("c", "telephony"), queueId="q"),
        v1(30_000, "ann", "wrapup", "t", wrapUpAuxCodeId="help"),
        v1(50_000, "ann", "idle", idleCodeId="lunch", idleCodeName="Lunch"),
        ended(40_000, "t"),
        capture(41_000, "t", "file"),
        task(42_000, "w", "parked"),
        task(43_000, "w", "connected"),
    ),
    story(
        v1(10_000, "ann", "idle"),
        v1(15_000, "ann", "nonsense"),
        v1(45_000, "ann", "idle", idleCodeId="lunch", idleCodeName="Lunch"),
        task(6_000, "t", "parked"),
        task(4_000, "t", "new", queueId="q"),
    ),
)


@pytest.fixture(scope="module")
def late_template(template, tmp_path_factory):
    """A folded database that has rows in every table, superseded ones included."""
    url = clone(template)
    with open_site(url, tmp_path_factory.mktemp("late")) as site:
        for number, bodies in enumerate(LATE):
            for it in bodies:
                site.post(it | {"id": f"{number}-{it['id']}"})
        first, *_ = story(v1(25_000, "bob", "wrapup", "u"))
        new, odd, end = story(
            task(24_000, "u", "new"), task(25_500, "u", "connected"), ended(26_000, "u")
        )
        site.post([first, new | {"id": "n"}, odd | {"id": "o"}, end | {"id": "x"}])
        site.project()
    with connect(url) as connection:
        for name in DERIVED:
            assert connection.execute(f"SELECT FROM {name} LIMIT 1".encode()).fetchall(), name
    return url


@pytest.fixture
def folded(template, late_template):
    """A copy of the late template."""
    with cloned(template, database_of(late_template)) as url:
        yield url


@pytest.fixture
def shared(late_template, name):
    """The late template itself; changes of the table of this name are undone after the test."""
    with connect(late_template) as connection:
        connection.execute(f"CREATE TEMP TABLE untouched AS TABLE {name}".encode())
        yield late_template
        connection.execute("SET session_replication_role = replica")  # no trigger fires
        connection.execute(f"TRUNCATE {name}".encode())
        connection.execute(f"INSERT INTO {name} TABLE untouched".encode())


_OTHER = {
    "text": "{0} || 'x'",
    "bigint": "{0} + 1",
    "integer": "{0} + 1",
    "smallint": "({0} + 1) % 16",
    "jsonb": "'{{\"other\": [1]}}'::jsonb",
    "ARRAY": "{0} || 1::bigint",
    "boolean": "NOT {0}",
}


def columns() -> list[tuple[str, str]]:
    """Every column of every derived table, as the migrations have them."""
    return [(name, column) for name in ALL for column in columns_of(name)]


def columns_of(name: str) -> list[str]:
    return _COUNTS[name] if name in _COUNTS else _COLUMNS[name.partition("_")[2]]


_STATE = (
    "partition position state counters facets deadline later_facets later_anomalies"
    " anomaly_time last_event_time last_event_type first_event_time last_recorded_time"
    " max_clock_lead_ms max_lateness_ms waiting_since last_known_time"
)
_INTERVAL = (
    "start known_from known_to status current_state task_id queue_id idle_code_id event_id"
    " silent_since"
)
_FACT = (
    "kind start number known_from known_to finish counted_time outcome queue_id channel_type"
    " direction talk_ms hold_ms consult_ms wrap_up_ms doubtful parts"
)
_COLUMNS = {
    "": f"org_id id {_STATE}".split(),
    "intervals": f"org_id id {_INTERVAL}".split(),
    "facts": f"org_id id {_FACT}".split(),
    "anomalies": ["org_id", "id", "position", "kind", "event_id", "gap_from", "gap_to"],
    "snapshots": ["org_id", "id", "time", "known_from", "known_to", "state", "counters"],
    "late_counts": ["org_id", "id", "time", "known_from", "added"],
    "corrections": [
        *("org_id", "id", "position", "start", "finish", "partition", "recorded_time", "event_id"),
        *("before", "after", "events"),
    ],
}
_COUNTS = {
    "projections": ["name", "partition", "position", "counted_position", "fold_version"],
    "bucket_counts": ["name", "kind", "bucket", "stored", "projected", "anomalies", "corrections"],
    "arrival_delays": ["type", "bucket", "events"],
    "arrival_delays_checkpoint": ["position"],
    "ledger_counts": ["ledger", "count"],
}
ALL = [*DERIVED, *_COUNTS]
# A changed value of such a column makes one row missing and another one superfluous.
_KEYS = {
    *("org_id", "id", "start", "time", "position", "known_from", "known_to", "gap_to"),
    *("name", "partition", "kind", "bucket", "type", "ledger", "number"),
}
# Every value of these has a row already, so no row can take another one; nor is there another kind.
_TAKEN = {("projections", "partition"), ("bucket_counts", "bucket"), ("task_facts", "kind")}


def test_the_list_has_every_column(late_template):
    """The list of columns is complete, so a new column must join it.

    No release of this version of the fold reads or writes `facets_after_deadline` and `kpi_facts`.
    """
    with connect(late_template) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'projector' AND table_name = ANY(%s)",
            (ALL,),
        ).fetchall()
    found = {(row["table_name"], row["column_name"]) for row in rows}
    unused = product(("agents", "tasks"), ("facets_after_deadline", "kpi_facts"))
    assert found == {*columns(), *unused}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "column"), columns())
def test_a_changed_value_is_found(shared, name, column):
    """Whichever column of whichever table: the difference names both."""
    with connect(shared) as connection:
        (row,) = connection.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = 'projector' AND (table_name, column_name) = (%s, %s)",
            (name, column),
        ).fetchall()
        other = _OTHER[row["data_type"]].format(f"coalesce({column}, {_NONE[row['data_type']]})")
        change = (
            f"UPDATE {name} SET {column} = {other} WHERE ctid ="
            f" (SELECT ctid FROM {name} ORDER BY {column} DESC NULLS LAST LIMIT 1)"
        ).encode()
        if (name, column) in _TAKEN:
            with pytest.raises(psycopg.IntegrityError):
                connection.execute(change)
            return
        assert 1 == connection.execute(change).rowcount
    fields = {
        it.field.partition("[")[0] for it in verify(shared, **CLEAN).differences if it.table == name
    }
    assert fields & ({column, "row"} if column in _KEYS else {column})


_NONE = {
    "text": "''",
    "bigint": "0",
    "integer": "0",
    "smallint": "0",
    "jsonb": "'{}'",
    "ARRAY": "'{}'",
    "boolean": "FALSE",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM {0} WHERE ctid = (SELECT ctid FROM {0} LIMIT 1)",
        "INSERT",
        "TRUNCATE {0}",
    ],
    ids=["deleted", "stray", "emptied"],
)
def test_a_missing_and_a_stray_row_are_found(shared, name, change):
    """Also of a subject that the log does not have."""
    with connect(shared) as connection:
        if change.startswith("INSERT"):
            others = {"id", "name", "type", "ledger"}
            values = {it: "'nobody'" if it in others else it for it in columns_of(name)}
            names, literals = ", ".join(values), ", ".join(values.values())
            change = f"INSERT INTO {{0}} ({names}) SELECT {literals} FROM {{0}} LIMIT 1"
        assert connection.execute(change.format(name).encode()).rowcount != 0
    assert name in {it.table for it in verify(shared, **CLEAN).differences}


# --- how it works ---


def busy(site: Site, events: int = 1_500) -> None:
    """A floor; a tenth of its events come late."""
    simulation = Simulation(8, 3, start_ms=RECORDED - 8 * 3_600_000)
    bodies = list(islice(simulation, events))
    late = bodies[::10]
    site.post([it for number, it in enumerate(bodies) if number % 10])
    for start in range(0, len(late), 10):
        site.post(late[start : start + 10])
    site.project()


@pytest.mark.slow
def test_one_and_two_processes_have_the_same_result(site):
    """Whatever the seed."""
    busy(site)
    one = verify(site.url, jobs=1, moments=4, seed=1)
    two = verify(site.url, jobs=2, moments=4, seed=2)
    assert [] == one.differences == two.differences
    assert (one.subjects, one.events, one.rows, one.left) == (
        two.subjects, two.events, two.rows, two.left,
    )  # fmt: skip
    assert one.left > 0
    with connect(site.url) as connection:
        connection.execute("UPDATE agents SET last_event_time = last_event_time + 1")
    one, two = (verify(site.url, jobs=jobs, moments=4, seed=3).differences for jobs in (1, 2))
    assert one == two
    assert 8 == len(one)


@pytest.mark.slow
def test_it_runs_beside_a_runner(site):
    """From one database snapshot: what is folded meanwhile is not in it."""
    busy(site, 600)
    stop = threading.Event()
    runner = follow(site, stop)
    simulation = iter(Simulation(8, 4, start_ms=RECORDED))

    def send() -> None:
        while not stop.is_set():
            site.post(list(islice(simulation, 10)))

    sender = threading.Thread(target=send)
    sender.start()
    results = [verify(site.url, jobs=jobs, moments=2, seed=1) for jobs in (1, 2, 1)]
    stop.set()
    sender.join()
    runner.join()
    assert [] == [difference for result in results for difference in result.differences]
    assert results[0].events < results[1].events < results[2].events


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments], env={"DATABASE_URL": url})


def test_the_command_says_what_differs(folded):
    """Exit code 0 where nothing does, else 4, with the first field of each subject."""
    result = run(folded, "--jobs", "1", "--seed", "5")
    assert (0, True) == (result.exit_code, result.output.startswith("0 differences: "))
    with connect(folded) as connection:
        connection.execute("UPDATE agents SET facets = '{}' WHERE id = 'ann'")
    result = run(folded, "--jobs", "1")
    assert 4 == result.exit_code
    assert 'agents ann of acme: facets is {}, the log says {"status": ["idle"]' in result.output
    answer = json.loads(run(folded, "--json", "--jobs", "1").output)
    assert ["facets"] == [it["field"] for it in answer["differences"]]
    assert {"subjects", "events", "rows", "seconds", "seed"} <= answer.keys()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["agent:bob"], 0),
        (["agent:ann"], 4),
        (["agent:ann", "--org", "acme"], 4),
        (["agent:ann", "--org", "umbra"], 1),
        (["agent:nobody"], 1),
        (["--org", "acme"], 4),
        (["--org", "umbra"], 1),
        (["task:t"], 0),
        (["ann"], 2),
        (["queue:q"], 2),
        (["agent:ann", "--seal", __file__], 2),
        (["--org", "acme", "--seal", __file__], 2),
    ],
)
def test_some_subjects_can_be_verified(folded, arguments, code):
    """By kind and id, by organisation; a seal is of the whole log."""
    with connect(folded) as connection:
        connection.execute("UPDATE agents SET facets = '{}' WHERE id = 'ann'")
    assert code == run(folded, "--jobs", "1", *arguments).exit_code


def test_events_that_are_left_out_are_counted(site):
    """Events that wait, were skipped or are not folded yet are in no table, and nothing differs."""
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE agent_intervals ADD CHECK (status <> 'poison')")
    words = [(agent, word) for word in ("idle", "poison", "available") for agent in ("ann", "bob")]
    for body in story(*(v1(time, *it) for time, it in enumerate(words) if it != ("bob", "poison"))):
        site.post(body)
    site.project()
    assert (3, 0, 2, 0) == left_out(site)
    assert site.service.parked_subjects.skip("agent", ORG, "ann", who="op", why=None) == 1
    assert (4, 0, 0, 1) == left_out(site)
    site.post(v1(9, "ann", "idle") | {"id": "later"})
    assert (4, 1, 0, 1) == left_out(site)
    assert (2, 1, 0, 1) == left_out(site, SubjectFilter(kind="agents", org=ORG, id="ann"))
    assert (2, 0, 0, 0) == left_out(site, SubjectFilter(id="bob"))


def left_out(site: Site, subjects: SubjectFilter = ALL_SUBJECTS) -> tuple[int, int, int, int]:
    """Events compared, not folded yet, waiting and skipped, where nothing differs."""
    result = verify(site.url, **CLEAN, subjects=subjects)
    assert [] == result.differences
    return result.events, result.unfolded, result.waiting, result.skipped


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([1, 1, 1, 1], ["012", "3"]),
        ([4, 5, 1, 1], ["01", "23"]),
        ([1, 50, 1, 1], ["0", "1", "23"]),
        ([0, 9, 0, 0], ["012", "3"]),
    ],
)
def test_a_worker_holds_few_subjects_and_few_events(monkeypatch, events, expected):
    """Or one subject, however many events it has."""
    monkeypatch.setattr(batches, "MAX_SUBJECTS", 3)
    monkeypatch.setattr(batches, "MAX_EVENTS", 9)
    rows = [{"org_id": ORG, "id": str(it), "events": count} for it, count in enumerate(events)]
    assert expected == ["".join(id_ for _, id_ in keys) for keys in batches.batches(rows)]


# --- what fails is said in a sentence ---


def test_a_body_that_is_no_event_is_said(folded):
    """The seal tells which: there is nothing to fold."""
    with connect(folded) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER immutable")
        connection.execute("UPDATE events SET state = '5' WHERE notification_id = 3")
    result = run(folded, "--jobs", "1")
    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "`projector verify --seal` tells which" in result.stderr


def test_an_old_schema_is_said(server):
    """Nothing is compared with tables that are not there."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE unmigrated")
    result = run(on_database(server, "unmigrated"))
    assert (1, "The schema is not up to date: run `projector migrate`.\n") == (
        result.exit_code, result.stderr,
    )  # fmt: skip


PROCESSES = 2


def test_a_worker_that_dies_is_said(folded):
    """It does not pass for a comparison."""

    def kill() -> None:
        # One that dies while the other is being started can hang Python's own pool (3.11).
        eventually(lambda: len(active_children()) == PROCESSES)
        active_children()[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(WorkerDied, match="try fewer at a time"):
        verify(folded, jobs=PROCESSES, moments=4, seed=1)
    killer.join()
