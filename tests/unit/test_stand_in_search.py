"""The stand-in's Search API: what it refuses, what it finds, and how it makes pages."""

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from projector.webex.simulator.search_api import SearchApi, search_schema
from projector.webex.simulator.search_filters import OPERATORS
from projector.webex.simulator.vendor_rows import VendorRows

NOW = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
DAY_ASKED = f"from: {NOW - DAY}, to: {NOW}"


def agent_row(start, state="idle", **more):
    """An activity of an agent on channel 1."""
    row = {"id": f"c1-telephony-{start}-{state}", "startTime": start, "endTime": start + 10}
    return row | {"duration": 10, "state": state, "taskId": None} | more


def session(id_, start=NOW - HOUR, rows=(), **more):
    """A session with a telephony and an email channel; the first has the rows."""
    channels = [
        {"channelId": f"{id_}-1", "channelType": "telephony", "activities": [*rows]},
        {"channelId": f"{id_}-2", "channelType": "email", "activities": []},
    ]
    about = {"agentSessionId": id_, "agentId": f"agent {id_}", "startTime": start}
    return about | {"endTime": -1, "isActive": True, "channelInfo": channels} | more


def task_row(id_, time, name="new", **more):
    return {"id": f"{id_}-{time}-{name}", "eventName": name, "createdTime": time} | more


def task(id_, created=NOW - HOUR, rows=(), **more):
    about = {"id": id_, "channelType": "telephony", "createdTime": created, "endedTime": -1}
    return about | {"isActive": True, "activities": [*rows]} | more


def search(*, sessions=(), tasks=(), page_size=250, **more):
    rows = VendorRows(sessions=[*sessions], tasks={it["id"]: it for it in tasks})
    return SearchApi(rows=rows, page_size=page_size, now=lambda: NOW, **more)


def asked(text, **replaced):
    """The text of a query; its words in capitals stand for the last day and for what is given."""
    for word, value in ({"DAY": DAY_ASKED} | replaced).items():
        text = text.replace(word, str(value))
    return f"{{ {text} }}"


def found(api, text, **replaced):
    """The object under a query's only field."""
    status, reply = api.answer(asked(text, **replaced), None)
    assert (200, ["data"]) == (status, [*reply]), reply
    [answer] = reply["data"].values()
    return answer


def refusal(api, text, **replaced):
    """The status and the first sentence of a refusal, which has nothing else."""
    status, reply = api.answer(asked(text, **replaced), None)
    assert ["errors"] == [*reply]
    return status, reply["errors"][0]["message"]


def task_ids(api, arguments):
    rows = found(api, "taskDetails(ASKED) { tasks { id } }", ASKED=arguments)["tasks"]
    return [it["id"] for it in rows]


def session_ids(api, arguments):
    text = "agentSession(ASKED) { agentSessions { agentSessionId } }"
    return [it["agentSessionId"] for it in found(api, text, ASKED=arguments)["agentSessions"]]


SESSIONS = "{ agentSessions { agentId } }"
TASKS = "{ tasks { id } }"
SORTED = "{ agentSessions { channelInfo { activities { nodes { startTime(sort: asc) } } } } }"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"agentSession(DAY, timeComparator: createdTime) {SESSIONS}", "timeComparator"),
        (f"agentSession(DAY, order: asc) {SESSIONS}", "Unknown argument 'order'"),
        ("agentSession(DAY) { agentSessions { loggedOutBy } }", "loggedOutBy"),
        (f"agentSession(DAY, filter: {{createdTime: {{gt: 1}}}}) {SESSIONS}", "createdTime"),
        (f'agentSession(DAY, filter: {{agentId: {{in: "a"}}}}) {SESSIONS}', "'in'"),
        (f'agentSession(DAY, filter: {{isActive: {{equals: "a"}}}}) {SESSIONS}', "Boolean"),
        (f"agentSession(DAY) {SORTED}", "Unknown argument 'sort'"),
        (f"taskDetails(DAY, timeComparator: startTime) {TASKS}", "QueryTimeType"),
        (f'taskDetails(DAY, filter: {{channelType: {{equals: "chat"}}}}) {TASKS}', "ChannelType"),
        ("taskDetails(DAY) { tasks { owner { id } } }", "owner"),
        (f"taskDetails(to: 1) {TASKS}", "'from'"),
        (f'taskDetails(from: "1", to: 1) {TASKS}', "Long"),
        ("taskLegDetails(DAY) { taskLegs { id } }", "taskLegDetails"),
        ("__schema { types { name } }", "introspection"),
        ("taskDetails(", "Syntax Error"),
    ],
)
def test_what_the_schema_does_not_have_is_refused_whole(text, said):
    """An unknown field, argument, filter, operator or enum value costs the query."""
    status, sentence = refusal(search(), text)
    assert 400 == status
    assert said in sentence


