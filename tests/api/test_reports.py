"""Reports over HTTP: rows counted by hand, pages and exports, access, and bad questions."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import psycopg
import pytest

from projector.contract.reports import AgentReportRow, QueueReportRow
from tests.api.test_summary import FLOOR, when
from tests.conftest import Site, clone, forget, open_site
from tests.examples import at, ended, login, logout, story, task, v1
from tests.integration.driving import Clock

MINUTE, DAY = 60_000, 86_400_000
SECOND = 1_000
CSV, NDJSON = "text/csv", "application/x-ndjson"
TOKENS = [
    {"token": "all", "role": "operator"},
    {"token": "team-1", "role": "viewer", "teamIds": ["team-1"]},
    {"token": "team-2", "role": "viewer", "teamIds": ["team-2"]},
    {"token": "umbra", "role": "viewer", "orgIds": ["umbra"]},
]
MODELS = {"queues": QueueReportRow, "agents": AgentReportRow}
NOTHING_COUNTED = {
    "queues": {
        **dict.fromkeys(
            ("offered", "answered", "answeredInTime", "abandoned", "shortAbandoned", "unanswered",
             "moved", "unknown", "waitMs", "abandonedWaitMs", "handled", "talkMs", "holdMs",
             "consultMs", "wrapUpMs", "doubtful"), 0
        ),
        **dict.fromkeys(("maxWaitMs", "serviceLevel", "abandonment", "asaMs", "ahtMs")),
    },
    "agents": {
        **dict.fromkeys(
            ("loggedInMs", "offersAccepted", "offersRefused", "handled", "talkMs", "holdMs",
             "consultMs", "wrapUpMs", "doubtfulMs"), 0
        ),
        **dict.fromkeys(("occupancy", "firstLogin", "lastLogout")),
        "statusMs": {},
        "idleMs": {},
    },
}  # fmt: skip


def ask(site: Site, name: str, token: str | None = None, accept: str = "", **query: Any) -> Any:
    span = {"from": at(0), "to": at(DAY)}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Accept": accept} if accept else {}
    return site.get(f"/api/v1/reports/{name}", query_string=span | query, headers=headers)


def rows(site: Site, name: str, token: str | None = None, **query: Any) -> list[dict[str, Any]]:
    """The rows of a report, at most 1,000; each is one of its model."""
    answer = ask(site, name, token, limit=1000, **query)
    assert 200 == answer.status_code, answer.text
    for row in answer.json["data"]:
        shape = MODELS[name].model_validate(row, strict=True)
        assert row == shape.model_dump(by_alias=True)
    return answer.json["data"]


def shown(name: str, *told: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each row what was counted, without its place."""
    places = {"from", "to", "orgId", "channelType", "settled", "teamId"}
    nothing = NOTHING_COUNTED[name]
    return [
        {key: value for key, value in row.items()
         if key not in places and value != nothing.get(key, ...)}
        for row in told
    ]  # fmt: skip


@pytest.fixture
def told(database_url, tmp_path):
    """Tells some events at moments of its clock."""
    clock = Clock()
    with open_site(
        database_url, tmp_path, clock=clock, PROJECTOR_TOKENS=json.dumps(TOKENS)
    ) as site:

        def tell(moment: int, *bodies: dict[str, Any]) -> Site:
            clock.now = at(moment)
            site.post([*story(*bodies)])
            site.project()
            return site

        yield tell


# --- cases from the field ---


def test_each_queue_has_its_own_wait(told):
    """Answered in one queue, given up in another (case 1)."""
    site = told(
        20 * MINUTE,
        task(0, "t", "parked", queueId="Q1"),
        task(3 * SECOND, "t", "connect", queueId="Q1"),
        task(5 * SECOND, "t", "connected", queueId="Q1"),
        task(60 * SECOND, "t", "parked", queueId="Q2"),
        ended(660 * SECOND, "t"),
    )
    answered = {"queueId": "Q1", "offered": 1, "answered": 1, "answeredInTime": 1, "waitMs": 5_000,
                "maxWaitMs": 5_000, "handled": 1, "talkMs": 55_000, "serviceLevel": 1.0,
                "abandonment": 0.0, "asaMs": 5_000.0, "ahtMs": 55_000.0}  # fmt: skip
    lost = {"queueId": "Q2", "abandoned": 1, "abandonedWaitMs": 600_000, "maxWaitMs": 600_000,
            "serviceLevel": 0.0, "abandonment": 1.0}  # fmt: skip
    assert [answered, lost | {"offered": 1}] == shown("queues", *rows(site, "queues"))
    # By the minute: offered where it begins, abandoned where it ends.
    by_minute = rows(site, "queues", queueId="Q2", interval=60_000)
    assert [{"queueId": "Q2", "offered": 1}, lost] == shown("queues", *by_minute)
    assert [at(MINUTE), at(11 * MINUTE)] == [row["from"] for row in by_minute]
    assert [at(2 * MINUTE), at(12 * MINUTE)] == [row["to"] for row in by_minute]


