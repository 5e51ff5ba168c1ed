"""The first page: who gets it, and what it shows to whom."""

import json
import re
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import StoreUnavailable
from projector.operations.names import NameEntry
from tests import examples
from tests.conftest import MakeSite, Site

TOKENS = json.dumps(
    [
        {"token": "all", "role": "viewer"},
        {"token": "one-organisation", "role": "viewer", "orgIds": ["acme"]},
        {"token": "one-team", "role": "viewer", "teamIds": ["team-2"]},
    ]
)
COOKIE = "projector-session-80"  # of the test client's port
NONE = "\N{EN DASH}"
EVIL = "<script>alert(1)</script>\"'&"


def token(site: Site) -> str:
    return site.headers["Authorization"].removeprefix("Bearer ")


def numbered(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [body | {"id": f"e{number}"} for number, body in enumerate(bodies)]


def words(response: TestResponse) -> str:
    """The text of a page as one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def fill(site: Site, *bodies: dict[str, Any]) -> None:
    assert site.post(numbered(*bodies)).status_code == 202
    site.project()


# --- who gets it ---


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(site: Site) -> None:
    """The cookie is out of reach for scripts and other sites, and opens the page."""
    answer = site.client.get(f"/?token={token(site)}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Cache-Control"] == "no-store"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert token(site) not in str(answer.headers)
    assert site.client.get("/").status_code == 200
    assert site.client.get("/floor").status_code == 200
    assert site.client.get("/api/v1/agents").status_code == 200


@pytest.mark.parametrize(
    "reached",
    [
        {"environ_base": {"REMOTE_ADDR": "10.0.0.4"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"base_url": "http://floor.example"},
        {"base_url": "http://127.0.0.1.example:8080"},
        {"headers": {"X-Forwarded-For": "10.0.0.4"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"headers": {"Forwarded": "for=10.0.0.4"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
    ],
)
def test_a_token_in_the_address_is_only_for_this_machine(
    site: Site, reached: dict[str, Any]
) -> None:
    """Elsewhere it is in logs on the way, and another site's link signs nobody in; a form helps."""
    for text in (token(site), "wrong"):
        answer = site.client.get(f"/?token={text}", **reached)
        assert (answer.status_code, answer.mimetype) == (403, "text/html")
        assert "paste the token here" in words(answer)
        assert 'action="/session"' in answer.text
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]:8080"])
def test_this_machine_has_several_names(site: Site, host: str) -> None:
    """The printed address may have any of them."""
    answer = site.client.get(
        f"/?token={token(site)}", headers={"Sec-Fetch-Site": "none"}, base_url=f"http://{host}"
    )
    assert answer.status_code == 303


