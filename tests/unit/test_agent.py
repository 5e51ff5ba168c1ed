"""The agent: what is not expected of one, and what closes a leg."""

from __future__ import annotations

import pytest

from projector.domain.fold import AnomalyKind
from projector.projection.read_models import AGENTS
from tests.examples import at, channel, login, logout, v1, v2
from tests.folds import folded, kinds, view

MISSING_LOGIN = AnomalyKind.MISSING_LOGIN
MISSING_LOGOUT = AnomalyKind.MISSING_LOGOUT
UNKNOWN = AnomalyKind.UNKNOWN_STATE
UNEXPECTED = AnomalyKind.UNEXPECTED_TRANSITION

PHONE, CHAT = ("c-phone", "telephony"), ("c-chat", "chat")


def shown(*bodies):
    return view(AGENTS, folded(AGENTS, *bodies))


def legs(*bodies):
    """The tasks of the open legs."""
    return sorted(folded(AGENTS, login(0, "ann"), *bodies).state.legs)


def channels(*bodies, fetched=()):
    """State, start and idle code of each channel type."""
    result = view(AGENTS, folded(AGENTS, *bodies, fetched=fetched))["channels"]
    return {
        name: (it["currentState"], it["since"] - at(0), it["idleCodeName"])
        for name, it in result.items()
    }


# --- channels after a repair ---

TUNED = (
    login(0, "ann"),
    channel(100, "ann", "telephony", "Idle", idleCodeName="Break", pendingIdleState=True),
    channel(7_000, "ann", "chat", "Available"),
)
STILL = {"telephony": ("Idle", 100, "Break"), "chat": ("Available", 7_000, None)}


def forgotten(since):
    return dict.fromkeys(STILL, ("unknown", since, None))


def test_reconciled_words_make_the_channels_unknown():
    """No API tells what was lost of them; their pending idle state is not known either."""
    fetched = [v2(9_500, "ann", "available")]
    assert STILL == channels(*TUNED)
    assert forgotten(9_500) == channels(*TUNED, fetched=fetched)
    result = view(AGENTS, folded(AGENTS, *TUNED, fetched=fetched))
    assert "available" == result["status"]
    assert not result["channels"]["telephony"]["pendingIdleState"]


@pytest.mark.parametrize(("time", "expected"), [(9_000, "Available"), (9_001, "unknown")])
def test_a_channel_that_has_just_changed_is_known(time, expected):
    """Up to 2,000 ms before the reconciled word: the two streams are not in step."""
    result = channels(*TUNED, fetched=[v2(time, "ann", "available")])
    assert ("unknown", time, None) == result["telephony"]
    assert expected == result["chat"][0]


def test_the_next_change_of_a_channel_makes_it_known():
    """In the same millisecond too, since what is told of channels comes after states."""
    fetched = [v2(9_500, "ann", "available")]
    again = [
        channel(9_500, "ann", "telephony", "Idle"),
        channel(60_000, "ann", "chat", "Available"),
    ]
    expected = {"telephony": ("Idle", 9_500, None), "chat": ("Available", 60_000, None)}
    assert expected == channels(*TUNED, *again, fetched=fetched)


@pytest.mark.parametrize(
    "fetched",
    [
        [v2(9_500, "ann", "idle", idleCodeId="lunch")],
        [v2(9_500, "ann")],
        [login(9_500, "ann")],
        [channel(9_500, "ann", "email", "Idle")],
        [v1(9_500, "ann", "available") | {"type": "agent:coffee"}],
    ],
    ids=["same word", "no word", "login with the same word", "channel", "other"],
)
def test_a_reconciled_event_that_changes_no_word_leaves_the_channels(fetched):
    """They are as likely right as before it."""
    result = channels(*TUNED, fetched=fetched)
    assert STILL == {name: result[name] for name in STILL}


@pytest.mark.parametrize(
    "word",
    [
        login(9_500, "ann", "Available"),
        v1(9_500, "ann", "idle", "t"),
        v2(9_500, "ann", "connected", "t", on=PHONE),
        v2(9_500, "ann", "available", connectedChannels=[]),
    ],
    ids=["login", "task", "leg", "word"],
)
def test_every_change_of_words_counts(word):
    """The agent's own word, its task, or the state of a leg; a webhook's changes no channel."""
    assert forgotten(9_500) == channels(*TUNED, fetched=[word])
    assert STILL == channels(*TUNED, word)
    assert STILL == channels(*TUNED, word, fetched=[word | {"id": "again"}])


