"""What holds for every page: axe-core finds nothing serious, the console is silent, phones fit."""

from collections.abc import Sequence
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from projector.infrastructure.clock import now_ms
from tests import examples
from tests.browser.conftest import happen, sign_in
from tests.conftest import Site

pytestmark = pytest.mark.browser

MINUTE = 60_000
# Each with what is there once the page has its data.
PAGES = {
    "/": ".agents tbody tr",
    "/?at={past}&knownAt={now}": ".agents tbody tr",
    "/agents/ann": "h1",
    "/tasks/call": "h1",
    "/tasks": "tbody tr",
    "/reports": "h1",
    "/audit": "tbody tr",
    "/audit?tab=trail": "h1",
    "/operations": "h1",
    "/thresholds": "tbody tr",
    "/docs": "h1",
    "/wall": "h1",
}
SERIOUS = {"serious", "critical"}
THEMES: Sequence[Literal["light", "dark"]] = ("light", "dark")
# Colors that change gradually are at their end.
COLORS_CHANGED = """async () => {
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    await frame();
    await frame();  // a change of style begins its transitions with the frame that draws it
    for (const it of document.getAnimations()) if (it instanceof CSSTransition) it.finish();
}"""
PHONE: ViewportSize = {"width": 390, "height": 800}
DESK: ViewportSize = {"width": 1280, "height": 800}


@pytest.fixture
def busy(site: Site) -> None:
    """An agent in a call that came late, another who is idle, and a customer who waits."""
    ago = now_ms() - examples.DAWN
    happen(
        site,
        examples.login(ago - 30 * MINUTE, "ann", "Available"),
        examples.login(ago - 29 * MINUTE, "bob", "Idle"),
        examples.task(ago - 20 * MINUTE, "call", "new"),
        examples.task(ago - 4 * MINUTE, "other", "parked", queueId="q1"),
        examples.v2(ago - 10 * MINUTE, "ann", "wrapup", "call", on=("c-1", "telephony")),
    )
    happen(
        site, examples.v2(ago - 18 * MINUTE, "ann", "connected", "call", on=("c-1", "telephony"))
    )


def test_every_page_can_be_read_by_anybody(
    page: Page, site: Site, address: str, busy: None, complaints: list[str]
) -> None:
    """By the rules of WCAG that axe-core checks, in both themes; no page is wider than a phone."""
    sign_in(page, site, address)
    times = {"past": now_ms() - 5 * MINUTE, "now": now_ms()}
    found = {}
    too_wide = {}
    for path, ready in PAGES.items():
        page.goto(address + path.format(**times))
        expect(page.locator(ready).first).to_be_visible(timeout=20_000)
        expect(page.locator(".loading")).to_have_count(0, timeout=20_000)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.evaluate(COLORS_CHANGED)
            if serious := violations(page):
                found[path, theme] = serious
        page.set_viewport_size(PHONE)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            too_wide[path] = width
        page.set_viewport_size(DESK)
    assert found == {}
    assert too_wide == {}


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What of a page breaks a rule seriously: the rule, and the first of the elements."""
    answer = Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        (it["id"], [node["html"][:200] for node in it["nodes"][:3]])
        for it in answer["violations"]
        if it["impact"] in SERIOUS
    ]


def test_an_unknown_address_says_so(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """In the frame of the pages, so that one finds the way back."""
    sign_in(page, site, address)
    for path in ("/nonsense", "/agents/"):
        answer = page.goto(address + path)
        assert answer is not None
        assert 404 == answer.status
        expect(page.locator("main")).to_contain_text("There is no such page")
        expect(page.locator("header.frame")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Floor").click()
    expect(page).to_have_url(f"{address}/")
    # The browser itself names the two documents that it did not find.
    assert 2 == len([it for it in complaints if "404" in it])
    complaints.clear()
