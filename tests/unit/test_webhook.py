"""Webhooks: which elements are events, with which key and time, and what equals what."""

import json
from dataclasses import asdict

import pytest

from projector.webex.json_body import read_element, read_stored
from projector.webex.webhook import StatedSource, Unusable, judge, read_event, stated_source

NOW = 1_800_000_000_000
DAY = 86_400_000
ABSENT = type("Absent", (), {"__repr__": lambda _: "absent"})()


def element(type_="task:new", id_="e1", org="acme", dispatched=str(NOW - 500), **data):
    """A whole event of a task; a field that is ABSENT is left out."""
    given = {"taskId": "t1", "createdTime": NOW - 1_000} | data
    whole = {
        "id": id_,
        "type": type_,
        "source": "/com/cisco/wxcc/sub-1",
        "comciscoorgid": org,
        "comciscotimestamp": dispatched,
        "data": {name: value for name, value in given.items() if value is not ABSENT},
    }
    return {name: value for name, value in whole.items() if value is not ABSENT}


def judged(value, default_org=None):
    return judged_text(json.dumps(value), default_org)


def judged_text(text, default_org=None):
    """The judgement of an element that is read as at intake."""
    body = text.encode()
    return judge(body, read_element(body), now=NOW, default_org=default_org)


def reason(value, default_org=None):
    """Why an element is unusable; None where it is an event."""
    it = judged(value, default_org)
    return it.reason if isinstance(it, Unusable) else None


def key(value):
    it = judged(value)
    assert not isinstance(it, Unusable), it
    return it.key


def same(one, other):
    """Whether two deliveries of one key are duplicates."""
    assert key(one) == key(other)
    return judged(one).fingerprint == judged(other).fingerprint


# --- usable or not ---


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", [], [[]], [{"id": "e1"}]])
def test_only_an_object_is_an_event(value):
    """Scalars and nested arrays are unusable."""
    assert "not-an-object" == reason(value)


def test_an_object_without_anything_is_unusable():
    """So is the shape of the library's own test bodies."""
    assert None is not reason({})
    assert None is not reason({"_type_": "datetime_iso", "_data_": "2026-01-01"})


WRONG_TEXTS = (ABSENT, None, "", 0, 1, 1.5, True, [], ["e1"], {}, {"id": "e1"})


@pytest.mark.parametrize("wrong", WRONG_TEXTS, ids=repr)
@pytest.mark.parametrize("field", ["id_", "type_", "org", "taskId"])
def test_a_name_that_is_no_text_is_no_name(field, wrong):
    """Without id, type, organisation or subject an element is unusable; only text names."""
    assert None is not reason(element(**{field: wrong}))


@pytest.mark.parametrize("wrong", WRONG_TEXTS, ids=repr)
def test_an_agents_event_needs_an_agent(wrong):
    """agent:* needs agentId."""
    assert None is not reason(element("agent:login", agentId=wrong))


@pytest.mark.parametrize("wrong", WRONG_TEXTS, ids=repr)
def test_a_subject_that_a_type_does_not_need_may_be_anything_but_long(wrong):
    """An ill-typed agentId of a task's event, or taskId of an agent's, names nobody."""
    of_task = judged(element("task:new", agentId=wrong))
    of_agent = judged(element("agent:state_change", agentId="a1", taskId=wrong))
    of_none = judged(element("flow:error", agentId=wrong, taskId=wrong))
    assert (None, "t1") == (of_task.event.agent_id, of_task.event.task_id)
    assert ("a1", None) == (of_agent.event.agent_id, of_agent.event.task_id)
    assert (None, None) == (of_none.event.agent_id, of_none.event.task_id)


NAMES = {"id": "id_", "type": "type_", "organisation": "org", "agent": "agentId", "task": "taskId"}
SOUND_NAMES = {"512 bytes": "x" * 512, "256 of two bytes": "é" * 256, "128 of four": "😀" * 128}
UNSOUND_NAMES = {
    "513 bytes": "x" * 513,
    "257 of two bytes": "é" * 257,
    "511 and two": "x" * 511 + "é",
    "600 characters": "x" * 600,
    "600 of four bytes": "😀" * 600,
    "NUL": "a\0b",
    "high surrogate": "a\ud800",
    "low surrogate": "\udc00a",
    "wrong pair": "\udc00\ud800",
}


