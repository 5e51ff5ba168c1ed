"""The client of the vendor's APIs: its rate limit, its retries, and its errors."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

import httpx
import pytest

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import read_settings
from projector.webex.api_client import ApiClient, Pace, VendorRefuses, VendorSilent
from projector.webex.credentials import Credentials, CredentialsRefused
from projector.webex.simulator import api_server as stand_in
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    Faults,
    serving,
)

LISTED = "/v1/tasks"
QUERY = {"from": 1_790_000_000_000}


def credentials(root: str, folder, **changed: str) -> Credentials:
    return Credentials(read_settings({
        "PROJECTOR_DATA_DIR": str(folder), "PROJECTOR_WEBEX_OAUTH": root,
        "PROJECTOR_WEBEX_CLIENT_ID": CLIENT_ID, "PROJECTOR_WEBEX_CLIENT_SECRET": CLIENT_SECRET,
        "PROJECTOR_WEBEX_REFRESH_TOKEN": REFRESH_TOKEN, **changed,
    }))  # fmt: skip


@contextmanager
def reached(folder, **more):
    """The stand-in, a client of it, and how long the client slept."""
    vendor, slept = stand_in.ApiServer(ApiRecords({}), **more), []
    with serving(vendor) as root:
        client = ApiClient(root, credentials(root, folder), sleep=slept.append)
        yield vendor, client, slept
        client.close()


def test_a_minute_has_at_most_so_many_calls():
    """The next call waits until the first of them is a minute ago."""
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(3, clock=lambda: now[0], sleep=sleep)
    for _ in range(7):
        pace.wait()
        now[0] += 10
    assert [30.0, 30.0] == slept


def test_the_client_waits_as_long_as_the_vendor_says(tmp_path):
    """Also where another client has used up the limit."""
    with reached(tmp_path, a_minute=5, faults=Faults(plan={2: "429"}, retry_after=7)) as it:
        vendor, client, slept = it
        client.get(LISTED, QUERY)
        assert {"data": [], "meta": {"orgId": vendor.org_id}} == client.get(LISTED, QUERY)
        assert [7.0] == slept
        assert 3 == client.requests == len(vendor.calls)


@pytest.mark.parametrize("fault", ["500", "truncated"])
def test_a_failed_call_is_repeated_with_longer_pauses(tmp_path, fault):
    """Six times; then a sentence names the call and the cause."""
    with reached(tmp_path, faults=Faults(every={1: fault})) as (vendor, client, slept):
        with pytest.raises(VendorSilent, match=rf"GET {LISTED} \(.+, tried 6 times\)"):
            client.get(LISTED, QUERY)
        assert 6 == len(vendor.calls)
        assert all(before < after * 2 for before, after in pairwise(slept))


def test_a_call_that_changes_something_is_sent_once(tmp_path):
    """Unless the vendor certainly did not process it."""
    path, body = "/v2/subscriptions", {"name": "test"}
    with reached(tmp_path, faults=Faults(plan={1: "500", 2: "429"})) as (vendor, client, _):
        with pytest.raises(VendorSilent, match="500, tried once"):
            client.change("POST", path, body)
        with pytest.raises(VendorRefuses, match="resourceVersion is not known"):
            client.change("POST", path, body)
        assert 3 == len(vendor.calls)


def test_a_refusal_has_the_vendors_words(tmp_path):
    """The call is not repeated."""
    with reached(tmp_path) as (vendor, client, _):
        with pytest.raises(VendorRefuses, match=r"\(400\): pageSize must be 1 to 1000"):
            client.get(LISTED, QUERY | {"pageSize": 7_000})
        with pytest.raises(VendorRefuses, match="do not cover the organisation") as refused:
            client.get(LISTED, QUERY | {"orgId": "another"})
        assert 403 == refused.value.status
        assert 2 == len(vendor.calls)


def test_an_expired_token_is_renewed_once(tmp_path):
    """If the vendor refuses the new one too, the call ends with a sentence."""
    with reached(tmp_path, faults=Faults(plan={1: "expired"})) as (vendor, client, _):
        client.get(LISTED, QUERY)
        assert 2 == len(vendor.calls)
        assert 1 == len(vendor.tokens)
    with (
        reached(tmp_path / "b", faults=Faults(every={1: "expired"})) as (_, client, _),
        pytest.raises(VendorRefuses, match="expired or wrong"),
    ):
        client.get(LISTED, QUERY)


def test_tokens_are_renewed_before_they_expire(tmp_path):
    """Every process of the data folder uses the new one."""
    now = [1_000_000.0]
    vendor = stand_in.ApiServer(ApiRecords({}), token_seconds=3_600)
    with serving(vendor) as root:
        settings = credentials(root, tmp_path)._settings
        first, other = (Credentials(settings, clock=lambda: now[0]) for _ in range(2))
        tokens = {first.token(), first.token(), other.token()}
        now[0] += 3_301
        tokens |= {first.token(), other.token()}
        assert 2 == len(tokens) == len(vendor.tokens)


def test_a_refresh_token_of_the_settings_may_be_newer_than_the_saved_one(tmp_path):
    """Nobody needs to remove a file after a new authorisation."""
    vendor = stand_in.ApiServer(ApiRecords({}))
    with serving(vendor) as root:
        vendor.refresh_tokens = {"old"}
        credentials(root, tmp_path, PROJECTOR_WEBEX_REFRESH_TOKEN="old").token()
        vendor.refresh_tokens = {"new"}
        later = credentials(root, tmp_path, PROJECTOR_WEBEX_REFRESH_TOKEN="new")
        assert vendor.tokens.keys() >= {later.renew(later.token())}
        vendor.refresh_tokens = set()
        with pytest.raises(CredentialsRefused, match="Authorise"):
            later.renew(later.token())


def test_a_token_service_that_does_not_answer_is_an_error(tmp_path):
    """Its sentence has no secret."""
    with pytest.raises(ProjectorError, match="does not answer") as raised:
        credentials("http://127.0.0.1:9", tmp_path).token()
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN) if it in str(raised.value)]


def test_no_secret_is_in_what_settings_show(tmp_path):
    """Nor in the error of a failed call."""
    shown = repr(credentials("http://127.0.0.1:9", tmp_path)._settings)
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN) if it in shown]


def test_the_stand_in_needs_a_token():
    """Like the vendor's APIs."""
    with serving(stand_in.ApiServer(ApiRecords({}))) as root:
        assert 401 == httpx.get(f"{root}{LISTED}").status_code