def test_a_closed_leg_alone_is_a_change_of_words():
    """The agent's own word stays."""
    on_call = [v2(8_000, "ann", "connected", "t", on=PHONE), v1(8_500, "ann", "on-hold")]
    closing = v1(20_000, "ann", "on-hold", connectedChannels=[])
    assert forgotten(20_000) == channels(*TUNED, *on_call, fetched=[closing])


def test_a_second_reconciled_word_does_not_restart_the_unknown():
    """It is unknown since the first one."""
    fetched = [v2(9_500, "ann", "available"), v2(20_000, "ann", "idle")]
    assert forgotten(9_500) == channels(*TUNED, fetched=fetched)


@pytest.mark.parametrize(
    "out", [logout(9_500, "ann", "AGENT"), v2(9_500, "ann", "logged-out")], ids=["logout", "word"]
)
def test_a_reconciled_logout_ends_the_channels(out):
    """As any logout does, and one that is logged out already stays so."""
    bodies = [*TUNED, channel(100, "ann", "email", "LoggedOut")]
    expected = dict.fromkeys(STILL, ("LoggedOut", 9500, None))
    expected["email"] = ("LoggedOut", 100, None)
    assert expected == channels(*bodies, fetched=[out])


def test_a_reconciled_channel_tells_nothing_of_the_others():
    """Also where it says that the agent is logged in again."""
    bodies = [*TUNED, logout(20_000, "ann", "AGENT")]
    result = channels(*bodies, fetched=[channel(60_000, "ann", "email", "Idle")])
    expected = dict.fromkeys(STILL, ("LoggedOut", 20_000, None))
    assert expected | {"email": ("Idle", 60_000, None)} == result


def test_a_reconciled_login_says_that_logged_out_channels_are_not_known():
    """A login resets no channel, so what is known of them is of the session before."""
    bodies = [*TUNED, logout(20_000, "ann", "AGENT")]
    assert forgotten(60_000) == channels(*bodies, fetched=[login(60_000, "ann")])


# --- anomalies ---


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([login(0, "ann"), login(5, "ann")], [MISSING_LOGOUT]),
        ([login(0, "ann", "Pondering")], [UNKNOWN]),
        ([login(0, "ann"), login(5, "ann", "Pondering")], [MISSING_LOGOUT]),
        ([logout(0, "ann", "AGENT")], [MISSING_LOGIN]),
        ([login(0, "ann"), logout(5, "ann", "AGENT"), logout(9, "ann", "AGENT")], []),
        ([v1(0, "ann", "pondering")], [MISSING_LOGIN]),
        ([login(0, "ann"), v1(5, "ann", "pondering")], [UNKNOWN]),
        ([login(0, "ann"), v1(5, "ann", "pondering", "t")], [UNKNOWN]),
        ([channel(0, "ann", "chat", "Idle")], [MISSING_LOGIN]),
        ([channel(0, "ann", "chat", "Pondering")], [MISSING_LOGIN]),
        ([login(0, "ann"), channel(5, "ann", "chat", "Idle")], []),
        ([login(0, "ann"), channel(5, "ann", "chat", "Pondering")], [UNKNOWN]),
        ([channel(0, "ann", "chat", "LoggedOut")], []),
        ([channel(0, "ann", "", "LoggedOut")], []),
    ],
    ids=range(14),
)
def test_of_what_was_not_expected_the_first_is_told(bodies, expected):
    """A lost login or logout comes before an unknown word; one event raises one anomaly."""
    assert expected == kinds(folded(AGENTS, *bodies))


@pytest.mark.parametrize(
    ("before", "word", "expected"),
    [
        ([], "available", []),
        ([], "wrapup-done", [UNEXPECTED]),
        ([], "conferencing", [UNEXPECTED]),
        (["connected"], "on-hold", []),
        (["connected"], "ringing", [UNEXPECTED]),
    ],
)
def test_a_word_without_a_task_follows_the_last_word(before, word, expected):
    """It is compared with idle, the word of the login, or with the word before."""
    life = [v1(time, "ann", earlier) for time, earlier in enumerate([*before, word], 1)]
    assert expected == kinds(folded(AGENTS, login(0, "ann"), *life))