def test_a_task_may_be_two_contacts(told):
    """It ended twice (case 6)."""
    site = told(
        30 * MINUTE,
        *(task(second * SECOND, "t", word, queueId="Q")
          for second, word in ((0, "parked"), (10, "connected"))),
        ended(100 * SECOND, "t", queueId="Q"),
        *(task(second * SECOND, "t", word, queueId="Q")
          for second, word in ((600, "connect"), (605, "connected"))),
        ended(900 * SECOND, "t", queueId="Q"),
    )  # fmt: skip
    (whole,) = rows(site, "queues")
    assert (2, 90_000 + 295_000) == (whole["handled"], whole["talkMs"])
    for interval in (1_000, 7_000, 60_000, 605_000):
        cut = rows(site, "queues", interval=interval, to=at(30 * MINUTE))
        for field in ("handled", "talkMs", "offered", "answered", "waitMs"):
            assert whole[field] == sum(row[field] for row in cut), field


def test_an_unfinished_wrap_up_counts_nothing(told):
    """The contact is handled an hour after its end, and one in doubtful (case 7)."""
    site = told(
        100 * MINUTE,
        task(0, "t", "parked", queueId="Q"),
        task(10 * SECOND, "t", "connected", queueId="Q"),
        v1(10 * SECOND, "A", "connected", "t"),
        ended(120 * SECOND, "t", queueId="Q"),
        v1(120 * SECOND, "A", "wrapup", "t"),
        v1(4_320 * SECOND, "A", "wrapup-done", "t"),
    )
    handled = [row for row in rows(site, "queues", interval="30m") if row["handled"]]
    assert [at(60 * MINUTE)] == [row["from"] for row in handled]
    assert (110_000, 0, 1) == tuple(handled[0][it] for it in ("talkMs", "wrapUpMs", "doubtful"))
    (agent,) = [row for row in rows(site, "agents", interval="30m") if row["handled"]]
    assert (at(60 * MINUTE), 110_000, 0) == tuple(
        agent[it] for it in ("from", "talkMs", "wrapUpMs")
    )


def test_an_offer_counts_where_it_is_refused(told):
    """In the period that holds it, and the wait goes on (case 8)."""
    site = told(
        5 * MINUTE,
        login(0, "A", "Available"),
        task(10 * SECOND, "t", "connect", queueId="Q"),
        v1(10 * SECOND, "A", "ringing", "t"),
        v1(28 * SECOND, "A", "not-responding", "t"),
        task(29 * SECOND, "t", "parked", queueId="Q"),
    )
    for interval in (1_000, 14_000, 28_000, 60_000):
        (refused,) = [
            row for row in rows(site, "agents", interval=interval, to=at(5 * MINUTE))
            if row["offersRefused"]
        ]  # fmt: skip
        assert refused["from"] <= at(28 * SECOND) < refused["to"]
        (offered,) = rows(site, "queues", interval=interval, to=at(5 * MINUTE))
        assert [{"queueId": "Q", "offered": 1}] == shown("queues", offered)
        assert offered["from"] <= at(10 * SECOND) < offered["to"]


