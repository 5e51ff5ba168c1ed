"""The client of the vendor's APIs: its rate limit, its retries, and its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import read_settings
from projector.webex.api_client import (
    LONGEST_WAIT_SECONDS,
    STOP_CHECK_SECONDS,
    TRIES,
    ApiClient,
    Pace,
    VendorRefuses,
    VendorSilent,
)
from projector.webex.credentials import Credentials, CredentialsRefused
from projector.webex.simulator import api_server as stand_in
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import Faults, serving
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.scripted_server import Received, Scripted, scripted

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
        assert 7.0 == sum(slept)
        assert 3 == client.requests == len(vendor.calls)


@pytest.mark.parametrize("fault", ["500", "truncated"])
def test_a_failed_call_is_repeated_with_longer_pauses(tmp_path, fault):
    """Six times; then a sentence names the call and the cause."""
    with reached(tmp_path, faults=Faults(every={1: fault})) as (vendor, client, slept):
        with pytest.raises(VendorSilent, match=rf"GET {LISTED} \(.+; tried 6 times\)"):
            client.get(LISTED, QUERY)
        assert 6 == len(vendor.calls)
        assert 15.5 <= sum(slept) <= 31  # 1 + 2 + 4 + 8 + 16 s, or down to half of it


def test_a_call_that_changes_something_is_sent_once(tmp_path):
    """Unless the vendor certainly did not process it."""
    path, body = "/v2/subscriptions", {"name": "test"}
    with reached(tmp_path, faults=Faults(plan={1: "500", 2: "429"})) as (vendor, client, _):
        with pytest.raises(VendorSilent, match="500: An unexpected error occurred; tried once"):
            client.change("POST", path, body)
        with pytest.raises(VendorRefuses, match="resourceVersion is required"):
            client.change("POST", path, body)
        assert 3 == len(vendor.calls)


def test_a_refusal_has_the_vendors_words(tmp_path):
    """The call is not repeated."""
    with reached(tmp_path) as (vendor, client, _):
        with pytest.raises(VendorRefuses, match=r"\(400\): pageSize must keep maximum 1000"):
            client.get(LISTED, QUERY | {"pageSize": 7_000})
        with pytest.raises(VendorRefuses, match="do not cover the organisation") as refused:
            client.get(LISTED, QUERY | {"orgId": "another"})
        assert 403 == refused.value.status
        assert 2 == len(vendor.calls)


ASKED = f"GET {LISTED}"
NOW = 1_795_000_000.0  # epoch s
TOKEN = {"PROJECTOR_WEBEX_ACCESS_TOKEN": "access_cluster_org"}


@dataclass
class Conversation:
    """A client that talks with a scripted server, at a clock that only its sleep moves."""

    client: ApiClient
    received: list[Received]
    slept: list[float]
    now: list[float] = field(default_factory=lambda: [NOW])

    def answer(self) -> Any:
        return self.client.get(LISTED, QUERY)

    def failure(self) -> str:
        """The sentence with which the call fails."""
        with pytest.raises((VendorRefuses, VendorSilent)) as raised:
            self.answer()
        return str(raised.value)


@contextmanager
def conversation(folder, *answers: Scripted, **more: Any) -> Iterator[Conversation]:
    now, slept = [NOW], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with scripted(*answers) as (root, received):
        client = ApiClient(
            root, credentials(root, folder, **TOKEN), sleep=sleep, clock=lambda: now[0], **more
        )
        yield Conversation(client, received, slept, now)
        client.close()


def first_form(*sentences: str) -> dict[str, Any]:
    return {"trackingId": "T", "error": {"key": "400", "message": [
        {"description": it} for it in sentences]}}  # fmt: skip


def second_form(*sentences: str) -> dict[str, Any]:
    return {"errors": [{"message": it, "extensions": {"code": "X"}} for it in sentences]}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, first_form("from is missing."), "(400): from is missing."),
        (400, first_form("one", "two"), "(400): one; two."),
        (400, second_form("Unknown argument 'timeComparator'"),
         "(400): Unknown argument 'timeComparator'."),
        (400, second_form("one", "one", "two"), "(400): one; two."),
        (422, second_form("The span is too long."), "(422): The span is too long."),
        (413, first_form("Over 2500 rows"), "(413): it asks for too much: Over 2500 rows."),
        (413, second_form("Over 2500 rows"), "(413): it asks for too much: Over 2500 rows."),
        (413, b"", "(413): it asks for too much."),
        (409, {"message": "Busy", "errors": [{"description": "Try later"}]},
         "(409): Try later; Busy."),
        (400, {"error": "invalid_grant", "error_description": "It has expired"},
         "(400): invalid_grant; It has expired."),
        (400, {"error": {"message": "As a text"}}, "(400): As a text."),
        (400, b"from must be a number\r\n", "(400): from must be a number."),
        (400, "A JSON text", "(400): A JSON text."),
        (400, b"<html><body>A proxy</body></html>", "(400): no reason given."),
        (400, b'{"errors": [{"mess', "(400): no reason given."),
        (400, b"", "(400): no reason given."),
        (422, {}, "(422): no reason given."),
        (422, {"errors": None, "message": 7, "error": [[[[["too deep"]]]]]},
         "(422): no reason given."),
        (400, b"[" * 100_000, "(400): no reason given."),
        (302, {}, "(302): no reason given."),
    ],
)  # fmt: skip
def test_a_refusal_of_any_form_has_the_vendors_words(tmp_path, status, body, said):
    """The call is not repeated."""
    with conversation(tmp_path, Scripted(status=status, body=body)) as it:
        assert f"The vendor refuses {ASKED} {said}" == it.failure()
        assert 1 == len(it.received)


def test_a_reason_can_be_stored_and_printed(tmp_path):
    """In one line of bounded length, without characters that a database or a terminal refuses."""
    body = json.dumps(second_form("a\0b\ud800c\n\x1b[2Jd" + "e" * 1_000)).encode()
    with conversation(tmp_path, Scripted(status=400, body=body)) as it:
        reason = it.failure().partition("(400): ")[2]
    assert f"a b c [2Jd{'e' * 290}." == reason


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "600"}, 600),
        ({"Retry-After": str(round(LONGEST_WAIT_SECONDS))}, 900),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90),
        # The vendor's clock counts, where it tells it.
        ({"Retry-After": formatdate(NOW + 90, usegmt=True),
          "Date": formatdate(NOW + 60, usegmt=True)}, 30),
    ],
)  # fmt: skip
def test_the_client_waits_for_what_retry_after_says(tmp_path, status, headers, seconds):
    """A number of seconds or a date; in slices, so that a stop is noticed."""
    refused = Scripted(status=status, headers=headers)
    with conversation(tmp_path, refused, Scripted(body={"data": []})) as it:
        assert {"data": []} == it.answer()
        assert seconds == sum(it.slept)
        assert max(it.slept) <= STOP_CHECK_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        None, "", "0", "-5", "-3600", "1.5", "soon", "1e3", "٣", "9" * 400, str(8 * 86_400),
        formatdate(NOW - 90, usegmt=True), formatdate(NOW + 8 * 86_400, usegmt=True),
        "Fri, 99 Nov 2026 25:61:61 GMT",
    ],
)  # fmt: skip
def test_a_retry_after_that_cannot_be_meant_counts_as_none(tmp_path, value):
    """The pauses are the client's own then, and it tries six times."""
    headers = {} if value is None else {"Retry-After": value.encode().decode("latin-1")}
    with conversation(
        tmp_path, Scripted(status=429, headers=headers, body=first_form("Slow"))
    ) as it:
        assert f"The vendor does not answer {ASKED} (429: Slow; tried 6 times)." == it.failure()
        assert TRIES == len(it.received)
        assert 15.5 <= sum(it.slept) <= 31


