"""The pages of tasks, reports and the audit in a real browser."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from projector.infrastructure.clock import now_ms
from tests import examples
from tests.browser.conftest import happen
from tests.conftest import MakeSite, Site, served, slow

pytestmark = pytest.mark.browser

MINUTE = 60_000
ROWS = "tr[data-row]"


def sign_in(page: Page, address: str, token: str) -> None:
    page.goto(f"{address}/audit?token={token}")
    expect(page).to_have_url(f"{address}/audit")


def open_page(page: Page, site: Site, address: str, path: str) -> None:
    """Sign in as the operator, and go to a path."""
    sign_in(page, address, site.headers["Authorization"].removeprefix("Bearer "))
    page.goto(f"{address}{path}")


def ago(length: int) -> int:
    """A moment before now, as the examples count it."""
    return now_ms() - examples.DAWN - length


def queued(name: str, queue: str, length: int = MINUTE) -> list[dict[str, Any]]:
    """A task that waits in a queue since as long ago."""
    return [
        examples.task(ago(length), name, "new"),
        examples.task(ago(length), name, "parked", queueId=queue),
    ]


def saved(page: Page, button: str) -> tuple[str, bytes]:
    """The name and the content of a download."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_open_tasks_are_live_and_filtered_by_the_address(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """A task comes, another one of another queue is filtered out, and one that ends goes."""
    happen(site, *queued("task-1", "sales"), *queued("task-2", "billing"))
    open_page(page, site, address, "/tasks")
    expect(page.locator(ROWS)).to_have_count(2)
    happen(site, *queued("task-3", "sales"))
    expect(page.locator(ROWS)).to_have_count(3)

    page.locator("summary", has_text="Queue").click()
    page.get_by_role("checkbox", name="sales").check()
    expect(page).to_have_url(re.compile(r"queueId=sales"))
    expect(page.locator(ROWS)).to_have_count(2)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.get_by_role("link", name="task-3")).to_have_attribute(
        "href", f"/tasks/task-3?orgId={examples.ORG}"
    )
    happen(site, examples.ended(ago(0), "task-3"))
    expect(page.locator(ROWS)).to_have_count(1)


def test_tasks_that_are_over_and_those_of_a_moment(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """They are read when asked for; the past shows a task as it was, and its link leads there."""
    happen(site, *queued("task-1", "sales", 10 * MINUTE))
    happen(site, examples.ended(ago(MINUTE), "task-1"))
    open_page(page, site, address, "/tasks")
    expect(page.get_by_text("No task is open")).to_be_visible()
    page.get_by_label("Which tasks").select_option("over")
    expect(page.locator(ROWS)).to_contain_text("Abandoned")
    expect(page.get_by_text("1 row, all there are")).to_be_visible()

    at = now_ms() - 5 * MINUTE
    page.goto(f"{address}/tasks?at={at}&knownAt={now_ms()}")
    expect(page.locator(ROWS)).to_contain_text("Queued")
    expect(page.locator(f"{ROWS} time").first).to_have_text(re.compile(r"^[45]:\d\d$"))
    expect(page.get_by_role("link", name="task-1")).to_have_attribute(
        "href", re.compile(f"at={at}")
    )


def test_a_report_adds_up_and_can_be_saved(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """Its shares are divided again from the sums, and its file has the bytes of the API."""
    happen(
        site,
        *queued("task-1", "sales"),
        examples.ended(ago(50_000), "task-1"),
        *queued("task-2", "billing"),
        examples.task(ago(55_000), "task-2", "connect", queueId="billing"),
        examples.task(ago(50_000), "task-2", "connected", queueId="billing"),
    )
    now = now_ms()  # a period that goes on would have other figures each moment
    question = f"from={now - 60 * MINUTE}&to={now}"
    open_page(page, site, address, f"/reports?{question}&interval=all&tz=Europe/Berlin")
    expect(page.locator(ROWS)).to_have_count(2)
    columns = page.locator("thead th").all_inner_texts()
    totals = dict(zip(columns, page.locator("tfoot tr > *").all_inner_texts(), strict=True))
    shown = {name: totals[name] for name in ("Offered", "Answered", "Abandoned", "Service level")}
    assert {"Offered": "2", "Answered": "1", "Abandoned": "1", "Service level": "50%"} == shown

    page.get_by_label("with names").uncheck()
    name, content = saved(page, "Download as CSV")
    again = site.get(
        f"/api/v1/reports/queues?{question}&interval={60 * MINUTE}&tz=Europe/Berlin",
        headers={"Accept": "text/csv"},
    )
    # Meanwhile a row may have become settled.
    assert again.data.replace(b"true", b"false") == content.replace(b"true", b"false")
    assert re.fullmatch(r"report_queues_.*_Europe-Berlin_\d+\.csv", name)


def test_the_agents_report_opens_with_what_is_asked_most(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The menu has the other figures."""
    happen(site, examples.login(ago(30 * MINUTE), "ann", "Available"))
    open_page(page, site, address, "/reports?report=agents&interval=1h")
    expect(page.locator(ROWS).first).to_be_visible()
    # Period, agent, team, at most ten figures, and whether the row is final.
    assert 10 < page.locator("thead th").count() <= 14
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Hold").check()
    expect(page.locator("thead th", has_text="Hold")).to_be_visible()


