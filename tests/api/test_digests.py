"""Digests: each export has one, of exactly the bytes that it sends."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from api.http.routing import ROUTES
from tests.api import test_cursors
from tests.api.test_cursors import QUERIES

CSV, NDJSON = "text/csv", "application/x-ndjson"
EXPORTS = [it.path for it in ROUTES if it.export is not None]

floor = test_cursors.floor


def asked(path: str) -> dict[str, Any]:
    return QUERIES[path.removeprefix("/api/v1/")]


def test_every_ledger_and_report_has_one():
    """As every other list that is exported."""
    declared = {it.path for it in ROUTES if it.of_all_rows}
    assert {f"{path}/digest" for path in EXPORTS} == declared
    lists = {"anomalies", "corrections", "conflicts", "quarantine", "events", "names"}
    reports = {"reports/queues", "reports/agents", "reports/differences", "reports/adherence"}
    assert {f"/api/v1/{name}" for name in lists | reports} == {*EXPORTS}


@pytest.mark.parametrize("kind", [CSV, NDJSON])
@pytest.mark.parametrize("names", ["false", "true"])
@pytest.mark.parametrize("path", EXPORTS)
def test_a_digest_is_of_the_file(floor, path, names, kind):
    """Its rows and its bytes, with the same filters; the headers of the file say the same."""
    query = asked(path) | ({} if path.endswith(("quarantine", "/names")) else {"names": names})
    file = floor.get(path, query_string=query, headers={"Accept": kind})
    assert 200 == file.status_code, file.text
    told = floor.get(f"{path}/digest", query_string=query, headers={"Accept": kind}).json
    assert file.text.count("\n") - (kind == CSV) == told["count"] > 0
    assert hashlib.sha256(file.data).hexdigest() == told["sha256"]
    assert kind == told["format"]
    head = file.headers
    assert (head["X-Row-Count"], head["X-SHA-256"]) == (str(told["count"]), told["sha256"])
    assert (head["X-As-Of-Position"], head["X-As-Of"]) == (
        str(told["position"]),
        head["X-As-Of"] if path.endswith("/names") else str(told["recordedTo"]),
    )
    assert str(len(file.data)) == head["Content-Length"]


@pytest.mark.parametrize("path", EXPORTS)
def test_a_digest_is_of_no_page(floor, path):
    """So it takes neither of a page's parameters."""
    cursor = floor.get(path, query_string=asked(path) | {"limit": 1}).json["meta"]["nextCursor"]
    for name, given in (("limit", "1"), ("cursor", cursor)):
        answer = floor.get(f"{path}/digest", query_string=asked(path) | {name: given})
        assert 400 == answer.status_code
        assert [name] == [it["parameter"] for it in answer.json["errors"]]


@pytest.mark.parametrize("path", EXPORTS)
def test_the_document_has_digests(floor, path):
    """With the filters of the list, without what is of a page, and with the refusal of both."""
    paths = floor.get("/openapi.json").json["paths"]
    whole, page = paths[f"{path}/digest"]["get"], paths[path]["get"]
    told = [
        {it["name"] for it in one["parameters"] if it["in"] == "query"} for one in (whole, page)
    ]
    assert told[0] == told[1] - {"limit", "cursor"}
    for one in (whole, page):
        assert "Retry-After" in one["responses"]["503"]["headers"]