@pytest.mark.parametrize(
    "value", ["3600", "901", formatdate(NOW + 3_600, usegmt=True), str(7 * 86_400)]
)
def test_a_pause_that_is_too_long_ends_the_call_at_once(tmp_path, value):
    """It says when to repeat it. Until then the vendor is not asked again on this path."""
    refused = Scripted(status=429, headers={"Retry-After": value}, body=first_form("Too many"))
    with conversation(tmp_path, refused, Scripted(body={"data": []})) as it:
        said = it.failure()
        assert said == it.failure()
        assert [] == it.slept
        assert 1 == len(it.received)
        assert it.client.get("/v1/agents/activities", QUERY) == {"data": []}
        it.now[0] += 7 * 86_400
        assert {"data": []} == it.answer()
    if value == "3600":
        assert (
            f"The vendor does not answer {ASKED} before 2026-11-18T12:06:40Z (429: Too many):"
            " repeat it then."
        ) == said


def test_a_short_client_waits_for_a_short_time_alone(tmp_path):
    """Such as one that no job waits for."""
    refused = Scripted(status=429, headers={"Retry-After": "11"})
    with conversation(tmp_path, refused, longest_wait=10) as it:
        assert "before 20" in it.failure()
        assert [] == it.slept


def test_a_stop_ends_a_wait(tmp_path):
    """At the next slice of it, with what the check raises."""
    with conversation(tmp_path, Scripted(status=429, headers={"Retry-After": "600"})) as it:

        def check_stop() -> None:
            if len(it.slept) == 3:
                raise InterruptedError

        it.client.check_stop = check_stop
        with pytest.raises(InterruptedError):
            it.answer()
        assert 3 == len(it.slept)