def test_what_nobody_told_is_doubtful(told):
    """Of a silent agent no status counts after the last event; the logout is not told either."""
    told(MINUTE, login(0, "A", "Available"), v1(MINUTE, "A", "idle"))
    site = told(30 * 60 * MINUTE)
    span = {"to": at(30 * 60 * MINUTE)}
    assert [
        {"agentId": "A", "loggedInMs": MINUTE, "statusMs": {"available": MINUTE},
         "occupancy": 0.0, "firstLogin": at(0), "doubtfulMs": 24 * 60 * MINUTE}
    ] == shown("agents", *rows(site, "agents", **span, interval=31 * 60 * MINUTE))  # fmt: skip
    hourly = rows(site, "agents", **span, interval="1h")
    doubtful = [row["doubtfulMs"] for row in hourly]
    assert [59 * MINUTE, *23 * [60 * MINUTE], MINUTE] == doubtful
    # While the silence lasted, nobody took it for one.
    (known,) = rows(site, "agents", knownAt=at(3 * MINUTE), **span, interval=31 * 60 * MINUTE)
    assert (0, {"available": MINUTE, "idle": 2 * MINUTE}) == (
        known["doubtfulMs"],
        known["statusMs"],
    )


def test_who_was_consulted_has_not_handled_the_contact(told):
    """The time counts, and the customer was another agent's."""
    site = told(
        20 * MINUTE,
        login(0, "A", "Available"),
        login(0, "B", "Available"),
        task(0, "t", "parked", queueId="Q"),
        task(5 * SECOND, "t", "connected", queueId="Q"),
        v1(5 * SECOND, "A", "connected", "t"),
        v1(60 * SECOND, "A", "consulting", "t"),
        v1(61 * SECOND, "B", "ringing", "t"),
        v1(62 * SECOND, "B", "consulting", "t"),
        v1(92 * SECOND, "B", "consult-done", "t"),
        v1(92 * SECOND, "B", "available", None),
        v1(92 * SECOND, "A", "connected", "t"),
        ended(120 * SECOND, "t", queueId="Q"),
        v1(120 * SECOND, "A", "wrapup", "t"),
        v1(130 * SECOND, "A", "wrapup-done", "t"),
    )
    a, b = rows(site, "agents")
    assert (1, 10_000) == (a["handled"], a["wrapUpMs"])
    assert (0, 0, 30_000) == (b["handled"], b["talkMs"], b["consultMs"])
    assert 1 == rows(site, "queues")[0]["handled"]


# --- a floor ---


@pytest.fixture(scope="module")
def floor(template, tmp_path_factory):
    """The floor of the summary's tests, all of it known at 40:00."""
    clock = Clock()
    tokens = {"PROJECTOR_TOKENS": json.dumps(TOKENS)}
    folder = tmp_path_factory.mktemp("reports")
    with open_site(clone(template), folder, clock=clock, **tokens) as site:
        clock.now = at(when(40))
        site.post([*story(*FLOOR, login(when(30), "zed", "Available"))])
        site.post(login(when(30), "ann") | {"comciscoorgid": "umbra", "id": "u"})
        site.project()
        yield site


def test_queues_of_a_floor_counted_by_hand(floor):
    """As the comments beside its events say."""
    care, sales = rows(floor, "queues")
    assert ("telephony", "acme") == (care["channelType"], care["orgId"])
    assert [
        {"queueId": "care", "offered": 3, "answered": 1, "abandoned": 1, "waitMs": 30_000,
         "maxWaitMs": 30_000, "abandonedWaitMs": 25_000, "handled": 1, "talkMs": 70_000,
         "holdMs": 20_000, "wrapUpMs": 10_000, "serviceLevel": 0.0, "abandonment": 0.5,
         "asaMs": 30_000.0, "ahtMs": 100_000.0},
        {"queueId": "sales", "offered": 3, "answered": 3, "answeredInTime": 2,
         "waitMs": 5_000 + 10_000 + 25_000, "maxWaitMs": 25_000, "handled": 2,
         "talkMs": 55_000 + 120_000, "wrapUpMs": 30_000, "serviceLevel": 2 / 3, "abandonment": 0.0,
         "asaMs": 40_000 / 3, "ahtMs": (175_000 + 30_000) / 2},
    ] == shown("queues", care, sales)  # fmt: skip


