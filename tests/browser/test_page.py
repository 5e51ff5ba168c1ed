"""The first page in a real browser: it follows the floor by itself."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from projector.infrastructure.clock import now_ms
from tests import examples
from tests.conftest import Site, served

pytestmark = pytest.mark.browser

FOLLOWS_WITHIN_MS = 5_000
AGENTS = "[aria-labelledby=agents]"
_numbers = count(1)


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with served(site.client.application) as found:
        yield found


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console says; nothing, at the end of a test that does not empty it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield said
    assert said == []


def open_floor(page: Page, site: Site, address: str) -> None:
    token = site.headers["Authorization"].removeprefix("Bearer ")
    page.goto(f"{address}/?token={token}")
    expect(page).to_have_url(f"{address}/")


def happen(site: Site, *bodies: dict[str, Any]) -> None:
    """Deliver webhooks and fold them."""
    site.post([body | {"id": f"e{next(_numbers)}"} for body in bodies])
    site.project()


def moment() -> int:
    """Now, as the examples count it."""
    return now_ms() - examples.DAWN


def follows(page: Page, selector: str, text: str) -> None:
    expect(page.locator(selector)).to_contain_text(text, timeout=FOLLOWS_WITHIN_MS)


def test_the_page_follows_the_floor_without_a_reload(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """From the empty floor over an agent who signs in to a call that comes to an end."""
    open_floor(page, site, address)
    follows(page, "#floor", "Nobody is here yet")
    follows(page, ".freshness", "No events yet")
    page.evaluate("window.loadedOnce = true")

    happen(site, examples.login(moment(), "agent-1", "Available"))
    follows(page, "tbody tr", "agent-1")
    follows(page, "tbody tr .pill.free", "available")
    follows(page, ".freshness", "Up to date")

    happen(
        site,
        examples.task(moment(), "task-1", "new"),
        examples.v2(moment(), "agent-1", "connected", "task-1", on=("c-1", "telephony")),
    )
    follows(page, f"{AGENTS} .pill.busy", "connected")
    follows(page, "[aria-labelledby=open-tasks] tbody tr", "task-1")

    happen(
        site,
        examples.ended(moment(), "task-1"),
        examples.v2(moment(), "agent-1", "wrapup", "task-1", on=("c-1", "telephony")),
    )
    follows(page, f"{AGENTS} .pill", "wrapup")
    happen(site, examples.v2(moment(), "agent-1", "wrapup-done", "task-1", on=("c-1", "telephony")))
    follows(page, "[aria-labelledby=done-tasks] tbody tr", "task-1")
    assert page.evaluate("window.loadedOnce")


def test_following_moves_nothing_under_the_reader(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The page, a table, the focus and a selection stay as they were."""
    page.set_viewport_size({"width": 390, "height": 600})
    happen(site, *[examples.login(moment(), f"agent-{number}") for number in range(40)])
    open_floor(page, site, address)
    page.evaluate(
        """() => {
            const scroller = document.querySelector(".scroller");
            scroller.focus();
            scroller.scrollLeft = 120;
            window.scrollTo(0, 500);
            const id = document.querySelector("tbody tr:nth-child(12) th bdi");
            getSelection().selectAllChildren(id);
        }"""
    )
    place = """() => [scrollY, document.querySelector(".scroller").scrollLeft,
        document.activeElement.className, getSelection().toString()]"""
    assert page.evaluate(place) == [500, 120, "scroller", "agent-19"]

    happen(
        site,
        examples.login(moment(), "agent-99"),
        examples.v2(moment(), "agent-19", "connected", "task-1", on=("c-1", "telephony")),
    )
    follows(page, f"{AGENTS} tbody", "agent-99")
    follows(page, f"{AGENTS} tr:nth-child(12) .pill", "connected")
    assert page.evaluate(place) == [500, 120, "scroller", "agent-19"]


def test_without_an_answer_the_last_floor_stays_and_says_so(
    page: Page, site: Site, complaints: list[str]
) -> None:
    """Until the service answers again, at the same address."""
    happen(site, examples.login(moment(), "agent-1"))
    app = site.client.application
    with served(app) as address:
        open_floor(page, site, address)
        port = int(address.rpartition(":")[2])
    follows(page, "#silence", "The service does not answer since")
    expect(page.locator("#silence")).to_be_visible()
    expect(page.get_by_text("Up to date")).to_be_hidden()
    follows(page, "tbody tr", "agent-1")
    with served(app, port):
        expect(page.locator("#silence")).to_be_hidden(timeout=FOLLOWS_WITHIN_MS)
    assert all("Failed to load resource" in said for said in complaints)
    complaints.clear()


def test_hostile_names_are_only_text(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Also when they come in while the page is open."""
    name = "<img src=x onerror=alert(1)>"
    open_floor(page, site, address)
    happen(site, examples.login(moment(), name))
    follows(page, "tbody tr th", name)
    assert page.locator("#floor img").count() == 0


def test_a_visitor_without_a_token_can_paste_it(page: Page, site: Site, address: str) -> None:
    """Once it is the right one."""
    page.goto(address)
    for pasted, answered in (
        ("wrong", "This token is not known here."),
        (site.headers["Authorization"].removeprefix("Bearer "), "The floor"),
    ):
        page.get_by_label("Token").fill(pasted)
        page.keyboard.press("Enter")
        follows(page, "h1", answered)
    expect(page).to_have_url(f"{address}/")


def test_a_session_that_ends_asks_for_a_token(page: Page, site: Site, address: str) -> None:
    """By itself: the floor is not left standing as if it were true."""
    open_floor(page, site, address)
    page.context.clear_cookies()
    follows(page, "h1", "A valid bearer token is needed.")


def test_without_scripts_the_page_follows_too(site: Site, address: str, chromium: Any) -> None:
    """By loading itself again."""
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        open_floor(page, site, address)
        happen(site, examples.login(moment(), "agent-1"))
        follows(page, "tbody tr", "agent-1")
