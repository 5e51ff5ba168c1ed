"""Signing in and out in a real browser, and what a page on another port cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Site, served

pytestmark = pytest.mark.browser

SESSION = "/api/v1/session"


@pytest.fixture
def neighbour() -> Iterator[str]:
    """The address of somebody else's page, on another port of this machine."""
    app = Flask("neighbour")
    app.add_url_rule("/", view_func=lambda: Response("<h1>hello</h1>", mimetype="text/html"))
    with served(app) as found:
        yield found


def token(site: Site) -> str:
    return site.headers["Authorization"].removeprefix("Bearer ")


def asked(page: Page, method: str, path: str, body: Any = None) -> list[Any]:
    """Status and content of what a page's own script asks for."""
    found: list[Any] = page.evaluate(
        """async ([method, path, body]) => {
            const headers = body === null ? {} : {"Content-Type": "application/json"};
            const sent = body === null ? undefined : JSON.stringify(body);
            const answer = await fetch(path, {method, headers, body: sent});
            return [answer.status, await answer.json()];
        }""",
        [method, path, body],
    )
    return found


def sessions(site: Site) -> int:
    with site.service.pool.connection() as connection:
        (row,) = connection.execute("SELECT count(*) AS it FROM sessions").fetchall()
    count: int = row["it"]
    return count


def test_the_printed_address_signs_in(page: Page, site: Site, address: str) -> None:
    """It lands on the page, signed in; neither address, history nor script has the token."""
    page.goto(f"{address}/?token={token(site)}")
    expect(page).to_have_url(f"{address}/")
    expect(page.locator("h1")).to_have_text("Floor")
    (cookie,) = page.context.cookies()
    assert f"projector-session-{address.rpartition(':')[2]}" == cookie["name"]
    assert (True, "Strict", "/") == (cookie["httpOnly"], cookie["sameSite"], cookie["path"])
    assert cookie["value"] != token(site)
    assert "" == page.evaluate("document.cookie")
    assert f"{address}/" == page.evaluate("performance.getEntriesByType('navigation')[0].name")


def test_a_page_signs_in_and_out_by_script(page: Page, site: Site, address: str) -> None:
    """With JSON, as every page of this service may."""
    page.goto(address)
    assert 401 == asked(page, "GET", SESSION)[0]
    status, answer = asked(page, "POST", SESSION, {"token": token(site)})
    assert (201, "operator") == (status, answer["role"])
    status, answer = asked(page, "GET", SESSION)
    assert (200, "session") == (status, answer["kind"])
    assert 202 == asked(page, "POST", "/api/v1/replays", {})[0]
    assert [200, {"ended": 1}] == asked(page, "DELETE", SESSION)
    assert 401 == asked(page, "GET", SESSION)[0]
    assert [] == page.context.cookies()


def test_a_wall_survives_the_browser(browser: Browser, make_site: Any) -> None:
    """Its cookie is kept when the browser ends, a person's is not."""
    site = make_site(PROJECTOR_TOKENS='[{"token": "look", "role": "viewer"}]')
    with served(site.client.application) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        for wall in (False, True):
            assert 201 == asked(page, "POST", SESSION, {"token": "look", "wall": wall})[0]
            (cookie,) = context.cookies()
            assert wall == (cookie["expires"] > 0)
        assert 200 == asked(page, "GET", "/api/v1/agents")[0]
        assert 403 == asked(page, "DELETE", SESSION)[0]


def test_a_page_on_another_port_changes_nothing(
    page: Page, site: Site, address: str, neighbour: str
) -> None:
    """It is the same site to the browser, which sends the cookie along; nothing comes of it."""
    page.goto(f"{address}/?token={token(site)}")
    expect(page.locator("h1")).to_have_text("Floor")
    opened: list[Any] = []  # answers to navigations
    page.on(
        "response", lambda it: opened.append(it) if it.request.is_navigation_request() else None
    )
    page.goto(neighbour)
    for kind in ("text/plain", "application/json"):
        for method, path in (("POST", "/api/v1/replays"), ("DELETE", SESSION)):
            outcome = page.evaluate(
                """async ([url, method, kind]) => {
                    const options = {method, credentials: "include"};
                    options.headers = {"Content-Type": kind};
                    if (method === "POST") options.body = "{}";
                    try { return (await fetch(url, options)).status } catch { return "blocked" }
                }""",
                [f"{address}{path}", method, kind],
            )
            assert "blocked" == outcome, (kind, method)
    unread = page.evaluate(
        """async ([url]) => {
            const options = {method: "POST", mode: "no-cors", credentials: "include", body: "{}"};
            return (await fetch(url, options)).type;
        }""",
        [f"{address}/api/v1/replays"],
    )
    assert "opaque" == unread
    for path, fields in (
        ("/api/v1/replays", {'{"why": "': '"}'}),  # with the = between, it is JSON
        (SESSION, {"token": token(site)}),
    ):
        page.goto(neighbour)
        with page.expect_navigation():
            page.evaluate(
                """([url, fields]) => {
                    const form = document.createElement("form");
                    [form.method, form.action] = ["post", url];
                    if (!fields.token) form.enctype = "text/plain";
                    for (const [name, value] of Object.entries(fields)) {
                        const field = document.createElement("input");
                        [field.name, field.value] = [name, value];
                        form.append(field);
                    }
                    document.body.append(form);
                    form.submit();
                }""",
                [f"{address}{path}", fields],
            )
        assert (403 if path != SESSION else 400) == opened[-1].status, path
        assert "projector-session-" in opened[-1].request.all_headers()["cookie"]
    page.goto(neighbour)
    with page.expect_navigation():
        page.evaluate("url => { location.href = url }", f"{address}/?token={token(site)}")
    assert 403 == opened[-1].status
    page.goto(address)
    expect(page.locator("h1")).to_have_text("Floor")
    assert [[], 1] == [asked(page, "GET", "/api/v1/replays")[1]["data"], sessions(site)]
