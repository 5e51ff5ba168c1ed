"""The shell of the pages: who gets it, what it forbids, and how a token in the address signs in."""

import json
import re
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.pages.shell import PAGES, static_digest
from projector.infrastructure.database import StoreUnavailable
from tests.conftest import MakeSite, Site

TOKENS = json.dumps([{"token": "all", "role": "viewer"}])
COOKIE = "projector-session-80"  # of the test client's port
PATHS = [path.replace("<path:_>", "an/id") for path in PAGES]


def token(site: Site) -> str:
    return site.headers["Authorization"].removeprefix("Bearer ")


def refusal(answer: TestResponse) -> str:
    """What the shell hands to the form that asks for a token."""
    found = re.search(r'data-refusal="([^"]*)"', answer.text)
    return unescape(found[1]) if found else ""


# --- the document ---


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_the_same_shell(site: Site, path: str) -> None:
    """It has no data, so everybody gets it; its script asks who is signed in."""
    answer = site.client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.text == site.client.get("/").text
    assert "<noscript>" in answer.text


@pytest.mark.parametrize("path", [*PATHS, "/?token=wrong", f"/static/{'0' * 16}/app.js"])
def test_every_answer_forbids_what_it_does_not_need(site: Site, path: str) -> None:
    """Its own files only, nothing inline, framed by nobody."""
    headers = site.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_the_shell_runs_nothing_inline(site: Site) -> None:
    """Neither a script, a style nor a handler."""
    text = site.client.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", text) == []
    assert re.findall(r'(?:src|href)="(?!/)', text) == []


def test_its_files_are_kept_for_good(site: Site) -> None:
    """The digest of all files is in their address, so a release is a new address."""
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', site.client.get("/").text):
        with site.client.get(path) as answer:
            assert answer.status_code == 200, path
            assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        f"/static/{'0' * 16}/app.js",
        "/static/app.js",
        "/static/{digest}/missing.js",
        "/static/{digest}/../shell.py",
        "/static/{digest}/%2e%2e/shell.py",
        "/nowhere",
    ],
)
def test_nothing_else_is_served(site: Site, path: str) -> None:
    """Neither files of another release nor what lies beside them."""
    assert site.client.get(path.format(digest=static_digest())).status_code == 404


NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/agents/", "/tasks/", "/operations/", "/apis", "/a/b?c"]
)
def test_people_get_the_shell_where_no_page_is(site: Site, path: str) -> None:
    """Its script says that there is no such page. It is as well protected as any page."""
    answer = site.client.get(path, headers={"Accept": NAVIGATION})
    assert (404, "text/html") == (answer.status_code, answer.mimetype)
    page = site.client.get("/")
    assert page.text == answer.text
    policy = "Content-Security-Policy"
    assert page.headers[policy] == answer.headers[policy]
    assert "no-store" == answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        ("GET", "/nowhere", "*/*", 404),
        ("GET", "/nowhere", "application/json", 404),
        ("GET", "/nowhere", "", 404),
        ("POST", "/nowhere", NAVIGATION, 404),
        ("GET", "/api/nowhere", NAVIGATION, 404),
        ("GET", "/api/v1/agents/nobody", NAVIGATION, 404),
        ("GET", "/healthz/", NAVIGATION, 404),
        ("GET", "/static/nothing", NAVIGATION, 404),
        ("GET", "/webhooks", NAVIGATION, 404),
        ("POST", "/api/v1/status", NAVIGATION, 405),
    ],
)
def test_programs_get_a_problem_where_nothing_is(
    site: Site, method: str, path: str, accept: str, status: int
) -> None:
    """Whatever asks for something else than a page, or asks where programs do."""
    headers = {**site.headers, "Accept": accept}
    answer = site.client.open(path, method=method, headers=headers)
    assert (status, "application/problem+json") == (answer.status_code, answer.mimetype)


def test_the_icon_is_also_where_browsers_look_for_it(site: Site) -> None:
    """JSON in a window of its own names no icon."""
    answer = site.client.get("/favicon.ico")
    assert (200, "image/svg+xml") == (answer.status_code, answer.mimetype)


# --- a token in the address ---


def test_a_token_in_the_address_becomes_a_session_and_leaves_the_address(site: Site) -> None:
    """The cookie is out of reach for scripts and other sites."""
    answer = site.client.get(f"/agents/ann?token={token(site)}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/agents/ann")
    assert answer.headers["Cache-Control"] == "no-store"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert token(site) not in str(answer.headers)
    assert site.client.get("/api/v1/agents").status_code == 200


@pytest.mark.parametrize(
    "reached",
    [
        {"environ_base": {"REMOTE_ADDR": "10.0.0.4"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"base_url": "http://floor.example"},
        {"base_url": "http://127.0.0.1.example:8080"},
        {"headers": {"X-Forwarded-For": "10.0.0.4"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"headers": {"Forwarded": "for=10.0.0.4"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
    ],
)
def test_a_token_in_the_address_is_only_for_this_machine(
    site: Site, reached: dict[str, Any]
) -> None:
    """Elsewhere it is in logs on the way, and another site's link signs nobody in; a form helps."""
    for text in (token(site), "wrong"):
        answer = site.client.get(f"/?token={text}", **reached)
        assert (answer.status_code, answer.mimetype) == (403, "text/html")
        assert "paste the token here" in refusal(answer)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]:8080"])
def test_this_machine_has_several_names(site: Site, host: str) -> None:
    """The printed address may have any of them."""
    answer = site.client.get(
        f"/?token={token(site)}", headers={"Sec-Fetch-Site": "none"}, base_url=f"http://{host}"
    )
    assert answer.status_code == 303


def test_a_service_for_other_machines_takes_no_token_in_the_address(make_site: MakeSite) -> None:
    """Not even from its own one."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, HOST="0.0.0.0")
    assert site.client.get("/?token=all").status_code == 403


@pytest.mark.parametrize("given", ["wrong", "", "<script>alert(1)</script>"])
def test_an_unknown_token_gets_the_form(site: Site, given: str) -> None:
    """With the reason, and without what was given."""
    answer = site.client.get("/", query_string={"token": given})
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert refusal(answer) == "This token is not known here."
    assert "Set-Cookie" not in answer.headers
    assert not given or given not in answer.text


def test_without_its_store_nobody_signs_in_and_it_says_so(site: Site, monkeypatch: Any) -> None:
    """503 for machines, the form and a sentence for people."""

    def fail(*_: Any) -> None:
        raise StoreUnavailable("The database does not answer.")

    monkeypatch.setattr(site.service.sessions, "begin", fail)
    answer = site.client.get(f"/?token={token(site)}")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"]
    assert refusal(answer) == "The database does not answer."
