"""The stand-in's rows of the simulated contact centre: those of the vendor's published answers."""

from collections import Counter
from functools import cache
from itertools import pairwise, takewhile

import pytest

from projector.webex.row_names import names_in
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, api_app
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.rest_schema import rest_operations
from projector.webex.simulator.search_api import SearchApi
from projector.webex.simulator.vendor_rows import VendorRows

HOUR = 3_600_000
START = 1_795_000_000_000
END = START + 3 * HOUR
# The states of agents' rows in published answers, and the events of tasks that we simulate.
STATES = """available idle logged-out ringing connected wrapup call-ended not-responding on-hold
    hold-done consult consulting consult-done connected-consulting available-consulting
    idle-consulting AvailableConsultReserved IdleConsultReserved ConnectedConsultReserved
    EndConsult Conference conferencing conference-done ConsultTransfer BlindTransfer transferred
    vt-transfer outdial-reserved skill-update consult-error ctq ctq-reserved ctq-accepted
    ctq-ready"""
NOT_SIMULATED = """IdleConsultReserved idle-consulting outdial-reserved consult-error ctq
    ctq-reserved ctq-accepted ctq-ready"""
EVENTS = """new connect connected ended parked on-hold hold-done consult consulting consult-done
    Conference conferencing conference-done ConsultTransfer Transferred blind-transfer vt-transfer
    dequeued WrapUp flow-activity recording-started recording-available"""
WITHOUT_ROW = {"task:failed", "task:origin-updated", "task:conference-transferred"}
ROW_OF_CONSULTED = {
    "ringing": {"ringing", "AvailableConsultReserved", "IdleConsultReserved"},
    "consulting": {"consulting", "available-consulting", "idle-consulting"},
}
RUNNING = -1


@cache
def webhooks():
    """All webhooks of some hours."""
    world = Simulation(12, seed=3, start_ms=START)
    happened = takewhile(lambda body: body["data"]["createdTime"] < END, world)
    return world.slots(), [*happened]


def recorded(**more):
    slots, bodies = webhooks()
    records = ApiRecords(slots, **more)
    for body in bodies:
        records.add(body)
    return records


@pytest.fixture(scope="module")
def records():
    return recorded()


def channels(records):
    return [channel for session in records.sessions for channel in session["channelInfo"]]


def told(type_):
    return [body["data"] for body in webhooks()[1] if body["type"] == type_]


def test_agents_have_the_published_states_and_no_other(records):
    """Among them those that no webhook says; the end of a wrap-up is no row."""
    states = {row["state"] for channel in channels(records) for row in channel["activities"]}
    assert {*STATES.split()} - {*NOT_SIMULATED.split()} == states


def test_tasks_have_the_published_events_and_no_other(records):
    """Also those that lead to another one."""
    names = {row["eventName"] for task in records.tasks.values() for row in task["activities"]}
    assert {*EVENTS.split()} == names


def test_rows_of_a_channel_follow_each_other(records):
    """Each ends before the next begins, and only the last one of an open session runs."""
    for session in records.sessions:
        for channel in session["channelInfo"]:
            rows = channel["activities"]
            for row, following in pairwise(rows):
                assert row["startTime"] <= row["endTime"] <= following["startTime"]
                assert row["duration"] == row["endTime"] - row["startTime"]
                assert not row["isCurrentActivity"]
            is_running = (rows[-1]["endTime"], rows[-1]["duration"]) == (RUNNING, RUNNING)
            assert session["isActive"] == is_running == rows[-1]["isCurrentActivity"]
            assert session["isActive"] == (RUNNING == session["endTime"])