def test_the_period_that_runs_is_not_drawn(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """It would look like a fall; the table has it, and the page says so."""
    happen(site, *queued("task-1", "sales"))
    span = f"from={now_ms() - 150 * MINUTE}&to={now_ms() + 150 * MINUTE}"
    open_page(page, site, address, f"/reports?{span}&interval=1h&tz=UTC")
    expect(
        page.get_by_role("img", name=re.compile("Offered in 2 periods, from 0 to 0"))
    ).to_be_visible()
    expect(page.get_by_text("The period that still runs is not drawn.")).to_be_visible()
    expect(page.locator("tfoot")).to_contain_text("1")


def test_two_knowledges_of_a_report_and_the_event_between_them(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The row that differs says by how much; its correction leads to the body of the event."""
    happen(site, *queued("task-1", "sales"))
    known_at = now_ms()
    time.sleep(0.01)
    happen(site, *queued("task-2", "sales"))
    span = f"from={now_ms() - 60 * MINUTE}&to={now_ms() + 60 * MINUTE}&interval=all"
    open_page(page, site, address, f"/reports?view=differences&knownAt={known_at}&{span}")
    row = page.locator(ROWS).filter(has_text="Offered")
    expect(row.locator("td.number")).to_have_text(["1", "2", "+1"])
    for known_before in (
        known_at,
        1,
    ):  # an early one: the row is new, and most of its figures are 0
        page.goto(f"{address}/reports?view=differences&knownAt={known_before}&{span}")
        expect(row.first).to_be_visible()
        differences = page.locator(f"{ROWS} td.number:nth-of-type(7)").all_inner_texts()
        assert len(differences) > 0
        assert "0" not in differences
    page.goto(f"{address}/reports?view=differences&knownAt={known_at}&{span}")
    row.get_by_role("button").click()
    panel = page.get_by_role("complementary")
    panel.get_by_role("button", name="task:parked").click()
    expect(panel.locator("pre.body")).to_contain_text('"taskId": "task-2"')


@pytest.mark.parametrize("cut", ["between rows", *slow("within a row")])
def test_a_download_that_broke_off_is_not_saved(
    page: Page, site: Site, address: str, complaints: list[str], cut: str
) -> None:
    """Nor one that lacks rows by the headers of the file."""
    happen(site, *queued("task-1", "sales"))
    whole = site.get("/api/v1/events", headers={"Accept": "text/csv"})
    end = whole.data.rindex(b"\n", 0, -1) + 1 if cut == "between rows" else -5

    def break_off(route: Route) -> None:
        if route.request.headers["accept"] != "text/csv":
            return route.continue_()
        told = ("X-As-Of-Position", "X-Row-Count", "X-SHA-256")
        headers = {"Content-Type": "text/csv", **{name: whole.headers[name] for name in told}}
        return route.fulfill(headers=headers, body=whole.data[:end])

    open_page(page, site, address, "/audit")
    page.route(re.compile(r"/api/v1/events(\?|$)"), break_off)
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    page.get_by_role("button", name="Download as CSV").click()
    expect(page.get_by_text("The download broke off. Nothing was saved")).to_be_visible()
    assert [] == downloads


def test_the_log_leads_to_a_body_and_its_file_is_checked(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """The event that is open is in the address; the file has the digest that the service has."""
    happen(site, *queued("task-1", "sales"), examples.login(ago(MINUTE), "agent-1"))
    open_page(page, site, address, "/audit?order=recorded")
    expect(page.locator(ROWS)).to_have_count(3)
    page.locator(ROWS).filter(has_text="agent:login").get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"open=3"))
    expect(page.locator("pre.body")).to_contain_text('"agentId": "agent-1"')
    page.keyboard.press("Escape")
    expect(page.locator("pre.body")).to_have_count(0)

    _, content = saved(page, "Download as NDJSON")
    assert ["agent-1"] == [
        it for line in content.splitlines() if (it := json.loads(line)["agentId"])
    ]
    expect(page.get_by_text("Count and digest are those that the service has")).to_be_visible()
    told = page.locator(".told code").inner_text()
    page.get_by_role("button", name="Digest").click()
    expect(page.locator(".digests")).to_contain_text(told)


def test_the_ledgers_show_what_was_unexpected(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """An anomaly with its event, a conflict with both bodies, a body in quarantine."""
    happen(site, examples.v1(ago(MINUTE), "agent-1", "available"))
    first = examples.login(ago(MINUTE), "agent-2") | {"id": "same"}
    site.post([first, first | {"data": first["data"] | {"teamId": "team-2"}}])
    site.post(b"no JSON")
    site.project()
    open_page(page, site, address, "/audit?tab=anomalies")
    expect(page.locator(ROWS)).to_contain_text("Login missing")
    page.get_by_role("link", name="Conflicts").click()
    page.locator(ROWS).get_by_role("button").click()
    expect(page.locator("pre.body")).to_have_count(2)
    page.get_by_role("link", name="Quarantine").click()
    page.locator(ROWS).get_by_role("button").click()
    expect(page.locator("pre.body").first).to_have_text("no JSON")


def test_the_actions_show_who_did_what_and_why(
    page: Page, site: Site, address: str, complaints: list[str]
) -> None:
    """With the reason, the answer, and all that was asked for."""
    why = {"why": "the night was lost"}
    site.client.post("/api/v1/replays", json=why, headers=site.headers)
    file = {"Accept": "text/csv", **site.headers}
    site.client.get("/api/v1/events", headers=file, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    open_page(page, site, address, "/audit?tab=trail")
    rows = page.locator(ROWS)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("192.0.2.7")
    expect(rows.last).to_contain_text("the night was lost")
    expect(rows.last).to_contain_text("202")
    rows.last.get_by_role("button").click()
    expect(page.locator("pre.body").first).to_contain_text("the night was lost")
    page.get_by_role("button", name="Action").click()
    page.get_by_label("GET /api/v1/events").check()
    expect(rows).to_have_count(1)


def test_what_a_token_may_not_see_is_said(
    page: Page, make_site: MakeSite, complaints: list[str], port: int
) -> None:
    """A viewer is told who may see the audit, an auditor of a team why there is no quarantine."""
    tokens = [
        {"token": "looks" * 4, "role": "viewer"},
        {"token": "audits" * 4, "role": "auditor", "teamIds": ["team-1"]},
    ]
    site = make_site(PROJECTOR_TOKENS=json.dumps(tokens), PROJECTOR_ALLOW_UNSIGNED="1")
    with served(site.client.application, port) as address:
        sign_in(page, address, "looks" * 4)
        page.goto(f"{address}/audit")
        expect(page.get_by_text("The audit is for auditors and operators")).to_be_visible()
        page.goto("about:blank")
        sign_in(page, address, "audits" * 4)
        page.goto(f"{address}/audit?tab=quarantine")
        expect(page.get_by_text("Quarantine is not shown to you")).to_be_visible()
