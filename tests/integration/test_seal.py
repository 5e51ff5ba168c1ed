"""Seals: a comparison shows every change of a sealed row, and nothing else."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from psycopg.rows import TupleRow, tuple_row

from projector.cli.main import main
from projector.domain.events import Offered
from projector.event_log.seal import seal_file as sealed_module
from projector.event_log.seal.seal_file import (
    EVENTS_TABLE,
    LEDGERS,
    Seal,
    SealError,
    first_position,
    read_seal,
    segment_number,
)
from projector.event_log.seal.sealer import SEALED_COLUMNS, compare_with_seal, make_seal
from projector.event_log.store import EventStore, Request
from projector.infrastructure.database import connect, open_pool
from projector.operations.audit_trail import TrailRequest, append_answer, append_asked
from projector.webex.webhook import Unusable, judge
from tests.conftest import clone, database_of
from tests.integration.driving import eventually
from tests.strategies import envelope

NOW = 1_800_000_000_000
SEGMENT = 4  # events, so that a small log has several
TYPES = {"bigint": ">q", "smallint": ">h"}
COLUMNS = [
    (table, column) for table, covered in SEALED_COLUMNS.items() for column in covered.columns
]
COUNTERS = {"deliveries", "last_time"}  # of ledgers: every delivery changes them


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch):
    monkeypatch.setattr(sealed_module, "SEGMENT_EVENTS", SEGMENT)


class Log:
    """A log, and the connection of a superuser to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = NOW
        self._pool = open_pool(url, max_size=1)
        self._store = EventStore(self._pool, clock=lambda: self.now)
        self.connection = connect(url)
        self.cur = self.connection.cursor(row_factory=tuple_row)

    def append(self, *events: Offered, unusable: bytes | None = None) -> None:
        """Append one request, a second after the one before."""
        bad = [] if unusable is None else [Unusable(body=unusable, reason="no object")]
        self.now += 1_000
        self._store.append([Request(events=events, unusable=bad, headers={"X": "1"})])

    def act(self) -> None:
        """Leave a row in the audit trail, and its answer."""
        asked = TrailRequest(
            who="operator 1", address="192.0.2.1", action="POST /x", details={"a": 1}
        )
        request_id = append_asked(self.connection, asked, self.now)
        append_answer(self.connection, request_id, {"status": 200}, self.now)

    def tamper(self, *statements: str) -> None:
        """Change rows; no trigger fires."""
        with self.connection.transaction():
            self.cur.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                assert self.cur.execute(statement.encode()).rowcount != 0

    def seal(self, **options: Any) -> Seal:
        """A seal of the log, as it is read back from its text."""
        made = make_seal(self.cur, now=NOW, **options)
        return read_seal(made.json_text().encode())

    def differences(self, seal: Seal) -> list[tuple[int, str, list[int]]]:
        return [(it.segment, it.table, [*it.positions]) for it in compare_with_seal(self.cur, seal)]

    def close(self) -> None:
        self.connection.close()
        self._pool.close()


def offer(id_: str, **data: Any) -> Offered:
    element = envelope(id_, "agent:login", {"agentId": id_, "createdTime": NOW, **data})
    offered = judge(json.dumps(element).encode(), element, now=NOW, default_org=None)
    assert isinstance(offered, Offered)
    return offered


def fill(log: Log) -> None:
    """Append ten events, three segments, and rows of each ledger between them."""
    log.append(offer("a"), offer("b"))
    log.act()
    log.append(offer("a"), offer("a", destination="else"), unusable=b"[]")
    log.append(offer("c"), offer("d", taskId="t"), offer("e"))
    log.append(offer("b"), offer("e", destination="else"), unusable=b"7")
    log.act()
    log.append(*map(offer, "fghij"))


@pytest.fixture(scope="module")
def filled(template: str) -> str:
    """The name of a database with a filled log, to be cloned."""
    with closing(Log(clone(template))) as log:
        fill(log)
    return database_of(log.url)


@pytest.fixture(scope="module")
def shared(template: str, filled: str) -> Iterator[Log]:
    with closing(Log(clone(template, filled))) as log:
        yield log


@pytest.fixture
def log(shared: Log) -> Iterator[Log]:
    """A filled log; after the test its changes are rolled back."""
    with shared.connection.transaction(force_rollback=True):
        yield shared