def test_variables_must_be_of_their_types():
    """A time as text is refused, and so is one that is missing."""
    query = "query($from: Long!) { taskDetails(from: $from, to: 1) { tasks { id } } }"
    answers = [search().answer(query, variables) for variables in ({"from": "1"}, {}, {"from": 1})]
    assert [400, 400, 200] == [it.status for it in answers]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (f"from: {NOW - 31 * DAY}, to: {NOW}", "30 days"),
        (f"from: {NOW - 1_100 * DAY}, to: {NOW - 1_099 * DAY}", "36 months"),
        (f"from: {NOW}, to: {NOW - 1}", "after"),
        (f'{DAY_ASKED}, pagination: {{cursor: "next"}}', "cursor"),
    ],
)
def test_the_limits_of_time_are_the_vendors(arguments, said):
    """The span of activities, the oldest time, and the order of both ends."""
    text = "taskDetails(ASKED) { tasks { activities { nodes { id } } } }"
    status, sentence = refusal(search(), text, ASKED=arguments)
    assert 400 == status
    assert said in sentence


def test_a_year_may_be_asked_for_without_activities():
    """The limit of 30 days is that of activities."""
    old = task("old", created=NOW - 300 * DAY)
    assert ["old"] == task_ids(search(tasks=[old]), f"from: {NOW - 365 * DAY}, to: {NOW}")
    longer = f"taskDetails(from: {NOW - 366 * DAY}, to: {NOW}) {TASKS}"
    assert 400 == refusal(search(), longer)[0]


def test_an_end_in_the_future_is_now():
    """Otherwise the span would be too long."""
    api = search(tasks=[task("t")])
    window = f"from: {NOW - 29 * DAY}, to: {NOW + 9 * DAY}"
    text = "taskDetails(ASKED) { tasks { activities { nodes { id } } } }"
    assert 1 == len(found(api, text, ASKED=window)["tasks"])


def test_times_in_seconds_find_nothing():
    """They are no error, since they are times of 1970."""
    api = search(tasks=[task("t")], sessions=[session("a")])
    seconds = f"from: {(NOW - DAY) // 1_000}, to: {NOW // 1_000}"
    assert [] == task_ids(api, seconds)
    assert [] == session_ids(api, seconds)


def test_sessions_are_found_by_their_start_alone():
    """One that began earlier is not found, though it ended in the window."""
    ended = session("b", start=NOW - 2 * DAY, endTime=NOW - HOUR, isActive=False)
    api = search(sessions=[session("a"), ended])
    assert ["a"] == session_ids(api, DAY_ASKED)
    back = f"from: {NOW - 3 * DAY}, to: {NOW}"
    since = f"filter: {{or: [{{endTime: {{gte: {NOW - DAY}}}}}, {{isActive: {{equals: true}}}}]}}"
    assert ["a", "b"] == session_ids(api, f"{back}, {since}")
    assert ["b"] == session_ids(api, f"{back}, filter: {{endTime: {{gte: {NOW - DAY}}}}}")