def test_agents_of_a_floor_counted_by_hand(floor):
    """Their times in status are those of their histories up to the clock."""
    agents = rows(floor, "agents")
    ann, bob, cy, zed, other = shown("agents", *agents)
    assert [*4 * ["acme"], "umbra"] == [row["orgId"] for row in agents]
    # Until idle at 22:18: 55 s and 120 s of talk, 30 s of wrap-up, 5 s and 18 s of ringing.
    ready = when(22) - 55_000 - 5_000 - 120_000 - 30_000
    idle = when(40) - when(22, 18)
    assert {
        "agentId": "ann",
        "loggedInMs": when(40),
        "statusMs": {"available": ready, "connected": 175_000, "idle": idle, "ringing": 23_000,
                     "wrapup": 30_000},
        "idleMs": {"none": idle},
        "offersAccepted": 1,
        "offersRefused": 1,
        "handled": 2,
        "talkMs": 175_000,
        "wrapUpMs": 30_000,
        "occupancy": 205_000 / (205_000 + ready),
        "firstLogin": at(0),
    } == ann  # fmt: skip
    # No word of his own says that he held the call.
    assert (1, 1, 90_000, 10_000) == tuple(
        bob[it] for it in ("handled", "offersAccepted", "talkMs", "wrapUpMs")
    )
    assert "holdMs" not in bob
    assert {
        "agentId": "cy",
        "loggedInMs": when(5),
        "statusMs": {"idle": when(5)},
        "idleMs": {"none": when(5)},
        "firstLogin": at(0),
        "lastLogout": at(when(5)),
    } == cy
    assert (at(when(30)), when(10)) == (zed["firstLogin"], zed["loggedInMs"])
    assert {"none": when(10)} == other["idleMs"]


def test_periods_side_by_side_add_up(floor):
    """Logins and logouts are told in the period in which they were."""
    by_minute = rows(floor, "agents", interval=60_000, agentId="cy")
    assert [at(0)] == [row["firstLogin"] for row in by_minute if row["firstLogin"] is not None]
    assert [at(when(5))] == [row["from"] for row in by_minute if row["lastLogout"] is not None]
    for name in ("queues", "agents"):
        whole = rows(floor, name)
        for interval in ("15m", "1h", 77_777):
            cut = rows(floor, name, interval=interval, to=at(when(60)))
            key = "queueId" if name == "queues" else "agentId"
            for row in whole:
                parts = [it for it in cut if (it["orgId"], it[key]) == (row["orgId"], row[key])]
                for field, value in row.items():
                    if isinstance(value, int) and field not in {
                        *("from", "to", "settled", "maxWaitMs", "firstLogin", "lastLogout")
                    }:
                        assert value == sum(it[field] for it in parts), field


def test_the_words_for_intervals_are_lengths(floor):
    """`15m` and 900000 answer alike, by the same cursor too."""
    for name in ("queues", "agents"):
        by_word = ask(floor, name, interval="15m", limit=1).json
        assert by_word == ask(floor, name, interval=900_000, limit=1).json
        cursor = by_word["meta"]["nextCursor"]
        assert 200 == ask(floor, name, interval=900_000, limit=1, cursor=cursor).status_code


def test_nothing_counts_after_the_clock(floor):
    """A span may end in the future; rows are told where something is known."""
    assert rows(floor, "agents") == [
        row | {"to": at(DAY)} for row in rows(floor, "agents", to=at(when(40)))
    ]
    for name in ("queues", "agents"):
        assert [] == rows(floor, name, **{"from": at(when(41))})
    # At the clock, agents are there, and nothing has passed.
    assert [] == rows(floor, "queues", **{"from": at(when(39)), "to": at(when(40))})


def test_a_zone_begins_its_days(floor):
    """Dawn is one o'clock in Berlin and half past five in India; a row tells its whole period."""
    span = {"from": at(-DAY), "to": at(DAY)}
    (care, _) = rows(floor, "queues", tz="Europe/Berlin", **span)
    assert (at(-60 * MINUTE), at(23 * 60 * MINUTE)) == (care["from"], care["to"])
    (care, _) = rows(floor, "queues", tz="Asia/Kolkata", **span)
    assert (at(-330 * MINUTE), at(DAY - 330 * MINUTE)) == (care["from"], care["to"])
    (care, _) = rows(floor, "queues", tz="Asia/Kolkata")
    assert (at(0), at(DAY - 330 * MINUTE)) == (care["from"], care["to"])


