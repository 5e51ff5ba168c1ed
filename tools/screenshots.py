"""Make the pictures of the README: `python -m tools.screenshots`.

The whole service runs in a temporary folder with the demo's contact centre. Chromium looks at it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

from projector.infrastructure.clock import now_ms
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tools.bench.servers import free_port

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "img"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
MINUTE_MS = 60_000
LIVE_SECONDS = 150.0  # of the demo, after its past
WAIT_SECONDS = 900.0
POLL_SECONDS = 2.0
DRAWN_MS = 4_000  # until a page has its data


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="projector-screenshots-") as folder:
        port = free_port()
        environment = {**os.environ, "PORT": str(port), "PROJECTOR_DATA_DIR": folder}
        with started("run", environment):
            service = Asked(f"http://127.0.0.1:{port}", Path(folder) / "operator-token")
            service.until(lambda: service.get("/api/v1/status") is not None)
            with started("demo", environment):
                service.until(service.is_busy)
                time.sleep(LIVE_SECONDS)
                take_all(service)


class Asked:
    """A service that is asked with its operator's token."""

    def __init__(self, address: str, token_file: Path) -> None:
        self.address = address
        self._token_file = token_file

    @property
    def sign_in(self) -> str:
        return f"{self.address}/?token={self._token_file.read_text()}"

    def get(self, path: str) -> Any:
        """The answer, None while the service does not give one."""
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text()}"}
            with urlopen(Request(self.address + path, headers=headers), timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def is_busy(self) -> bool:
        """Whether the past has been sent and folded: newest events are of now."""
        (projection,) = self.get("/api/v1/status")["projections"]
        agents = self.get("/api/v1/agents?limit=1000")["data"]
        newest = max((it["lastEvent"]["createdTime"] for it in agents), default=0)
        return projection["lagEvents"] == 0 and now_ms() - newest < MINUTE_MS

    def until(self, is_so: Any) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, "the demo does not get going"
            time.sleep(POLL_SECONDS)


@contextmanager
def started(command: str, environment: dict[str, str]) -> Iterator[None]:
    arguments = [sys.executable, "-m", "projector", command]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def take_all(service: Asked) -> None:
    then = now_ms() - MINUTE_MS  # later than the past was sent
    # An agent who works now, and a task with more than one part.
    agent = service.get("/api/v1/agents?status=connected&limit=1")["data"][0]["agentId"]
    tasks = service.get("/api/v1/tasks?status=completed&limit=500")["data"]
    task = max(tasks, key=lambda it: (len(it["participants"]), it["counts"]["holds"]))["taskId"]
    day = f"from={then - 60 * MINUTE_MS}&to={now_ms()}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for theme, window, pictures in (
            (
                "light",
                DESK,
                {
                    "floor": "/",
                    "scrubber": f"/?at={then}&knownAt={then}&sort=-status",
                    "agent": f"/agents/{agent}?{day}",
                    "task": f"/tasks/{task}",
                },
            ),
            ("dark", DESK, {"floor-dark": "/"}),
            ("light", PHONE, {"floor-phone": "/"}),
        ):
            with browser.new_context(viewport=window, color_scheme=theme) as context:
                page = context.new_page()
                page.goto(service.sign_in)
                for name, path in pictures.items():
                    take(page, service.address + path, name)


def take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_selector("tbody tr")
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"docs/img/{name}.png")


if __name__ == "__main__":
    main()