@pytest.mark.parametrize(
    ("before", "word", "expected"),
    [
        ([], "ringing", []),
        ([], "hold-done", [UNEXPECTED]),
        (["ringing"], "connected", []),
        (["ringing"], "hold-done", [UNEXPECTED]),
        (["connected"], "ringing", [UNEXPECTED]),
        (["connected", "wrapup"], "wrapup-done", []),
    ],
)
def test_a_word_with_a_task_follows_that_tasks_leg(before, word, expected):
    """Events of another task in between do not matter."""
    life = [v1(time, "ann", earlier, "t") for time, earlier in enumerate(before, 1)]
    other = v1(50, "ann", "connected", "other")
    result = folded(AGENTS, login(0, "ann"), *life, other, v1(99, "ann", word, "t"))
    assert expected == kinds(result)


@pytest.mark.parametrize("word", ["wrapup-done", "not-responding"])
def test_both_versions_of_a_step_are_one_step(word):
    """The second one has no leg any more, and that is expected."""
    begun = v1(1, "ann", "ringing" if word == "not-responding" else "wrapup", "t", id="a")
    rung = v1(0, "ann", "connected", "t", id="0")
    twins = [v1(9, "ann", word, "t", id="b"), v2(9, "ann", word, "t", on=PHONE, id="c")]
    result = folded(
        AGENTS, login(0, "ann"), *([] if word != "wrapup-done" else [rung]), begun, *twins
    )
    assert [] == kinds(result)


# --- sessions and words ---


def test_a_hold_that_is_over_reads_as_connected_without_a_leg_too():
    """The status of one with no leg is the last word, mapped as legs are."""
    agent = shown(login(0, "ann"), v1(5, "ann", "hold-done"))
    assert ("connected", "hold-done") == (agent["status"], agent["currentState"])


def test_a_logged_out_word_does_not_say_who():
    """Only a logout event does."""
    agent = shown(login(0, "ann"), v1(5, "ann", "logged-out", loggedOutBy="AGENT"))
    assert (at(5), None) == (agent["session"]["logoutTime"], agent["session"]["loggedOutBy"])


def test_the_word_and_task_of_a_login_are_the_last_word():
    """The same word for the same task does not restart the state."""
    begun = login(0, "ann", "Connected", taskId="t")
    assert at(0) == shown(begun, v1(5, "ann", "connected", "t"))["stateSince"]
    assert at(5) == shown(begun, v1(5, "ann", "connected", "u"))["stateSince"]


# --- legs ---


def test_ready_on_a_channel_closes_all_on_it():
    """In whatever state they are; legs on other channels stay open."""
    talks = [
        v2(1, "ann", "connected", "call", on=PHONE),
        v2(2, "ann", "connected", "chat-1", on=CHAT),
        v2(3, "ann", "on-hold", "chat-2", on=CHAT),
    ]
    assert ["call"] == legs(*talks, v2(9, "ann", "available", on=CHAT))


def test_not_ready_on_a_channel_closes_what_rings_or_wraps_up():
    """A conversation goes on."""
    talks = [
        v2(1, "ann", "wrapup", "chat-1", on=CHAT),
        v2(2, "ann", "connected", "chat-2", on=CHAT),
        v2(3, "ann", "ringing", "call", on=PHONE),
    ]
    assert ["call", "chat-2"] == legs(*talks, v2(9, "ann", "idle", on=CHAT))


