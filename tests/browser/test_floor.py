"""The floor in a real browser: live, filtered, scrubbed back, and down to an event's body."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from projector.infrastructure.clock import now_ms
from projector.projection.arrival_delays import SHORTEST_DELAY_MS
from tests import examples
from tests.browser.conftest import happen, sign_in, token_of
from tests.conftest import MakeSite, Site, served

pytestmark = pytest.mark.browser

MINUTE = 60_000
SHOWN_WITHIN_MS = 10_000


def moment(ago: int = 0) -> int:
    """Now, or some ms ago, as the examples count it."""
    return now_ms() - examples.DAWN - ago


def agent_row(page: Page, name: str) -> Any:
    return page.locator(".agents tbody tr", has_text=name)


def shows(page: Page, name: str, text: str) -> None:
    expect(agent_row(page, name)).to_contain_text(text, timeout=SHOWN_WITHIN_MS)


TWICE = """async () => {
    const app = document.querySelector("script[type=module]").src;
    const { html } = await import(new URL("core/dom.js", app).href);
    const { Shape } = await import(new URL("core/status.js", app).href);
    const twice = (make) => make() !== make();
    return [
        twice(() => html`<p>without a value</p>`),
        twice(() => html`<p>${1}<i>inner</i></p>`.props.children[1]),
        twice(() => Shape({ status: "connected" }).props.children),
    ];
}"""


def test_what_is_drawn_twice_is_made_twice(page: Page, site: Site, address: str) -> None:
    """A node that is used twice keeps its first tree, and that tree keeps each later one."""
    sign_in(page, site, address)
    assert page.evaluate(TWICE) == [True, True, True]


def test_the_floor_follows_webhooks_without_a_reload(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """From the empty floor over an agent who signs in to a call and its end."""
    sign_in(page, site, address)
    expect(page.get_by_text("Nobody is here yet")).to_be_visible()
    page.evaluate("window.loadedOnce = true")

    happen(site, examples.login(moment(), "agent-1", "Available"))
    shows(page, "agent-1", "Available")
    happen(
        site,
        examples.task(moment(), "task-1", "new"),
        examples.v2(moment(), "agent-1", "connected", "task-1", on=("c-1", "telephony")),
    )
    shows(page, "agent-1", "Connected")
    shows(page, "agent-1", "Phone")
    expect(page.get_by_role("button", name="1 Connected")).to_be_visible()
    happen(
        site,
        examples.ended(moment(), "task-1"),
        examples.v2(moment(), "agent-1", "wrapup", "task-1", on=("c-1", "telephony")),
    )
    shows(page, "agent-1", "Wrap-up")
    assert page.evaluate("window.loadedOnce")


def test_the_tiles_are_always_the_same(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """So nothing moves when somebody takes a status that nobody had."""
    happen(site, examples.login(moment(), "agent-1", "Available"))
    sign_in(page, site, address)
    tiles = page.locator(".tiles.statuses .tile")
    expect(tiles).to_have_count(11)
    before = tiles.locator(".what").all_text_contents()
    expect(page.get_by_role("button", name="0 Conferencing")).to_be_visible()
    happen(
        site,
        examples.v2(moment(), "agent-1", "conferencing", "task-1", on=("c-1", "telephony")),
    )
    expect(page.get_by_role("button", name="1 Conferencing")).to_be_visible()
    assert before == tiles.locator(".what").all_text_contents()


def test_times_are_counted_to_what_the_views_know(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """While they catch up, nobody looks longer in a status than the views can tell."""
    happen(site, examples.login(moment() - 700_000, "agent-1", "Available"))

    def behind(route: Route) -> None:
        status = site.get("/api/v1/status").json
        status["projections"][0] |= {"lagEvents": 9, "lagSeconds": 600.0}
        route.fulfill(json=status)

    page.route("**/api/v1/status", behind)
    sign_in(page, site, address)
    expect(page.get_by_role("banner")).to_contain_text("Catching up")
    shows(page, "agent-1", "1:4")
    expect(agent_row(page, "agent-1")).not_to_contain_text("11:4")


def test_a_mark_says_who_is_provisional_where_few_are(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Where most are, one sentence says it of all."""
    numbers = range(4)
    happen(site, *(examples.login(moment(), f"agent-{it}", "Available") for it in numbers))
    sign_in(page, site, address)
    expect(page.locator(".agents .provisional-note")).to_be_visible()
    page.wait_for_timeout(SHORTEST_DELAY_MS + 500)
    page.reload()
    shows(page, "agent-3", "Available")
    expect(page.locator(".agents .provisional-note")).to_have_count(0)
    expect(page.locator(".agents .provisional")).to_have_count(0)
    happen(site, examples.v2(moment(), "agent-0", "idle"))
    shows(page, "agent-0", "Idle")
    expect(agent_row(page, "agent-0").locator(".provisional")).to_have_text("~")
    expect(page.locator(".agents .provisional")).to_have_count(1)
    happen(site, *(examples.v2(moment(), f"agent-{it}", "idle") for it in (1, 2)))
    expect(page.locator(".agents .provisional-note")).to_be_visible()
    expect(page.locator(".agents .provisional")).to_have_count(0)