def test_ids_are_the_vendors(records):
    """A channel or a task, a time and a name; the id of a row comes once."""
    rows = [(channel, row) for channel in channels(records) for row in channel["activities"]]
    for channel, row in rows:
        head = f"{channel['channelId']}-{channel['channelType']}-{row['startTime']}-{row['state']}"
        assert row["id"] in {head, f"{head}-rona"}
    refused = [row["startTime"] for _, row in rows if row["id"].endswith("-idle-rona")]
    assert len(told("agent:channel_state_change")) > len(refused) > 0
    suffixes = {
        (row["eventName"], row["id"].removeprefix(f"{id_}-{row['createdTime']}-"))
        for id_, task in records.tasks.items()
        for row in task["activities"]
    }
    assert {
        ("WrapUp", "wrapup-done"),
        ("recording-started", "capture-started"),
        ("recording-available", "capture-available"),
    } == {(name, suffix) for name, suffix in suffixes if name != suffix}
    ids = [row["id"] for _, row in rows]
    ids += [row["id"] for task in records.tasks.values() for row in task["activities"]]
    assert 1 == max(Counter(ids).values())


def test_every_state_of_an_agent_has_a_row_of_its_time(records):
    """On its channel; the end of a wrap-up is the end of a row."""
    starts, ends = {}, set()
    for channel in channels(records):
        for row in channel["activities"]:
            starts.setdefault((channel["channelId"], row["startTime"]), set()).add(row["state"])
            if row["state"] == "wrapup":
                ends.add((channel["channelId"], row["endTime"], row["wrapupCode"]["id"]))
    for data in told("agent:channel_state_change"):
        word, at = data["currentState"], (data["channelId"], data["createdTime"])
        if word == "wrapup-done":
            assert (*at, data["wrapUpAuxCodeId"]) in ends
        else:
            assert ROW_OF_CONSULTED.get(word, {word}) & starts[at]


def test_every_event_of_a_task_has_a_row_of_its_time(records):
    """But for those that the vendor has no row for."""
    ids = {row["id"] for task in records.tasks.values() for row in task["activities"]}
    for body in webhooks()[1]:
        type_, data = body["type"], body["data"]
        if type_.startswith("task:") and type_ not in WITHOUT_ROW:
            word = type_.removeprefix("task:")
            assert f"{data['taskId']}-{data['createdTime']}-{word}" in ids


def test_channels_log_in_one_or_two_milliseconds_apart(records):
    """Each has a row that is flagged; that of the first has the session's start."""
    for session in records.sessions:
        rows = [channel["activities"][0] for channel in session["channelInfo"]]
        assert {("idle", True)} == {(row["state"], row["isLoginActivity"]) for row in rows}
        times = [row["startTime"] for row in rows]
        assert session["startTime"] == times[0]
        assert {1, 2} == {later - earlier for earlier, later in pairwise(times)}
    assert len(told("agent:login")) == len(records.sessions)


def test_channels_log_out_with_rows_of_no_length(records):
    """The session says its end and its reason."""
    ended = [it for it in records.sessions if not it["isActive"]]
    assert len(told("agent:logout")) == len(ended) > 0
    for session in ended:
        assert "SELF" == session["agentSignOutReason"]
        rows = [channel["activities"][-1] for channel in session["channelInfo"]]
        assert {("logged-out", True, 0)} == {
            (row["state"], row["isLogoutActivity"], row["duration"]) for row in rows
        }
        assert session["endTime"] == rows[0]["startTime"]


def history(records, agent_id, task_id):
    """The states of an agent in a task."""
    return [
        row["state"]
        for session in records.sessions
        if session["agentId"] == agent_id
        for channel in session["channelInfo"]
        for row in channel["activities"]
        if row["taskId"] == task_id
    ]


def situation(*events):
    """The records of two agents, and of events: (type, agent or None, word), a second apart."""
    slots = {name: [(f"{name} 1", "telephony"), (f"{name} 2", "chat")] for name in ("ann", "bob")}
    records = ApiRecords(slots)
    task = {"taskId": "t1", "origin": "+1", "destination": "+2", "channelType": "telephony"}
    task |= {"direction": "INBOUND", "outboundType": None, "queueId": "q1"}
    agent = {"teamId": "team", "destination": "4001", "profileType": "BLENDED"}
    happened = [("agent:login", "ann", {}), ("agent:login", "bob", {})]
    happened += [("available", "ann", {"taskId": None}), ("available", "bob", {"taskId": None})]
    for number, (what, name, changed) in enumerate([*happened, *events]):
        if what == "agent:login":
            type_, data = what, agent | {"agentId": name}
        elif name is not None:
            type_ = "agent:channel_state_change"
            data = agent | {"agentId": name, "channelId": f"{name} 1", "currentState": what}
            data |= {"taskId": "t1", "queueId": "q1"}
        else:
            type_, data = f"task:{what}", task
        records.add(
            {"type": type_, "data": data | {"createdTime": START + 1_000 * number} | changed}
        )
    return records