def test_tasks_are_found_by_their_creation_or_by_their_end():
    """The default is the creation; what has not ended has no time to compare."""
    tasks = [
        task("before", created=NOW - 2 * DAY, endedTime=NOW - HOUR, isActive=False),
        task("running"),
        task("within", endedTime=NOW - 1, isActive=False),
    ]
    api = search(tasks=tasks)
    assert {"running", "within"} == {*task_ids(api, DAY_ASKED)}
    assert {"running", "within"} == {*task_ids(api, f"{DAY_ASKED}, timeComparator: createdTime")}
    assert {"before", "within"} == {*task_ids(api, f"{DAY_ASKED}, timeComparator: endedTime")}


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ('id: {equals: "a"}', "a"),
        ('id: {notequals: "a"}', "bc"),
        ("totalDuration: {gt: 10}", "bc"),
        ("totalDuration: {gte: 10}", "abc"),
        ("totalDuration: {lt: 20}", "a"),
        ("totalDuration: {lte: 20}", "ab"),
        ("totalDuration: {gt: 10, lt: 30}", "b"),
        ('origin: {match: "+1555.+"}', "ab"),
        ('origin: {match: "1555"}', ""),
        ('origin: {contains: "55501"}', "b"),
        ("channelType: {equals: chat}", "c"),
        ('lastTeam: {id: {equals: "team 1"}}', "a"),
        ('lastTeam: {id: {match: ".+"}}', "ab"),
        ("isActive: {notequals: true}", "b"),
        ("or: [{isActive: {equals: false}}, {channelType: {equals: chat}}]", "bc"),
        ('and: [{or: [{id: {equals: "a"}}, {id: {equals: "b"}}]}, {id: {match: "[bc]"}}]', "b"),
        ('channelMetaData: {email: {subject: {equals: "x"}}}', "c"),
    ],
)
def test_filters(filter_, expected):
    """Each operator; conditions together must all hold, and nested objects are asked inside."""
    tasks = [
        task("a", totalDuration=10, origin="+15550001", lastTeam={"id": "team 1"}),
        task("b", totalDuration=20, origin="+15550102", lastTeam={"id": "team 2"}, isActive=False),
        task("c", totalDuration=30, origin="me@example.com", channelType="chat")
        | {"channelMetaData": {"email": {"subject": "x"}}},
    ]
    assert [*expected] == sorted(
        task_ids(search(tasks=tasks), f"{DAY_ASKED}, filter: {{{filter_}}}")
    )


def test_a_pattern_that_is_none_is_refused():
    """As a whole, though nothing else is wrong."""
    text = f'taskDetails(DAY, filter: {{origin: {{match: "("}}}}) {TASKS}'
    status, sentence = refusal(search(tasks=[task("a", origin="x")]), text)
    assert (400, "match") == (status, sentence[:5])


def test_a_filter_may_have_a_thousand_arguments():
    """One more is refused."""
    api = search(tasks=[task("a")])
    text, one = f"taskDetails(DAY, filter: {{or: [MANY]}}) {TASKS}", '{id: {equals: "a"}} '
    assert 1 == len(found(api, text, MANY=one * 1_000)["tasks"])
    assert 400 == refusal(api, text, MANY=one * 1_001)[0]


def test_every_filter_of_the_schema_has_operators_that_are_known():
    """Each input field leads to operators that work, or to more fields."""
    leaves = 0
    for type_ in search_schema().type_map.values():
        if not isinstance(type_, GraphQLInputObjectType) or type_.name == "Pagination":
            continue
        for name, field in type_.fields.items():
            inner = get_named_type(field.type)
            if isinstance(inner, GraphQLInputObjectType):
                assert name not in OPERATORS
            else:
                leaves += 1
                assert OPERATORS.keys() >= {name}, f"{type_.name}.{name}"
    assert 26 == leaves