@pytest.fixture
def own(template: str, filled: str) -> Iterator[Log]:
    """A filled log of the test's own, with committed changes."""
    with closing(Log(clone(template, filled))) as log:
        log.now = NOW + 60_000
        yield log


@pytest.fixture
def seal(log: Log) -> Seal:
    return log.seal(leaves=True)


@pytest.fixture
def empty(database_url: str) -> Iterator[Log]:
    with closing(Log(database_url)) as log:
        yield log


# --- what is sealed ---


def test_every_column_is_sealed(log):
    """All columns of the log; of the ledgers all but those that count deliveries.

    The kind of a conflict follows from both bodies, which are sealed.
    """
    columns = {(table, name) for table, name, _ in columns_of(log)}
    counters = {(table, name) for table in ("conflicts", "quarantine") for name in COUNTERS}
    assert columns == {*COLUMNS} | counters | {("conflicts", "kind")}


def columns_of(log: Log) -> list[TupleRow]:
    """Table, column and type, of the sealed tables."""
    query = """
        SELECT table_name::text, column_name::text, data_type::text
        FROM information_schema.columns
        WHERE table_schema = 'projector' AND table_name = ANY(%s)
    """
    return log.cur.execute(query, ([*SEALED_COLUMNS],)).fetchall()


def test_the_sealed_log_has_all_kinds_of_rows(seal):
    """It has three segments, and a row of each ledger in at least one of them."""
    assert [4, 4, 2] == [segment.tables[EVENTS_TABLE].rows for segment in seal.segments]
    counts = {name: sum(it.tables[name].rows for it in seal.segments) for name in LEDGERS}
    assert {"duplicates": 2, "conflicts": 2, "quarantine": 2, "audit_trail": 4} == counts


def test_segments_are_those_of_the_logs_column(log, monkeypatch):
    """The log stores each event's segment; the seal has the same segments."""
    monkeypatch.undo()
    (expression,) = log.cur.execute(
        "SELECT generation_expression::text FROM information_schema.columns"
        " WHERE table_schema = 'projector' AND column_name = 'seal_segment'"
    ).fetchone()
    for position in (1, 2, 4096, 4097, 8192, 8193, 10**12):
        query = f"SELECT {expression} FROM (SELECT {position}::bigint AS notification_id) AS e"
        (segment,) = log.cur.execute(query.encode()).fetchone()
        assert segment_number(position) == segment
        assert first_position(segment) <= position < first_position(segment + 1)


def test_the_format_can_be_computed_by_others(log, seal):
    """As the docs say: the leaves of the events from their values alone, and the chain."""
    columns = SEALED_COLUMNS[EVENTS_TABLE].columns
    types = {name: type_ for table, name, type_ in columns_of(log) if table == EVENTS_TABLE}
    query = f"SELECT {', '.join(columns)} FROM events ORDER BY notification_id"
    rows = log.cur.execute(query.encode()).fetchall()

    def field(name: str, value: Any) -> bytes:
        if value is None:
            return struct.pack(">i", -1)
        if isinstance(value, int):
            value = struct.pack(TYPES[types[name]], value)
        elif isinstance(value, UUID):
            value = value.bytes
        elif isinstance(value, str):
            value = value.encode()
        return struct.pack(">i", len(value)) + value

    start = b"\0" + b"projector-seal-1 events\0" + struct.pack(">h", len(columns))
    leaves = [sha256(start + b"".join(map(field, columns, row))).digest() for row in rows]
    assert [leaf for it in seal.segments for leaf in it.leaves] == leaves
    chain = bytes(32)
    for segment in json.loads(seal.json_text())["segments"]:
        del segment["leaves"]
        said = json.dumps(segment, separators=(",", ":")).encode()
        chain = sha256(b"projector-seal-1 segment\0" + chain + said).digest()
    assert seal.chain == chain


# --- what a comparison shows ---