def both(word, **changed):
    """An event of a task, and the same of both agents."""
    return (word, None, changed), (word, "ann", changed), (word, "bob", changed)


TALK = (
    *(("new", None, {}), ("connect", None, {}), ("ringing", "ann", {})),
    *(("connected", None, {}), ("connected", "ann", {})),
)
CONSULT = (
    *(("on-hold", None, {}), ("on-hold", "ann", {}), ("ringing", "bob", {})),
    *both("consulting"),
)


def test_a_consulted_agent_is_reserved_and_does_not_ring():
    """The agent who consults asks first, and goes on consulting when connected."""
    records = situation(*TALK, *CONSULT, *both("consult-done"), ("available", "bob", {}))
    assert ["AvailableConsultReserved", "available-consulting", "consult-done", "available"] == (
        history(records, "bob", "t1")
    )
    asking = ["on-hold", "consult", "ConnectedConsultReserved", "consulting"]
    asking += ["connected-consulting", "EndConsult", "consult-done"]
    assert ["ringing", "connected", *asking] == history(records, "ann", "t1")
    names = [row["eventName"] for row in records.tasks["t1"]["activities"]]
    assert ["on-hold", "consult", "consulting", "consult-done"] == names[-4:]


def test_an_idle_agent_can_be_consulted():
    """The words say that the agent was idle."""
    idle = ("idle", "bob", {"taskId": None, "idleCodeId": "break"})
    records = situation(*TALK, idle, *CONSULT)
    assert ["IdleConsultReserved", "idle-consulting"] == history(records, "bob", "t1")


def test_a_consult_can_become_a_conference():
    """The request comes before it, and is a row of its own."""
    records = situation(*TALK, *CONSULT, *both("conferencing"))
    assert ["Conference", "conferencing"] == history(records, "ann", "t1")[-2:]
    assert ["available-consulting", "conferencing"] == history(records, "bob", "t1")[-2:]
    names = [row["eventName"] for row in records.tasks["t1"]["activities"]]
    assert ["consulting", "Conference", "conferencing"] == names[-3:]


@pytest.mark.parametrize(
    ("events", "of_agent", "of_task"),
    [
        ([("ended", None, {"terminatingParty": "Agent"})], ["call-ended"], ["ended"]),
        ([("parked", None, {})], ["vt-transfer"], ["dequeued", "vt-transfer", "parked"]),
        (
            [("connect", None, {}), ("ringing", "bob", {})],
            ["BlindTransfer"],
            ["blind-transfer", "Transferred", "connect"],
        ),
        (
            [*CONSULT, ("connected", None, {}), ("connected", "bob", {})],
            ["ConsultTransfer", "transferred"],
            ["ConsultTransfer", "Transferred", "connected", "recording-started"],
        ),
    ],
)
def test_an_agent_leaves_a_task(events, of_agent, of_task):
    """How, is said before the wrap-up: the call ended, or it was transferred."""
    records = situation(*TALK, *events, ("wrapup", "ann", {}), ("wrapup-done", "ann", {}))
    assert [*of_agent, "wrapup"] == history(records, "ann", "t1")[-len(of_agent) - 1 :]
    names = [row["eventName"] for row in records.tasks["t1"]["activities"]]
    assert [*of_task, "WrapUp"] == names[-len(of_task) - 1 :]
    wrap_up = records.tasks["t1"]["activities"][-1]
    assert (1_000, "ann") == (wrap_up["duration"], wrap_up["agentId"])


