"""`projector verify`: it finds no difference, and every one that somebody makes."""

from __future__ import annotations

import json
import threading
from itertools import count, islice

import psycopg
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from projector.cli import main
from projector.database import connect
from projector.simulate import Simulation
from projector.verifier import verify
from tests.conftest import DERIVED, Site, clone, open_site
from tests.examples import RECORDED, capture, ended, login, story, task, v1, v2
from tests.integration.driving import arrived, follow
from tests.strategies import believable_deliveries, noisy_deliveries

CLEAN = {"jobs": 1, "moments": 1_000, "seed": 1}


@pytest.mark.parametrize("lives", [believable_deliveries(), noisy_deliveries()],
                         ids=["believable", "noise"])  # fmt: skip
@given(data=st.data())
def test_what_was_folded_as_it_came_is_what_the_log_says(timed, lives, data):
    """In any order of arrival, of any origin, requests and pages of any size: nothing differs."""
    site, clock = timed
    arrived(site, clock, data, lives)
    found = verify(site.url, **CLEAN | {"seed": data.draw(st.integers(0, 99))})
    assert [] == found.differences
    assert 0 == found.left


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
                site.post(it | {"id": f"{number} {it['id']}"})
        first, *_ = story(v1(25_000, "bob", "wrapup", "u"))
        connected, end = task(24_000, "u", "connected"), ended(26_000, "u")
        site.post([first, connected | {"id": "c"}, end | {"id": "x"}])
        site.project()
    with connect(url) as connection:
        for name in DERIVED:
            assert connection.execute(f"SELECT FROM {name} LIMIT 1".encode()).fetchall(), name
    return url


@pytest.fixture
def folded(template, late_template):
    """A copy of it."""
    source = late_template.partition("?")[0].rpartition("/")[2]
    name = f"{source}_{next(_copies)}"
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY wal_log".encode())
    return late_template.replace(f"/{source}?", f"/{name}?")


_copies = count()
_OTHER = {
    "text": "{0} || 'x'",
    "bigint": "{0} + 1",
    "smallint": "({0} + 1) % 16",
    "jsonb": "'{{\"other\": [1]}}'::jsonb",
    "ARRAY": "{0} || 1::bigint",
}


def columns() -> list[tuple[str, str]]:
    """Every column of every derived table, as the migrations have them."""
    return [(name, column) for name in DERIVED for column in _COLUMNS[name.partition("_")[2]]]


_STATE = (
    "lane position state tally facets due due_facets changed began arrived ahead behind newest"
    " contact"
)
_INTERVAL = "start known_from known_to status current_state task_id queue_id idle_code_id event_id"
_COLUMNS = {
    "": f"org_id id {_STATE}".split(),
    "intervals": f"org_id id {_INTERVAL}".split(),
    "anomalies": ["org_id", "id", "position", "kind", "event_id", "gap_from", "gap_to"],
    "checkpoints": ["org_id", "id", "time", "known_from", "known_to", "state", "tally"],
    "late_counts": ["org_id", "id", "time", "known_from", "added"],
    "corrections": [
        *("org_id", "id", "position", "start", "finish", "lane", "recorded_time", "event_id"),
        *("before", "after", "events"),
    ],
}


def test_every_column_is_tampered_with(folded):
    """So that a column that comes later is checked too."""
    with connect(folded) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'projector' AND table_name = ANY(%s)",
            (DERIVED,),
        ).fetchall()
    assert {(row["table_name"], row["column_name"]) for row in rows} == {*columns()}


@pytest.mark.parametrize(("name", "column"), columns())
def test_a_changed_value_is_found(folded, name, column):
    """Whichever column of whichever table: the difference names a table of the subject."""
    with connect(folded) as connection:
        (row,) = connection.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = 'projector' AND (table_name, column_name) = (%s, %s)",
            (name, column),
        ).fetchall()
        other = _OTHER[row["data_type"]].format(f"coalesce({column}, {_NONE[row['data_type']]})")
        try:
            changed = connection.execute(
                f"UPDATE {name} SET {column} = {other} WHERE ctid ="
                f" (SELECT ctid FROM {name} ORDER BY {column} IS NULL LIMIT 1)".encode()
            )
        except psycopg.IntegrityError:
            return  # the database itself refuses it
        assert 1 == changed.rowcount
    found = verify(folded, **CLEAN)
    assert found.differences
    assert name in {it.table for it in found.differences}


_NONE = {"text": "''", "bigint": "0", "smallint": "0", "jsonb": "'{}'", "ARRAY": "'{}'"}


