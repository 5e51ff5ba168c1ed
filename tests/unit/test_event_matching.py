"""Event matching: which of the vendor's events the log has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from projector.domain.events import Origin, Recorded, TimeSource
from projector.operations.reconciliation.event_matching import match_events
from projector.webex import api_rows as rows
from projector.webex.agent_events import agent_events
from projector.webex.api_events import ApiEvent, Certainty
from projector.webex.task_events import task_events
from projector.webex.webhook import judge
from tests.unit.test_task_events import NOW, ORG, task, task_row


def api_event(time: int, word: str = "connect") -> ApiEvent:
    details = task(task_row(word, time))
    [event] = task_events(rows.read_task_details(details), org_id=ORG, now=NOW + 10**6)
    assert isinstance(event, ApiEvent)
    return event


def recorded(time: int, word: str = "connect", origin: Origin = Origin.WEBHOOK) -> Recorded:
    element = {"id": f"w{time}-{word}", "type": f"task:{word}", "comciscoorgid": ORG,
               "data": {"taskId": "t1", "createdTime": NOW + time}}  # fmt: skip
    offered = judge(b"{}", element, now=NOW + 10**6, default_org=None)
    return Recorded(event=offered.event, position=time + 1, time=NOW + time,
                    time_source=TimeSource.CREATED, created=NOW + time, recorded_time=NOW,
                    origin=origin)  # fmt: skip


@pytest.mark.parametrize(
    ("times", "log", "matched", "missing", "indistinct"),
    [
        ([0], [], [], [0], []),
        ([0], [recorded(0)], [0], [], []),
        ([0], [recorded(2_000)], [0], [], []),
        ([0], [recorded(2_001)], [], [], [0]),
        ([0], [recorded(60_000)], [], [], [0]),
        ([0], [recorded(60_001)], [], [0], []),
        ([0, 9_000], [recorded(9_000), recorded(9_001)], [9_000], [0], []),
        ([0], [recorded(0, "parked")], [], [0], []),
        ([0, 1_000], [recorded(0)], [0], [], [1_000]),
        ([0, 1_000], [recorded(1_000)], [1_000], [], [0]),
        ([0, 1_000], [recorded(1), recorded(999)], [0, 1_000], [], []),
        ([0, 1_000, 5_000], [recorded(600)], [0], [5_000], [1_000]),
        ([0, 1_000, 2_000], [recorded(1_500), recorded(2_500)], [0, 1_000], [], [2_000]),
        ([1_500, 2_800], [recorded(0), recorded(1_300)], [1_500, 2_800], [], []),
        ([0], [recorded(0, origin=Origin.RECONCILIATION)], [0], [], []),
        ([0], [recorded(1, origin=Origin.RECONCILIATION)], [], [0], []),
        ([0], [recorded(0, origin=Origin.IMPORT)], [0], [], []),
        ([0], [recorded(1, origin=Origin.IMPORT)], [], [0], []),
    ],
)
def test_each_webhook_states_one_event(times, log, matched, missing, indistinct):
    """That of its time, else the next in order within the tolerance; the rest is indistinct.

    A webhook that no event states may be that of an event with another clock.
    """
    matches = match_events([api_event(time) for time in times], log)
    assert (matched, missing, indistinct) == tuple(
        sorted(it.time - NOW for it in events)
        for events in (
            matches.matched,
            matches.missing,
            [it.event for it in matches.indistinct],
        )
    )


def test_an_event_whose_row_was_appended_before_is_matched():
    """By its id, whatever else the row says now."""
    one = api_event(0)
    appended = Recorded(event=one.offered.event, position=1, time=one.time,
                        time_source=TimeSource.CREATED, created=one.time, recorded_time=NOW,
                        origin=Origin.RECONCILIATION)  # fmt: skip
    assert [one] == match_events([one], [appended]).matched


def idle(time: int, *, code: str | None = None, channel: str | None = "c1") -> ApiEvent:
    row = rows.AgentActivity(
        source=rows.ApiSource.AGENT_SESSIONS,
        agent_id="ann",
        session_id="s1",
        channel_id=channel,
        channel_type="telephony",
        state="idle",
        start=NOW + time,
        end=None,
        idle_code_id=code,
    )
    [event] = agent_events([row], org_id=ORG, now=NOW + 10**6)
    assert isinstance(event, ApiEvent)
    return event


def idle_webhook(time: int, **more: str) -> Recorded:
    element = {
        "id": f"w{time}",
        "type": "agent:channel_state_change",
        "comciscoorgid": ORG,
        "data": {"agentId": "ann", "currentState": "idle", "createdTime": NOW + time, **more},
    }
    offered = judge(b"{}", element, now=NOW + 10**6, default_org=None)
    return Recorded(event=offered.event, position=time + 1, time=NOW + time,
                    time_source=TimeSource.CREATED, created=NOW + time, recorded_time=NOW,
                    origin=Origin.WEBHOOK)  # fmt: skip


def test_another_idle_code_is_another_event():
    """Lunch 1.2 s after a break is missing where only the break's webhook came."""
    events = [idle(0, code="break"), idle(1_200, code="lunch")]
    matches = match_events(events, [idle_webhook(0, idleCodeId="break")])
    assert ([events[0]], [events[1]]) == (matches.matched, matches.missing)


def test_another_channel_is_another_event():
    """A webhook without a channel or a code may be of any."""
    events = [idle(0, channel="c1"), idle(1_200, channel="c2")]
    matches = match_events(events, [idle_webhook(0, channelId="c1")])
    assert ([events[0]], [events[1]]) == (matches.matched, matches.missing)
    matches = match_events(events, [idle_webhook(0), idle_webhook(1_200)])
    assert events == matches.matched


def test_an_event_of_several_channels_is_told_by_a_webhook_of_any_of_them():
    """The webhook may name another channel than the event does, or one without a row."""
    event = replace(idle(0, channel="c1"), channel_ids=frozenset({"c1", "c2"}))
    assert [event] == match_events([event], [idle_webhook(3, channelId="c2")]).matched
    assert [event] == match_events([event], [idle_webhook(3, channelId="c3")]).matched


def test_doubtful_events_are_matched_and_never_missing():
    """What may be of another contact is listed; what certainly is of one, is left out."""
    doubtful = replace(api_event(0), certainty=Certainty.DOUBTFUL)
    of_child = replace(api_event(0), certainty=Certainty.OF_CHILD)
    assert [doubtful] == match_events([doubtful], [recorded(1)]).matched
    assert [of_child] == match_events([of_child], [recorded(1)]).matched
    assert [doubtful] == match_events([doubtful], []).doubtful
    left = match_events([of_child], [])
    assert [] == [*left.matched, *left.missing, *left.doubtful, *left.indistinct]


def test_a_sure_event_gets_the_webhook_before_a_doubtful_one():
    """So the webhook of the task's own event is not taken for that of a consult."""
    doubtful = replace(api_event(0), certainty=Certainty.DOUBTFUL)
    sure = api_event(900)
    matches = match_events([doubtful, sure], [recorded(500)])
    assert ([sure], [doubtful]) == (matches.matched, matches.doubtful)
