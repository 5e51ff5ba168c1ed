"""Reconciliation over row worlds: days that are written by hand, as webhooks and as rows.

The expected answer comes from a second service. It gets every webhook that arrives at the first
one, and for a lost webhook the event that the rows tell, if they tell any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.vendor_rows import VendorRows
from tests.conftest import Site, erasable, erase, over_http, sample, slow
from tests.integration.reconciling import deliver, listed, reconcile
from tests.row_worlds.calls import CALLS, answered, callback, outdial, outdial_unanswered, plain
from tests.row_worlds.consults import (
    ALL_MARKED,
    ANSWERED,
    CONSULTS,
    CUSTOMER_LEAVES,
    MARKS,
    OUTCOMES,
    consult,
    entry_point_consult,
    queue_consult,
)
from tests.row_worlds.day import CHANNELS, MINUTE_MS, MOST_SKEW_MS, Desk, Line, VendorDay
from tests.row_worlds.shifts import (
    LOGOUTS,
    SHIFTS,
    VOICE,
    busy_desk,
    idle_codes,
    ready,
    shift,
)
from tests.row_worlds.strategies import Fate, fates, vendor_days

AT = VendorDay().start + 5 * MINUTE_MS
ARRIVAL = {"position", "recordedTime", "settled"}  # may differ between two stores of one set
IDENTITY = {"id", "eventId"}  # a reconciled event has the id of its row
WORLDS = {
    **{
        name: lambda day, at, contact=contact: shift(day, at, [contact])
        for name, contact in (CALLS | CONSULTS).items()
    },
    **SHIFTS,
}
SMALL_WORLDS = [name for name in WORLDS if not name.startswith("entry-point")]
Lost = Callable[[WebhookBody], bool]


class TwoServices:
    """Services whose logs may be emptied: ours, and the one that shows what is expected."""

    def __init__(self, ours: Site, truth: Site, folder: Path) -> None:
        self.ours = ours
        self.truth = truth
        self._folder = folder

    def __repr__(self) -> str:
        """Short, since a law that fails prints it."""
        return "two services"

    def run(self, day: VendorDay, is_lost: Lost = lambda _: False) -> dict[str, Any]:
        """Deliver what is not lost of a day to our service, reconcile, and return the report."""
        erase(self.ours.url)
        deliver(self.ours, [it.body for it in day.webhooks if not is_lost(it.body)])
        return self.reconcile(day)

    def reconcile(self, day: VendorDay) -> dict[str, Any]:
        rows = VendorRows(sessions=day.sessions, tasks=day.tasks, recordings=day.recordings)
        with serving(ApiServer(rows, a_minute=100_000, search_page=3)) as root:
            return reconcile(self.ours, root, self._folder, **{"from": day.start, "to": day.end})

    def restore(self, day: VendorDay, is_lost: Lost) -> dict[str, Any]:
        """Lose some webhooks of a day: a run must restore all that the rows tell of them."""
        assert any(is_lost(it.body) for it in day.webhooks)
        report = self.run(day, is_lost)
        self.agree(day, [it.in_rows if is_lost(it.body) else it.body for it in day.webhooks])
        return report

    def agree(self, day: VendorDay, bodies: Sequence[WebhookBody | None]) -> None:
        """Whether our service shows what it would show after some webhooks without any run."""
        erase(self.truth.url)
        deliver(self.truth, [body for body in bodies if body is not None])
        assert {} == differing(*repaired(shown(self.truth, day), shown(self.ours, day)))

    def unchanged_by_run(self, day: VendorDay) -> None:
        """Whether a run over a day without losses finds nothing to append and changes no view."""
        erase(self.ours.url)
        deliver(self.ours, [it.body for it in day.webhooks])
        before = shown(self.ours, day, hidden={"settled"})
        report = self.reconcile(day)
        assert [] == report["missing"]
        assert Counter() == appended(report)
        assert {} == report["unknown"]
        assert {} == differing(before, shown(self.ours, day, hidden={"settled"}))
        has_rows = any(source["fetched"] for source in report["sources"].values())
        assert ("whole" if has_rows else "nothing to compare") == report["verdict"]


@pytest.fixture(scope="module")
def services(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp
    with erasable(template, folder("ours")) as ours, erasable(template, folder("truth")) as truth:
        yield TwoServices(ours, truth, folder("credentials"))


def shown(site: Site, day: VendorDay, *, hidden: set[str] = ARRIVAL | IDENTITY) -> dict[str, Any]:
    """All views and histories after the end of a day's window, by the id of their subject.

    By then the webhook of each row of the window has happened, whatever their skew.
    """
    answers, at = {}, day.end + MOST_SKEW_MS
    for kind, key in (("agents", "agentId"), ("tasks", "taskId")):
        for view in listed(site, f"/api/v1/{kind}", at=at):
            history = listed(site, f"/api/v1/{kind}/{view[key]}/history", at=at)
            answers[view[key]] = without([view, *history], hidden)
    return answers


def repaired(
    expected: dict[str, Any], found: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both answers, but that a channel may have been unknown since a repair: no row tells of it."""
    for id_, (view, *_) in found.items():
        channels = expected.get(id_, [{}])[0].get("channels", {})
        for name, channel in view.get("channels", {}).items():
            own = channels.get(name, channel)
            if channel["currentState"] in {"unknown", own["currentState"]}:
                channels[name] = channel if own["since"] <= channel["since"] else own
    return expected, found