@pytest.mark.parametrize("field", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("name", SOUND_NAMES.values(), ids=SOUND_NAMES)
def test_names_to_512_bytes_are_taken(field, name):
    """The limit counts bytes of UTF-8."""
    prefix = "x:" if field == "type_" else ""
    assert None is reason(element(**{field: prefix + name[len(prefix) :]}))


@pytest.mark.parametrize("field", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("name", UNSOUND_NAMES.values(), ids=UNSOUND_NAMES)
def test_names_that_no_index_can_hold_are_unusable(field, name):
    """Too long, with NUL or with a lone surrogate, for each of the five names."""
    assert None is not reason(element(**{field: name}))
    assert None is not reason(element("flow:error") | element(**{field: name}))


@pytest.mark.parametrize("name", UNSOUND_NAMES.values(), ids=UNSOUND_NAMES)
def test_any_other_text_may_be_any_text(name):
    """Other fields may be as long as the body; NUL and lone surrogates are replaced."""
    event = judged(element(teamId=name, queueId=name, channelId=name, filePath=name)).event
    shown = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in name)
    assert {shown} == {event.team_id, event.queue_id, event.channel_id, event.file_path}


TEXT_FIELDS = [
    "currentState",
    "teamId",
    "queueId",
    "idleCodeId",
    "idleCodeName",
    "wrapUpAuxCodeId",
    "destination",
    "origin",
    "direction",
    "channelId",
    "channelType",
    "outboundType",
    "connectedChannels",
    "loggedOutBy",
    "profileType",
    "pendingIdleState",
    "filePath",
    "terminatingParty",
    "reason",
]


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize(
    "type_",
    [
        "agent:login",
        "agent:logout",
        "agent:state_change",
        "agent:channelType_state_change",
        "task:ended",
        "capture:available",
    ],
)
def test_an_ill_typed_value_carries_nothing(type_, field):
    """A wrong type counts as absent, except in the five names and the time."""
    right = judged(element(type_, agentId="a1")).event
    for wrong in (None, 0, 1.5, [], {}, {"a": [1]}, ""):
        if field == "connectedChannels" and wrong == []:
            continue  # a list that names none is a statement
        assert right == judged(element(type_, agentId="a1", **{field: wrong})).event


def test_connected_channels_are_the_texts_among_them():
    """Only the texts of a list name channels. An empty list names none, and is not absent."""
    state = "agent:state_change"
    mixed = ["c1", 1, None, "", ["c2"], {"c": 3}, "c\0", "c1"]
    event = judged(element(state, agentId="a1", connectedChannels=mixed)).event
    assert frozenset({"c1", "c\ufffd"}) == event.connected_channels
    empty = judged(element(state, agentId="a1", connectedChannels=[])).event
    assert frozenset() == empty.connected_channels


@pytest.mark.parametrize("data", [ABSENT, None, 1, "x", [], ["taskId"], True])
def test_data_that_is_no_object_names_no_subject(data):
    """Such an event is unusable where its type needs a subject, and an event where it does not."""
    of_task = {name: v for name, v in element().items() if name != "data"}
    if data is not ABSENT:
        of_task["data"] = data
    assert None is not reason(of_task)
    assert None is reason(of_task | {"type": "flow:error"})


@pytest.mark.parametrize(
    ("first", "second", "default", "expected"),
    [
        ("one", "two", "three", "one"),
        (ABSENT, "two", "three", "two"),
        (None, "two", "three", "two"),
        ("", "two", "three", "two"),
        (ABSENT, ABSENT, "three", "three"),
        ("", None, "three", "three"),
        ("one", ABSENT, None, "one"),
        (ABSENT, "two", None, "two"),
        (ABSENT, ABSENT, None, None),
    ],
)
def test_the_organisation_is_the_first_spelling_that_names_one(first, second, default, expected):
    """comciscoorgid, else comciscocorgid, else the configured default, else quarantine."""
    whole = element(org=first) | ({} if second is ABSENT else {"comciscocorgid": second})
    it = judged(whole, default)
    assert expected == (None if isinstance(it, Unusable) else it.event.org_id)


# --- time ---

USABLE_TIMES = {
    "zero": (0, 0),
    "one digit": (7, 7),
    "minus zero": (-0.0, 0),
    "twelve digits": (123_456_789_012, 123_456_789_012),
    "text": ("1700000000000", 1_700_000_000_000),
    "text of one digit": ("7", 7),
    "leading zeros": ("0000000000000000000000000000000001700000000000", 1_700_000_000_000),
    "a long row of zeros": ("0" * 6_000 + "5", 5),
    "only zeros": ("000", 0),
    "integral float": (1.7e12, 1_700_000_000_000),
    "a day ahead": (NOW + DAY, NOW + DAY),
    "null": (None, None),
    "absent": (ABSENT, None),
}
UNUSABLE_TIMES = {
    "negative": -1,
    "negative float": -1.0,
    "negative text": "-1",
    "true": True,
    "false": False,
    "fraction": 1.5,
    "fraction as text": "1.5",
    "integral float as text": "1.0",
    "exponent as text": "1e12",
    "empty text": "",
    "plus": "+1",
    "space": " 1",
    "space after": "1 ",
    "newline after": "1\n",
    "underscore": "1_000",
    "arabic digits": "\u0661\u0667\u0660\u0660",
    "superscript": "²",
    "full-width digits": "\uff11\uff17",
    "hexadecimal": "0x10",
    "words": "yesterday",
    "iso": "2026-01-01T00:00:00Z",
    "array": [1],
    "object": {},
}
FUTURE_TIMES = {
    "a day and 1 ms": NOW + DAY + 1,
    "as text": str(NOW + DAY + 1),
    "as float": float(NOW + 2 * DAY),
    "thirty digits": 10**29,
    "thirty digits as text": "9" * 30,
    "forty-one digits as text": "9" * 41,
    "4300 digits": int("9" * 4_300),
    "5000 digits as text": "1" * 5_000,
    "1e300": 1e300,
}


@pytest.mark.parametrize(("given", "expected"), USABLE_TIMES.values(), ids=USABLE_TIMES)
def test_times_are_taken_as_they_stand(given, expected):
    """Integers from 0 on, integral floats and ASCII digits; null and absent carry none."""
    it = judged(element(createdTime=given))
    assert not isinstance(it, Unusable), it
    assert expected == it.created


@pytest.mark.parametrize("given", UNUSABLE_TIMES.values(), ids=UNUSABLE_TIMES)
def test_other_times_are_unusable(given):
    """Negative numbers, booleans, other texts, other floats and structures are quarantined."""
    assert "unusable-time" == reason(element(createdTime=given))


@pytest.mark.parametrize("given", FUTURE_TIMES.values(), ids=FUTURE_TIMES)
def test_times_more_than_a_day_ahead_are_unusable(given):
    """More than 24 h ahead of recorded time would pin its subject to the future."""
    assert "time-in-the-future" == reason(element(createdTime=given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (NOW - 5, NOW - 5),
        (str(NOW - 5), NOW - 5),
        (NOW + DAY, NOW + DAY),
        (NOW + DAY + 1, None),
        ("9" * 5_000, None),
        (-1, None),
        (True, None),
        ("", None),
        ("soon", None),
        ("²", None),
        ([], None),
        ({}, None),
        (None, None),
        (ABSENT, None),
    ],
)
def test_a_dispatch_time_that_is_none_is_left_out(given, expected):
    """comciscotimestamp never makes an event unusable: integer or digits, not a day ahead."""
    assert expected == judged(element(dispatched=given)).dispatched


# --- identity ---


def test_the_key_is_organisation_type_and_id():
    """Each of the three joins the key; nothing else does."""
    keys = {
        key(one)
        for one in (
            element(),
            element(id_="e2"),
            element(type_="task:ended"),
            element(org="other"),
        )
    }
    assert 4 == len(keys)
    for other in (
        element(taskId="t2"),
        element(createdTime=5),
        element(dispatched="9"),
        element() | {"source": "/com/cisco/wxcc/sub-2", "subject": "x", "extra": [1]},
    ):
        assert key(element()) == key(other)


def test_names_do_not_run_into_each_other():
    """A separator inside a name makes no two keys equal."""
    for one, other in (
        (element(org="a", type_='b","c'), element(org='a","b', type_="c")),
        (element(org="a\n", type_="b"), element(org="a", type_="\nb")),
        (element(org="a,b", type_="c"), element(org="a", type_="b,c")),
    ):
        assert key(one) != key(other)


@pytest.mark.parametrize("heading", ["conference-done", "conference-transferred"])
def test_the_pages_headings_get_their_prefix(heading):
    """Two headings of the vendor's page lack their prefix; with or without it is one event."""
    assert key(element(heading)) == key(element(f"task:{heading}"))
    assert f"task:{heading}" == judged(element(heading)).event.type
    assert None is not reason(element(heading, taskId=ABSENT))


@pytest.mark.parametrize("type_", ["Conference-done", "task:task:conference-done", "consult-done"])
def test_other_types_stay_as_they_came(type_):
    """Only the two headings are corrected."""
    assert type_ == judged(element(type_)).event.type


def test_where_the_id_is_the_tasks_the_created_time_joins_the_key():
    """Such ids do not distinguish events, so the parsed created time does."""
    keys = {key(element(id_="t1", createdTime=created)) for created in (0, 1, NOW - 5, None)}
    assert 4 == len(keys)
    assert key(element(id_="t1", createdTime=5)) == key(element(id_="t1", createdTime="005"))
    assert key(element(id_="t1", createdTime=None)) == key(element(id_="t1", createdTime=ABSENT))
    assert key(element(id_="t1", createdTime=5)) != key(element(id_="t1", createdTime=6))


def test_the_rule_of_the_tasks_id_holds_for_agents_events_too():
    """The time distinguishes any events whose id is their task's."""
    state = {"type_": "agent:state_change", "id_": "t1", "agentId": "a1"}
    assert key(element(**state, createdTime=1)) != key(element(**state, createdTime=2))


# --- duplicates and conflicts ---


@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_each_named_field_tells_a_conflict(field):
    """A difference in any field that the page names is a conflict; null differs from absent."""
    state = "agent:state_change"
    one = element(state, agentId="a1", **{field: "x"})
    assert same(one, one)
    assert not same(one, element(state, agentId="a1", **{field: "y"}))
    assert not same(one, element(state, agentId="a1"))
    absent, null = element(state, agentId="a1"), element(state, agentId="a1", **{field: None})
    assert not same(absent, null)


@pytest.mark.parametrize("field", ["agentId", "taskId", "createdTime"])
def test_subjects_and_time_tell_a_conflict(field):
    """The same id with another agent, task or time states something else."""
    one = element("agent:state_change", agentId="a1")
    other = element("agent:state_change", **({"agentId": "a1"} | {field: "5"}))
    assert not same(one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}', True),
        ("[1,2]", "[2,1]", False),
        ("1", "1.0", True),
        ("[1]", "[1.0]", True),
        ('{"a":[100]}', '{"a":[1e2]}', True),
        ("1", '"1"', False),
        ("1", "true", False),
        ("0", "false", False),
        ("[1]", "[true]", False),
        ('{"a":null}', "{}", False),
        ("null", "false", False),
        ('""', "null", False),
        ("[]", "{}", False),
        ("[]", "null", False),
        (r'"\u00e9"', '"é"', True),
        (r'"\ud83d\ude00"', '"😀"', True),
        ('"e\u0301"', '"\u00e9"', False),
        (r'"\ud800"', r'"\ufffd"', False),
        (r'"\u0000"', r'"\ufffd"', False),
        ('{"a":1,"a":2}', '{"a":2}', True),
        ("0", "-0.0", True),
        ("9007199254740993", "9007199254740992", False),
        ("9007199254740993", "9007199254740993.0", True),
        ("100000000000000000000000", "1e23", True),
        ("0.1", "0.10", True),
        ("0.1", "0.2", False),
    ],
)
def test_equality_compares_json_values(one, other, expected):
    """Key order free, array order kept, 1 = 1.0, null differs from absent, no other likeness."""
    prints = {
        judged_text(
            '{"id":"e1","type":"task:new","comciscoorgid":"acme",'
            f'"data":{{"taskId":"t1","reason":{text}}}}}'
        ).fingerprint
        for text in (one, other)
    }
    assert expected == (len(prints) == 1)


