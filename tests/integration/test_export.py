"""`projector export`: whole files of the log from a running service, or none."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow import dataset

from api.http import exports
from projector.cli.commands import export
from projector.cli.main import main
from projector.query.audit import event_log as log
from tests.conftest import served
from tests.examples import at, login, story, task, v1

DAY = 86_400_000


@pytest.fixture
def address(site):
    """A running service that was told of two days and two organisations."""
    bodies = story(
        login(0, "ann", "Available"),
        v1(1_000, "ann", "idle", reason="line\u2028break"),
        task(DAY, "t", "new"),
        v1(DAY + 1, "ann", "available"),
    )
    site.post([*bodies, {**bodies[0], "comciscoorgid": "a/b c"}])
    with served(site.client.application) as found:
        yield found


def run(site: Any, address: str, *arguments: str) -> Result:
    token = site.service.settings.data_dir
    environment = {"PROJECTOR_DATA_DIR": str(token)}
    return CliRunner().invoke(main, ["export", "--url", address, *arguments], env=environment)


@pytest.mark.parametrize(
    ("kind", "accept"), [("csv", "text/csv"), ("ndjson", "application/x-ndjson")]
)
def test_a_file_has_the_bytes_of_the_export(site, address, tmp_path, kind, accept):
    """On the standard output or in a file; the error output says as of what, and its SHA-256."""
    expected = site.get("/api/v1/events?agentId=ann", headers={"Accept": accept}).data
    result = run(site, address, "--format", kind, "--agent-id", "ann")
    assert (0, expected) == (result.exit_code, result.stdout_bytes), result.stderr
    told = hashlib.sha256(expected).hexdigest()
    assert f"exported as of position 5, sha256 {told}\n" == result.stderr
    out = tmp_path / "file"
    result = run(site, address, "--format", kind, "--agent-id", "ann", "--out", str(out))
    assert (0, expected, b"") == (result.exit_code, out.read_bytes(), result.stdout_bytes)
    assert [out] == [*tmp_path.glob("file*")]


def test_the_filters_are_options(site, address):
    """All that the route takes."""
    times = ["--from", str(at(0)), "--to", str(at(DAY)), "--to-position", "4"]
    result = run(site, address, "--type", "agent:login", "--type", "task:new", *times)
    assert ["agent:login"] == [json.loads(line)["type"] for line in result.stdout.splitlines()]
    bodies = run(site, address, "--task-id", "t", "--body").stdout
    assert "task:new" == json.loads(bodies)["type"]
    assert json.loads(bodies)["body"]


def test_parquet_is_partitioned_by_organisation_and_day(site, address, tmp_path):
    """With the bodies byte for byte; a line break within a text is none of the file."""
    out = tmp_path / "log"
    result = run(site, address, "--format", "parquet", "--out", str(out))
    assert 0 == result.exit_code, result.stderr
    assert {"orgId=acme/day=2026-01-01", "orgId=acme/day=2026-01-02",
            "orgId=a%2Fb%20c/day=2026-01-01"} == {
        str(path.parent.relative_to(out)) for path in out.rglob("*.parquet")
    }  # fmt: skip
    table = dataset.dataset(out, partitioning="hive").to_table().sort_by("position").to_pylist()
    rows = [site.get(f"/api/v1/events/{row['position']}").json for row in table]
    assert 5 == len(table)
    for row, expected in zip(table, rows, strict=True):
        assert expected["sha256"] == hashlib.sha256(row["body"]).hexdigest()
        for name in expected.keys() & row.keys() - {"body"}:
            assert expected[name] == row[name]


def test_parquet_does_not_mix_with_what_is_there(site, address, tmp_path):
    """A folder that is there is left alone; what an export before left half made is not."""
    taken, half = tmp_path / "taken", tmp_path / "log.part"
    taken.mkdir()
    result = run(site, address, "--format", "parquet", "--out", str(taken))
    assert (1, True) == (result.exit_code, "there already" in result.stderr)
    half.mkdir()
    (half / "x.parquet").write_bytes(b"half")
    out = tmp_path / "log"
    assert 0 == run(site, address, "--format", "parquet", "--out", str(out)).exit_code
    assert 5 == dataset.dataset(out, partitioning="hive").count_rows()
    assert not half.exists()
    assert 2 == run(site, address, "--format", "parquet").exit_code


@pytest.mark.parametrize("kind", ["ndjson", "parquet"])
def test_what_breaks_off_is_no_export(site, address, tmp_path, monkeypatch, kind):
    """The connection ends before the file: exit code 1, and no file."""
    monkeypatch.setattr(log, "ROWS_TOGETHER", 2)
    read, calls = log._read, []

    def breaks(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise RuntimeError("the database is gone")
        return read(*given)

    monkeypatch.setattr(log, "_read", breaks)
    monkeypatch.setattr("api.http.exports._CHUNK_BYTES", 10)
    out = tmp_path / "log"
    result = run(site, address, "--format", kind, "--out", str(out))
    assert 1 == result.exit_code, result.output
    assert not out.exists()


def test_what_is_not_what_the_service_tells_is_no_export(site, address, tmp_path, monkeypatch):
    """Were a part lost on the way, the SHA-256 would say so; what was there before stays."""
    digest = exports.digest
    monkeypatch.setattr(
        "api.http.export_files.digest", lambda *given: (digest(*given)[0], "0" * 64)
    )
    out = tmp_path / "file"
    out.write_text("before")
    result = run(site, address, "--out", str(out))
    assert (1, True) == (result.exit_code, "export again" in result.stderr)
    assert ("before", [out]) == (out.read_text(), [*tmp_path.glob("file*")])
    folder = tmp_path / "log"
    assert 1 == run(site, address, "--format", "parquet", "--out", str(folder)).exit_code
    assert [] == [*tmp_path.glob("log*")]


def test_parquet_of_nothing_is_an_empty_folder(site, address, tmp_path):
    """Not an error."""
    out = tmp_path / "log"
    result = run(site, address, "--format", "parquet", "--agent-id", "none", "--out", str(out))
    assert (0, []) == (result.exit_code, [*out.iterdir()])


def test_lines_end_where_the_file_says():
    """Not where a text has another character that ends a line, nor where a part ends."""
    parts = iter([b"a\xe2\x80", b"\xa8b\nc", b"\n"])
    assert [b"a\xe2\x80\xa8b\n", b"c\n"] == [*export._lines(parts)]


def test_a_folder_that_is_not_there_is_said(site, address, tmp_path):
    """In one line, of a file and of Parquet."""
    out = tmp_path / "nowhere" / "file"
    parquet = run(site, address, "--format", "parquet", "--out", str(out))
    assert (1, True) == (parquet.exit_code, str(out) in parquet.stderr)
    result = run(site, address, "--out", str(out))
    assert (1, True) == (result.exit_code, str(out) in result.stderr)


@pytest.mark.parametrize(
    ("time", "day"),
    [
        (0, "1970-01-01"),
        (at(0) - 1, "2025-12-31"),
        (at(0), "2026-01-01"),
        (2**53 - 1, "9999-12-31"),
    ],
)
def test_the_day_of_a_time(time, day):
    """In UTC; beyond the calendar it is the last one."""
    assert day == export._day(time)