def test_a_service_for_other_machines_takes_no_token_in_the_address(make_site: MakeSite) -> None:
    """Not even from its own one."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, HOST="0.0.0.0")
    answer = site.client.get("/?token=all")
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/floor", "/?token=wrong", "/?token="])
def test_without_a_valid_token_the_page_says_where_to_get_one(site: Site, path: str) -> None:
    """A page for people, with a form, and no cookie."""
    answer = site.client.get(path)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "Open the address that make run printed" in words(answer)
    assert 'action="/session"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_wrong_cookie_opens_nothing(site: Site) -> None:
    """Nor does it stay in the way of signing in."""
    site.client.set_cookie(COOKIE, "wrong")
    assert site.client.get("/").status_code == 401
    assert site.client.get(f"/?token={token(site)}", follow_redirects=True).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
    ],
)
def test_the_form_signs_in(site: Site, headers: dict[str, str]) -> None:
    """With a token as it was pasted, blanks around it included."""
    answer = site.client.post("/session", data={"token": f" {token(site)}\n"}, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert site.client.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_sign_a_visitor_in(site: Site, headers: dict[str, str]) -> None:
    """Even with a valid token."""
    answer = site.client.post("/session", data={"token": token(site)}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": "wrong"}])
def test_the_form_refuses_what_is_no_token(site: Site, data: dict[str, str]) -> None:
    """With the page that holds the form."""
    answer = site.client.post("/session", data=data)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/floor", "/?token=wrong"])
def test_every_page_forbids_what_it_does_not_need(site: Site, path: str) -> None:
    """Its own files only, nothing inline, kept by nobody, framed by nobody."""
    answer = site.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)
    assert not re.search(r"(src|href)=\"(?!/static/)", answer.text)


def test_a_page_tells_no_other_site_where_it_was(site: Site) -> None:
    """The form's page tells only ourselves, by which the form's post is known."""
    assert site.get("/").headers["Referrer-Policy"] == "no-referrer"
    assert site.get("/floor").headers["Referrer-Policy"] == "no-referrer"
    assert site.client.get(f"/?token={token(site)}").headers["Referrer-Policy"] == "no-referrer"
    assert site.client.get("/?token=wrong").headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("name", ["page.css", "page.js", "icon.svg"])
def test_its_files_are_served(site: Site, name: str) -> None:
    """To anybody: they tell nothing."""
    with site.client.get(f"/static/{name}") as answer:
        assert answer.status_code == 200


# --- what it shows ---


def test_an_empty_floor_says_what_to_do_next(site: Site) -> None:
    """And that this is so since the log is empty."""
    text = words(site.get("/"))
    assert "No events yet log position 0" in text
    assert "make demo" in text
    assert "projector simulate" in text


def test_events_that_are_not_folded_yet_are_told_from_none(site: Site) -> None:
    """The page says how far it is behind, and after the fold that it is not."""
    site.post(numbered(examples.login(0, "agent-1"), examples.task(0, "task-1", "new")))
    behind = words(site.get("/floor"))
    assert "2 events behind log position 2" in behind
    assert "No events yet" not in behind
    assert "make demo" not in behind
    site.project()
    assert "Up to date log position 2" in words(site.get("/floor"))


def test_a_service_that_is_not_ready_says_why(site: Site, monkeypatch: Any) -> None:
    """In the words of its readiness."""
    monkeypatch.setattr(site.service.status, "unready", lambda: ["the floor is 40 s behind"])
    assert "Not ready: the floor is 40 s behind." in words(site.get("/"))


def test_the_floor_shows_agents_and_tasks(site: Site) -> None:
    """An agent in a conversation, another who left, and the task that one of them has."""
    soon = now_ms() - examples.DAWN - 3 * 60_000
    fill(
        site,
        examples.login(soon - 9_000, "agent-1"),
        examples.login(soon - 9_000, "agent-2"),
        examples.logout(soon - 8_000, "agent-2", "AGENT"),
        examples.task(soon - 7_000, "task-1", "new"),
        examples.task(soon - 6_000, "task-1", "connect", queueId="queue-1"),
        examples.task(soon, "task-1", "connected", queueId="queue-1"),
        examples.v2(
            soon, "agent-1", "connected", "task-1", on=("c-1", "telephony"), queueId="queue-1"
        ),
    )
    text = words(site.get("/"))
    assert "Agents 2 1 connected 1 logged-out" in text
    assert "agent-1 connected 3 min connected task-1 queue-1 team-1 1" in text
    assert f"agent-2 logged-out 3 min logged-out {NONE} {NONE} team-1 0" in text
    row = "task-1 assigned 3 min telephony INBOUND queue-1 agent-1 connected 1 0"
    assert f"Open tasks 1 Task Status Since Channel Direction Queue Participants {row}" in (
        text.replace("Offers RONA ", "")
    )
    assert re.search(
        r'<time datetime="[\d-]+T[\d:.]+Z" title="[^"]+ UTC">3 min</time>', site.get("/").text
    )


def test_open_tasks_come_newest_first_and_finished_ones_below(site: Site) -> None:
    """The finished by when they finished."""
    fill(
        site,
        *[examples.task(moment, f"open-{moment}", "new") for moment in (1, 3, 2)],
        *[examples.task(0, f"gone-{moment}", "new") for moment in (6, 4, 5)],
        *[examples.ended(moment, f"gone-{moment}") for moment in (6, 4, 5)],
    )
    shown = re.findall(r"((?:open|gone)-\d)</bdi>", site.get("/floor").text)
    assert shown == ["open-3", "open-2", "open-1", "gone-6", "gone-5", "gone-4"]


def test_a_long_list_is_cut_and_says_so(site: Site, monkeypatch: Any) -> None:
    """The last changed are shown; all are counted."""
    monkeypatch.setattr("api.pages.floor.ROWS_AT_MOST", 2)
    fill(
        site,
        *[examples.login(0, f"agent-{number}") for number in range(4)],
        *[examples.task(0, f"task-{number}", "new") for number in range(3)],
    )
    text = words(site.get("/floor"))
    assert "Agents 2 of 4 4 idle" in text
    assert "Open tasks 2 of 3" in text


def test_names_are_shown_and_never_run(site: Site) -> None:
    """Whatever text an id, a word or a code has."""
    fill(
        site,
        examples.login(0, EVIL, teamId=EVIL),
        examples.v2(1, EVIL, EVIL, EVIL, on=(EVIL, EVIL), queueId=EVIL),
        examples.task(0, EVIL, "new", channelType=EVIL, direction=EVIL, queueId=EVIL),
    )
    answer = site.get("/")
    assert "<script>" not in answer.text
    assert EVIL in words(answer)
    tags = re.findall(r"<[^>]*>", answer.text)
    assert not [tag for tag in tags if "alert" in re.sub(r'"[^"]*"', "", tag)]


def test_people_teams_and_queues_are_shown_by_name(site: Site) -> None:
    """The id stays at hand; what has no name is shown by its id. A name is never run."""
    fill(
        site,
        examples.login(0, "ann", teamId="red"),
        examples.v1(1, "ann", "connected", "t", queueId="sales", teamId="red"),
        examples.task(0, "t", "connected", queueId="sales"),
        examples.login(0, "bob", teamId="red"),
    )
    names = {("agent", "ann"): EVIL, ("team", "red"): "Red Team", ("queue", "sales"): "Sales"}
    site.service.name_store.keep(
        "import",
        [
            NameEntry(org_id=examples.ORG, kind=kind, id=id_, name=name)
            for (kind, id_), name in names.items()
        ],
    )
    answer = site.get("/floor")
    text = words(answer)
    assert "<script>" not in answer.text
    assert (2, 2, 2) == tuple(text.count(it) for it in (EVIL, "Red Team", "Sales"))
    assert '<bdi class="name" title="red">Red Team</bdi>' in answer.text
    assert '<bdi title="bob">bob</bdi>' in answer.text


def test_an_unknown_status_has_a_plain_pill(site: Site) -> None:
    """Its word is shown, and names no class."""
    fill(site, examples.login(0, "agent-1", "free lunch"))
    assert '<bdi class="pill other" title="free lunch">free lunch</bdi>' in site.get("/").text


def test_times_that_no_calendar_has_are_shown(site: Site) -> None:
    """The first millisecond there is."""
    fill(site, examples.login(-examples.DAWN, "agent-1"))
    assert 'title="1970-01-01 00:00:00.000 UTC"' in site.get("/").text


def test_the_page_shows_what_the_token_may_see(make_site: MakeSite) -> None:
    """By organisation and by team; the column of organisations only where there are several."""
    site = make_site(PROJECTOR_TOKENS=TOKENS, PROJECTOR_ALLOW_UNSIGNED="1")
    other = examples.login(0, "agent-of-globex") | {"comciscoorgid": "globex"}
    fill(site, examples.login(0, "agent-a"), examples.login(0, "agent-b", teamId="team-2"), other)
    assert seen(site, "all") == ["agent-a", "agent-b", "agent-of-globex", True]
    assert seen(site, "one-organisation") == ["agent-a", "agent-b", False]
    assert seen(site, "one-team") == ["agent-b", False]


def seen(site: Site, as_token: str) -> list[str | bool]:
    """The agents on the page, and whether it tells their organisations."""
    text = site.client.get("/", headers={"Authorization": f"Bearer {as_token}"}).text
    return [*re.findall(r"(agent-[\w-]+)</bdi>", text), "Organisation" in text]


def test_a_token_that_may_see_nothing_is_told_so(make_site: MakeSite) -> None:
    """And not to fill a log that has events."""
    tokens = json.dumps([{"token": "none", "role": "viewer", "orgIds": ["initech"]}])
    site = make_site(PROJECTOR_TOKENS=tokens, PROJECTOR_ALLOW_UNSIGNED="1")
    fill(site, examples.login(0, "agent-a"))
    text = words(site.get("/"))
    assert "none of an agent or a task that this token may see" in text
    assert "make demo" not in text


def test_without_its_store_the_page_is_readable_and_comes_back(
    site: Site, monkeypatch: Any
) -> None:
    """503 for machines, a sentence for people, and a refresh."""

    def fail() -> int:
        raise StoreUnavailable("The database does not answer: gone.")

    monkeypatch.setattr(site.service.views, "position", fail)
    answer = site.get("/")
    assert (
        answer.status_code,
        answer.mimetype,
        answer.headers["Retry-After"],
    ) == (503, "text/html", "1")
    assert "The database does not answer: gone." in words(answer)
    assert 'http-equiv="refresh"' in answer.text
    assert "default-src" in answer.headers["Content-Security-Policy"]


def test_the_page_is_marked_up_for_all_readers(site: Site) -> None:
    """Language, width, headers with scope, regions that a keyboard can scroll, no script needed."""
    fill(site, examples.login(0, "agent-1"), examples.task(0, "task-1", "new"))
    text = site.get("/").text
    assert '<html lang="en">' in text
    assert 'name="viewport"' in text
    assert '<noscript><meta http-equiv="refresh"' in text
    assert not re.search(r"<th(?![^>]*\sscope=)[\s>]", text)
    assert text.count('class="scroller"') == text.count('tabindex="0"') == text.count("<table>")