def differing(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The subjects of which two answers differ, with both views and histories."""
    return {
        id_: {"expected": expected.get(id_), "found": found.get(id_)}
        for id_ in expected | found
        if expected.get(id_) != found.get(id_)
    }


def without(answer: Any, names: set[str]) -> Any:
    if isinstance(answer, dict):
        return {key: without(it, names) for key, it in answer.items() if key not in names}
    return [without(it, names) for it in answer] if isinstance(answer, list) else answer


def appended(report: dict[str, Any]) -> Counter[str]:
    """How many events of each type a run appended."""
    counts: Counter[str] = Counter()
    for source in report["sources"].values():
        for type_, number in source["types"].items():
            counts[type_] += number["appended"]
    return +counts


def statuses(site: Site, day: VendorDay, agent_id: str) -> list[str]:
    history = listed(site, f"/api/v1/agents/{agent_id}/history", at=day.end)
    return [row["status"] for row in history]


def of_agent(agent_id: str, *words: str) -> Lost:
    """Whether a webhook states one of some words of an agent."""
    return lambda body: (
        body["type"] == "agent:channel_state_change"
        and body["data"]["agentId"] == agent_id
        and body["data"]["currentState"] in words
    )


def of_type(*types: str) -> Lost:
    return lambda body: body["type"] in types


# --- the law --------------------------------------------------------------------------------------


@over_http
@given(day=vendor_days())
def test_a_run_over_a_day_without_losses_appends_nothing_and_changes_no_view(services, day):
    """Whatever happened that day, and wherever the window ends."""
    services.unchanged_by_run(day)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_a_run_over_a_world_without_losses_appends_nothing(services, name):
    """Each world by itself."""
    day = VendorDay()
    WORLDS[name](day, AT)
    services.unchanged_by_run(day)


@over_http
@given(data=st.data())
def test_after_a_run_views_and_intervals_are_as_the_rows_tell(services, data):
    """Webhooks may be lost, come twice, or come after the run."""
    day = data.draw(vendor_days())
    fate_of = data.draw(fates(day))
    told = [(it, fate_of.get(place, Fate.ARRIVES)) for place, it in enumerate(day.webhooks)]
    for place, fate in fate_of.items():
        body = day.webhooks[place].body
        note(f"{fate}: {body['type']} {body['data']}")
    erase(services.ours.url)
    deliver(services.ours, [it.body for it, fate in told if fate in {Fate.ARRIVES, Fate.TWICE}])
    deliver(services.ours, [it.body for it, fate in told if fate is Fate.TWICE])
    services.reconcile(day)
    deliver(services.ours, [it.body for it, fate in told if fate is Fate.LATE])
    services.agree(day, [it.in_rows if fate is Fate.LOST else it.body for it, fate in told])


@pytest.mark.parametrize(
    "name",
    [
        *sample(SMALL_WORLDS, every=3),
        *slow(*(name for name in WORLDS if name not in SMALL_WORLDS)),
    ],
)
def test_a_run_restores_a_world_of_which_no_webhook_came(services, name):
    """All that the rows tell; nothing that they do not."""
    day = VendorDay()
    WORLDS[name](day, AT)
    services.restore(day, lambda _: True)


def test_rows_that_are_five_seconds_off_are_not_a_second_day(services):
    """No row is within the tolerance of its webhook, so a run says so and appends nothing."""
    day = VendorDay(skew_ms=5_000)
    shift(day, AT, [plain, CALLS["hold"], consult])
    report = services.run(day)
    assert Counter() == appended(report)
    assert "incomplete" == report["verdict"]
    assert all("clocks" in it["reason"] and "+5 s" in it["reason"] for it in report["failures"])


# --- a consult to an entry point ------------------------------------------------------------------


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("outcome", sample(OUTCOMES, every=3))
def test_rows_of_the_call_to_an_entry_point_are_not_the_parents(services, marks, outcome):
    """Where they are not marked they are doubtful; they are never appended."""
    day = VendorDay()
    contact = partial(entry_point_consult, marks=marks, outcome=outcome)
    shift(day, AT, [contact])
    report = services.run(day)
    assert Counter() == appended(report)
    doubtful = {row["type"] for row in report["doubtful"]}
    assert doubtful <= {"task:parked", "task:connect", "task:connected", "task:ended"}
    assert (marks == ALL_MARKED) == (doubtful == set())


@pytest.mark.slow
@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_the_parent_lost_during_such_a_consult_is_restored(services, marks, outcome):
    """Hold, consult and end are the parent's, whatever stands between their rows."""
    day = VendorDay()
    contact = partial(entry_point_consult, marks=marks, outcome=outcome)
    shift(day, AT, [contact])
    parent = next(iter(day.tasks))
    words = ("on-hold", "consulting", "consult-done", "hold-done", "ended")
    lost = of_type(*(f"task:{word}" for word in words))
    report = services.restore(day, lambda body: lost(body) and body["data"]["taskId"] == parent)
    assert len(words) - (outcome == CUSTOMER_LEAVES) == appended(report).total()


@pytest.mark.parametrize("marks", MARKS)
def test_a_call_that_goes_on_after_the_consult_is_not_shown_completed(services, marks):
    """The child has ended, and the customer still talks."""
    day = VendorDay()
    contact = partial(entry_point_consult, marks=marks, outcome=ANSWERED)
    shift(day, AT, [contact])
    child_ended = next(it.body for it in day.webhooks if it.body["type"] == "task:ended")
    now = day.until(child_ended["data"]["createdTime"] + 15_000)
    assert Counter() == appended(services.run(now))
    [parent] = now.tasks
    view = services.ours.get(f"/api/v1/tasks/{parent}", query_string={"at": now.end}).json
    assert ("assigned", "connected") == (view["status"], view["currentState"])


# --- rows of agents -------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", [consult, CONSULTS["consult-of-an-idle-agent"], queue_consult])
def test_the_one_who_is_asked_rings_and_consults(services, contact):
    """The rows have words of their own for it."""
    day = VendorDay()
    shift(day, AT, [contact])
    asked = day.sessions[1]["agentId"]
    report = services.restore(day, of_agent(asked, "ringing", "consulting"))
    assert Counter({"agent:channel_state_change": 2}) == appended(report)
    assert {"ringing", "consulting"} <= {*statuses(services.ours, day, asked)}


@pytest.mark.parametrize("contact", [outdial, outdial_unanswered])
def test_an_outdial_rings(services, contact):
    """The rows call it reserved."""
    day = VendorDay()
    shift(day, AT, [contact])
    agent = day.sessions[0]["agentId"]
    report = services.restore(day, of_agent(agent, "ringing"))
    assert Counter({"agent:channel_state_change": 1}) == appended(report)
    assert "ringing" in statuses(services.ours, day, agent)


def test_words_that_are_not_known_are_listed_by_word_and_count(services):
    """By the API that has them."""
    day = VendorDay()
    desk = ready(day, AT, channels=VOICE)
    for place in (20_000, 30_000):
        desk.row(AT + place, "coaching")
        desk.row(AT + place + 5_000, "available")
    desk.log_out(AT + 60_000)
    report = services.run(day)
    assert Counter() == appended(report)
    assert {"coaching": 2} == report["unknown"]["agentSession"]


@pytest.mark.parametrize("apart_ms", [0, 1, 2])
def test_one_session_has_one_login(services, apart_ms):
    """The rows of its channels are some milliseconds apart; the first one is the login."""
    day = VendorDay(apart_ms=apart_ms)
    shift(day, AT, [])
    report = services.restore(day, of_type("agent:login"))
    assert Counter({"agent:login": 2}) == appended(report)
    first = services.ours.get(f"/api/v1/agents/{day.sessions[0]['agentId']}").json
    assert AT == first["session"]["loginTime"]
    assert [] == [*listed(services.ours, "/api/v1/anomalies")]


@pytest.mark.parametrize("how", LOGOUTS)
def test_a_lost_logout_is_restored(services, how):
    """By a row of its own, by a flag of the last row, or by the end of the session alone."""
    day = VendorDay()
    desk = ready(day, AT)
    desk.log_out(AT + 60_000, how)
    report = services.restore(day, of_type("agent:logout"))
    assert Counter({"agent:logout": 1}) == appended(report)
    view = services.ours.get(f"/api/v1/agents/{desk.agent_id}").json
    assert (False, "logged-out", AT + 60_000, None) == (
        view["loggedIn"],
        view["status"],
        view["session"]["logoutTime"],
        view["session"]["loggedOutBy"],
    )


@pytest.mark.parametrize(("reason", "by"), [("SELF", "SELF"), ("Network lost", None)])
def test_the_reason_of_a_logout_says_by_whom_where_it_is_the_webhooks_word(services, reason, by):
    day = VendorDay()
    desk = ready(day, AT)
    desk.log_out(AT + 60_000, "session", reason=reason)
    services.restore(day, of_type("agent:logout"))
    view = services.ours.get(f"/api/v1/agents/{desk.agent_id}").json
    assert by == view["session"]["loggedOutBy"]


def test_a_state_that_differs_in_its_idle_code_is_another_fact(services):
    """Two idle codes 1.2 s apart: the lost one is restored, and nothing is indistinct."""
    day = VendorDay()
    idle_codes(day, AT)
    [agent] = {session["agentId"] for session in day.sessions}
    code = "lunch-code"
    report = services.restore(day, lambda body: body["data"].get("idleCodeId") == code)
    assert Counter({"agent:channel_state_change": 1}) == appended(report)
    assert [] == report["indistinct"]
    history = listed(services.ours, f"/api/v1/agents/{agent}/history", at=day.end)
    [lunch] = [row for row in history if row["idleCodeId"] == code]
    assert AT + 61_200 == lunch["from"]


@pytest.mark.parametrize("names", sample(CHANNELS, every=4))
def test_a_webhook_may_name_any_channel_of_an_agent_who_goes_idle(services, names):
    """Rows of all channels say it, and the webhook names one of them."""
    day = VendorDay()
    desk = ready(day, AT)
    desk.rest(AT + 60_000, "idle", code="break-code", names=names)
    desk.log_out(AT + 90_000)
    services.unchanged_by_run(day)


@pytest.mark.parametrize("name", ["side-by-side", "refused", "consult-transfer", "idle-codes"])
def test_rows_tell_of_webhooks_of_the_first_version_too(services, name):
    """They have no channels. Every second webhook is lost."""
    day = VendorDay(version="1")
    WORLDS[name](day, AT)
    lost = {it.body["id"] for it in day.webhooks[::2]}
    services.restore(day, lambda body: body["id"] in lost)


@pytest.mark.parametrize("apart_ms", [20, 200])
def test_channels_may_follow_an_agent_slowly(services, apart_ms):
    """Rows of one rest are further apart than a tenth of a second."""
    day = VendorDay(apart_ms=apart_ms)
    shift(day, AT, [plain])
    services.unchanged_by_run(day)


@pytest.mark.parametrize("type_", ["task:new", "task:ended"])
def test_a_loss_among_rows_that_are_five_seconds_off_is_not_appended(services, type_):
    """Few rows of a step show the difference, but those of the run do."""
    day = VendorDay(skew_ms=5_000)
    shift(day, AT, [CALLS["abandoned"], CALLS["hold"]])
    assert Counter() == appended(services.run(day, of_type(type_)))


# --- directions, pages ----------------------------------------------------------------------------


def test_the_direction_of_an_outdial_is_outbound(services):
    """The rows have a word of their own for it."""
    day = VendorDay()
    shift(day, AT, [outdial])
    services.restore(day, lambda body: body["type"].startswith("task:"))
    [task] = listed(services.ours, "/api/v1/tasks")
    assert ("OUTBOUND", "OUTDIAL") == (task["direction"], task["outboundType"])


def test_a_callback_is_outbound_by_courtesy(services):
    """Also where no webhook of the task came after the customer was called back."""
    day = VendorDay()
    shift(day, AT, [callback])
    services.restore(day, lambda body: body["data"].get("outboundType") is not None)
    [task] = listed(services.ours, "/api/v1/tasks")
    assert ("OUTBOUND", "COURTESY_CALLBACK") == (task["direction"], task["outboundType"])


@pytest.mark.parametrize("odd", [False, True])
def test_rows_of_one_millisecond_at_the_edge_of_a_page_are_not_lost(services, odd):
    """More rows than a page holds, in two sessions of one agent and in a long call."""
    day = VendorDay()
    noon = busy_desk(day, AT, odd=odd)
    busy_desk(day, noon + MINUTE_MS, odd=odd, agent_id=day.sessions[0]["agentId"])
    report = services.restore(day, of_type("agent:channel_state_change"))
    assert Counter({"agent:channel_state_change": 2 * 67}) == appended(report)


@pytest.mark.parametrize("odd", [False, True])
def test_a_long_call_has_all_its_rows(services, odd):
    """Its recording is paused in the millisecond when the customer is on hold."""
    day = VendorDay()
    desk = ready(day, AT, channels=VOICE)
    call = held_often(day, AT + 20_000, desk, times=52, odd=odd)
    report = services.restore(day, of_type("task:on-hold", "task:hold-done"))
    assert Counter({"task:on-hold": 52, "task:hold-done": 52}) == appended(report)
    assert 200 < len(call.task["activities"])


def held_often(day: VendorDay, at: int, desk: Desk, *, times: int, odd: bool) -> Line:
    call = answered(day, at, desk)
    if odd:
        call.row(at + 20_000, "flow-activity")
    for number in range(times):
        now = at + 30_000 + number * 10_000
        call.both(now, "on-hold")
        call.row(now, "paused")
        call.both(now + 5_000, "hold-done")
        call.row(now + 5_000, "resumed")
    return call