@pytest.mark.parametrize("name", ["queues", "agents"])
def test_filters_choose(floor, name):
    """Queues by all of them; of agents those of a task choose what is counted, not times."""
    every = rows(floor, name)
    usual = {"channelType": "telephony", "direction": "INBOUND", "orgId": ["acme", "umbra"]}
    assert every == rows(floor, name, **usual)
    assert [row for row in every if row["orgId"] == "umbra"] == rows(floor, name, orgId="umbra")
    assert 0 == sum(row["handled"] for row in rows(floor, name, channelType="chat"))
    assert 0 == sum(row["handled"] for row in rows(floor, name, direction="OUTBOUND"))
    care = rows(floor, name, queueId="care")
    if name == "queues":
        assert [every[0]] == care
        # Ann refused one of the sales and answered two; bob had parts in both queues.
        assert ["sales"] == [row["queueId"] for row in rows(floor, name, agentId="ann")]
        assert 2 == len(rows(floor, name, agentId="bob"))
        assert [] == rows(floor, name, agentId="nobody")
    else:
        assert [row["statusMs"] for row in every] == [row["statusMs"] for row in care]
        assert {"bob": 1} == {row["agentId"]: row["handled"] for row in care if row["handled"]}
        assert {None} == {row["occupancy"] for row in care}
        assert [every[1]] == rows(floor, name, agentId="bob")


def test_a_team_has_its_agents_and_what_they_took_part_in(floor):
    """By the filter as by the token; an agent's row is the same whoever asks."""
    every = rows(floor, "agents")
    mine = [row for row in every if row["teamId"] == "team-1"]
    assert ["ann", "cy", "zed", "ann"] == [row["agentId"] for row in mine]
    assert mine == rows(floor, "agents", "team-1") == rows(floor, "agents", teamId="team-1")
    assert [every[1]] == rows(floor, "agents", "team-2")
    assert [] == rows(floor, "agents", "team-1", teamId="team-2")
    (sales,) = rows(floor, "queues", "team-1")
    assert ("sales", 2, 2) == (sales["queueId"], sales["answered"], sales["handled"])
    assert [sales] == rows(floor, "queues", teamId="team-1")


def test_an_organisation_is_seen_by_its_tokens(floor):
    """Another one is refused."""
    assert ["umbra"] == [row["orgId"] for row in rows(floor, "agents", "umbra")]
    assert [] == rows(floor, "queues", "umbra")
    assert 403 == ask(floor, "agents", "umbra", orgId="acme").status_code
    assert 401 == ask(floor, "agents", "nobody").status_code


# --- pages and exports ---


@pytest.mark.parametrize("name", ["queues", "agents"])
@pytest.mark.parametrize("query", [{"interval": "15m"}, {"interval": 61_000}, {}])
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_and_exports_have_the_same_rows(floor, name, query, limit):
    """In the order of their keys, which nothing but a row has."""
    found, cursor = [], ""
    while cursor is not None:
        page = {"limit": limit} | query | ({"cursor": cursor} if cursor else {})
        answer = ask(floor, name, to=at(when(60)), **page).json
        assert len(answer["data"]) <= limit
        found += answer["data"]
        cursor = answer["meta"]["nextCursor"]
    exported = ask(floor, name, accept=NDJSON, to=at(when(60)), **query)
    assert found == [json.loads(line) for line in exported.text.splitlines()]
    assert found
    subject = "queueId" if name == "queues" else "agentId"
    keys = [(row["from"], row["orgId"], row[subject]) for row in found]
    assert sorted(set(keys)) == keys
    text = ask(floor, name, accept=CSV, to=at(when(60)), **query).text
    head, *table = csv.reader(io.StringIO(text, newline=""))
    assert [*found[0]] == head == [
        field.alias for field in MODELS[name].model_fields.values()
    ]  # fmt: skip
    for row, cells in zip(found, table, strict=True):
        for value, cell in zip(row.values(), cells, strict=True):
            if isinstance(value, dict | bool):
                assert value == json.loads(cell)
            else:
                assert ("" if value is None else str(value)) == cell