def test_a_filter_of_channels_leaves_the_others_out():
    """A session without such a channel is not found."""
    api = search(sessions=[session("a"), session("b") | {"channelInfo": []}])
    filter_ = """{and: [{isActive: {equals: true}},
        {channelInfo: {channelType: {notequals: "email"}}}]}"""
    text = "agentSession(DAY, filter: FILTER) { agentSessions { ROWS } }"
    rows = "agentSessionId channelInfo { channelId }"
    assert [{"agentSessionId": "a", "channelInfo": [{"channelId": "a-1"}]}] == (
        found(api, text, FILTER=filter_, ROWS=rows)["agentSessions"]
    )


def test_a_filter_of_sessions_activities_returns_the_matching_ones_alone():
    """Channels and sessions without any are left out."""
    rows = [agent_row(NOW - 9, "idle"), agent_row(NOW - 8, "connected")]
    sessions = [session("a", rows=rows), session("b", rows=rows[:1])]
    text = """agentSession(DAY, extFilter: {
        channelInfo: {activities: {nodes: {state: {equals: "connected"}}}}}) {
        agentSessions { channelInfo { channelId activities { totalCount nodes { state } } } } }"""
    activities = {"totalCount": 1, "nodes": [{"state": "connected"}]}
    assert [{"channelInfo": [{"channelId": "a-1", "activities": activities}]}] == (
        found(search(sessions=sessions), text)["agentSessions"]
    )


def test_a_filter_of_tasks_activities_returns_the_matching_ones_alone():
    """Tasks without any are left out."""
    rows = [task_row("t", NOW - 9), task_row("t", NOW - 8, "parked", queueId="q")]
    text = """taskDetails(DAY, extFilter: {
        and: [{activities: {nodes: {eventName: {equals: "parked"}}}}]}) {
        tasks { id activities { nodes { queueId } } } }"""
    assert [{"id": "t", "activities": {"nodes": [{"queueId": "q"}]}}] == (
        found(search(tasks=[task("t", rows=rows), task("u")]), text)["tasks"]
    )


def test_a_filter_of_activities_may_look_at_so_many_tasks():
    """Where those do not fill the first page, the query is too large; a filter of tasks helps."""
    tasks = [task(f"{number}", rows=[task_row(f"{number}", NOW - 9)]) for number in range(2_501)]
    api = search(tasks=tasks)
    text = f"""taskDetails(DAY, extFilter: {{activities: {{nodes: {{eventName: {{
        equals: "WORD"}}}}}}}}, FILTER) {TASKS}"""
    assert 413 == refusal(api, text, WORD="ended", FILTER="")[0]
    assert [] == found(api, text, WORD="ended", FILTER='filter: {id: {equals: "7"}}')["tasks"]
    assert 250 == len(found(api, text, WORD="new", FILTER="")["tasks"])


PAGES = """ROOT(DAY, pagination: {cursor: "CURSOR"}) {
    ROWS { ID } pageInfo { hasNextPage endCursor } }"""
TASK_PAGES = {"ROOT": "taskDetails", "ROWS": "tasks", "ID": "id"}
SESSION_PAGES = {"ROOT": "agentSession", "ROWS": "agentSessions", "ID": "agentSessionId"}


def page_of(api, cursor, words):
    """The ids of a page, and its page info."""
    answer = found(api, PAGES, CURSOR=cursor, **words)
    return [it[words["ID"]] for it in answer[words["ROWS"]]], answer["pageInfo"]


