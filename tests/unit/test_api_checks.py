"""Dry queries of the vendor's APIs: what they ask, and what is said of each answer."""

from __future__ import annotations

from importlib.resources import files

import pytest
from graphql import build_schema, parse, validate

from projector.infrastructure.clock import HOUR_MS
from projector.infrastructure.settings import read_settings
from projector.webex.api_checks import SESSION_QUERY, TASK_QUERY, ApiCheck, check_apis
from projector.webex.api_client import ApiClient
from projector.webex.credentials import Credentials
from tests.scripted_server import Scripted, scripted

NOW = 1_795_000_000_000
SCHEMA = build_schema(
    files("projector.webex.simulator").joinpath("schemas/search.graphql").read_text()
)


def checks(*answers: Scripted) -> tuple[list[ApiCheck], list]:
    """What is said of answers, the last of which is repeated; and the requests."""
    with scripted(*answers) as (root, received):
        settings = read_settings({"PROJECTOR_WEBEX_ACCESS_TOKEN": "t_C_acme"})
        client = ApiClient(root, Credentials(settings), tries=1)
        found = [*check_apis(client, NOW)]
        client.close()
    return found, received


@pytest.mark.parametrize("query", [SESSION_QUERY, TASK_QUERY])
def test_the_searches_are_valid_by_the_published_schema(query):
    """Every field and argument is known."""
    assert [] == validate(SCHEMA, parse(query))


def test_each_api_is_asked_once_for_little():
    """An hour, a row where there are pages, and no call that changes anything."""
    found, received = checks(Scripted(body={"data": []}))
    assert 14 == len(found) == len(received)
    assert all(it.is_ok and it.rows == 0 for it in found if "/search" not in it.api)
    posted = [it.body for it in received if it.body]
    assert {"from": NOW - HOUR_MS, "to": NOW} == posted[0]["variables"]
    assert 1 == len(posted[2]["query"]["taskIds"])


def test_rows_are_counted_in_both_forms():
    """A list, and a list inside the field of a search."""
    search = {"data": {"x": {"rows": [1, 2, 3], "pageInfo": {"hasNextPage": False}}}}
    found, _ = checks(
        Scripted(body={"data": [1]}), Scripted(body={"data": [1, 2]}), Scripted(body=search)
    )
    assert [1, 2, 3] == [it.rows for it in found[:3]]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"data": None}, {"data": {}}, {"data": {"x": None}},
             {"data": {"x": {"rows": None}}}, {"data": "?"}],
)  # fmt: skip
def test_an_answer_without_a_list_is_no_answer(body):
    """Null lists are none."""
    found, _ = checks(Scripted(body=body))
    assert not [it for it in found if it.is_ok]
    assert {("none", "The vendor answers without a list.")} == {
        (it.answer, it.refusal) for it in found
    }


def test_errors_beside_data_are_told():
    """They come with HTTP 200."""
    body = {"data": {"x": {"rows": []}}, "errors": [{"message": "No such role"}, "?"]}
    found, _ = checks(Scripted(body=body))
    assert {"The vendor's Search API refuses: No such role."} == {it.refusal for it in found}


@pytest.mark.parametrize(
    ("status", "answer", "advice"),
    [(403, "refused", "cjp:config_read"), (404, "refused", "PROJECTOR_WEBEX_REGION"),
     (400, "refused", "the vendor's"), (500, "none", "PROJECTOR_WEBEX_REGION"),
     (None, "none", "does this machine reach it")],
)  # fmt: skip
def test_a_refusal_comes_with_what_to_do(status, answer, advice):
    """In the vendor's words; the next API is asked all the same."""
    body = {"error": {"message": [{"description": "Because."}]}}
    found, received = checks(Scripted(status=status, body=body))
    assert 14 == len(found) == len(received)
    assert {answer} == {it.answer for it in found}
    assert all(advice in it.advice for it in found)
    assert status is None or all("Because" in it.refusal for it in found)
