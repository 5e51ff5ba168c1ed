"""The floor in a real browser: the first paint, frames under load, and delivery to screen.

The service runs in its own processes, the page in the system's Chromium. What the page shows is
noted in the page, in the frame that draws it. A delay counts from when its delivery was due. Where
Chromium is missing, nothing is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import click
from playwright.sync_api import CDPSession, Page, sync_playwright

from projector.event_log.store import EventStore
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from projector.webex.simulator import Simulation
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tools.bench.costs import CostCase, CostComparison
from tools.bench.ground import HEAD_START_MS, compact, fill
from tools.bench.sender import Posted, post_all
from tools.bench.servers import (
    TOKEN,
    await_projection,
    environment_of,
    free_port,
    process_of,
    server_of,
)
from tools.bench.tail import IDLE, RATES, deliveries

PART = "browser"
AGENTS = 2_000
BUSY = "1,000 events/s"
EMPTY, FULL = "an empty floor", "2,000 agents"
FILLED = 20_000  # events: until all agents have signed in
OPENED = 3  # times in a round
SETTLE_SECONDS = 2.0
SHOWN_AT_LEAST = 0.95  # of all deliveries
WINDOW = {"width": 1600, "height": 900}

# In the page: when the first row, or the word that there is none, was drawn.
NOTE_FIRST_PAINT = """
    new MutationObserver((_, observer) => {
        if (!document.querySelector("tr[data-row], .state.empty")) return;
        observer.disconnect();
        requestAnimationFrame(() => { window.firstPaint = performance.now(); });
    }).observe(document, {subtree: true, childList: true});
"""
# In the page: how long each frame took, and which position of the log it shows.
NOTE_FRAMES = """async () => {
    const app = document.querySelector("script[type=module]").src;
    const live = await import(new URL("core/live.js", app).href);
    window.noted = {frames: [], shown: []};
    let before = performance.now();
    const note = (time) => {
        noted.frames.push(time - before);
        before = time;
        const position = live.progress.shown;
        if (noted.shown.at(-1)?.[1] !== position) noted.shown.push([Date.now(), position]);
        requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
}"""


@dataclass(frozen=True, kw_only=True)
class FloorPage:
    """A page in a browser beside the service, and what sends events to it."""

    url: str  # of the database
    port: int
    page: Page
    session: CDPSession
    world: Iterator[dict[str, Any]]

    def fill(self) -> None:
        """Let all agents sign in."""
        with open_pool(self.url, max_size=2) as pool:
            fill(EventStore(pool), map(compact, islice(self.world, FILLED)), request=100)
        await_projection(self.url)

    def post(self, rate: int, together: int, seconds: float) -> Sequence[Posted]:
        """Send events for a while, in another thread: the browser's driver has this one."""
        due = list(deliveries(self.world, rate, together, seconds))
        with ThreadPoolExecutor(1) as pool:
            posting = pool.submit(lambda: asyncio.run(post_all(self.port, due)))
            while not posting.done():
                self.page.wait_for_timeout(50)
        self.page.wait_for_timeout(SETTLE_SECONDS * 1_000)
        return posting.result()

    def heap_mib(self) -> float:
        """The memory of the page's objects, without those that nothing needs."""
        self.session.send("HeapProfiler.collectGarbage")
        used: float = self.session.send("Runtime.getHeapUsage")["usedSize"]
        return used / 2**20


@contextmanager
def open_floor(url: str) -> Iterator[FloorPage]:
    """The page Floor, signed in, while the service runs over an empty database."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="projector-bench-"))
        environment, port = environment_of(url, folder), free_port()
        stack.enter_context(server_of(["-m", "projector", "serve"], environment, port))
        stack.enter_context(process_of(["-m", "projector", "follow"], environment))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        stack.callback(browser.close)
        context = browser.new_context(viewport=WINDOW)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/?token={TOKEN}")
        yield FloorPage(
            url=url,
            port=port,
            page=page,
            session=context.new_cdp_session(page),
            world=iter(Simulation(AGENTS, start_ms=now_ms() - HEAD_START_MS)),
        )


def has_browser(part: str) -> bool:
    """Whether Chromium is here; if not, says that the part is not measured."""
    if not CHROMIUM.exists():
        click.echo(f"{part}: {CHROMIUM} is missing, so nothing is measured", err=True)
    return CHROMIUM.exists()


def measure(url: str, *, rounds: int, seconds: float) -> Iterator[CostComparison]:
    if not has_browser(PART):
        return
    paint = CostCase(part=PART, name="first paint", unit="ms", pairs=[(FULL, EMPTY)])
    frames = CostCase(part=PART, name="frame", unit="ms", pairs=[(BUSY, "no events")])
    shown = CostCase(part=PART, name="delivery to screen", unit="ms", pairs=[(BUSY, IDLE)])
    memory = CostCase(part=PART, name="memory", unit="MiB", pairs=[("after", "before")])
    with open_floor(url) as floor:
        page = floor.page
        page.add_init_script(NOTE_FIRST_PAINT)
        for _ in range(rounds):
            paint.add(EMPTY, [_first_paint(page) for _ in range(OPENED)])
        floor.fill()
        for _ in range(rounds):
            paint.add(FULL, [_first_paint(page) for _ in range(OPENED)])
        page.evaluate(NOTE_FRAMES)
        for _ in range(rounds):
            _take_frames(page)
            page.wait_for_timeout(seconds * 1_000)
            frames.add("no events", _take_frames(page))
            memory.add("before", [floor.heap_mib()])
            for name in (IDLE, BUSY):
                posted = floor.post(*RATES[name], seconds)
                shown.add(name, _delays_ms(page, posted))
                if name == BUSY:
                    frames.add(BUSY, _take_frames(page))
                _take_frames(page)
            memory.add("after", [floor.heap_mib()])
    for case in (paint, frames, shown, memory):
        yield from case.comparisons()


def _first_paint(page: Page) -> float:
    page.reload()
    first = 0.0
    while not first:
        page.wait_for_timeout(10)
        first = page.evaluate("window.firstPaint ?? 0")
    return first


def _delays_ms(page: Page, posted: Sequence[Posted]) -> list[float]:
    """From when each delivery was due to the frame that shows its position.

    The last events may change no view: the page learns of their position with the next ping.
    """
    behind = time.time() - time.monotonic()
    shown: list[tuple[int, int]] = page.evaluate("noted.shown")
    positions = [position for _, position in shown]
    delays = []
    for it in posted:
        index = bisect_left(positions, it.position)
        if index < len(shown):
            delays.append(shown[index][0] - (it.delivery.due_time + behind) * 1_000)
    assert len(delays) > SHOWN_AT_LEAST * len(posted), "the page does not follow"
    return delays


def _take_frames(page: Page) -> list[float]:
    """The lengths of the frames since the last call."""
    frames: list[float] = page.evaluate("noted.frames.splice(0)")
    return frames
