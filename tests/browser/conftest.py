"""Fixtures: a real Chromium, the service on loopback for it, and what the pages must never do."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.conftest import Site, free_port, served

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_numbers = count(1)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium; without it the tests are skipped loudly, but never in the checks."""
    if not CHROMIUM.exists():
        missing = f"NO BROWSER: {CHROMIUM} is missing; `apt-get install chromium` brings it."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return {"executable_path": CHROMIUM, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "timezone_id": "UTC"}


@pytest.fixture(scope="session")
def port() -> int:
    """One port for all tests: the browser keeps the scripts of an origin, as it does for people."""
    return free_port()


@pytest.fixture(scope="session")
def profile(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[BrowserContext]:
    """The context that all tests share; its first page keeps the window open.

    A new context is a new window and an empty cache, which takes longer than most tests.
    """
    with browser.new_context(**browser_context_args) as shared:
        shared.new_page()
        yield shared


@pytest.fixture
def context(profile: BrowserContext, port: int) -> Iterator[BrowserContext]:
    """The shared context as if nobody had used it: no cookie, and nothing stored."""
    profile.clear_cookies()
    session = profile.new_cdp_session(profile.pages[0])
    session.send(
        "Storage.clearDataForOrigin",
        {"origin": f"http://127.0.0.1:{port}", "storageTypes": "local_storage"},
    )
    session.detach()
    yield profile
    for opened in profile.pages[1:]:
        opened.close()


@pytest.fixture
def address(site: Site, port: int) -> Iterator[str]:
    with served(site.client.application, port) as found:
        yield found


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console says, and requests to other hosts; a test that expects some empties it."""
    said: list[str] = []

    def watch(request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1" and not request.url.startswith("data:"):
            said.append(f"external request: {request.url}")

    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", watch)
    yield said
    assert said == []


def happen(site: Site, *bodies: dict[str, Any]) -> None:
    """Deliver webhooks and fold them; those without an id get one."""
    site.post([body if body["id"] else body | {"id": f"e{next(_numbers)}"} for body in bodies])
    site.project()


def token_of(site: Site) -> str:
    return site.headers["Authorization"].removeprefix("Bearer ")


def sign_in(page: Page, site: Site, address: str, path: str = "/") -> None:
    """Open a page as the printed address does."""
    page.goto(f"{address}/?token={token_of(site)}")
    expect(page).to_have_url(f"{address}/")
    if path != "/":
        page.goto(f"{address}{path}")
