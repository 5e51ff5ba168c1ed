"""The wall in a real browser: it looks after itself, and can only look."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from projector.infrastructure.clock import now_ms
from tests import examples
from tests.browser.conftest import happen
from tests.conftest import MakeSite, served

pytestmark = pytest.mark.browser

TOKENS = json.dumps([{"token": "looks", "role": "viewer"}, {"token": "acts", "role": "operator"}])
PATIENCE_MS = 20_000


def test_a_wall_comes_back_after_a_restart(
    page: Page, make_site: MakeSite, complaints: list[str], port: int
) -> None:
    """Signed in for good, it shows what came meanwhile; meanwhile it does not look live."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")
    happen(site, examples.login(now_ms() - examples.DAWN, "ann", "Available"))
    with served(site.client.application, port) as address:
        page.goto(f"{address}/wall?turn=3600")
        page.get_by_label("Token").fill("looks")
        page.get_by_label("This is a wall display").check()
        page.keyboard.press("Enter")
        expect(page.locator(".wall .large li.free")).to_contain_text("1", timeout=PATIENCE_MS)
        expect(page.locator("button, a, input, select")).to_have_count(0)
    for stream in [*site.service.feed._open]:
        stream.close()
    expect(page.locator(".wall.old")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("status")).to_contain_text("Not live since")
    happen(site, examples.login(now_ms() - examples.DAWN, "bob", "Available"))
    with served(site.client.application, port):
        expect(page.locator(".wall .large li.free")).to_contain_text("2", timeout=PATIENCE_MS)
        expect(page.locator(".wall.old")).to_have_count(0)
    assert all("Failed to load resource" in said for said in complaints)
    complaints.clear()


@pytest.mark.parametrize("width", [1_000, 1_400, 1_920])
def test_no_number_of_the_wall_is_broken(
    page: Page, make_site: MakeSite, port: int, complaints: list[str], width: int
) -> None:
    """Also a wait of hours stands on one line, inside its tile."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")
    ago = now_ms() - examples.DAWN - 97 * 60_000
    happen(site, examples.task(ago, "mail", "parked", queueId="q1", channelType="email"))
    page.set_viewport_size({"width": width, "height": 900})
    with served(site.client.application, port) as address:
        page.goto(f"{address}/wall?turn=3600")
        page.get_by_label("Token").fill("looks")
        page.keyboard.press("Enter")
        expect(page.locator(".large .long")).to_have_text(re.compile(r"1:37:\d\d"))
        expect(page).to_have_title(re.compile("Wall"))
        broken = page.evaluate(
            """[...document.querySelectorAll(".large .count")].filter((it) => {
                const range = document.createRange();
                range.selectNodeContents(it);
                const text = range.getBoundingClientRect();
                const size = parseFloat(getComputedStyle(it).fontSize);
                return text.width > it.clientWidth || it.clientHeight > 1.5 * size;
            }).map((it) => it.textContent)"""
        )
    assert [] == broken
    assert all("401" in said for said in complaints)  # before the sign-in
    complaints.clear()


def test_a_walls_session_changes_nothing(page: Page, make_site: MakeSite, port: int) -> None:
    """An operator's token makes no wall; a viewer's wall is refused whatever changes something."""
    site = make_site(PROJECTOR_TOKENS=TOKENS)
    with served(site.client.application, port) as address:
        page.goto(f"{address}/wall")
        page.get_by_label("Token").fill("acts")
        page.get_by_label("This is a wall display").check()
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("A wall needs a viewer's token")
        page.get_by_label("Token").fill("looks")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="All teams")).to_be_visible()
        asked = "async () => (await fetch('/api/v1/session', {method: 'DELETE'})).status"
        assert page.evaluate(asked) == 403
