"""The API page: the document is read and tried with the session, in either theme."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Site, served, slow
from tests.examples import login

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", *slow("dark")])
def test_a_route_is_tried_with_the_session(page: Page, site: Site, theme: str) -> None:
    """Under the page's own policy: the console says nothing, and no other host is asked."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=theme)
    site.post(login(1_000, "ann") | {"id": "e1"})
    site.project()
    token = site.headers["Authorization"].removeprefix("Bearer ")
    with served(site.client.application) as address:
        page.goto(f"{address}/docs?token={token}")
        page.get_by_text("Authentication").click()
        expect(page.get_by_label("Example: Authentication")).to_contain_text(address)
        topic = page.locator("h3.opblock-tag", has_text="Their views, histories and timelines")
        topic.get_by_role("button").click(timeout=30_000)
        route = page.locator(".opblock", has_text="/api/v1/agents").first
        route.locator(".opblock-summary-control").click()
        route.get_by_role("button", name="Try it out").click()
        route.get_by_label("limit", exact=True).fill("7")
        route.get_by_role("button", name="Execute").click()
        answer = route.locator(".live-responses-table")
        expect(answer).to_contain_text('"agentId": "ann"')
        line = route.locator(".curl-command")
        expect(line).to_contain_text("-H 'Authorization: Bearer <token>'")
        assert page.locator("html.dark-mode").count() == (theme == "dark")
        page.get_by_role("link", name="Floor").click()
        expect(page.locator("html.dark-mode")).to_have_count(0)
    assert any("limit=7" in url for url in asked)
    assert [] == [url for url in asked if not url.startswith(address)]
    assert [] == said