@pytest.mark.parametrize(
    ("leg", "event", "closed"),
    [
        ({"channelId": "c", "channelType": "chat"}, {"channelId": "c", "channelType": "x"}, True),
        (
            {"channelId": "c", "channelType": "chat"},
            {"channelId": "d", "channelType": "chat"},
            False,
        ),
        ({"channelId": "c", "channelType": "chat"}, {"channelType": "chat"}, True),
        ({"channelId": "c", "channelType": "chat"}, {"channelType": "email"}, False),
        ({"channelType": "chat"}, {"channelId": "c", "channelType": "chat"}, True),
        ({"channelType": "chat"}, {"channelId": "c", "channelType": "email"}, False),
        ({"channelType": "chat"}, {"channelId": "c"}, False),
        ({}, {"channelId": "c", "channelType": "chat"}, False),
        ({}, {"channelId": "c"}, False),
        ({"channelId": "c"}, {"channelId": "c"}, True),
    ],
    ids=range(10),
)
def test_a_channel_is_its_id_or_else_its_type(leg, event, closed):
    """Equal ids, or equal types where one of the two has no id."""
    talks = [v2(1, "ann", "connected", "t", **leg), v2(9, "ann", "available", **event)]
    assert ([] if closed else ["t"]) == legs(*talks)


@pytest.mark.parametrize("word", ["idle", "available"])
def test_the_newer_version_ends_no_conversation_for_the_whole_agent(word):
    """Without a channel it closes what rings or wraps up; for a conversation it names one."""
    talks = [v2(1, "ann", "connected", "t"), v2(2, "ann", "ringing", "u")]
    assert ["t"] == legs(*talks, v2(9, "ann", word))


@pytest.mark.parametrize("word", ["idle", "available"])
def test_the_older_version_ends_what_has_no_channel(word):
    """Legs with a channel are closed by the newer version, unless they ring or wrap up."""
    talks = [
        v1(1, "ann", "connected", "t"),
        v2(2, "ann", "connected", "call", on=PHONE),
        v2(3, "ann", "wrapup", "chat", on=CHAT),
    ]
    assert ["call"] == legs(*talks, v1(9, "ann", word))


def test_the_older_version_with_a_list_ends_what_is_not_listed():
    """The list is more exact than the word."""
    talks = [v1(1, "ann", "connected", "t"), v1(2, "ann", "connected", "u")]
    assert ["u"] == legs(*talks, v1(9, "ann", "idle", connectedChannels=["u"]))


def test_a_slot_that_rings_for_a_new_task_is_done_with_the_old_one():
    """Even if the new task came without its channel first."""
    old = v2(1, "ann", "wrapup", "old", on=PHONE)
    assert ["new"] == legs(old, v2(5, "ann", "ringing", "new", on=PHONE))
    first = v1(5, "ann", "ringing", "new")
    assert ["new"] == legs(old, first, v2(5, "ann", "ringing", "new", on=PHONE))


def test_a_slot_goes_on_with_a_task_that_it_has():
    """An event of the older task closes nothing that rings beside it."""
    talks = [
        v2(1, "ann", "connected", "old", on=PHONE),
        v2(5, "ann", "ringing", "new", on=PHONE),
        v2(9, "ann", "on-hold", "old", on=PHONE),
    ]
    assert ["new", "old"] == legs(*talks)


def test_a_slot_to_which_a_task_comes_back_is_done_with_what_rang_on_it():
    """The slot begins to serve the task again."""
    moves = [
        v2(1, "ann", "connected", "old", on=PHONE),
        v2(5, "ann", "ringing", "new", on=PHONE),
        v2(9, "ann", "connected", "old", on=("c-2", "telephony")),
    ]
    assert ["new", "old"] == legs(*moves)
    assert ["old"] == legs(*moves, v2(12, "ann", "connected", "old", on=PHONE))


def test_an_odd_word_in_another_spelling_is_the_same_word():
    """A second login with it goes on in one interval and one run of status, shown as it came."""
    result = folded(AGENTS, login(0, "ann", "pondering"), login(5, "ann", "Pon-Dering"))
    assert [at(0)] == [interval.start for interval in result.intervals]
    agent = view(AGENTS, result)
    fields = ("status", "currentState", "statusSince", "stateSince")
    assert ("Pon-Dering", "Pon-Dering", at(0), at(5)) == tuple(agent[name] for name in fields)


def test_a_login_begins_a_state_whatever_its_word():
    """A login that says `logged-out`, after a logout, has a time of its own: the session is new."""
    state = folded(AGENTS, logout(0, "ann", "AGENT"), login(1, "ann", "logged-out")).state
    assert (at(1), "logged-out") == (state.state_since, state.current_state)