def test_a_stop_ends_the_wait_for_the_rate_limit(tmp_path):
    """Its minute is slept in slices too."""
    with conversation(tmp_path, Scripted()) as it:
        for _ in range(300):
            it.client._pace.wait()

        def check_stop() -> None:
            raise InterruptedError

        it.client.check_stop = check_stop
        with pytest.raises(InterruptedError):
            it.answer()
        assert [] == it.received


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Scripted(status=500, body=first_form("Unexpected")), "500: Unexpected"),
        (Scripted(status=500, body=b""), "500"),
        (Scripted(status=None, body={"data": []}), "RemoteProtocolError"),
        (Scripted(body=b'{"data": ['), "no whole JSON"),
        (Scripted(body=b"[" * 100_000), "no whole JSON"),
        (Scripted(status=429), "429"),
    ],
)
def test_what_may_pass_is_tried_six_times(tmp_path, answer, why):
    """Then the call ends with its cause."""
    with conversation(tmp_path, answer) as it:
        assert f"The vendor does not answer {ASKED} ({why}; tried 6 times)." == it.failure()
        assert TRIES == len(it.received) == it.client.requests
    with conversation(tmp_path, answer, answer, Scripted(body={"data": [1]})) as it:
        assert {"data": [1]} == it.answer()


@pytest.mark.parametrize(
    ("vendors", "ahead_ms"), [(0, 0), (-4, 4_000), (-86_400, 86_400_000), (5, 0)]
)
def test_the_client_knows_how_far_our_clock_is_ahead(tmp_path, vendors, ahead_ms):
    """From the time that the vendor's answers tell; the least that it finds counts."""
    late, prompt = (
        Scripted(headers={"Date": formatdate(NOW + vendors - late, usegmt=True)}) for late in (3, 0)
    )
    undated = [Scripted(), Scripted(headers={"Date": "today"})]
    with conversation(tmp_path, *undated, late, prompt, late) as it:
        for _ in undated:
            it.answer()
            assert 0 == it.client.clock_ahead_ms
        it.answer()
        assert max(0, 3_000 - vendors * 1_000) == it.client.clock_ahead_ms
        for _ in range(2):
            it.answer()
            assert ahead_ms == it.client.clock_ahead_ms


def test_an_expired_token_is_renewed_once(tmp_path):
    """If the vendor refuses the new one too, the call ends with a sentence."""
    with reached(tmp_path, faults=Faults(plan={1: "expired"})) as (vendor, client, _):
        client.get(LISTED, QUERY)
        assert 2 == len(vendor.calls)
        assert 1 == len(vendor.oauth.tokens)
    with (
        reached(tmp_path / "b", faults=Faults(every={1: "expired"})) as (_, client, _),
        pytest.raises(VendorRefuses, match="expired or wrong: The token is expired or not valid"),
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
        assert 2 == len(tokens) == len(vendor.oauth.tokens)


def test_a_refresh_token_of_the_settings_may_be_newer_than_the_saved_one(tmp_path):
    """Nobody needs to remove a file after a new authorisation."""
    vendor = stand_in.ApiServer(ApiRecords({}))
    with serving(vendor) as root:
        vendor.oauth.refresh_tokens = {"old"}
        credentials(root, tmp_path, PROJECTOR_WEBEX_REFRESH_TOKEN="old").token()
        vendor.oauth.refresh_tokens = {"new"}
        later = credentials(root, tmp_path, PROJECTOR_WEBEX_REFRESH_TOKEN="new")
        assert vendor.oauth.tokens.keys() >= {later.renew(later.token())}
        vendor.oauth.refresh_tokens = set()
        with pytest.raises(CredentialsRefused, match="Authorise"):
            later.renew(later.token())


def test_a_token_service_that_does_not_answer_is_an_error(tmp_path):
    """Its sentence has no secret."""
    settings = credentials("http://127.0.0.1:9", tmp_path)._settings
    with pytest.raises(ProjectorError, match="does not answer") as raised:
        Credentials(settings, tries=1).token()
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN) if it in str(raised.value)]


def test_no_secret_is_in_what_settings_show(tmp_path):
    """Nor in the error of a failed call."""
    shown = repr(credentials("http://127.0.0.1:9", tmp_path)._settings)
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN) if it in shown]


def test_the_stand_in_needs_a_token():
    """Like the vendor's APIs."""
    with serving(stand_in.ApiServer(ApiRecords({}))) as root:
        assert 401 == httpx.get(f"{root}{LISTED}").status_code
