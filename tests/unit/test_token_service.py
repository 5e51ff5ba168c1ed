"""The vendor's token service: tries, refusals in its words, and no secret in them."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

import httpx
import pytest
from flask import Flask, jsonify

from projector.webex.credential_store import OAuthClient
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.oauth_api import (
    CLIENT_ID,
    CLIENT_SECRET,
    READ,
    REFRESH_TOKEN,
    WRITE,
    OAuthApi,
)
from projector.webex.token_service import (
    TokenRefused,
    TokenService,
    TokenServiceSilent,
)
from tests.conftest import free_port, served

CLIENT = OAuthClient(id=CLIENT_ID, secret=CLIENT_SECRET)


def never(_: float) -> None:
    """What must not wait."""
    raise AssertionError


@contextmanager
def stand_in(**more):
    """The stand-in's token service, with its root."""
    vendor = ApiServer(ApiRecords({}), **more)
    with serving(vendor) as vendor.oauth.root:
        yield vendor.oauth


@pytest.fixture
def oauth():
    with stand_in() as api:
        yield api


def service_that_says(status: int, body: object) -> Flask:
    """A token service with one answer to everything."""
    app = Flask("answer")

    @app.post("/v1/access_token")
    def answer() -> object:
        return body if isinstance(body, str) else jsonify(body), status

    return app


def refusal_of(status: int, body: object) -> str:
    with served(service_that_says(status, body)) as root, pytest.raises(TokenRefused) as refused:
        TokenService(root, sleep=never).refresh(CLIENT, "r-secret")
    return str(refused.value)


def test_a_refresh_brings_a_token_with_its_scopes_and_ends(oauth):
    """The times are epoch seconds."""
    access = TokenService(oauth.root, clock=lambda: 1_000.0).refresh(CLIENT, REFRESH_TOKEN)
    assert oauth.is_valid(access.token)
    assert (1_210_600.0, 7_777_000.0) == (access.expires, access.refresh_expires)
    assert (READ, WRITE) == access.scopes
    oauth.tells_scopes = False
    assert TokenService(oauth.root).refresh(CLIENT, REFRESH_TOKEN).scopes is None


def test_five_failures_are_repeated_with_longer_pauses():
    """The sixth try brings the token."""
    slept: list[float] = []
    with stand_in(token_faults=Faults(plan=dict.fromkeys(range(1, 6), "500"))) as oauth:
        access = TokenService(oauth.root, sleep=slept.append).refresh(CLIENT, REFRESH_TOKEN)
    assert oauth.is_valid(access.token)
    assert 5 == len(slept)
    assert all(before < after * 2 for before, after in pairwise(slept))


def test_after_six_failures_it_is_silent():
    """The sentence says why and how often; there is no seventh try."""
    slept: list[float] = []
    with (
        stand_in(token_faults=Faults(every={1: "500"})) as oauth,
        pytest.raises(TokenServiceSilent, match=r"does not answer \(500.*; tried 6 times\)"),
    ):
        TokenService(oauth.root, sleep=slept.append).refresh(CLIENT, REFRESH_TOKEN)
    assert 5 == len(slept)


def test_a_refused_connection_is_tried_again():
    """Six times too."""
    slept: list[float] = []
    with pytest.raises(TokenServiceSilent, match=r"ConnectError; tried 6 times") as silent:
        TokenService(f"http://127.0.0.1:{free_port()}", sleep=slept.append).refresh(CLIENT, "r-1")
    assert 5 == len(slept)
    assert not [it for it in (CLIENT_SECRET, "r-1") if it in str(silent.value)]


