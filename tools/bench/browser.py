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
from contextlib import ExitStack
from itertools import islice

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
ORDINARY = (60, 1)  # events per second, and per POST: what 2,000 agents make
FIRST, LAST = "first third", "last third"
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


def measure(url: str, *, rounds: int, seconds: float, minutes: int) -> Iterator[CostComparison]:
    """From 3 `minutes` on, also the memory of the page over that time of ordinary events."""
    if not CHROMIUM.exists():
        click.echo(f"browser: {CHROMIUM} is missing, so nothing is measured", err=True)
        return
    paint = CostCase(part=PART, name="first paint", unit="ms", pairs=[(FULL, EMPTY)])
    frames = CostCase(part=PART, name="frame", unit="ms", pairs=[(BUSY, "no events")])
    shown = CostCase(part=PART, name="delivery to screen", unit="ms", pairs=[(BUSY, IDLE)])
    memory = CostCase(part=PART, name="memory", unit="MiB", pairs=[("after", "before")])
    shift = CostCase(part=PART, name=f"memory, {minutes} min", unit="MiB", pairs=[(LAST, FIRST)])
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
        page.add_init_script(NOTE_FIRST_PAINT)
        for _ in range(rounds):
            paint.add(EMPTY, [_first_paint(page) for _ in range(OPENED)])
        world = iter(Simulation(AGENTS, start_ms=now_ms() - HEAD_START_MS))
        with open_pool(url, max_size=2) as pool:
            fill(EventStore(pool), map(compact, islice(world, FILLED)), request=100)
        await_projection(url)
        for _ in range(rounds):
            paint.add(FULL, [_first_paint(page) for _ in range(OPENED)])
        page.evaluate(NOTE_FRAMES)
        session = context.new_cdp_session(page)
        for _ in range(rounds):
            _take_frames(page)
            page.wait_for_timeout(seconds * 1_000)
            frames.add("no events", _take_frames(page))
            memory.add("before", [_heap_mib(session)])
            for name in (IDLE, BUSY):
                posted = _post(page, port, list(deliveries(world, *RATES[name], seconds)))
                shown.add(name, _delays_ms(page, posted))
                if name == BUSY:
                    frames.add(BUSY, _take_frames(page))
                _take_frames(page)
            memory.add("after", [_heap_mib(session)])
        sizes = []
        for _ in range(minutes):
            _post(page, port, list(deliveries(world, *ORDINARY, 60 - SETTLE_SECONDS)))
            page.evaluate("noted.shown.length = noted.frames.length = 0")
            sizes.append(_heap_mib(session))
        if third := minutes // 3:
            shift.add(FIRST, sizes[:third])
            shift.add(LAST, sizes[-third:])
    for case in (paint, frames, shown, memory, *([shift] if shift.turns else [])):
        yield from case.comparisons()


def _first_paint(page: Page) -> float:
    page.reload()
    first = 0.0
    while not first:
        page.wait_for_timeout(10)
        first = page.evaluate("window.firstPaint ?? 0")
    return first


def _post(page: Page, port: int, due: list) -> Sequence[Posted]:
    """Send in another thread: the browser's driver has this one."""
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(lambda: asyncio.run(post_all(port, due)))
        while not posting.done():
            page.wait_for_timeout(50)
    page.wait_for_timeout(SETTLE_SECONDS * 1_000)
    return posting.result()


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


def _heap_mib(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 2**20