def test_an_export_tells_what_it_is_of(floor):
    """In its headers, the zone among them."""
    answer = ask(floor, "queues", accept=CSV, tz="Europe/Berlin", interval="30m")
    told = answer.headers
    assert ("Europe/Berlin", "Accept") == (told["X-Time-Zone"], told["Vary"])
    assert 'attachment; filename="report-queues.csv"' == told["Content-Disposition"]
    assert (str(at(when(40))), floor.service.store.head()) == (
        told["X-As-Of"],
        int(told["X-As-Of-Position"]),
    )
    assert {"from": at(0), "to": at(DAY), "interval": 1_800_000, "tz": "Europe/Berlin"} == (
        json.loads(told["X-Filters"])
    )
    paged = ask(floor, "queues", accept=CSV, limit=1)
    assert (400, "limit") == (paged.status_code, paged.json["errors"][0]["parameter"])


def test_null_is_the_last(told):
    """A queue that nobody named comes after the others, and its pages go on."""
    site = told(
        MINUTE,
        task(0, "a", "parked", channelType=""),
        task(0, "b", "parked", queueId="\U0001f4de"),
        task(0, "c", "parked", queueId="\ufffd"),
        task(0, "d", "parked"),
    )
    every = rows(site, "queues")
    assert ["\ufffd", "\U0001f4de", None, None] == [row["queueId"] for row in every]
    assert ["telephony", None] == [row["channelType"] for row in every[2:]]
    cursor = ask(site, "queues", limit=3).json["meta"]["nextCursor"]
    assert every[3:] == rows(site, "queues", cursor=cursor)


# --- two times ---


def test_what_was_known_is_reported_to_the_byte(told):
    """After late events, which change the delays too, after a replay, and by another process."""
    site = told(when(40), *FLOOR)
    query = {"interval": "15m", "knownAt": at(when(40)), "to": at(when(40))}
    before = {
        (name, kind): ask(site, name, accept=kind, **query).data
        for name in ("queues", "agents")
        for kind in ("", CSV, NDJSON)
    }
    told(
        when(120),
        task(when(20, 15), "gone", "connected") | {"id": "late"},
        v1(when(20, 15), "cy", "connected", "gone") | {"id": "later"},
        login(when(1), "new") | {"id": "latest"},
        logout(when(119), "ann", "AGENT") | {"id": "out"},
        v1(when(110), "bob", "idle") | {"id": "moved", "teamId": "team-9"},
    )
    now = ask(site, "queues", accept=NDJSON, interval="15m", to=at(when(40))).data
    assert now != before["queues", NDJSON]
    for _ in range(2):
        for (name, kind), data in before.items():
            assert data == ask(site, name, accept=kind, **query).data, (name, kind)
        forget(site.url)
        site.project()


def test_at_decides_who_is_a_member(told):
    """And nothing else: figures are of all that is known."""
    site = told(
        60 * MINUTE,
        login(0, "ann", "Available", teamId="team-1"),
        logout(10 * MINUTE, "ann", "AGENT"),
        login(20 * MINUTE, "ann", "Available", teamId="team-2"),
    )
    (now,) = rows(site, "agents")
    assert ("team-2", 50 * MINUTE) == (now["teamId"], now["loggedInMs"])
    (then,) = rows(site, "agents", at=at(15 * MINUTE))
    assert now | {"teamId": "team-1"} == then
    assert [then] == rows(site, "agents", "team-1", at=at(15 * MINUTE))
    assert [] == rows(site, "agents", "team-2", at=at(15 * MINUTE))
    assert [now] == rows(site, "agents", "team-2")
    assert {"at": at(5), "knownAt": None, "nextCursor": None, "count": 1} == (
        ask(site, "agents", at=at(5)).json["meta"]
    )
    # Of whom nothing had happened yet, no team is known.
    assert [None] == [row["teamId"] for row in rows(site, "agents", at=at(-1))]


def test_a_row_is_settled_when_its_end_is_long_past(told):
    """Later than most events come, as was known then; a row up to now is not."""
    site = told(when(40), *FLOOR)
    assert {False} == {row["settled"] for row in rows(site, "agents")}
    told(when(60) + DAY)
    assert {True} == {row["settled"] for row in rows(site, "agents")}
    assert {False} == {row["settled"] for row in rows(site, "agents", knownAt=at(when(40)))}
    later = rows(site, "agents", to=at(3 * DAY))
    settled = {True: {at(DAY)}, False: {at(2 * DAY)}}
    assert settled == {
        known: {row["to"] for row in later if row["settled"] is known} for known in (True, False)
    }


