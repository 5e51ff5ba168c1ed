"""What holds for every page: axe-core finds nothing serious, the console is silent, phones fit."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

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
    "/operations": "h1",
    "/thresholds": "tbody tr",
    "/docs": "h1",
    "/wall": "h1",
}
SERIOUS = {"serious", "critical"}


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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(  # noqa: PLR0917 - fixtures
    page: Page, site: Site, address: str, busy: None, complaints: list[str], theme: str
) -> None:
    """By the rules of WCAG that axe-core checks, in both themes."""
    sign_in(page, site, address)
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    times = {"past": now_ms() - 5 * MINUTE, "now": now_ms()}
    found = {}
    for path, ready in PAGES.items():
        page.goto(address + path.format(**times))
        expect(page.locator(ready).first).to_be_visible(timeout=20_000)
        expect(page.locator(".loading")).to_have_count(0, timeout=20_000)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in SERIOUS:
                nodes = [node["html"][:200] for node in violation["nodes"][:3]]
                found.setdefault(path, []).append((violation["id"], nodes))
    assert found == {}, json.dumps(found, indent=1)


def test_no_page_is_wider_than_a_phone(
    page: Page, site: Site, address: str, busy: None, complaints: list[str]
) -> None:
    """Tables scroll on their own; the page does not scroll sideways."""
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(page, site, address)
    times = {"past": now_ms() - 5 * MINUTE, "now": now_ms()}
    too_wide = {}
    for path, ready in PAGES.items():
        page.goto(address + path.format(**times))
        expect(page.locator(ready).first).to_be_visible(timeout=20_000)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            too_wide[path] = width
    assert too_wide == {}


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
