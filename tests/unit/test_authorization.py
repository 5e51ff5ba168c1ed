"""The authorisation of an integration: its address, and the answer that comes back."""

from __future__ import annotations

import socket

import httpx
import pytest

from projector.infrastructure.errors import ProjectorError
from projector.webex.authorization import (
    AuthorizationFailed,
    ForeignAnswer,
    authorize_url,
    code_of_pasted,
    listening,
    redirect_uri,
)
from tests.conftest import free_port

BACK = "http://127.0.0.1:8484/"


def test_the_address_to_open_names_the_request():
    """Every part is escaped, spaces as %20."""
    url = authorize_url("https://webexapis.com", "C&1", BACK, ["a:b", "c"], "s=t")
    assert url == (
        "https://webexapis.com/v1/authorize?client_id=C%261&response_type=code"
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8484%2F&scope=a%3Ab%20c&state=s%3Dt"
    )
    assert BACK == redirect_uri(8484)


@pytest.mark.parametrize(
    "pasted",
    [f"{BACK}?code=the%20code&state=s", f"  {BACK}?state=s&code=the+code#top\n",
     "?code=the%20code&state=s", "code=the%20code&state=s", "the code"],
)  # fmt: skip
def test_a_pasted_answer_is_the_address_or_its_query_or_the_code(pasted):
    """Space around it does not matter."""
    assert "the code" == code_of_pasted(pasted, "s")


@pytest.mark.parametrize(
    "pasted",
    [f"{BACK}?code=c&state=t", f"{BACK}?code=c", f"{BACK}?code=c&state=", BACK, "", "code=c",
     f"{BACK}?code=c&state=s%C3%A4", f"{BACK}?error=access_denied&state=t"],
)  # fmt: skip
def test_an_answer_with_another_state_is_refused(pasted):
    """Also one that has none."""
    with pytest.raises(ForeignAnswer, match="state"):
        code_of_pasted(pasted, "s")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("error=access_denied", r"\(access_denied\): who signed in did not agree, or may not\."),
        ("error=invalid_scope", r"\(invalid_scope\): the integration is not registered"),
        ("error=odd&error_description=It+is%0A%1b+late", r"\(odd\): It is late\."),
        ("error=odd", r"\(odd\): no reason given\."),
        ("code=", "has no code"),
    ],
)
def test_an_answer_without_a_code_is_told_in_words(query, words):
    """The vendor's, where it has any."""
    with pytest.raises(AuthorizationFailed, match=words):
        code_of_pasted(f"{BACK}?{query}&state=s", "s")


@pytest.fixture
def port():
    return free_port()


def test_the_answer_is_caught_and_the_code_is_shown_nowhere(port, capfd):
    """Not on the page, and not in a log line; the browser keeps no copy of the page."""
    with listening(port, "s") as listener:
        page = httpx.get(f"{redirect_uri(port)}?code=sesame&state=s")
        assert "sesame" == listener.code(1)
    assert (200, "no-store") == (page.status_code, page.headers["Cache-Control"])
    assert "You can close this window" in page.text
    assert "sesame" not in page.text + "".join(capfd.readouterr())


def test_other_requests_do_not_end_the_wait(port):
    """Another path, another method, another state, and a connection that says nothing."""
    root = redirect_uri(port)
    with listening(port, "s") as listener, socket.create_connection(("127.0.0.1", port)):
        assert 404 == httpx.get(f"{root}favicon.ico?code=a&state=s").status_code
        assert 501 == httpx.post(f"{root}?code=b&state=s").status_code
        assert 400 == httpx.get(f"{root}?code=c&state=t").status_code
        assert 400 == httpx.get(f"{root}?error=access_denied&state=t").status_code
        assert 200 == httpx.get(f"{root}?code=d&state=s").status_code
        assert 410 == httpx.get(f"{root}?code=e&state=s").status_code
        assert "d" == listener.code(1)


def test_a_refusal_ends_the_wait(port):
    """The page says so, too."""
    with listening(port, "s") as listener:
        page = httpx.get(f"{redirect_uri(port)}?error=access_denied&state=s")
        with pytest.raises(AuthorizationFailed, match="did not agree"):
            listener.code(1)
    assert "did not authorise" in page.text


def test_an_answer_that_does_not_come_ends_the_wait(port):
    """With a sentence."""
    with listening(port, "s") as listener, pytest.raises(AuthorizationFailed, match="No answer"):
        listener.code(0.01)


def test_a_port_that_is_taken_is_told(port):
    """With what to do."""
    with (
        listening(port, "s"),
        pytest.raises(ProjectorError, match=f"port {port}.*--port"),
        listening(port, "s"),
    ):
        raise AssertionError