OTHER = {
    "bigint": "coalesce({}, 0) + 1000",
    "smallint": "(coalesce({}, 0) + 1) % 256",
    "text": "coalesce({}, '') || 'x'",
    "bytea": "{} || '\\x00'",
    "uuid": "gen_random_uuid()",
    "jsonb": "'{{}}'",
}
OTHER_WORD = {"origin": "'import'", "time_source": "'dispatched'"}  # of those that are allowed
NO_CHECKS = (
    "ALTER TABLE audit_trail DROP CONSTRAINT audit_trail_check,"
    " DROP CONSTRAINT audit_trail_step_check"
)
LOOSEN = {
    "seal_segment": "ALTER TABLE events ALTER seal_segment DROP EXPRESSION",
    "id": "ALTER TABLE quarantine ALTER id DROP IDENTITY",
    "number": "ALTER TABLE audit_trail ALTER number DROP IDENTITY",
    **dict.fromkeys(("step", "who", "action"), NO_CHECKS),
}


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_column_is_found(log, seal, table, column):
    """In any sealed table and column."""
    (type_,) = [kind for name, it, kind in columns_of(log) if (name, it) == (table, column)]
    other = OTHER_WORD.get(column) or OTHER[type_].format(column)
    last = f"SELECT ctid FROM {table} ORDER BY {SEALED_COLUMNS[table].order[0]} LIMIT 1"
    if column in LOOSEN:
        log.tamper(LOOSEN[column])
    log.tamper(f"UPDATE {table} SET {column} = {other} WHERE ctid = ({last})")
    differences = log.differences(seal)
    assert {table} == {name for _, name, _ in differences}
    assert [[1]] == [positions for _, _, positions in differences] or table in LEDGERS


SWAP = [
    "UPDATE events SET notification_id = -6 WHERE notification_id = 6",
    "UPDATE events SET notification_id = 6 WHERE notification_id = 7",
    "UPDATE events SET notification_id = 7 WHERE notification_id = -6",
]


def inserted(position: int, **others: str) -> str:
    """A copy of an event, under another key."""
    others = {
        "originator_id": "gen_random_uuid()",
        "org_id": "'other'",
        "notification_id": str(position),
        **others,
    }
    names = [name for name in SEALED_COLUMNS[EVENTS_TABLE].columns if name != "seal_segment"]
    values = ", ".join(others.get(name, name) for name in names)
    return f"INSERT INTO events ({', '.join(names)}) SELECT {values} FROM events LIMIT 1"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["DELETE FROM events WHERE notification_id = 6"], [(1, [6])]),
        (["DELETE FROM events WHERE notification_id BETWEEN 5 AND 8"], [(1, [5, 6, 7, 8])]),
        (["DELETE FROM events WHERE notification_id > 8"], [(2, [9, 10])]),
        (["DELETE FROM events"], [(0, [1, 2, 3, 4]), (1, [5, 6, 7, 8]), (2, [9, 10])]),
        ([inserted(6)], [(1, [6])]),
        ([inserted(0)], [(0, [0])]),
        ([inserted(-5)], [(0, [-5])]),
        (SWAP, [(1, [6, 7])]),
        (
            ["DELETE FROM events WHERE notification_id > 6", inserted(7), inserted(8)],
            [(1, [7, 8]), (2, [9, 10])],
        ),
        (
            ["UPDATE events SET state = state || ' ' WHERE notification_id IN (4, 5)"],
            [(0, [4]), (1, [5])],
        ),
        (["UPDATE events SET task_id = '' WHERE notification_id = 1"], [(0, [1])]),
        (["UPDATE events SET task_id = NULL WHERE notification_id = 4"], [(0, [4])]),
        (["UPDATE events SET event_id = 'aa', agent_id = '' WHERE agent_id = 'a'"], [(0, [1])]),
    ],
)
def test_rows_that_are_not_the_sealed_ones(log, seal, statements, expected):
    """Removed, inserted, swapped, cut off at the end or replaced: the comparison says where."""
    log.tamper(*statements)
    assert [(segment, EVENTS_TABLE, at) for segment, at in expected] == log.differences(seal)


def test_without_leaves_the_comparison_names_the_segment(log):
    """And the positions that have no row or several."""
    seal = log.seal()
    log.tamper("UPDATE events SET topic = 'x' WHERE notification_id = 2", *SWAP)
    log.tamper("DELETE FROM events WHERE notification_id = 9")
    expected = [(0, EVENTS_TABLE, []), (1, EVENTS_TABLE, []), (2, EVENTS_TABLE, [9])]
    assert expected == log.differences(seal)