def test_a_webhook_is_on_the_screen_within_a_second(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Measured in the page, from the answer of the webhook on; three tries for a busy machine."""
    happen(site, examples.login(moment(), "agent-1", "Available"))
    sign_in(page, site, address)
    shows(page, "agent-1", "Available")
    page.evaluate(
        """() => {
            window.seen = {};
            new MutationObserver(() => {
                const row = document.querySelector(".agents tbody tr")?.innerText ?? "";
                const word = ["Idle", "Available"].find((it) => row.includes(it));
                if (word) window.seen[word] ??= Date.now();
            }).observe(document.body, {subtree: true, childList: true, characterData: true});
        }"""
    )
    delays = []
    for word in ("Idle", "Available", "Idle"):
        page.evaluate("window.seen = {}")
        state = word.lower()
        happen(site, examples.v2(moment(), "agent-1", state))
        delivered = now_ms()
        shows(page, "agent-1", word)
        delays.append(page.evaluate(f"window.seen.{word}") - delivered)
    assert min(delays) < 1_000


def test_filters_order_and_columns_live_in_the_address(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """What was chosen is there again for whoever opens the address."""
    happen(
        site,
        examples.login(moment(), "ann", "Available"),
        examples.login(moment(), "bob", "Idle"),
        examples.login(moment(), "cid", "Available"),
    )
    sign_in(page, site, address)
    page.get_by_role("button", name="2 Available").click()
    expect(page.locator(".agents tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Agent", exact=True).click()
    page.get_by_role("button", name="Agent", exact=True).click()
    page.get_by_label("Find agent, team, task").fill("i")
    expect(page.locator(".agents tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{address}/?status=available&sort=-name&q=i")
    page.get_by_label("Find agent, team, task").fill("")
    page.reload()
    expect(page.locator(".agents tbody tr th")).to_have_text(["cid", "ann"])


def test_names_stand_for_ids_and_are_only_text(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Whatever is in them; the id is at hand."""
    evil = "<img src=x onerror=alert(1)>"
    happen(site, examples.login(moment(), "agent-1"), examples.login(moment(), evil))
    named = {"kind": "agent", "id": "agent-1", "name": "Ann <b>Archer</b>", "orgId": examples.ORG}
    site.client.put("/api/v1/names", headers=site.headers, json={"names": [named]})
    sign_in(page, site, address)
    shows(page, "Ann <b>Archer</b>", "Ann")
    assert page.get_by_text("Ann <b>Archer</b>").get_attribute("title") == "agent-1"
    shows(page, evil, evil)
    assert page.locator("#app img").count() == 0


def test_a_word_of_any_length_leaves_the_page_as_it_is(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """A state, an id and a team of hundreds of thousands of letters: their beginnings are shown."""
    long = "x" * 300_000
    happen(
        site,
        examples.login(moment(), "ann", long, teamId=long),
        examples.login(moment(), "bob", "Available"),
    )
    sign_in(page, site, address)
    shows(page, "bob", "Available")
    shows(page, "ann", "x" * 100 + "\N{HORIZONTAL ELLIPSIS}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_280
    assert page.evaluate("document.querySelector('.agents table').offsetWidth") < 4_000
    page.goto(f"{address}/wall?turn=3600")
    # Six figures, the usual statuses, and the long one.
    expect(page.locator(".wall .large li")).to_have_count(18)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_280


def test_a_threshold_turns_a_row_red(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """By the time in status, counted from the event's time; and the count says so."""
    happen(
        site,
        examples.login(moment(), "ann", "Idle"),
        examples.login(moment(2 * 60 * MINUTE), "bob", "Idle"),
    )
    sign_in(page, site, address)
    expect(agent_row(page, "bob")).to_have_class(re.compile("red"), timeout=SHOWN_WITHIN_MS)
    expect(agent_row(page, "ann")).not_to_have_class(re.compile("red"))
    expect(page.locator(".level.red")).to_have_text("1 red")


def test_the_page_and_the_service_agree_on_what_is_red(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The most specific rule counts, for the rows of the floor as for the alerts of the service."""
    idle = {"subject": "agent", "status": "idle", "amberMs": 1_000, "redMs": 10 * MINUTE}
    rules = [
        idle,
        {**idle, "teamId": "calm", "amberMs": None, "redMs": None},
        {**idle, "queueId": "q1", "amberMs": 1_000, "redMs": 2_000},
        {
            "subject": "queue",
            "measure": "waiting",
            "channelType": "Telephony",
            "amber": 1,
            "red": 2,
        },
    ]
    changed = site.client.put(
        "/api/v1/thresholds",
        headers=site.headers,
        json={"rules": rules, "why": "a test", "version": 0},
    )
    assert changed.status_code == 200, changed.text
    ago = moment(5 * MINUTE)
    happen(
        site,
        examples.login(ago, "calm", "Idle", teamId="calm"),
        examples.login(ago, "amber", "Idle"),
        examples.login(moment(20 * MINUTE), "red", "Idle"),
        examples.task(ago, "one", "parked", queueId="q1"),
        examples.task(ago, "two", "parked", queueId="q1"),
        examples.task(moment(MINUTE), "three", "parked", queueId="q2", channelType="chat"),
    )
    alerts = site.get("/api/v1/alerts").json["data"]
    # Red ones come first, and a row has the highest of its levels.
    expected = {(it["agentId"] or it["queueId"]): it["level"] for it in reversed(alerts)}
    reds = sum(level == "red" for level in expected.values())
    assert expected.keys() >= {"amber", "red", "q1"}
    sign_in(page, site, address)
    shows(page, "calm", "Idle")
    expect(page.locator(".level.red")).to_have_text(f"{reds} red", timeout=SHOWN_WITHIN_MS)
    for name in ("calm", "amber", "red", "q1", "q2"):
        row = page.locator(".floor tbody tr", has=page.get_by_text(name, exact=True)).first
        levels = {"amber", "red"} & {*(row.get_attribute("class") or "").split()}
        assert levels == ({expected[name]} if name in expected else set()), name


def test_scrubbing_back_shows_the_older_state(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """By step and by date, with both times in the address, and back to what is live."""
    happen(
        site,
        examples.login(moment(30 * MINUTE), "ann", "Available"),
        examples.v2(moment(5 * MINUTE), "ann", "connected", "task-1", on=("c-1", "telephony")),
    )
    sign_in(page, site, address)
    shows(page, "ann", "Connected")
    page.get_by_role("slider", name="Moment").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="\N{MINUS SIGN}10 min").click()
    shows(page, "ann", "Available")
    expect(page.get_by_text("The past, not live")).to_be_visible()
    assert {"at=", "knownAt="} <= {
        it[: it.index("=") + 1] for it in page.url.split("?")[1].split("&")
    }
    page.reload()
    shows(page, "ann", "Available")
    page.get_by_role("button", name="Live", exact=True).click()
    shows(page, "ann", "Connected")


def test_the_slider_goes_with_the_mouse(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """From what is live to where it is let go, in one movement."""
    happen(site, examples.login(moment(30 * MINUTE), "ann", "Available"))
    sign_in(page, site, address)
    shows(page, "ann", "Available")
    track = page.get_by_role("slider", name="Moment").bounding_box()
    assert track is not None
    height = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + track["width"] - 3, height)
    page.mouse.down()
    for tenth in range(9, 4, -1):
        page.mouse.move(track["x"] + track["width"] * tenth / 10, height)
        page.wait_for_timeout(100)
    page.mouse.up()
    expect(page.get_by_text("The past, not live")).to_be_visible()
    at = int(re.search(r"at=(\d+)", page.url)[1])
    hours_back = (now_ms() - at) / (60 * MINUTE)
    assert 1.5 < hours_back < 2.5  # half of four hours


def test_a_teams_filter_counts_as_the_service_does(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Who waits, and how long: a task is of a team where one of its agents takes part."""
    ago = moment(3 * MINUTE)
    happen(
        site,
        examples.login(ago, "ann", "Available", teamId="red"),
        examples.login(ago, "bob", "Available", teamId="blue"),
        examples.task(ago, "offered", "parked", queueId="q1"),
        examples.v2(ago + 1_000, "ann", "ringing", "offered", on=("c-1", "telephony")),
        examples.task(ago, "queued", "parked", queueId="q1"),
    )
    sign_in(page, site, address)
    for team, waiting in (("red", 1), ("blue", 0), ("", 2)):
        query = f"?teamId={team}" if team else ""
        summary = site.get(f"/api/v1/summary{query}").json
        assert summary["tasks"]["waiting"] == waiting
        page.goto(f"{address}/{query}")
        tile = page.get_by_role("button", name=f"{waiting} Waiting", exact=True)
        expect(tile).to_be_visible(timeout=SHOWN_WITHIN_MS)


def test_what_was_shown_then_and_what_a_late_event_made_of_it(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The row is marked, and leads to the correction and to the body of the late event."""
    happen(
        site,
        examples.login(moment(5_000), "ann", "Available"),
        examples.v2(moment(1_000), "ann", "ringing", "next", on=("c-2", "telephony")),
    )
    shown_at = now_ms()
    page.wait_for_timeout(10)
    happen(site, examples.v2(moment(3_000), "ann", "connected", "late", on=("c-1", "telephony")))
    known_at = now_ms()
    sign_in(page, site, address, f"/?at={shown_at}&knownAt={known_at}")
    shows(page, "ann", "Connected")
    shows(page, "ann", "shown then: Ringing")
    page.get_by_label("as it was shown then").check()
    shows(page, "ann", "known now: Connected")
    expect(page).to_have_url(f"{address}/?at={shown_at}&knownAt={shown_at}")
    page.get_by_role("button", name="known now: Connected").click()
    panel = page.get_by_role("complementary", name="ann")
    expect(panel).to_contain_text("What a late event made of it")
    panel.get_by_role("button", name="The event").first.click()
    expect(panel.get_by_label("Body as received")).to_contain_text('"taskId": "late"')


def test_a_field_leads_to_the_body_of_its_event(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """From the status over its explanation to what the vendor sent."""
    happen(site, examples.login(moment(), "ann", "Available"))
    sign_in(page, site, address)
    agent_row(page, "ann").get_by_role("button", name="Available").click()
    panel = page.get_by_role("complementary", name="ann")
    panel.locator('[data-field="status"] button').click()
    expect(panel.get_by_label("Body as received")).to_contain_text('"agentId": "ann"')
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_a_figure_opens_what_it_counts(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Its formula in words, and the counts it rests on."""
    happen(site, examples.login(moment(), "ann", "Available"))
    sign_in(page, site, address)
    page.get_by_role("button", name="Service level").click()
    panel = page.get_by_role("complementary", name="Service level")
    expect(panel).to_contain_text("divided by")
    expect(panel).to_contain_text("Answered in time")


def test_a_team_viewer_sees_no_other_team(
    page: Page, make_site: MakeSite, complaints: list[str], port: int
) -> None:
    """Neither in the table, nor in the tiles, nor among the filters."""
    viewer = {"token": "team", "role": "viewer", "teamIds": ["red"]}
    site = make_site(PROJECTOR_TOKENS=json.dumps([viewer]))
    for number, (name, team) in enumerate((("ann", "red"), ("bob", "blue"))):
        body = examples.login(moment(), name, "Available", teamId=team)
        site.post([body | {"id": f"team-{number}"}])
    site.project()
    with served(site.client.application, port) as address:
        page.goto(f"{address}/?token=team")
        shows(page, "ann", "Available")
        expect(page.locator(".agents tbody tr")).to_have_count(1)
        expect(page.get_by_role("button", name="1 Available")).to_be_visible()
        assert "bob" not in page.content()
        assert "blue" not in page.content()
        expect(page.get_by_role("link", name="Operations")).to_have_count(0)


def test_without_an_answer_the_floor_does_not_look_live(
    page: Page, site: Site, complaints: list[str], port: int
) -> None:
    """It stays, says since when it is old, and comes back by itself."""
    happen(site, examples.login(moment(), "ann", "Available"))
    app = site.client.application
    with served(app, port) as address:
        sign_in(page, site, address)
        shows(page, "ann", "Available")
    for stream in [*site.service.feed._open]:
        stream.close()
    expect(page.get_by_text("Not live since").first).to_be_visible(timeout=SHOWN_WITHIN_MS)
    shows(page, "ann", "Available")
    with served(app, port):
        expect(page.get_by_text("Not live since").first).to_be_hidden(timeout=20_000)
    assert all("Failed to load resource" in said for said in complaints)
    complaints.clear()


def test_signing_in_and_out(page: Page, site: Site, address: str) -> None:
    """With a pasted token; afterwards the page asks for one again."""
    page.goto(address)
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here.")
    page.get_by_label("Token").fill(token_of(site))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody is here yet")).to_be_visible()
    assert token_of(site) not in str(page.context.cookies())
    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_it_speaks_german(page: Page, site: Site, address: str, complaints: list[str]) -> None:
    """Chosen once and kept; the words of statuses too."""
    happen(site, examples.login(moment(), "ann", "Available"))
    sign_in(page, site, address)
    page.locator("details.account summary").click()
    page.get_by_label("Language").select_option("de")
    shows(page, "ann", "Verfügbar")
    page.reload()
    shows(page, "ann", "Verfügbar")
    assert page.evaluate("document.documentElement.lang") == "de"


def test_thousands_of_agents_are_few_rows_in_the_document(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """All can be reached by scrolling, each row tells its number, and printing has all."""
    happen(
        site,
        *[examples.login(moment(), f"agent-{number:03}", "Available") for number in range(400)],
    )
    sign_in(page, site, address)
    shows(page, "agent-000", "Available")
    rows = page.locator(".agents tbody tr[data-row]")
    assert rows.count() < 100
    page.locator(".agents .scroller").evaluate("it => it.scrollTop = it.scrollHeight")
    shows(page, "agent-399", "Available")
    assert agent_row(page, "agent-399").get_attribute("aria-rowindex") == "401"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(rows).to_have_count(400)
