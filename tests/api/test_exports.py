"""Exports: whole, the same bytes for the same question, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from api.http import export_files
from projector.infrastructure.database import StoreUnavailable
from projector.query.audit import event_log as log
from tests.conftest import Site
from tests.examples import at, login, story, task, v1

CSV, NDJSON = "text/csv", "application/x-ndjson"
MANY = 2_500


def export(site: Site, kind: str, path: str = "events", **query: Any) -> Any:
    answer = site.get(f"/api/v1/{path}", query_string=query, headers={"Accept": kind})
    assert 200 == answer.status_code, answer.text
    assert f"{kind}; charset=utf-8" == answer.headers["Content-Type"]
    return answer


def rows(site: Site, **query: Any) -> list[dict[str, Any]]:
    """All pages of the same question."""
    found, cursor = [], ""
    while cursor is not None:
        page = {"limit": 1000} | query | ({"cursor": cursor} if cursor else {})
        answer = site.get("/api/v1/events", query_string=page).json
        found += answer["data"]
        cursor = answer["meta"]["nextCursor"]
    return found


def many(site: Site, count: int = MANY) -> None:
    for start in range(0, count, 500):
        site.post(
            [v1(97 * n % 5_000, "ann", "idle") | {"id": f"e{n}"} for n in range(start, start + 500)]
        )


@pytest.mark.parametrize("order", ["created", "recorded"])
def test_an_export_is_all_pages(site, order):
    """Line for line, in either order and format."""
    many(site)
    expected = rows(site, order=order)
    assert MANY == len(expected)
    lines = export(site, NDJSON, order=order).text.splitlines()
    assert expected == [json.loads(line) for line in lines]
    table = list(csv.reader(io.StringIO(export(site, CSV, order=order).text, newline="")))
    assert [*expected[0]] == table[0]
    told = [["" if value is None else str(value) for value in row.values()] for row in expected]
    assert told == table[1:]


def test_an_export_without_matches_is_a_header_or_nothing(site):
    """And nothing else beside the rows."""
    assert b"" == export(site, NDJSON).data
    head = b"position,id,type,orgId,agentId,taskId,createdTime,time,timeSource,recordedTime,"
    assert head + b"origin,restates\r\n" == export(site, CSV).data


@pytest.mark.parametrize("kind", [CSV, NDJSON])
def test_the_same_question_has_the_same_bytes(site, kind):
    """As of a moment that is told, while events go on arriving; the digest is of them."""
    many(site, 500)
    first = export(site, kind, agentId="ann", **{"from": at(10)})
    told = first.headers
    assert {"agentId": ["ann"], "from": at(10)} == json.loads(told["X-Filters"])
    assert ("500", "UTC") == (told["X-As-Of-Position"], told["X-Time-Zone"])
    assert told["Content-Disposition"].startswith('attachment; filename="events.')
    # The same fact as one that was exported: that it is restated must not show.
    site.post(v1(97, "ann", "idle") | {"id": "a0"})
    for as_of in ({"toPosition": told["X-As-Of-Position"]}, {"recordedTo": told["X-As-Of"]}):
        again = {"agentId": "ann", "from": at(10)} | as_of
        assert first.data == export(site, kind, **again).data
        digest = site.get("/api/v1/events/digest", query_string=again, headers={"Accept": kind})
        assert digest.json == {
            "count": first.text.count("\n") - (kind == CSV),
            "sha256": hashlib.sha256(first.data).hexdigest(),
            "format": kind,
            "position": 500,
            "recordedTo": int(told["X-As-Of"]),
        }
    assert first.data != export(site, kind, agentId="ann", **{"from": at(10)}).data


def test_a_digest_is_of_ndjson_where_nothing_is_said(site):
    """As an export for other programs."""
    many(site, 500)
    data = export(site, NDJSON).data
    assert hashlib.sha256(data).hexdigest() == site.get("/api/v1/events/digest").json["sha256"]


def test_an_export_is_stable_while_others_append(site):
    """What arrives while it is made is not in it, in whatever order it happened."""
    many(site)
    stop = threading.Event()

    def append() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            site.post(v1(number % 5_000, "ann", "available") | {"id": f"late{number}"})

    before = rows(site)
    writer = threading.Thread(target=append)
    writer.start()
    told = export(site, NDJSON, toPosition=MANY).data.splitlines()
    stop.set()
    writer.join()
    assert site.service.store.head() > MANY
    assert [it["id"] for it in before] == [json.loads(line)["id"] for line in told]
    assert before == [json.loads(line) for line in told]


def test_an_export_is_read_in_parts(site, monkeypatch):
    """No more of it is in memory than one part; what is larger than little is on the disk."""
    many(site)
    monkeypatch.setattr(export_files, "IN_MEMORY_BYTES", 10_000)
    monkeypatch.setattr(export_files, "_SENT_TOGETHER_BYTES", 5_000)
    monkeypatch.setattr(log, "ROWS_TOGETHER", 100)
    asked, read = [], log._read
    monkeypatch.setattr(log, "_read", lambda *given: asked.append(given[2]) or read(*given))
    monkeypatch.setattr("api.http.exports._CHUNK_BYTES", 1_000)
    written, write = [], export_files.ExportFile.write
    monkeypatch.setattr(
        export_files.ExportFile, "write", lambda *given: written.append(given[1]) or write(*given)
    )
    with site.get("/api/v1/events", headers={"Accept": NDJSON}, buffered=False) as answer:
        parts = [*answer.iter_encoded()]
    assert [100] * 26 == asked
    assert 2_000 > max(map(len, written))
    assert 5_000 == max(map(len, parts))
    assert MANY == b"".join(parts).count(b"\n")
    assert b"".join(written) == b"".join(parts)


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("The database is gone."), 503), (RuntimeError("a defect"), 500)],
)
@pytest.mark.parametrize("path", ["events", "events/digest"])
def test_what_breaks_amid_an_export_is_no_export(site, monkeypatch, path, error, status):
    """So that nobody takes a part for the whole; the slot is free again."""
    many(site)
    read, calls = log._read, []

    def breaks(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 3:
            raise error
        return read(*given)

    monkeypatch.setattr(log, "_read", breaks)
    answer = site.get(f"/api/v1/{path}", headers={"Accept": NDJSON})
    assert (status, "application/problem+json") == (answer.status_code, answer.content_type)
    assert ("1" if status == 503 else None) == answer.headers.get("Retry-After")
    assert 0 == site.service.export_slots.taken
    assert MANY == export(site, NDJSON).text.count("\n")


@pytest.mark.parametrize("kind", [CSV, NDJSON])
def test_the_headers_have_the_length_the_count_and_the_digest(site, kind):
    """Of the file that follows, and without it where the method is HEAD."""
    many(site, 500)
    told = export(site, kind)
    expected = (str(len(told.data)), "500", hashlib.sha256(told.data).hexdigest())
    names = ("Content-Length", "X-Row-Count", "X-SHA-256")
    assert expected == tuple(told.headers[name] for name in names)
    head = site.client.head("/api/v1/events", headers={**site.headers, "Accept": kind})
    assert (expected, b"") == (tuple(head.headers[name] for name in names), head.data)
    assert 0 == site.service.export_slots.taken


def test_an_export_leaves_space_on_the_disk(site, monkeypatch):
    """To the database, above all: 503, and nothing is left of the file."""
    many(site, 500)
    monkeypatch.setattr(export_files, "IN_MEMORY_BYTES", 1_000)
    free = export_files.FREE_BYTES
    for left, status in ((free - 1, 503), (free, 200)):
        monkeypatch.setattr(
            "shutil.disk_usage", lambda _, left=left: SimpleNamespace(total=2 * free, free=left)
        )
        with site.get("/api/v1/events", headers={"Accept": NDJSON}) as answer:
            assert status == answer.status_code
            assert (status == 503) == ("no room on the disk" in answer.text)
    assert 0 == site.service.export_slots.taken


def test_exports_have_slots(make_site):
    """Of a token and in all, digests among them; a refusal says when to come again."""
    tokens = [{"token": name, "role": "viewer"} for name in ("one", "other")]
    site = make_site(
        PROJECTOR_TOKENS=json.dumps(tokens), PROJECTOR_EXPORTS="3", PROJECTOR_EXPORTS_PER_TOKEN="2"
    )
    many(site, 500)

    def ask(token: str, path: str = "events") -> Any:
        headers = {"Authorization": f"Bearer {token}", "Accept": NDJSON}
        return site.get(f"/api/v1/{path}", headers=headers, buffered=False)

    first, second = ask("one"), ask("one")
    assert [200, 200] == [first.status_code, second.status_code]
    for path in ("events", "events/digest", "anomalies", "names/digest"):
        refused = ask("one", path)
        assert (503, "5") == (refused.status_code, refused.headers["Retry-After"])
        assert "2 exports of this token" in refused.json["detail"]
    third = ask("other")
    assert 200 == third.status_code
    assert "3 exports are under way" in ask("other").json["detail"]
    assert 200 == site.get("/api/v1/events").status_code  # a page is no export
    metrics = site.client.get("/metrics").text
    assert 'projector_slots_taken{kind="exports"} 3.0' in metrics
    assert 'projector_slots_refused_total{kind="exports"} 5.0' in metrics
    first.close()  # whoever leaves gives the slot back, and so does whoever has it all
    assert 500 == b"".join(second.iter_encoded()).count(b"\n")
    third.close()
    assert 0 == site.service.export_slots.taken
    assert 200 == export(site, NDJSON).status_code


def test_exports_have_longer_than_other_reads(make_site, monkeypatch):
    """A statement of a request is ended after the time of the setting, and is a 503."""
    site = make_site(PROJECTOR_STATEMENT_TIMEOUT_MS="50")
    many(site, 500)
    rows = log._ROWS.replace("WHERE", "CROSS JOIN (SELECT pg_sleep(0.2)) AS slow WHERE")
    monkeypatch.setattr(log, "_ROWS", rows)
    answer = site.get("/api/v1/events")
    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert "statement timeout" in answer.json["detail"]
    assert 500 == export(site, NDJSON).text.count("\n")
    assert 500 == site.get("/api/v1/events/digest").json["count"]
    monkeypatch.setattr(export_files, "STATEMENT_MS", 50)
    assert 503 == site.get("/api/v1/events", headers={"Accept": NDJSON}).status_code


@pytest.mark.parametrize("name", ["limit", "cursor"])
@pytest.mark.parametrize("kind", [CSV, NDJSON])
def test_a_page_of_an_export_is_refused(site, name, kind):
    """It is whole: who wants a page asks for JSON."""
    given = site.get("/api/v1/events?limit=1").json["meta"]["nextCursor"] or "1"
    given = "1" if name == "limit" else given
    answer = site.get("/api/v1/events", query_string={name: given}, headers={"Accept": kind})
    assert 400 == answer.status_code
    assert name == answer.json["errors"][0]["parameter"]


@pytest.mark.parametrize("begin", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_cell_is_a_formula(site, begin):
    """A text that a spreadsheet would run begins with an apostrophe; quoting follows RFC 4180."""
    evil = f'{begin}cmd|"/C calc",1\nx'
    site.post(v1(0, evil, "idle") | {"id": "1"})
    text = export(site, CSV).text
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert f"'{evil}" == dict(zip(head, row, strict=True))["agentId"]
    assert '"/C' not in text.replace('""', "")
    (line,) = export(site, NDJSON).text.splitlines()
    assert evil == json.loads(line)["agentId"]


LOGIN, IDLE, TALK, AWAY = story(
    login(0, "ann", "Available"),
    v1(10_000, "ann", "idle"),
    v1(20_000, "ann", "connected", "t"),
    v1(30_000, "ann", "hold-done", "u"),
)


def ledgers(site: Site) -> None:
    """Something in each of them."""
    for one in (LOGIN, TALK, AWAY, IDLE, b"no json", b"no json", b'{"id": 1}'):
        site.post(one)
        site.project()
    site.post({**IDLE, "data": {**IDLE["data"], "currentState": "available"}})
    site.post({**TALK, "data": {**TALK["data"], "taskId": "v"}})


@pytest.mark.parametrize("name", ["corrections", "anomalies", "conflicts", "quarantine"])
def test_ledgers_are_exported_too(site, name):
    """As their pages tell them; what is nested is JSON in a cell."""
    ledgers(site)
    expected = site.get(f"/api/v1/{name}").json["data"]
    assert expected
    lines = export(site, NDJSON, name).text.splitlines()
    assert expected == [json.loads(line) for line in lines]
    head, *table = csv.reader(io.StringIO(export(site, CSV, name).text, newline=""))
    assert [*expected[0]] == head
    for row, cells in zip(expected, table, strict=True):
        for value, cell in zip(row.values(), cells, strict=True):
            if isinstance(value, dict | list):
                assert value == json.loads(cell)
            else:
                assert ("" if value is None else str(value)) == cell


def test_conflicts_are_told_by_subject_and_time(site):
    """With the event that was first, and what the later body says."""
    ledgers(site)
    first, second = site.get("/api/v1/conflicts").json["data"]
    assert ("conflict", "agent:ann", "ann", "e2", 4) == tuple(
        first[name] for name in ("kind", "subject", "agentId", "eventId", "position")
    )
    assert ("available", 1) == (first["data"]["currentState"], first["deliveries"])
    assert first["from"] <= first["to"]
    assert ("t", "v") == (second["taskId"], second["data"]["taskId"])

    def found(**query: Any) -> list[str]:
        answer = site.get("/api/v1/conflicts", query_string=query).json
        return [it["eventId"] for it in answer["data"]]

    assert ["e2", "e3"] == found(agentId="ann")
    assert ["e3"] == found(taskId="t")
    assert ["e2", "e3"] == found(agentId="ann", taskId="t")
    assert [] == found(taskId="none")
    assert [] == found(to=first["from"])
    assert [] == found(**{"from": second["to"] + 1})
    assert ["e2", "e3"] == found(orgId="acme")
    page = site.get("/api/v1/conflicts?limit=1").json
    rest = site.get(f"/api/v1/conflicts?cursor={page['meta']['nextCursor']}").json
    assert [first, second] == page["data"] + rest["data"]


def test_quarantine_is_seen_by_who_sees_all(make_site):
    """It has no organisation: others see none of it."""
    tokens = [
        {"token": "all", "role": "viewer"},
        {"token": "org", "role": "operator", "orgIds": ["acme"]},
        {"token": "team", "role": "operator", "teamIds": ["team-1"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens))
    ledgers(site)

    def seen(token: str, query: str = "") -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        return site.get(f"/api/v1/quarantine?{query}", headers=headers).json["data"]

    first, second = seen("all")
    assert (2, hashlib.sha256(b"no json").hexdigest()) == (first["deliveries"], first["sha256"])
    names = {"id", "reason", "sha256", "body", "headers", "deliveries", "firstTime", "lastTime"}
    assert names | {"retries", "resolution"} == first.keys()
    assert ([], None) == (first["retries"], first["resolution"])
    assert [] == seen("org") == seen("all", "orgId=acme") == seen("all", "agentId=a")
    team = {"Authorization": "Bearer team"}
    assert 403 == site.get("/api/v1/quarantine", headers=team).status_code
    assert [] == seen("all", f"to={first['firstTime']}")
    assert [second] == seen("all", f"from={first['lastTime'] + 1}") or first["lastTime"] == (
        second["firstTime"]
    )
    cursor = site.get("/api/v1/quarantine?limit=1").json["meta"]["nextCursor"]
    assert [second] == seen("all", f"cursor={cursor}")


@pytest.mark.parametrize("name", ["conflicts", "quarantine"])
@pytest.mark.parametrize("query", ["from=x", "to=-1", "limit=0", "cursor=x", "nonsense=1"])
def test_a_bad_parameter_of_a_ledger_is_named(site, name, query):
    """As those of the others."""
    answer = site.get(f"/api/v1/{name}?{query}")
    assert 400 == answer.status_code
    assert query.partition("=")[0] == answer.json["errors"][0]["parameter"]


def test_tasks_are_in_exports_of_a_task(site):
    """The filters of an export are those of the pages."""
    site.post(story(task(0, "t", "new"), task(1, "u", "new")))
    (line,) = export(site, NDJSON, taskId="u").text.splitlines()
    assert "u" == json.loads(line)["taskId"]