def test_pages_of_tasks_have_numbers():
    """Newest first; "NA" and "0" lead to the first page as well, and the last has no cursor."""
    tasks = [task(f"t{number}", created=NOW - number) for number in range(5)]
    api = search(tasks=tasks, page_size=2)
    first = (["t0", "t1"], {"hasNextPage": True, "endCursor": "1"})
    assert [first] * 3 == [page_of(api, cursor, TASK_PAGES) for cursor in ("", "NA", "0")]
    assert (["t2", "t3"], {"hasNextPage": True, "endCursor": "2"}) == page_of(api, "1", TASK_PAGES)
    assert (["t4"], {"hasNextPage": False, "endCursor": None}) == page_of(api, "2", TASK_PAGES)
    assert ([], {"hasNextPage": False, "endCursor": None}) == page_of(api, "3", TASK_PAGES)
    assert ["t0", "t1"] == task_ids(api, DAY_ASKED)


def test_pages_of_sessions_have_opaque_cursors():
    """They come in the order of their ids, and each once."""
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(5)]
    api = search(sessions=[session(it) for it in reversed(ids)], page_size=2)
    seen, cursors = [], ["NA"]
    while cursors[-1]:
        shown, page_info = page_of(api, cursors[-1], SESSION_PAGES)
        seen += shown
        cursors.append(page_info["endCursor"])
    assert ids == seen
    assert ["NA", ids[1], ids[3], None] == cursors
    assert ids[:2] == session_ids(api, DAY_ASKED)


def test_tasks_are_sorted_as_asked():
    """By any field that takes a sort, also one of a nested object, under another name."""
    tasks = [
        task("a", created=NOW - 3, lastQueue={"name": "y"}),
        task("b", created=NOW - 2, lastQueue={"name": "x"}),
        task("c", created=NOW - 1, lastQueue={"name": "z"}),
    ]
    api = search(tasks=tasks)
    assert ["c", "b", "a"] == task_ids(api, DAY_ASKED)

    def ordered(fields):
        rows = found(api, "taskDetails(DAY) { tasks { id FIELDS } }", FIELDS=fields)["tasks"]
        return [it["id"] for it in rows]

    assert ["a", "b", "c"] == ordered("began: createdTime(sort: asc)")
    assert ["b", "a", "c"] == ordered("lastQueue { name(sort: asc) }")
    assert ["c", "a", "b"] == ordered("... on TaskDetails { lastQueue { name(sort: desc) } }")


def inner(api, arguments="", node="id"):
    """A page of the activities of the only task."""
    text = """taskDetails(DAY) { tasks { activitiesARGUMENTS {
        totalCount nodes { NODE } pageInfo { hasNextPage endCursor } } } }"""
    [it] = found(api, text, ARGUMENTS=arguments, NODE=node)["tasks"]
    return it["activities"]


def test_activities_have_25_rows_a_page_and_at_most_100():
    """The total count is that of all rows."""
    rows = [task_row("t", NOW - HOUR + number) for number in range(120)]
    api = search(tasks=[task("t", rows=rows)])
    page = inner(api)
    assert (120, 25) == (page["totalCount"], len(page["nodes"]))
    assert {"hasNextPage": True, "endCursor": f"{NOW - HOUR + 95}"} == page["pageInfo"]
    assert 100 == len(inner(api, "(first: 100)")["nodes"])
    for first in ("101", "0"):
        text = "taskDetails(DAY) { tasks { activities(first: NUMBER) { totalCount } } }"
        assert 400 == refusal(api, text, NUMBER=first)[0]