@pytest.mark.parametrize(
    ("status", "body"),
    [(429, {"message": "Slow down."}), (200, ["?"]), (200, {"expires_in": 7}),
     (200, {"access_token": "t", "expires_in": None}),
     (200, {"access_token": "", "expires_in": 7}), (200, "access_token=sesame")],
)  # fmt: skip
def test_what_is_no_token_and_no_refusal_is_tried_again(status, body):
    """A limit, and an answer that has no token in it."""
    slept: list[float] = []
    with (
        served(service_that_says(status, body)) as root,
        pytest.raises(TokenServiceSilent, match=rf"\({status}.*; tried 3 times") as silent,
    ):
        TokenService(root, tries=3, sleep=slept.append).refresh(CLIENT, "r")
    assert 2 == len(slept)
    assert "sesame" not in str(silent.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "Bad client.", "trackingId": "T"}, "Bad client"),
        ({"message": "Bad.", "errors": [{"description": "It is old."}]}, "It is old; Bad"),
        ({"error": "old", "error_description": "It has expired."}, "old; It has expired"),
        ("Try\nlater.", "Try later"),
        ("<html>busy</html>", "no reason given"),
        ({"error": "invalid_client"}, "invalid_client"),
        ([], "no reason given"),
    ],
)
def test_a_refusal_is_told_in_the_services_words(body, words):
    """In each of the forms that the vendor uses, at once."""
    assert f"The vendor refuses the refresh token (400: {words})." == refusal_of(400, body)


def test_a_refusal_that_repeats_a_secret_is_told_without_it():
    """Whichever of the secrets it is."""
    said = f"client {CLIENT_SECRET} may not use r-secret"
    told = refusal_of(401, {"message": said})
    assert told.endswith("client … may not use …).")


def test_a_redirect_is_not_followed():
    """The secrets go to the configured service only."""
    assert "(302: no reason given)" in refusal_of(302, {})


def test_no_secret_is_in_a_repr(oauth):
    """Neither of the client nor of the tokens."""
    access = TokenService(oauth.root).refresh(CLIENT, REFRESH_TOKEN)
    shown = f"{CLIENT!r} {access!r}"
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN, access.token) if it in shown]


# --- the stand-in accepts what the vendor accepts ---


def agreed(oauth: OAuthApi, **changes: str) -> httpx.Response:
    """Where the stand-in sends the browser of somebody who agrees."""
    form = {
        "client_id": CLIENT_ID, "response_type": "code", "scope": READ, "state": "s",
        "redirect_uri": "http://127.0.0.1:8484/", "answer": "agree",
    }  # fmt: skip
    return httpx.post(f"{oauth.root}/v1/authorize", data=form | changes)


def test_a_code_holds_once_and_for_its_redirect_uri(oauth):
    """A second use, another redirect URI and another secret are refused."""
    uri = "http://127.0.0.1:8484/"
    service = TokenService(oauth.root)

    def code() -> str:
        return httpx.URL(agreed(oauth).headers["Location"]).params["code"]

    first = code()
    assert (READ,) == service.exchange(CLIENT, first, uri).scopes
    with pytest.raises(TokenRefused, match=r"\(400: The code is not valid"):
        service.exchange(CLIENT, first, uri)
    with pytest.raises(TokenRefused, match="not that of the code"):
        service.exchange(CLIENT, code(), "http://127.0.0.1:8485/")
    with pytest.raises(TokenRefused, match=r"\(401: "):
        service.exchange(OAuthClient(id=CLIENT_ID, secret="other"), code(), uri)


def test_a_code_expires():
    """After some minutes."""
    now = [0.0]
    with stand_in() as oauth:
        oauth.clock = lambda: now[0]
        code = httpx.URL(agreed(oauth).headers["Location"]).params["code"]
        now[0] += 301
        with pytest.raises(TokenRefused, match="it has expired"):
            TokenService(oauth.root).exchange(CLIENT, code, "http://127.0.0.1:8484/")


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"redirect_uri": "http://127.0.0.1:1/"}])
def test_nobody_is_sent_to_an_address_that_is_not_registered(oauth, wrong):
    """The page says so itself."""
    answer = agreed(oauth, **wrong)
    assert (400, False) == (answer.status_code, "Location" in answer.headers)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"answer": "deny"}, "access_denied"), ({"scope": "cjp:nothing"}, "invalid_scope"),
     ({"scope": ""}, "invalid_scope"), ({"response_type": "token"}, "unsupported_response_type")],
)  # fmt: skip
def test_an_error_is_sent_back_with_the_state(oauth, wrong, error):
    """And without a code."""
    params = httpx.URL(agreed(oauth, **wrong).headers["Location"]).params
    assert {"error": error, "state": "s"} == dict(params)