COPIES = {
    "duplicates": "INSERT INTO duplicates SELECT * FROM duplicates",
    "conflicts": "INSERT INTO conflicts SELECT org_id, position, '', body, 1, first_time, 0"
    " FROM conflicts LIMIT 1",
    "quarantine": "INSERT INTO quarantine (sha256, body, reason, headers, deliveries, first_time,"
    " last_time) SELECT '', '', '', headers, 1, first_time, 0 FROM quarantine LIMIT 1",
    "audit_trail": "INSERT INTO audit_trail (request_id, step, time, who, action, details)"
    " SELECT gen_random_uuid(), step, time, who, action, details FROM audit_trail LIMIT 1",
}


@pytest.mark.parametrize("ledger", LEDGERS)
@pytest.mark.parametrize("removes", [True, False])
def test_rows_of_ledgers(log, seal, ledger, removes):
    """Removed or inserted, within the sealed time."""
    log.tamper(f"DELETE FROM {ledger}" if removes else COPIES[ledger])
    assert {ledger} == {table for _, table, _ in log.differences(seal)}


# --- what is no difference ---


def test_later_rows_are_no_difference(own):
    """Events, and ledger rows about sealed events, even when the clock is set back."""
    seal = own.seal()
    for now in (NOW + 90_000, 0):
        own.now = now
        said = str(now)
        rival = offer("a", destination=said)
        own.append(offer("a"), rival, offer(said), unusable=said.encode())
    assert [] == own.differences(seal)
    assert 12 == own.seal().position


def test_quarantine_waits_for_an_append(own):
    """A body that is quarantined during an append has no time before that of the append."""
    late = NOW + 90_000
    with own.connection.transaction():
        own.cur.execute("SELECT pg_advisory_xact_lock(hashtextextended('projector.events', 0))")
        own.cur.execute(inserted(11, recorded_time=str(late)).encode())
        other = threading.Thread(target=own.append, kwargs={"unusable": b"8"})
        other.start()
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        eventually(lambda: own.cur.execute(waits).fetchone() is not None or not other.is_alive())
    other.join()
    own.cur.execute("SELECT first_time FROM quarantine WHERE body = '8'")
    assert (late,) == own.cur.fetchone()


def test_deliveries_that_are_counted_are_no_difference(own):
    """Quarantined bodies that come again change no sealed column."""
    seal = own.seal()
    own.append(offer("a", destination="else"), unusable=b"[]")
    assert [] == own.differences(seal)


def test_a_seal_is_of_one_moment(own):
    """Rows that are committed while it is made are not in it."""
    with own.connection.transaction():
        own.cur.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        own.cur.execute("SELECT FROM events LIMIT 1")
        own.append(offer("k"))
        seal = own.seal()
    assert (10, []) == (seal.position, own.differences(seal))


def test_an_empty_log(empty):
    """It has a seal too, from which a later one goes on."""
    seal = empty.seal()
    fill(empty)
    assert (0, [], []) == (seal.position, seal.segments, empty.differences(seal))
    assert empty.seal().chain == empty.seal(earlier=seal).chain


def test_the_right_to_read_is_enough(log):
    """SELECT on the four tables."""
    log.tamper(
        "CREATE ROLE reader",
        "GRANT USAGE ON SCHEMA projector TO reader",
        f"GRANT SELECT ON {', '.join(SEALED_COLUMNS)} TO reader",
        "SET LOCAL ROLE reader",
    )
    assert [] == log.differences(log.seal())


# --- one seal after another ---


@pytest.mark.parametrize("more", ["", "k", "kl", "klm", "klmnopqrst"])
def test_a_later_seal_equals_a_new_one(own, more):
    """From an earlier seal or from the beginning: the same segments, the same chain."""
    earlier = own.seal()
    for id_ in more:
        own.append(offer(id_), offer("a"))
    anew, later = own.seal(), own.seal(earlier=earlier)
    assert (anew.segments, anew.chain) == (later.segments, later.chain)
    assert (0, 8) == (anew.believed, later.believed)
    assert earlier.segments[:2] == later.segments[:2]