@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM {0} WHERE ctid = (SELECT ctid FROM {0} LIMIT 1)",
        "INSERT",
        "TRUNCATE {0}",
    ],
    ids=["deleted", "stray", "emptied"],
)
def test_a_missing_and_a_stray_row_are_found(folded, name, change):
    """Also of a subject that the log does not have."""
    with connect(folded) as connection:
        if change.startswith("INSERT"):
            own = ", ".join(it for it in _COLUMNS[name.partition("_")[2]] if it != "id")
            change = f"INSERT INTO {{0}} (id, {own}) SELECT 'nobody', {own} FROM {{0}} LIMIT 1"
        assert connection.execute(change.format(name).encode()).rowcount != 0
    assert name in {it.table for it in verify(folded, **CLEAN).differences}


@pytest.mark.parametrize(
    ("change", "table", "field"),
    [
        ("UPDATE projections SET position = position - 1", "projections", "position"),
        ("UPDATE bucket_counts SET stored = stored + 1", "bucket_counts", "stored"),
        ("UPDATE bucket_counts SET projected = projected + 1", "bucket_counts", "projected"),
        ("UPDATE arrival_delays SET events = events + 1", "arrival_delays", "events"),
        ("DELETE FROM arrival_delays", "arrival_delays", "events"),
        ("DELETE FROM bucket_counts WHERE bucket = 7", "bucket_counts", "stored"),
        ("DELETE FROM projections WHERE lane = 3", "projections", "position"),
    ],
)  # fmt: skip
def test_a_changed_count_is_found(folded, change, table, field):
    """Of what belongs to no subject."""
    with connect(folded) as connection:
        connection.execute(change.encode())
    told = {(it.table, it.field.partition("[")[0]) for it in verify(folded, **CLEAN).differences}
    assert (table, field) in told


# --- how it works ---


def busy(site: Site, events: int = 1_500) -> None:
    """A floor of which a tenth of the events came late."""
    simulation = Simulation(8, 3, start_ms=RECORDED - 8 * 3_600_000)
    bodies = list(islice(simulation, events))
    late = bodies[::10]
    site.post([it for place, it in enumerate(bodies) if place % 10])
    for start in range(0, len(late), 10):
        site.post(late[start : start + 10])
    site.project()


def test_parallel_or_not_it_is_the_same(site):
    """Whatever the order of chance, and with several processes."""
    busy(site)
    one = verify(site.url, jobs=1, moments=4, seed=1)
    two = verify(site.url, jobs=2, moments=4, seed=2)
    assert [] == one.differences == two.differences
    assert (one.subjects, one.events, one.rows, one.left) == (
        two.subjects, two.events, two.rows, two.left,
    )  # fmt: skip
    assert one.left > 0
    with connect(site.url) as connection:
        connection.execute("UPDATE agents SET changed = changed + 1")
    told = [verify(site.url, jobs=jobs, moments=4, seed=3).differences for jobs in (1, 2)]
    assert told[0] == told[1]
    assert 8 == len(told[0])


def test_it_runs_beside_a_runner(site):
    """From one snapshot: what is folded meanwhile is not in it."""
    busy(site, 600)
    stop = threading.Event()
    runner = follow(site, stop)
    simulation = iter(Simulation(8, 4, start_ms=RECORDED))

    def tell() -> None:
        while not stop.is_set():
            site.post(list(islice(simulation, 10)))

    teller = threading.Thread(target=tell)
    teller.start()
    for _ in range(3):
        assert [] == verify(site.url, jobs=1, moments=2, seed=1).differences
    stop.set()
    teller.join()
    runner.join()


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
    told = json.loads(run(folded, "--json", "--jobs", "1").output)
    assert ["facets"] == [it["field"] for it in told["differences"]]
    assert {"subjects", "events", "rows", "seconds", "seed"} <= told.keys()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["agent:bob"], 0),
        (["agent:ann"], 4),
        (["agent:ann", "--org", "acme"], 4),
        (["agent:ann", "--org", "umbra"], 1),
        (["agent:nobody"], 1),
        (["agent:ann", "--seal", __file__], 2),
        (["task:t"], 0),
        (["ann"], 2),
        (["queue:q"], 2),
    ],
)
def test_one_subject_can_be_asked_for(folded, arguments, code):
    """By its kind and id."""
    with connect(folded) as connection:
        connection.execute("UPDATE agents SET facets = '{}' WHERE id = 'ann'")
    assert code == run(folded, "--jobs", "1", *arguments).exit_code


def test_what_is_parked_or_skipped_is_no_difference(site):
    """It waits, or was left out, as the tables say."""
    bodies = story(login(0, "ann", "Available"), v1(1_000, "ann", "idle"), v1(2_000, "bob", "idle"))
    site.post(bodies[:1])
    site.project()
    with connect(site.url) as connection:
        connection.execute(
            "INSERT INTO parked SELECT 'agents', org_id, 'ann', lane * 16, 2, 2, 'test', 0"
            " FROM agents WHERE id = 'ann'"
        )
        connection.execute("INSERT INTO skipped VALUES ('agents', 3, 'test', 0)")
    site.post(bodies[1:])
    site.project()
    differing = verify(site.url, **CLEAN).differences
    assert [] == [it for it in differing if it.table != "bucket_counts"]