def test_unknown_fields_of_known_types_are_not_compared():
    """Only the fields of the vendor's page count, not the envelope or unknown data."""
    for other in (
        element(extra=1),
        element(dispatched="5"),
        element() | {"source": "/x/sub-2", "specversion": "2.0", "more": {"a": 1}},
    ):
        assert same(element(), other)


@pytest.mark.parametrize(
    "type_", ["flow:error", "message", "Agent:login", "routing:agent:x", "agent"]
)
def test_of_other_types_all_of_data_is_compared(type_):
    """For types that are not agent:, task: or capture: all of data counts."""
    assert same(element(type_, extra=1), element(type_, extra=1.0))
    assert not same(element(type_, extra=1), element(type_, extra=2))
    assert not same(element(type_, extra=1), element(type_))


def test_of_other_types_null_data_differs_from_absent_data():
    """Null differs from absent, also for data as a whole."""
    absent = {name: value for name, value in element("flow:error").items() if name != "data"}
    assert not same(absent, absent | {"data": None})


# --- reading again ---


@pytest.mark.parametrize(
    "value",
    [
        element(),
        element("conference-done"),
        element("flow:error", taskId=ABSENT),
        element("agent:login", agentId="a1", teamId="x\ud800\0"),
        element(
            "agent:state_change", agentId="a1", currentState="ON_HOLD", connectedChannels=["c"]
        ),
        element("capture:available", filePath="/x"),
        element("capture:other"),
        element("task:"),
        element("agent:", agentId="a1"),
    ],
    ids=lambda value: value["type"],
)
def test_a_stored_body_reads_as_the_event_that_was_judged(value):
    """The projection reads from the log the event that intake judged."""
    it = judged(value)
    assert asdict(it.event) == asdict(read_event(it.body, it.event.org_id))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/com/cisco/wxcc/sub-1", "sub-1"),
        ("sub-1", "sub-1"),
        ("/x/sub-1/", "sub-1"),
        ("/x//sub-1//", "sub-1"),
        ("/x/sub-1/.", "sub-1"),
        (" /x/sub-1 ", "sub-1"),
        ("https://host/x/sub-1?y=/sub-2#/sub-3", "sub-1"),
        ("/x/sub%2D1", "sub-1"),
        ("/x/%73ub-1/", "sub-1"),
        ("/x/sub-1%2Fsub-2", "sub-1/sub-2"),
        ("/x/SUB-1", "SUB-1"),
        ("/", None),
        ("", None),
        ("?x", None),
        ("/x/\0", None),
        ("/x/%00", None),
        ("/x/" + "a" * 513, None),
        (None, None),
        (5, None),
        (["/x/sub-1"], None),
    ],
)
def test_the_subscription_is_the_tail_of_the_source(source, expected):
    """In one form, however its address is spelt; a source that is no text names none."""
    assert StatedSource(expected, None) == stated_source({"source": source}, None)