def walked(api, size, node="id"):
    """All rows that a client sees who follows the cursors of activities."""
    seen, after = [], ""
    while True:
        page = inner(api, f'(first: {size}, after: "{after}")', node)
        seen += [it["id"].rpartition("-")[2] for it in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return seen
        after = page["pageInfo"]["endCursor"]


def test_activities_come_newest_first_unless_they_are_sorted():
    """The cursors go in the same direction."""
    rows = [task_row("t", NOW - 30 + number, name) for number, name in enumerate("abcde")]
    api = search(tasks=[task("t", rows=rows)])
    assert [*"edcba"] == walked(api, 2)
    assert [*"abcde"] == walked(api, 2, "id createdTime(sort: asc)")
    assert [*"edcba"] == walked(api, 2, "createdTime(sort: desc) id")


def test_rows_of_one_millisecond_at_the_edge_of_a_page_are_never_shown():
    """The page is cut exactly, and the next one holds what is strictly beyond its cursor."""
    times = {"a": 1, "b": 2, "c": 2, "d": 2, "e": 3}
    rows = [task_row("t", NOW - 30 + time, name) for name, time in times.items()]
    api = search(tasks=[task("t", rows=rows)])
    assert [*"ed", *"a"] == walked(api, 2)
    assert [*"edcb", *"a"] == walked(api, 4)
    assert [*"edcba"] == walked(api, 5)
    assert [*"ab", *"e"] == walked(api, 2, "id createdTime(sort: asc)")


def test_a_cursor_of_activities_is_a_time():
    """Another text is refused."""
    api = search(tasks=[task("t", rows=[task_row("t", NOW - 9)])])
    text = 'taskDetails(DAY) { tasks { activities(after: "next") { totalCount } } }'
    assert 400 == refusal(api, text)[0]
    assert 1 == len(inner(api, '(after: "NA")')["nodes"])


# Queries of our own in the shapes of each published sample for raw rows.
SAMPLES = {
    "object types, sessions": """agentSession(DAY filter: {channelInfo: {channelType: {
        equals: "telephony"}}}) { agentSessions { agentSessionId isActive channelInfo { channelId
        idleCount ringingDuration totalDuration } } pageInfo { hasNextPage endCursor } }""",
    "compound, sessions": """agentSession(DAY filter: {and: [{isActive: {equals: true}},
        {channelInfo: {channelType: {equals: "telephony"}}}]}) { agentSessions { teamName siteName
        endTime channelInfo { channelType } } }""",
    "activities filtered, sessions": """agentSession(DAY extFilter: {channelInfo: {activities: {
        nodes: {state: {equals: "connected"}}}}}) { agentSessions { agentId channelInfo { channelId
        activities { nodes { id state duration taskId } } } } }""",
    "first page, sessions": """agentSession(DAY pagination: {cursor: "NA"}) { agentSessions {
        agentSessionId channelInfo { wrapupCount idleCodeName } } pageInfo { endCursor } }""",
    "later page, sessions": """agentSession(DAY pagination: {
        cursor: "0a6938c8-1d15-43fe-b036-db991983094d"}) { agentSessions { agentSessionId } }""",
    "simple filter, sessions": """agentSession(DAY filter: {agentId: {equals: "agent a"}}) {
        agentSessions { agentSessionId teamId siteId startTime } }""",
    "simple, sessions": """agentSession(DAY) { agentSessions { agentId channelInfo {
        ringingCount } } pageInfo { hasNextPage endCursor } }""",
    "activities, sessions": """agentSession(DAY) { agentSessions { agentId channelInfo {
        activities { totalCount nodes { id state startTime endTime } pageInfo { hasNextPage
        endCursor } } } } }""",
    "binary, sessions": """agentSession(DAY filter: {and: [{isActive: {equals: true}},
        {channelInfo: {channelType: {notequals: "telephony"}}}, {teamName: {match: ".+"}}]}) {
        agentSessions { agentSessionId } }""",
    "inner pages, sessions": """agentSession(DAY filter: {channelInfo: {channelId: {
        equals: "a-1"}}}) { agentSessions { channelInfo { totalDuration activities(first: 3,
        after: "LATER") { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } } }""",
    "skills": "agentSession(DAY) { agentSessions { skillsProfile agentSkills } }",
    "object types, tasks": """taskDetails(DAY filter: {lastTeam: {id: {equals: "team 1"}}}) {
        tasks { id lastTeam { id } connectedDuration holdDuration } }""",
    "compound, tasks": """taskDetails(DAY filter: {and: [{totalDuration: {gte: 5}},
        {totalDuration: {lte: 60}}]}) { tasks { id terminatingEnd lastSite { id } } }""",
    "activities filtered, tasks": """taskDetails(DAY filter: {id: {equals: "t"}}
        extFilter: {activities: {nodes: {eventName: {equals: "new"}}}}) { tasks { id activities {
        nodes { queueId duration eventName } } } }""",
    "later page, tasks": """taskDetails(DAY filter: {lastTeam: {id: {equals: "team 1"}}}
        pagination: {cursor: "1"}) { tasks { id queueCount } pageInfo { endCursor } }""",
    "first page, tasks": """taskDetails(DAY pagination: {cursor: "NA"}) { tasks { id lastAgent {
        id name } } pageInfo { hasNextPage endCursor } }""",
    "simple filter, tasks": """taskDetails(DAY filter: {and: [{isActive: {equals: true}},
        {direction: {equals: "inbound"}}]}) { tasks { isActive direction status } }""",
    "simple, tasks": """taskDetails(DAY) { tasks { isActive id createdTime endedTime
        totalDuration lastAgent { id } queueCount } }""",
    "activities, tasks": """taskDetails(DAY) { tasks { id activities { totalCount nodes {
        eventName duration } pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage } }""",
    "sorted, tasks": "taskDetails(DAY) { tasks { id createdTime(sort: asc) endedTime } }",
    "sorted activities, tasks": """taskDetails(DAY filter: {id: {equals: "t"}}) { tasks {
        activities { totalCount nodes { id createdTime(sort: asc) } } } }""",
    "binary, tasks": """taskDetails(DAY filter: {and: [{channelType: {equals: telephony}},
        {contactHandleType: {equals: "abandoned"}}]}) { tasks { id lastEntryPoint { id } } }""",
    "inner pages, tasks": """taskDetails(DAY filter: {id: {equals: "t"}}) { tasks {
        activities(first: 2, after: "LATER") { totalCount nodes { id } } } }""",
}  # fmt: skip
FOUND_BY_SAMPLE = {"later page, tasks": 0}


@pytest.mark.parametrize("name", SAMPLES)
def test_queries_like_the_published_samples_are_answered(name):
    """Each finds the one row that it asks for; the second page of one row is empty."""
    row = session("a", rows=[agent_row(NOW - 9, "connected")], teamName="a team")
    about = {"lastTeam": {"id": "team 1"}, "totalDuration": 30, "direction": "inbound"}
    tasks = [task("t", rows=[task_row("t", NOW - 9)], contactHandleType="abandoned", **about)]
    answer = found(search(sessions=[row], tasks=tasks), SAMPLES[name], LATER=NOW)
    [rows] = [it for field, it in answer.items() if field != "pageInfo"]
    assert FOUND_BY_SAMPLE.get(name, 1) == len(rows)


def test_pages_that_repeat_have_the_first_rows_and_a_new_cursor():
    """A fault: who follows the cursors never comes to an end."""
    sessions, tasks = [session("a"), session("b")], [task("t"), task("u", created=NOW - 2 * HOUR)]
    api = search(sessions=sessions, tasks=tasks, page_size=1, repeats=True)
    for words in (SESSION_PAGES, TASK_PAGES):
        pages, cursor = [], "NA"
        for _ in range(4):
            shown, page_info = page_of(api, cursor, words)
            cursor = page_info["endCursor"]
            pages.append((*shown, cursor))
        assert 1 == len({ids[0] for ids in pages})
        assert 4 == len({*pages})


def test_activities_that_repeat_have_the_first_rows_and_the_same_cursor():
    """A fault as well."""
    rows = [task_row("t", NOW - 9), task_row("t", NOW - 8)]
    api = search(tasks=[task("t", rows=rows)], inner_repeats=True)
    first = inner(api, "(first: 2)")
    assert {"hasNextPage": True, "endCursor": f"{NOW - 9}"} == first["pageInfo"]
    assert first == inner(api, f'(first: 2, after: "{NOW - 9}")')