def test_a_later_seal_believes_the_earlier(log, seal):
    """Its full segments are not read again; a comparison reads all of them."""
    log.tamper("UPDATE events SET topic = 'x' WHERE notification_id = 2")
    assert [(0, EVENTS_TABLE, [2])] == log.differences(log.seal(earlier=seal))


@pytest.mark.parametrize("position", [9, 10])
def test_a_later_seal_reads_the_last_segment_again(log, seal, position):
    """So later changes of it are not sealed."""
    log.tamper(f"UPDATE events SET topic = 'x' WHERE notification_id = {position}")
    with pytest.raises(SealError, match=f"does not go on .* at {position}"):
        log.seal(earlier=seal)


@pytest.mark.parametrize("head", [0, 4, 7])
def test_a_later_seal_refuses_a_shorter_log(empty, head):
    """Even if the remaining log ends with a full segment."""
    empty.append(*map(offer, "abcdefgh"))
    seal = empty.seal()
    empty.tamper(f"DELETE FROM events WHERE notification_id > {head}")
    with pytest.raises(SealError, match="does not go on"):
        empty.seal(earlier=seal)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE notification_id = 6",
        "DELETE FROM events WHERE notification_id BETWEEN 5 AND 8",
        inserted(6),
        inserted(0),
    ],
)
def test_a_log_with_holes_is_not_sealed(log, statement):
    """Nor is one with a position twice: appending causes neither."""
    log.tamper(statement)
    with pytest.raises(SealError, match="not sealed"):
        log.seal()


# --- the seal itself ---


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of the plain values of a JSON document."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, it in items:
            yield from _places(it, (*path, key))
    else:
        yield path


