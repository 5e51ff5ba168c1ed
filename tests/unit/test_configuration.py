"""Names of the vendor's configuration: its pages, its rows, and answers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from projector.infrastructure.settings import read_settings
from projector.webex.api_answers import EndlessPages, ForeignOrganisation, UnexpectedAnswer
from projector.webex.api_client import ApiClient, VendorRefuses
from projector.webex.configuration import CONFIGURATION_LISTS, ConfigurationQueries
from projector.webex.credentials import Credentials
from tests.scripted_server import Received, Scripted, scripted

USERS, TEAMS, QUEUES, CODES, SITES, ENTRY_POINTS = CONFIGURATION_LISTS


@contextmanager
def answering(*answers: Scripted) -> Iterator[tuple[ConfigurationQueries, list[Received]]]:
    """Queries that get these answers in turn, the last one again and again."""
    with scripted(*answers) as (root, received):
        settings = read_settings({"PROJECTOR_WEBEX_ACCESS_TOKEN": "t_C_ac-me"})
        client = ApiClient(root, Credentials(settings), tries=1)
        yield ConfigurationQueries(client), received
        client.close()


def page(*rows: Any, **meta: Any) -> Scripted:
    return Scripted(body={"meta": {"orgid": "ac-me", "totalPages": 1, **meta}, "data": [*rows]})


def row(id_: str, name: Any) -> dict[str, Any]:
    return {"id": id_, "name": name}


def test_a_user_has_one_name_under_two_ids():
    """That of Common Identity, and that of the configuration."""
    ann = {"id": "1", "ciUserId": "c1", "firstName": " Ann", "lastName": "Archer "}
    only_last = {"id": "2", "ciUserId": None, "firstName": None, "lastName": "Bean"}
    nameless = {"id": "3", "ciUserId": "c3", "firstName": " ", "lastName": None}
    with answering(page(ann, only_last, nameless)) as (queries, received):
        names = [*queries.names(USERS)]
    assert [
        ("agent", "c1", "Ann Archer"),
        ("agent", "1", "Ann Archer"),
        ("agent", "2", "Bean"),
    ] == (names)
    [asked] = received
    path, _, query = asked.path.partition("?")
    assert "/organization/ac-me/v2/user" == path
    assert "page=0&pageSize=100&attributes=id%2CciUserId%2CfirstName%2ClastName" == query


def test_codes_are_of_two_kinds():
    """A code of another work type names nothing."""
    codes = [
        row("1", "Lunch") | {"workTypeCode": "IDLE_CODE"},
        row("2", "Sale") | {"workTypeCode": "WRAP_UP_CODE"},
        row("3", "Other") | {"workTypeCode": "ANOTHER"},
        row("4", "None"),
    ]
    with answering(page(*codes)) as (queries, _):
        assert [("idleCode", "1", "Lunch"), ("wrapUpCode", "2", "Sale")] == [*queries.names(CODES)]


@pytest.mark.parametrize(
    ("asked", "path", "kind"),
    [
        (TEAMS, "team", "team"),
        (QUEUES, "contact-service-queue", "queue"),
        (SITES, "site", "site"),
        (ENTRY_POINTS, "entry-point", "entryPoint"),
    ],
    ids=["team", "queue", "site", "entry point"],
)
def test_other_rows_have_an_id_and_a_name(asked, path, kind):
    """A row without a usable one is left out."""
    rows = [row("1", "One"), row("2", None), row("", "No id"), row("4", "a\0b"), "row", None]
    with answering(page(*rows)) as (queries, received):
        assert [(kind, "1", "One")] == [*queries.names(asked)]
    assert f"/organization/ac-me/v2/{path}" == received[0].path.partition("?")[0]


def test_the_vendor_says_how_many_pages_there_are():
    """A page that is shorter than was asked for is not the last one."""
    pages = [page(row(str(n), f"Team {n}"), totalPages=3, page=n, pageSize=1) for n in range(3)]
    with answering(*pages) as (queries, received):
        assert ["Team 0", "Team 1", "Team 2"] == [name for *_, name in queries.names(TEAMS)]
    assert 3 == len(received)


def test_without_a_number_of_pages_an_empty_one_is_the_last():
    pages = [page(row("1", "One"), totalPages=None), page(row("2", "Two"), totalPages=None)]
    with answering(*pages, page(totalPages=None)) as (queries, received):
        assert ["One", "Two"] == [name for *_, name in queries.names(TEAMS)]
    assert 3 == len(received)


def test_a_page_that_repeats_is_an_error():
    with (
        answering(page(row("1", "One"), totalPages=9)) as (queries, received),
        pytest.raises(EndlessPages, match=r"page 0 of .*team again"),
    ):
        [*queries.names(TEAMS)]
    assert 2 == len(received)


def test_an_organisation_may_be_spelled_without_hyphens():
    with answering(page(row("1", "One"), orgid="ACME")) as (queries, _):
        assert 1 == len([*queries.names(TEAMS)])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (page(row("1", "One"), orgid="umbra"), ForeignOrganisation),
        (Scripted(body={"meta": {}}), UnexpectedAnswer),
        (Scripted(body={"meta": {}, "data": {}}), UnexpectedAnswer),
        (Scripted(body=[]), UnexpectedAnswer),
        (Scripted(status=403), VendorRefuses),
    ],
    ids=["foreign", "no data", "no list", "no object", "refused"],
)
def test_what_cannot_be_used_is_an_error(answer, error):
    with answering(answer) as (queries, _), pytest.raises(error):
        [*queries.names(TEAMS)]