def test_a_reconciled_period_is_settled(told):
    """Where windows that lie side by side cover all of it, and as of when they did."""
    site = told(when(40), *FLOOR)
    with site.service.pool.connection() as connection:
        for job, start, end in ((1, at(0), at(when(10))), (2, at(when(10)), at(when(20)))):
            connection.execute(
                "INSERT INTO reconciled_windows (job, org_id, start, finish, recorded_time)"
                " VALUES (%s, 'acme', %s, %s, %s)",
                [job, start, end, at(when(40))],
            )
    query = {"interval": 5 * MINUTE, "to": at(when(30))}
    told_rows = rows(site, "agents", **query)
    settled = {row["from"] for row in told_rows if row["settled"]}
    assert {at(when(minute)) for minute in (0, 5, 10, 15)} == settled
    told(when(41), login(when(40), "late") | {"id": "late"})
    known = {"knownAt": at(when(40)), **query}
    assert told_rows == rows(site, "agents", **known)
    with psycopg.connect(site.url) as connection:
        connection.execute(
            "UPDATE projector.reconciled_windows SET recorded_time = recorded_time + 1"
        )
    site.service.delays._read_at = 0
    assert {False} == {row["settled"] for row in rows(site, "agents", **known)}


# --- bad questions ---


@pytest.mark.parametrize("name", ["queues", "agents"])
@pytest.mark.parametrize(
    ("query", "wrong", "allowed"),
    [
        ({"tz": "Mars/Olympus"}, "tz", "IANA name"),
        ({"tz": ""}, "tz", "IANA name"),
        ({"tz": "../UTC"}, "tz", "IANA name"),
        ({"interval": "2h"}, "interval", "15m, 30m, 1h, 1d, 1w"),
        ({"interval": "0"}, "interval", "from 1000 to"),
        ({"interval": "999"}, "interval", "from 1000 to"),
        ({"interval": "-900000"}, "interval", "from 1000 to"),
        ({"interval": "9" * 400}, "interval", "from 1000 to"),
        ({"interval": str(400 * DAY + 1)}, "interval", "to 34560000000"),
        ({"interval": "2159", "to": at(DAY)}, "interval", "at most 40000"),
        ({"to": at(0)}, "to", "after from"),
        ({"to": at(-1)}, "to", "after from"),
        ({"to": at(400 * DAY) + 1}, "to", "at most 400 days"),
        ({"from": "yesterday"}, "from", "epoch milliseconds"),
        ({"from": 2**53 - 2, "to": 2**53 - 1}, "from", "up to 253370764800000"),
        ({"limit": "0"}, "limit", "from 1 to 1000"),
        ({"cursor": "x"}, "cursor", "nextCursor"),
        ({"window": "1"}, "window", "one of the parameters"),
    ],
)
def test_what_cannot_be_asked_is_named(floor, name, query, wrong, allowed):
    """With what was given and what is allowed."""
    for accept in ("", NDJSON):
        if accept and wrong in {"limit", "cursor"}:
            continue
        answer = ask(floor, name, accept=accept, **query)
        assert 400 == answer.status_code
        errors = {error["parameter"]: error for error in answer.json["errors"]}
        assert str(query[wrong]) == errors[wrong]["given"]
        assert allowed in errors[wrong]["allowed"]


@pytest.mark.parametrize("query", [{"interval": "2160"}, {"interval": "1w", "to": at(400 * DAY)},
                                   {"interval": "15m", "to": at(400 * DAY)}])  # fmt: skip
def test_the_longest_reports_can_be_asked(floor, query):
    """40,000 periods, or 400 days."""
    assert 200 == ask(floor, "queues", **query).status_code
    assert 200 == ask(floor, "agents", **query, limit=1).status_code


def test_the_span_must_be_given(floor):
    """Both of its ends."""
    answer = floor.get("/api/v1/reports/agents")
    assert (400, ["from", "to"]) == (
        answer.status_code,
        [error["parameter"] for error in answer.json["errors"]],
    )
