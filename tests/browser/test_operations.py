"""The page Operations: an operator acts, with a reason, and sees what came of it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from projector.bootstrap.worker import job_handlers
from projector.event_log.seal.sealer import make_seal
from projector.infrastructure.clock import DAY_MS, now_ms
from projector.infrastructure.database import connect, consistent_read
from projector.operations.worker import Worker
from projector.webex.simulator.api_server import ApiServer, serving
from tests.conftest import Site, served, slow
from tests.examples import ORG, story, v1
from tests.integration.reconciling import deliver, live, reconcile

pytestmark = pytest.mark.browser

TOKENS = json.dumps(
    [
        {"token": "all", "role": "operator"},
        {"token": "team", "role": "operator", "teamIds": ["red"]},
        {"token": "looks", "role": "auditor"},
    ]
)


@pytest.fixture
def site(make_site) -> Site:
    return make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")


def open_tab(page: Page, address: str, tab: str, token: str = "all") -> None:
    page.goto(f"{address}/operations?token={token}")
    expect(page.get_by_role("heading", level=1, name="Operations")).to_be_visible()
    page.goto(f"{address}/operations?tab={tab}")


def confirm(page: Page, action: str, why: str) -> None:
    """Give the reason that the open dialog asks for, and go on."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why?").fill(why)
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(dialog).to_be_hidden()


def work(site: Site) -> None:
    """Do all that was asked for."""
    service = site.service
    handlers = job_handlers(service.settings, service.pool, service.store, site.url)
    Worker(service.pool, site.url, handlers).work_off()


def test_the_overview_tells_each_partition(page, site, address, complaints):
    """By itself: behind the log first, then up to date."""
    site.post(v1(1_000, "ann", "idle") | {"id": "e1"})
    open_tab(page, address, "overview")
    expect(page.locator(".partitions li.behind")).to_have_count(16)
    site.project()
    expect(page.locator(".partitions li.behind")).to_have_count(0)
    expect(page.locator(".partitions li")).to_have_count(16)


def test_a_replay_is_started_watched_and_its_difference_leads_to_the_event(
    page, site, address, complaints
):
    """The dry run of one agent whose view somebody changed by hand."""
    site.post(list(story(v1(1_000, "ann", "idle"), v1(2_000, "ann", "available"))))
    site.project()
    with connect(site.url) as connection:
        connection.execute("UPDATE agents SET state = replace(state, 'available', 'idle')")
    open_tab(page, address, "replays")
    page.get_by_role("button", name="Start a replay").click()
    page.get_by_label("Agent ids, one each line").fill("ann")
    confirm(page, "Compare", "ann is shown wrongly")
    panel = page.get_by_role("complementary", name="Replay 1")
    expect(panel).to_contain_text("waits")
    expect(page).to_have_url(f"{address}/operations?tab=replays&run=1")
    work(site)
    expect(panel).to_contain_text("completed")
    expect(panel).to_contain_text("1 subject would be shown differently")
    expect(panel).to_contain_text("ann is shown wrongly")
    row = panel.locator("table.diff tbody tr")
    expect(row).to_contain_text("available")
    row.get_by_role("button").click()
    expect(panel.get_by_label("Body as received")).to_contain_text('"agentId": "ann"')
    expect(page.locator("[data-row]")).to_contain_text("completed")


def test_a_run_is_cancelled_with_a_reason(page, site, address, complaints):
    """It is kept with the run."""
    number = site.client.post("/api/v1/replays", json={}, headers=site.headers).json["id"]
    open_tab(page, address, f"replays&run={number}")
    page.get_by_role("button", name="Cancel this run").click()
    confirm(page, "Cancel this run", "not now")
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("cancelled")
    expect(panel).to_contain_text("not now")


def test_a_reconciliation_without_credentials_is_explained(page, address, complaints):
    """In place of the form, which nobody need fill in."""
    open_tab(page, address, "reconciliations")
    expect(page.get_by_role("main")).to_contain_text("projector connect")
    expect(page.get_by_role("button", name="Start a reconciliation")).to_have_count(0)


def test_a_reconciliation_is_asked_for_with_a_window_and_a_reason(
    make_site, port, page, complaints
):
    """Where credentials are configured; the run waits for the worker."""
    site = make_site(
        PROJECTOR_TOKENS=TOKENS,
        PROJECTOR_WEBEX_CLIENT_ID="c",
        PROJECTOR_WEBEX_CLIENT_SECRET="s",
        PROJECTOR_WEBEX_REFRESH_TOKEN="r",
    )
    with served(site.client.application, port) as address:
        open_tab(page, address, "reconciliations")
        page.get_by_role("button", name="Start a reconciliation").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("To, this moment not included").fill("2026-01-02T00:00:00")
        dialog.get_by_label("From").fill("2026-01-01T00:00:00")
        confirm(page, "Compare", "is that day whole?")
        expect(page.get_by_role("complementary")).to_contain_text("is that day whole?")
    (run,) = site.get("/api/v1/reconciliations").json["data"]
    assert ("queued", True) == (run["status"], run["dryRun"])
    assert DAY_MS == run["to"] - run["from"]