@pytest.mark.parametrize("element", [{}, None, 5, [], "x"])
def test_an_element_without_a_source_names_no_subscription(element):
    assert StatedSource(None, None) == stated_source(element, None)


@pytest.mark.parametrize(
    ("named", "default", "expected"),
    [
        ({"comciscoorgid": "acme"}, "home", "acme"),
        ({"comciscocorgid": "acme"}, None, "acme"),
        ({"comciscoorgid": "acme", "comciscocorgid": "umbra"}, None, "acme"),
        ({"comciscoorgid": "", "comciscocorgid": "umbra"}, None, "umbra"),
        ({"comciscoorgid": 5}, "home", "home"),
        ({}, None, None),
    ],
)
def test_the_organisation_of_a_sender_is_that_of_the_event(named, default, expected):
    assert expected == stated_source(named, default).org_id


def test_a_float_too_great_for_a_float_is_no_time():
    """1e400 is legal JSON and no time, so the element is unusable."""
    text = json.dumps(element(createdTime="TIME")).replace('"TIME"', "1e400")
    assert isinstance(judged_text(text), Unusable)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_both_readers_read_a_stored_body_alike(encoding):
    """The fast reader, and the standard one where the fast one refuses."""
    odd = element(
        queueId="caf\N{LATIN SMALL LETTER E WITH ACUTE}\0",
        origin=12**40,
        destination=1.0,
        connectedChannels=["c", None],
        pendingIdleState=True,
    )
    unsound = element(type_="agent:login", agentId="ann", direction="\ud800")
    for whole, plainly in ((odd, False), (unsound, True)):
        body = json.dumps(whole, ensure_ascii=plainly).encode(encoding)
        assert read_element(body).keys() == read_stored(body).keys()
        offered = judge(body, read_element(body), now=NOW, default_org=None)
        assert asdict(offered.event) == asdict(read_event(body, "acme"))