def test_an_agent_who_is_called_first_for_an_outdial_is_reserved():
    """A callback rings as a call does."""
    outdial = {"direction": "OUTBOUND", "outboundType": "OUTDIAL"}
    events = [("new", None, outdial), ("connect", None, outdial), ("ringing", "ann", {})]
    records = situation(*events)
    assert ["outdial-reserved"] == history(records, "ann", "t1")
    [current] = records.current_tasks()
    assert "outdial" == current["attributes"]["direction"]
    callback = {"direction": "OUTBOUND", "outboundType": "COURTESY_CALLBACK"}
    records = situation(("new", None, callback), ("ringing", "ann", {}))
    assert ["ringing"] == history(records, "ann", "t1")
    assert records.tasks["t1"]["isCallback"]


@pytest.mark.parametrize("marks", ["all", "new", "none"])
def test_the_rows_of_a_child_task_stand_in_the_parents_list(marks):
    """They may all tell that they are a child's, and the consult too; or the first one; or none."""
    records = recorded(child_marks=marks)
    parents = [
        rows
        for rows in (task["activities"] for task in records.tasks.values())
        if 2 == sum(row["eventName"] == "new" for row in rows)
    ]
    assert len(parents) > 5
    marked = {row["eventName"] for rows in parents for row in rows if row.get("childContactId")}
    words = {"all": {"new", "connect", "connected", "ended"}, "new": {"new"}, "none": set()}
    assert words[marks] == marked - {"parked"}
    consults = {row["eventName"] for rows in parents for row in rows if row.get("consultEpId")}
    assert ({"consulting"} if marks == "all" else set()) == consults
    ends = [sum(row["eventName"] == "ended" for row in rows) for rows in parents]
    assert 2 in ends


def test_the_end_of_a_child_task_is_not_the_end_of_its_parent():
    """The parent goes on."""
    child = [("consulting", None, {}), ("consulting", "ann", {}), ("new", None, {})]
    child += [("connect", None, {}), ("ringing", "bob", {}), ("connected", None, {})]
    child += [("consult-done", None, {}), ("ended", None, {"terminatingParty": "Agent"})]
    records = situation(*TALK, ("on-hold", None, {}), ("on-hold", "ann", {}), *child)
    task = records.tasks["t1"]
    assert (True, RUNNING) == (task["isActive"], task["endedTime"])
    names = [row["eventName"] for row in task["activities"]]
    expected = ["on-hold", "consult", "consulting", "new", "connect", "connected"]
    assert [*expected, "consult-done", "ended"] == names[-8:]
    assert 1 == len({row.get("childContactId") for row in task["activities"][-5:-2]} - {None})
    assert ["AvailableConsultReserved"] == history(records, "bob", "t1")


def test_a_task_says_how_it_ended(records):
    """One that the system ended while it waited goes on."""
    last_ends = {}
    for data in told("task:ended"):
        if data["terminatingParty"] != "System":
            last_ends[data["taskId"]] = data
    tasks = [it for it in records.tasks.values() if not it["isActive"]]
    assert len(tasks) > 50
    for task in tasks:
        told_time, told_reason = (last_ends[task["id"]][name] for name in ("createdTime", "reason"))
        assert (told_time, told_reason) == (task["endedTime"], task["terminationReason"])
        assert task["contactHandleType"] == ("normal" if task["isContactHandled"] else "abandoned")
        assert "ended" == task["status"]


def test_the_rows_say_who_did_it(records):
    """Names come with ids, so that a directory can be read from them."""
    for task in records.tasks.values():
        for row in task["activities"]:
            if row.get("agentId"):
                assert row["agentName"] == f"Agent {row['agentId'][:8]}"
                assert row["teamName"]
    owners = [row for row in records.current_tasks() if row["attributes"]["owner"]["id"]]
    assert len(owners) > 50


