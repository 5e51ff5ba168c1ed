"""The pages of one agent and of one task in a real browser: lanes, drill-down, zoom, live, past."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from projector.infrastructure.clock import now_ms
from tests import examples
from tests.browser.conftest import happen
from tests.conftest import Site

pytestmark = pytest.mark.browser

MINUTE = 60_000
PATIENCE_MS = 20_000
CALL = ("c-1", "telephony")


@pytest.fixture
def start() -> int:
    """An hour ago, as the examples count it."""
    return now_ms() - 60 * MINUTE - examples.DAWN


def sign_in(page: Page, site: Site, address: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    token = site.headers["Authorization"].removeprefix("Bearer ")
    answer = page.request.post(
        f"{address}/api/v1/session", data={"token": token}, headers={"Origin": address}
    )
    assert answer.ok, answer.text()


def window(start: int) -> str:
    """A span of the address around the hour since `start`, whatever midnight lies in it."""
    since = examples.at(start)
    return f"from={since - 10 * MINUTE}&to={since + 80 * MINUTE}"


def a_call(start: int) -> list[dict[str, Any]]:
    """A call that waits for ten minutes; ann answers, holds it and wraps up."""
    return [
        examples.login(start, "ann", "Available"),
        examples.task(start + 5 * MINUTE, "call", "new"),
        examples.task(start + 5 * MINUTE, "call", "parked", queueId="q1"),
        examples.task(start + 14 * MINUTE, "call", "connect"),
        examples.v2(start + 14 * MINUTE, "ann", "ringing", "call", on=CALL, queueId="q1"),
        examples.task(start + 15 * MINUTE, "call", "connected"),
        examples.v2(start + 15 * MINUTE, "ann", "connected", "call", on=CALL) | {"id": "answer"},
        examples.v2(start + 20 * MINUTE, "ann", "on-hold", "call", on=CALL),
        examples.v2(start + 22 * MINUTE, "ann", "hold-done", "call", on=CALL),
    ]


def the_end(start: int) -> list[dict[str, Any]]:
    return [
        examples.ended(start + 30 * MINUTE, "call"),
        examples.v2(start + 30 * MINUTE, "ann", "wrapup", "call", on=CALL),
        examples.v2(start + 33 * MINUTE, "ann", "wrapup-done", "call", on=CALL),
        examples.v2(start + 33 * MINUTE, "ann", "available"),
        examples.capture(start + 34 * MINUTE, "call", "s3://recordings/call.wav"),
    ]


def labels(page: Page) -> list[str]:
    return page.locator(".lane .label").all_inner_texts()


def test_an_agents_day_down_to_the_body_of_an_event(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """The lanes of a call; its span opens what it is, and one click more the body that began it."""
    happen(site, *a_call(start))
    happen(site, *the_end(start))
    sign_in(page, site, address)
    page.goto(f"{address}/agents/ann?{window(start)}")
    expect(page.locator("h1")).to_have_text("ann")
    expect(page.locator(".heading .status")).to_contain_text("Available")
    connected = page.locator(".lane-leg button.span[aria-label^=Connected]")
    expect(connected).to_have_count(1)
    assert ["Signed in", "Status", "Tasks: Phone"] == labels(page)[:3]

    connected.click()
    panel = page.locator(".panel")
    expect(panel.locator("dl").first).to_contain_text("5:00")
    expect(panel.locator("a.task-link")).to_have_attribute("href", "/tasks/call?orgId=acme")
    panel.locator("summary", has_text="The event that began it").click()
    expect(panel.locator("pre.body")).to_contain_text('"id": "answer"')
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(connected).to_be_focused()

    page.keyboard.press("ArrowRight")
    expect(page.locator("button.span:focus")).to_have_attribute(
        "aria-label", re.compile("^On hold, .*, 2:00$")
    )


def test_late_events_corrections_and_gaps_are_drawn(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """A late break corrects what was shown; a missing login is a gap; each opens."""
    happen(site, examples.v2(start, "bob", "available"))
    happen(site, examples.v2(start + 20 * MINUTE, "bob", "idle"))
    happen(site, examples.v2(start + 10 * MINUTE, "bob", "idle", idleCodeName="Lunch"))
    sign_in(page, site, address)
    page.goto(f"{address}/agents/bob?{window(start)}")
    late = page.locator(".lane-late button.span")
    expect(late).to_have_count(1)
    expect(page.locator("tr.late-row")).to_have_count(1)
    gap = page.locator(".lane-anomaly button.span")
    expect(gap).to_have_attribute("aria-label", re.compile("^Login missing"))
    gap.click()
    expect(page.locator(".panel")).to_contain_text("The login was probably lost")
    page.locator(".panel button.close").click()
    page.locator(".lane-correction button.span").first.click()
    expect(page.locator(".panel .corrections")).to_contain_text("available → idle")


def test_a_span_of_time_is_chosen_by_dragging_and_left_by_going_back(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """The address has what is chosen, and the tables show what is in it."""
    happen(site, *a_call(start))
    sign_in(page, site, address)
    page.goto(f"{address}/agents/ann?{window(start)}")
    ringing = page.locator(".lane-leg button.span[aria-label^=Ringing]")
    expect(ringing).to_have_count(1)
    before = page.url
    track = page.locator(".axis .track").bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + track["width"] * 0.6, track["y"] + 50)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 0.7, track["y"] + 50, steps=5)
    page.mouse.up()
    expect(ringing).to_have_count(0)
    assert page.url != before
    expect(page.locator(".panel")).to_have_count(0)
    expect(page.locator("section[aria-labelledby=events]")).to_contain_text("No event")
    page.go_back()
    expect(ringing).to_have_count(1)
    assert before == page.url


def test_a_page_follows_its_agent_and_its_task(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """The end of a call comes to both pages without a reload."""
    happen(site, *a_call(start))
    sign_in(page, site, address)
    page.goto(f"{address}/agents/ann?{window(start)}")
    expect(page.locator(".heading .status")).to_contain_text("Connected")
    expect(page.locator(".badge")).to_contain_text("Live")
    other = page.context.new_page()
    other.goto(f"{address}/tasks/call")
    expect(other.locator(".heading .status")).to_contain_text("Assigned")
    expect(other.locator(".lane-contact button.span.open")).to_have_count(1)

    happen(site, *the_end(start))
    expect(page.locator(".heading .status")).to_contain_text("Available")
    expect(page.locator(".lane-leg button.span[aria-label^=Wrap-up]")).to_have_count(1)
    expect(other.locator(".heading .status")).to_contain_text("Completed")
    expect(other.locator(".lane-capture button.span")).to_have_count(1)


def test_the_journey_of_a_task(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """A lane each for waits, offers, contacts and agents; a field leads to its event."""
    happen(site, *a_call(start))
    happen(site, *the_end(start))
    sign_in(page, site, address)
    page.goto(f"{address}/tasks/call")
    expect(page.locator(".lane-capture button.span")).to_have_count(1)
    assert ["Wait", "Offer", "Contact", "ann", "Recording"] == labels(page)
    expect(page.locator(".lane-participant button.span")).to_have_count(5)
    expect(page.locator(".participants a")).to_have_attribute("href", "/agents/ann?orgId=acme")
    expect(page.locator("[aria-labelledby=sums]")).to_contain_text("Hold")

    page.get_by_role("button", name="Why: Connected").click()
    page.locator(".panel td button.link").click()
    expect(page.locator(".panel pre.body")).to_contain_text('"type": "task:connected"')


def test_the_past_is_shown_as_of_both_times(
    page: Page, site: Site, address: str, complaints: list[str], start: int
) -> None:
    """A link from the scrubbed floor leads to the same moment, and says so."""
    happen(site, *a_call(start))
    at = examples.at(start + 16 * MINUTE)
    sign_in(page, site, address)
    page.goto(f"{address}/agents/ann?at={at}&{window(start)}")
    expect(page.locator(".heading .status")).to_contain_text("Connected")
    expect(page.locator(".past-line")).to_contain_text("as we know it now")
    expect(page.locator(".lane-leg button.span")).to_have_count(2)
    page.locator(".past-line button").click()
    expect(page.locator(".lane-leg button.span")).to_have_count(4)
    assert "at=" not in page.url


def test_an_id_of_several_organisations_asks_which_one(
    page: Page, site: Site, address: str, start: int
) -> None:
    """So does a missing agent say that there is none."""
    login = examples.login(start, "ann", "Available")
    happen(site, login, login | {"comciscoorgid": "zenith"})
    sign_in(page, site, address)
    page.goto(f"{address}/agents/ann")
    page.get_by_role("link", name="zenith").click()
    expect(page.locator(".heading .status")).to_contain_text("Available")
    assert page.url == f"{address}/agents/ann?orgId=zenith"
    page.goto(f"{address}/agents/nobody")
    expect(page.locator(".state.missing")).to_be_visible()


PURE = """async () => {
    const root = document.querySelector("script[type=module]").src.replace(/app[.]js.*/, "");
    const { dayOf, dayNamed, zoomIn } = await import(`${root}core/days.js`);
    const { lateEvents, packed, place, ticks } = await import(`${root}core/lane-layout.js`);
    const hour = 3_600_000;
    const day = dayOf(Date.UTC(2026, 2, 29, 12));  // clocks go from 2 to 3
    const spans = [[0, 5], [2, 4], [4, 8], [5, null], [9, 10]].map(([from, to]) => ({ from, to }));
    const event = (position, time) => ({ position, time });
    return {
        hours: (day.to - day.from) / hour,
        named: dayNamed("2026-03-29").from === day.from && dayNamed("2026-02-31") === null,
        ticks: ticks(day, 12).times.map((it) => new Date(it).getHours()),
        lines: packed(spans).map((line) => line.map((it) => it.from)),
        few: packed(spans, 1).map((line) => line.length),
        late: lateEvents([event(1, 10), event(2, 30), event(3, 20), event(4, 30)])
            .map((it) => it.position),
        before: place({ from: 0, to: 10 }, { from: 10, to: 20 }, 20),
        moment: place({ from: 10, to: 10 }, { from: 10, to: 20 }, 20).left,
        open: place({ from: 15, to: null }, { from: 10, to: 20 }, 18).width,
        wrong: zoomIn(new URLSearchParams("from=5&to=3")),
    };
}"""


def test_lanes_are_laid_out_by_the_days_of_the_viewer(
    browser: Browser, site: Site, address: str
) -> None:
    """A day may have 23 hours; what overlaps stands in lines; an axis has round hours."""
    with browser.new_context(timezone_id="Europe/Berlin") as context:
        page = context.new_page()
        page.goto(address)
        found = page.evaluate(PURE)
    assert found == {
        "hours": 23,
        "named": True,
        "ticks": [0, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22],
        "lines": [[0, 5], [2, 4, 9]],
        "few": [5],
        "late": [3],
        "before": None,
        "moment": 0,
        "open": pytest.approx(0.3),
        "wrong": None,
    }


def test_the_wait_that_goes_on_is_among_the_figures_of_a_task(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Beside the waits that are over."""
    ago = now_ms() - examples.DAWN - 11 * 60_000
    happen(site, examples.task(ago, "call", "parked", queueId="q1"))
    sign_in(page, site, address)
    page.goto(f"{address}/tasks/call")
    figures = page.get_by_role("region", name="Figures")
    waits = figures.locator("div", has_text="Waits now")
    expect(waits).to_contain_text(re.compile(r"11:\d\d"))