def test_the_findings_of_a_reconciliation_lead_to_their_subjects(
    page, site, address, complaints, tmp_path
):
    """What the log lacked, with its counts; the vendor is the stand-in."""
    day = live(hours=0.5, agents=4, seed=2)
    deliver(site, day.deliveries)
    with serving(ApiServer(day.records)) as root:
        report = reconcile(site, root, tmp_path, **{"from": day.start, "to": day.end})
    assert report["missing"] != []
    open_tab(page, address, "reconciliations")
    row = page.locator("[data-row]")
    expect(row).to_contain_text("whole")
    row.get_by_role("link").click()
    panel = page.get_by_role("complementary")
    count = len(report["missing"])
    missing = panel.locator("details", has_text="Missing in the log")
    expect(missing.locator("summary")).to_have_text(f"Missing in the log ({count})")
    sources = panel.get_by_role("region").locator("tbody tr")
    expect(sources).to_have_count(len(report["sources"]))
    if missing.get_attribute("open") is None:
        missing.locator("summary").click()
    expect(missing.locator("li")).to_have_count(count)
    first = report["missing"][0]
    subject = missing.locator("li").first.get_by_role("link")
    expect(subject).to_contain_text(first["id"])
    subject.click()
    expect(page).to_have_url(re.compile(f"/{first['kind']}s/"))
    expect(page.locator(".heading")).to_be_visible()


def test_a_quarantined_body_is_read_retried_and_released(page, site, address, complaints):
    """A retry leaves it where it is; a release appends it, and the list is read again."""
    ahead = v1(now_ms() + 3 * DAY_MS, "ann", "idle") | {"id": "e1"}
    ahead["data"]["createdTime"] = now_ms() + 3 * DAY_MS
    site.post(ahead)
    open_tab(page, address, "quarantine")
    page.get_by_role("link", name="1", exact=True).click()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_label("Body as received")).to_contain_text('"agentId": "ann"')
    panel.get_by_role("button", name="Retry").click()
    confirm(page, "Retry", "has its time come?")
    outcome = page.locator(".outcome")
    expect(outcome).to_contain_text("It stays in quarantine")
    expect(panel).to_contain_text("has its time come?")
    panel.get_by_role("button", name="Release").click()
    confirm(page, "Release", "the vendor's clock was wrong")
    expect(outcome).to_contain_text("Appended at position 1")
    expect(panel).to_contain_text("the vendor's clock was wrong")
    expect(page.get_by_text("No body waits in quarantine")).to_be_visible()


def test_a_parked_subject_is_retried_and_its_event_skipped(page, site, address, complaints):
    """The one leaves it parked, the other lets it go on."""
    with connect(site.url) as connection:
        connection.execute("ALTER TABLE agent_intervals ADD CHECK (status <> 'poison')")
    for body in story(*(v1(1_000 * n, "ann", it) for n, it in enumerate(["idle", "poison"], 1))):
        site.post(body)
    site.project()
    open_tab(page, address, "parked")
    row = page.locator("[data-row]")
    expect(row).to_contain_text(ORG)
    row.get_by_role("button", name="Retry").click()
    confirm(page, "Retry", "after the upgrade")
    expect(page.locator(".outcome")).to_contain_text("parked again")
    row.get_by_role("button", name="Skip").click()
    confirm(page, "Skip", "no such state")
    expect(page.get_by_text("Nothing is parked")).to_be_visible()


@pytest.mark.parametrize(
    ("token", "tab", "told"),
    [
        ("team", "quarantine", "all organizations and teams only"),
        *slow(
            ("looks", "overview", "Operations need a token of the role operator."),
            ("team", "replays", "a token for all teams only"),
        ),
    ],
)
@pytest.mark.usefixtures("complaints")
def test_who_may_not_act_is_told_so(page, address, token, tab, told):
    """In place of what the token may not do."""
    open_tab(page, address, tab, token)
    expect(page.locator("main")).to_contain_text(told)
    expect(page.locator("main").get_by_role("button", name="Start")).to_have_count(0)


def test_signing_out_everywhere_ends_the_session(page, address, complaints):
    """The page asks for a token again."""
    open_tab(page, address, "sessions")
    page.locator("main").get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_label("Token")).to_be_visible()
    complaints[:] = [said for said in complaints if "401" not in said]


def test_a_seal_is_read_in_the_browser(page, site, address, complaints, tmp_path):
    """A sound one, and one of which a part was changed."""

    site.post(v1(1_000, "ann", "idle") | {"id": "e1"})
    with consistent_read(site.service.pool) as cur:
        seal = make_seal(cur, now=now_ms())
    sound, changed = tmp_path / "sound.json", tmp_path / "changed.json"
    sound.write_text(seal.json_text())
    changed.write_text(
        seal.json_text().replace('"position": 1,\n   "rec', '"position": 2,\n   "rec')
    )
    assert sound.read_text() != changed.read_text()
    open_tab(page, address, "seals")
    for file, told in ((sound, "its parts fit together."), (changed, "it was changed or cut")):
        page.get_by_label("The file of a seal").set_input_files(file)
        expect(page.locator("main")).to_contain_text(f"{file.name}: {told}")
    expect(page.locator("main")).to_contain_text(seal.chain.hex())