def test_both_versions_of_agents_events_make_one_record(records):
    """State changes of the first version repeat those of the second."""
    world = Simulation(12, seed=3, start_ms=START, versions="both")
    again = ApiRecords(world.slots())
    for body in takewhile(lambda body: body["data"]["createdTime"] < END, world):
        again.add(body)
    assert records.sessions == again.sessions
    assert records.tasks == again.tasks


def test_the_rest_apis_return_the_rows_in_the_published_shapes(records):
    """All values that the description names, of its types."""
    server = ApiServer(records, clock=lambda: END)
    client = api_app(server).test_client()
    grant = {"grant_type": "refresh_token", "client_id": "demo-client"}
    grant |= {"client_secret": "demo-secret", "refresh_token": "demo-refresh"}
    token = client.post("/v1/access_token", data=grant).json["access_token"]
    for path in ("/v1/agents/activities", "/v1/tasks"):
        answer = client.get(
            f"{path}?from={START}&pageSize=1000", headers={"Authorization": f"Bearer {token}"}
        )
        assert [] == rest_operations()["GET", path].reply_faults(200, answer.json)
        assert len(answer.json["data"]) > 50


NODES = "activities(first: 100) { totalCount nodes { NODE } }"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"agentSession(WHEN) {{ agentSessions {{ ROW channelInfo {{ CHANNEL {NODES} }} }} }}", 0),
        (f"taskDetails(WHEN) {{ tasks {{ ROW {NODES} }} }}", 1),
    ],
)
def test_the_search_api_returns_every_row(records, text, kind):
    """Each field that the rows have is one of the schema."""
    rows = [records.sessions, [*records.tasks.values()]][kind]
    owners = [channels(records), rows][kind]
    words = {"WHEN": f"from: {START - HOUR}, to: {END}", "ROW": fields_of(rows)}
    words["CHANNEL"] = fields_of(channels(records))
    words["NODE"] = fields_of([node for owner in owners for node in owner["activities"]])
    for word, value in words.items():
        text = text.replace(word, value)
    api = SearchApi(rows=records, page_size=1_000, now=lambda: END)
    status, reply = api.answer(f"{{ {text} }}", None)
    assert (200, ["data"]) == (status, [*reply]), reply
    [[found]] = (it.values() for it in reply["data"].values())
    assert len(rows) == len(found)


def fields_of(rows):
    """The names of all fields of some rows, as a query names them."""
    fields = {}
    for row in rows:
        for name, value in row.items():
            if name in {"activities", "channelInfo"}:
                continue
            fields.setdefault(name, set()).update(value if isinstance(value, dict) else ())
    return " ".join(
        f"{name} {{ {' '.join(sorted(inner))} }}" if inner else name
        for name, inner in fields.items()
    )


def test_nothing_is_stored_of_an_agent_who_is_not_there():
    """Such as one who was logged in before the records begin."""
    records = situation(("ringing", "cid", {"channelId": "cid 1"}), ("on-hold", None, {}))
    assert {"ann", "bob"} == {it["agentId"] for it in records.sessions}
    empty = ApiRecords({})
    empty.add({"type": "agent:logout", "data": {"agentId": "cid", "createdTime": START}})
    empty.add({"type": "capture:available", "data": {"taskId": "t2", "createdTime": START}})
    assert VendorRows() == VendorRows(
        sessions=empty.sessions, tasks=empty.tasks, recordings=empty.recordings
    )


def test_rows_have_the_names_of_the_directory():
    """Wherever an id stands in them."""
    world = Simulation(12, seed=3, start_ms=START)
    names = {(kind, id_): name for kind, id_, name in world.names()}
    records = ApiRecords(world.slots(), world.names())
    for body in webhooks()[1]:
        records.add(body)
    rows = [*records.sessions, *records.tasks.values(), *records.activities()]
    found = {(kind, id_): name for kind, id_, name in names_in([*rows, *records.current_tasks()])}
    assert found.items() <= names.items()
    kinds = {kind for kind, _ in found}
    assert {"agent", "team", "site", "queue", "idleCode", "wrapUpCode"} == kinds