def test_a_changed_seal_is_refused(seal):
    """Any value: all but the time, the versions and `believed` depend on each other."""
    text = seal.json_text()
    places = [it for it in _places(json.loads(text)) if it[0] not in {"time", "versions"}]
    assert 4 + 3 * (3 + 2 * 5) + 10 == len(places)  # of the seal, the segments, the leaves
    for *path, last in places:
        changed = json.loads(text)
        holder = changed
        for key in path:
            holder = holder[key]
        value = holder[last]
        holder[last] = (
            value + 11 if isinstance(value, int) else f"{int(value[0] == '0')}{value[1:]}"
        )
        with pytest.raises(SealError):
            read_seal(json.dumps(changed).encode())


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1), slice(None, None, -1)])
def test_a_cut_seal_is_refused(seal, cut):
    """Segments that are missing or in another order."""
    changed = json.loads(seal.json_text())
    changed["segments"] = changed["segments"][cut]
    with pytest.raises(SealError, match="changed or cut"):
        read_seal(json.dumps(changed).encode())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "projector-seal-3"}, "format: .*'projector-seal-2'"),
        ({"surplus": 1}, "surplus"),
        ({"chain": "00"}, "chain"),
        ({"chain": "zz"}, "chain"),
        ({"segments": None}, "segments"),
    ],
)
def test_another_json_document_is_refused(seal, change, sentence):
    """With a sentence that names the field that cannot be read."""
    with pytest.raises(SealError, match=sentence):
        read_seal(json.dumps(json.loads(seal.json_text()) | change).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff"])
def test_other_text_is_refused(text):
    """Without a traceback."""
    with pytest.raises(SealError, match="no seal that can be read"):
        read_seal(text)


# --- the command ---


@pytest.fixture
def run(own, monkeypatch, tmp_path):
    """The command, over the log, in a folder of the test's own."""
    monkeypatch.setenv("DATABASE_URL", own.url)
    monkeypatch.setenv("PROJECTOR_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["seal", *arguments])


def compare(*more):
    """Compare the log with the seal file."""
    return CliRunner().invoke(main, ["verify", "--seal", "seal.json", *more])


def test_seal_and_check(run, own):
    """Exit codes 0 with the chain, 0 without a difference, 4 with differences."""
    made = run("--out", "seal.json", "--leaves")
    chain = own.seal().chain.hex()
    assert (0, f"Sealed up to position 10, chain {chain}.\n") == (made.exit_code, made.stdout)
    same = compare()
    assert (0, "The log up to position 10 is what was sealed.\n") == (same.exit_code, same.stdout)
    own.tamper("UPDATE events SET topic = 'x' WHERE notification_id = 6")
    changed = compare()
    assert (
        4,
        "events of segment 1 (positions 5 to 8): 4 rows found, 4 sealed, not the same, at 6\n",
    ) == (changed.exit_code, changed.stdout)


def test_seal_in_json(run, own):
    """One object: the position, up to which it was believed, and the chain."""
    run("--out", "first.json")
    own.append(offer("k"))
    result = run("--since", "first.json", "--out", "later.json", "--json")
    expected = {"position": 11, "believed": 8, "chain": own.seal().chain.hex()}
    assert (0, expected) == (result.exit_code, json.loads(result.stdout))


def test_check_in_json(run, own):
    """One object with the differences."""
    run("--out", "seal.json")
    assert {"position": 10, "differences": []} == json.loads(compare("--json").stdout)
    own.tamper("DELETE FROM events WHERE notification_id = 6")
    result = compare("--json")
    difference = {
        "segment": 1,
        "first": 5,
        "last": 8,
        "table": "events",
        "sealedRows": 4,
        "foundRows": 3,
        "positions": [6],
    }
    assert (4, [difference]) == (result.exit_code, json.loads(result.stdout)["differences"])


def test_seal_to_the_output(run, own):
    """Without --out the output is the seal, and --since goes on from one."""
    first = run().stdout
    Path("first.json").write_text(first)
    own.append(offer("k"))
    later = run("--since", "first.json").stdout
    assert [10, 11] == [read_seal(text.encode()).position for text in (first, later)]


def test_a_seal_overwrites_no_file(run):
    """Exit code 1, and the file is as it was."""
    Path("seal.json").write_text("kept")
    result = run("--out", "seal.json")
    assert (1, "", True) == (result.exit_code, result.stdout, "is there already" in result.stderr)
    assert "kept" == Path("seal.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "no/folder"], "cannot be written"),
        (["--since", "no.json"], "no seal that can be read"),
    ],
)
def test_bad_arguments_of_seal(run, arguments, word):
    """Exit code 1 and a sentence."""
    Path("no.json").touch()
    result = run(*arguments)
    assert (1, "", True) == (result.exit_code, result.stdout, word in result.stderr)


def test_the_log_is_not_compared_with_another_file(run):
    """Exit code 1 and a sentence."""
    Path("seal.json").write_text("{}")
    result = compare()
    assert (1, "", True) == (result.exit_code, result.stdout, "seal" in result.stderr)


def test_seal_without_a_schema(run, own):
    """Exit code 1, and what to do."""
    own.tamper("DELETE FROM schema_migrations WHERE version > 1")
    result = run()
    assert (1, True) == (result.exit_code, "projector migrate" in result.stderr)


# --- the first format ---


def first_format(seal: Seal) -> Seal:
    """The seal as it was made before the audit trail was sealed."""
    segments = [
        it.model_copy(update={"tables": {k: v for k, v in it.tables.items() if k != LEDGERS[-1]}})
        for it in seal.segments
    ]
    older = seal.model_copy(
        update={
            "format": "projector-seal-1",
            "segments": segments,
            "chain": sealed_module.chain_hash(segments),
        }
    )
    return read_seal(older.json_text().encode())


def test_a_seal_of_the_first_format_is_compared(log, seal):
    """It says nothing of the audit trail, and as much as before of all else."""
    older = first_format(seal)
    assert [] == log.differences(older)
    log.tamper("UPDATE audit_trail SET details = '{}'")
    assert [] == log.differences(older)
    assert {"audit_trail"} == {table for _, table, _ in log.differences(seal)}
    log.tamper("UPDATE events SET origin = 'import' WHERE notification_id = 2")
    assert [(0, EVENTS_TABLE, [2])] == log.differences(older)


def test_after_a_seal_of_the_first_format_all_is_read(log, seal):
    """Nothing of it is believed, and what differs from it is found first."""
    older = first_format(seal)
    made = log.seal(earlier=older, leaves=True)
    assert 0 == made.believed
    assert seal.segments == made.segments
    log.tamper("UPDATE events SET origin = 'import' WHERE notification_id = 2")
    with pytest.raises(SealError, match="does not go on"):
        log.seal(earlier=older)
