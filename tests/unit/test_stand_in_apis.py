"""The stand-in's REST APIs: what they refuse, the shapes of their replies, and faults on demand."""

import json

import httpx
import pytest

from projector.webex.simulator.api_faults import REFUSALS, REPLY_FAULTS, Faults
from projector.webex.simulator.api_server import ApiServer, api_app, serving
from projector.webex.simulator.configuration_api import CONFIGURED_ROWS
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.simulator.rest_schema import rest_operations
from projector.webex.simulator.search_api import search_schema
from projector.webex.simulator.vendor_rows import VendorRows

NOW = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
TASK_ID = "4e7d1a3c-1961-4e7d-b6fc-af5c45fa8c13"
AGENT_ROW = {
    "id": f"c1-telephony-{NOW - HOUR}-connected",
    "startTime": NOW - HOUR,
    "endTime": -1,
    "state": "connected",
    "taskId": TASK_ID,
    "queue": {"id": "q1", "name": "A queue"},
    "isCurrentActivity": True,
    "isLoginActivity": True,
}
SESSION = {
    "agentSessionId": "s1",
    "agentId": "ann",
    "agentName": "Ann",
    "teamId": "t1",
    "startTime": NOW - HOUR,
    "channelInfo": [{"channelId": "c1", "channelType": "telephony", "activities": [AGENT_ROW]}],
}
TASK_ROWS = [
    {"id": f"{TASK_ID}-{time}-{name}", "eventName": name, "createdTime": time}
    for time, name in ((NOW - HOUR, "new"), (NOW - HOUR + 5, "connect"), (NOW - 9, "connected"))
]
TASK = {
    "id": TASK_ID,
    "channelType": "telephony",
    "createdTime": NOW - HOUR,
    "isActive": True,
    "direction": "INBOUND",
    "activities": TASK_ROWS,
}
RECORDING = {"id": "r1", "segment": False, "attributes": {"fileName": "a.wav"}}
SUBSCRIPTION = {
    "name": "A test",
    "description": "",
    "eventTypes": ["agent:login"],
    "destinationUrl": "https://hooks.example.com/webex",
    "secret": "s" * 32,
    "resourceVersion": "agent:2.0.0",
}
CONFIGURED = [
    ("agent", "ann", "Ann Archer Smith"),
    ("team", "t1", "A team"),
    ("queue", "q1", "A queue"),
    ("idleCode", "i1", "Lunch"),
    ("wrapUpCode", "w1", "Solved"),
    ("site", "s1", "A Site"),
    ("entryPoint", "e1", "An entry point"),
]
OF_ORG = f"/organization/{SIMULATED_ORG_ID}"
ACTIVITIES = f"/v1/agents/activities?from={NOW - DAY + 1}"
TASKS = f"/v1/tasks?from={NOW - DAY}"
QUERY = f"""{{ agentSession(from: {NOW - DAY}, to: {NOW}) {{
    agentSessions {{ channelInfo {{ activities {{ totalCount nodes {{ id }}
        pageInfo {{ hasNextPage endCursor }} }} }} }}
    pageInfo {{ hasNextPage endCursor }} }} }}"""


class Vendor:
    """The stand-in over one session and one task, and calls of it with a good token."""

    def __init__(self, **more):
        rows = VendorRows(
            sessions=[SESSION],
            tasks={TASK_ID: TASK},
            recordings={TASK_ID: [RECORDING]},
            names=CONFIGURED,
        )
        self.server = ApiServer(rows, clock=lambda: NOW, **more)
        self.client = api_app(self.server).test_client()

    def token(self):
        answer = self.client.post("/v1/access_token", data=GRANT)
        return answer.json["access_token"]

    def call(self, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.token()}"} | headers
        return self.client.open(path, method=method, json=body, headers=headers)

    def get(self, path):
        return self.call("GET", path)

    def search(self, query=QUERY):
        return self.call("POST", "/search", {"query": query})

    def make_subscription(self, version=2, **changed):
        body = {name: it for name, it in (SUBSCRIPTION | changed).items() if it is not None}
        if version == 1:
            body.pop("resourceVersion")
        return self.call("POST", f"/v{version}/subscriptions", body)


GRANT = {
    "grant_type": "refresh_token",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "refresh_token": REFRESH_TOKEN,
}


def said(answer):
    """The sentences of a refusal in the vendor's first form."""
    assert {"trackingId", "error"} == answer.json.keys()
    return [it["description"] for it in answer.json["error"]["message"]]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/agents/activities", "from is required"),
        (f"{ACTIVITIES}&cursor=1", "cursor: no such parameter"),
        (f"{ACTIVITIES}&pageSize=1001", "pageSize must keep maximum 1000"),
        (f"{ACTIVITIES}&pageSize=0", "pageSize must keep minimum 1"),
        (f"{ACTIVITIES}&page=-1", "page must keep minimum 0"),
        (f"{ACTIVITIES}&page=first", "page must be of type integer"),
        (f"{ACTIVITIES}&page=100", "No more than 10000 records"),
        (f"{ACTIVITIES}&channelTypes=telephony,Chat", "channelTypes[1] must keep enum"),
        (f"{ACTIVITIES}&agentIds={','.join(map(str, range(101)))}", "agentIds must keep maxItems"),
        (f"{ACTIVITIES}&to={NOW + 1}", "should not be more than the current time"),
        (f"/v1/agents/activities?from={NOW - DAY}", "less than 24 hours"),
        (f"{TASKS}&page=1", "page: no such parameter"),
        (f"/v1/tasks?from={NOW - 200 * DAY}", "184 days"),
        (f"/v1/tasks?from={NOW - 400 * DAY}&to={NOW - 399 * DAY}", "12 months"),
        ("/v2/subscriptions/mine", "id must keep format uuid"),
        ("/v2/subscriptions?limit=3", "limit: no such parameter"),
        ("/v1/event-types?version=1", "version: no such parameter"),
        (f"{OF_ORG}/v2/user?limit=3", "limit: no such parameter"),
        (f"{OF_ORG}/v2/site?desktopProfileFilter=true", "desktopProfileFilter: no such parameter"),
        (f"{OF_ORG}/v2/team?supervisorView=yes", "supervisorView must be of type boolean"),
        (f"{OF_ORG}/v2/team?page=-1", "must not be negative"),
        (f"{OF_ORG}/v2/team?pageSize=0", "must not be negative"),
    ],
)
def test_parameters_that_are_not_described_are_refused(path, part):
    """Unknown ones, wrong types, and what is beyond a limit."""
    answer = Vendor().get(path)
    assert 400 == answer.status_code
    assert part in said(answer)[0]


def captures(**query):
    return {"query": {"orgId": SIMULATED_ORG_ID, "taskIds": [TASK_ID]} | query}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (None, "body must be of type object"),
        ({}, "body.query is required"),
        ({"query": {}}, "body.query.taskIds is required"),
        (captures(taskIds=["t1"]), "must keep format uuid"),
        (captures(taskIds=[TASK_ID] * 2), "must keep uniqueItems"),
        (captures(taskIds=[f"{it:08}{TASK_ID[8:]}" for it in range(11)]), "must keep maxItems 10"),
        (captures(urlExpiration=61), "must keep maximum 60"),
        (captures(urlExpiration=0), "greater than 0"),
        (captures(expiresIn=1), "body.query.expiresIn is not known"),
    ],
)
def test_bodies_that_are_not_described_are_refused(body, part):
    """The query of recordings."""
    answer = Vendor().call("POST", "/v1/captures/query", body)
    assert 400 == answer.status_code
    assert part in said(answer)[0]


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"name": "abc"}, "body.name must keep minLength 4"),
        ({"eventTypes": []}, "body.eventTypes must keep minItems 1"),
        ({"eventTypes": ["agent:state_change"]}, "eventTypes must be some of"),
        ({"eventTypes": ["task:new"]}, "eventTypes must be some of"),
        ({"resourceVersion": "agent:3.0.0"}, "resourceVersion is not known"),
        ({"resourceVersion": None}, "body.resourceVersion is required"),
        ({"secret": "short"}, "body.secret must keep minLength 32"),
        ({"destinationUrl": "ftp://hooks.example.com/"}, "body.destinationUrl must keep pattern"),
        ({"destinationUrl": "http://hooks.example.com/"}, "https with a path"),
        ({"destinationUrl": "https://hooks.example.com"}, "https with a path"),
        ({"destinationUrl": "https://hooks.example.com/?a=b"}, "https with a path"),
        ({"destinationUrl": "https://hooks.example.com:8443/"}, "https with a path"),
        ({"callbackUrl": "https://hooks.example.com/"}, "body.callbackUrl is not known"),
    ],
)
def test_subscriptions_that_are_not_allowed_are_refused(changed, part):
    """By the schema, and by what the vendor says in words."""
    answer = Vendor().make_subscription(**changed)
    assert 400 == answer.status_code
    assert part in said(answer)[0]


def test_both_versions_have_their_own_subscriptions():
    """Those of the first have no resource version, and the secret is never returned."""
    vendor = Vendor()
    first, second = (vendor.make_subscription(version).json["data"] for version in (1, 2))
    assert "resourceVersion" not in first
    assert "agent:2.0.0" == second["resourceVersion"]
    assert {"secret"} == SUBSCRIPTION.keys() - second.keys()
    for version, made in ((1, first), (2, second)):
        listed = vendor.get(f"/v{version}/subscriptions").json
        assert ([made], 2) == (listed["data"], listed["meta"]["subscriptionCount"])
        assert 404 == vendor.get(f"/v{3 - version}/subscriptions/{made['id']}").status_code
    assert 400 == vendor.call("POST", "/v1/subscriptions", SUBSCRIPTION).status_code
    path = f"/v2/subscriptions/{second['id']}"
    assert ["body.resourceVersion is required"] == said(vendor.call("PATCH", path, {}))
    version = {"resourceVersion": "agent:2.0.0"}
    assert ["body.name is not known"] == said(
        vendor.call("PATCH", path, {"name": "Other", **version})
    )
    changed = vendor.call("PATCH", path, {"status": "inactive", **version}).json["data"]
    assert second | {"status": "inactive"} == changed
    assert 204 == vendor.call("DELETE", path).status_code
    assert 404 == vendor.get(path).status_code


def test_the_first_version_lists_the_event_types_of_first_versions():
    """The second lists all, with the versions of their resources."""
    first, second = (Vendor().get(f"/v{version}/event-types").json for version in (1, 2))
    names = [{it["name"] for it in reply["data"]} for reply in (first, second)]
    assert {"agent:channel_state_change", "agent:channelType_state_change"} == names[1] - names[0]
    assert {"orgId"} == first["meta"].keys()
    assert {"resource": "agent", "version": "2.0.0"} in second["meta"]["resourceVersionList"]


def test_replies_have_the_published_shapes():
    """But for event types: the vendor's own, such as "new", are shorter than it says."""
    vendor = Vendor()
    made = [vendor.make_subscription(version).json["data"]["id"] for version in (1, 2)]
    calls = [("GET", ACTIVITIES, None), ("GET", TASKS, None)]
    calls += [("POST", "/v1/captures/query", captures(urlExpiration=1))]
    for version, id_ in zip((1, 2), made, strict=True):
        change = {"status": "active"} | ({"resourceVersion": "agent:2.0.0"} if version > 1 else {})
        calls += [("GET", f"/v{version}/event-types", None)]
        calls += [("GET", f"/v{version}/subscriptions", None)]
        calls += [("GET", f"/v{version}/subscriptions/{id_}", None)]
        calls += [("PATCH", f"/v{version}/subscriptions/{id_}", change)]
        body = {
            name: it for name, it in SUBSCRIPTION.items() if version > 1 or name[:8] != "resource"
        }
        calls += [("POST", f"/v{version}/subscriptions", body)]
    calls += [("GET", f"{OF_ORG}/v2/{name}", None) for name in CONFIGURED_ROWS]
    for method, path, body in calls:
        answer = vendor.call(method, path, body)
        bare = path.partition("?")[0].replace(SIMULATED_ORG_ID, "{orgid}")
        for id_ in made:
            bare = bare.replace(id_, "{id}")
        faults = rest_operations()[method, bare].reply_faults(answer.status_code, answer.json)
        allowed = "action must keep minLength 4" if "event-types" in path else "nothing"
        assert [] == [it for it in faults if allowed not in it], path
        assert answer.json["data"] != []


def test_refusals_have_the_published_shapes():
    """The key of an error is a number for subscriptions, and text for the others."""
    vendor = Vendor()
    for path, key in (("/v1/tasks", "400"), ("/v2/subscriptions?limit=3", 400)):
        answer = vendor.call("GET", path, TrackingId="mine")
        assert ("mine", key) == (answer.json["trackingId"], answer.json["error"]["key"])
        operation = rest_operations()["GET", path.partition("?")[0]]
        assert [] == operation.reply_faults(400, answer.json)


def test_a_reply_that_is_not_as_described_is_noticed():
    """So that the tests above can fail."""
    reply = Vendor().get(TASKS).json
    operation = rest_operations()["GET", "/v1/tasks"]
    [row] = reply["data"]
    del row["attributes"]["owner"]
    row["attributes"]["status"] = "connected"
    faults = operation.reply_faults(200, reply)
    assert "reply.data[0].attributes.owner is required" in faults
    assert any(it.startswith("reply.data[0].attributes.status must keep enum") for it in faults)
    assert ["418 is not described"] == operation.reply_faults(418, {})


def test_activities_are_derived_from_the_rows_of_sessions():
    """What still runs is active and ends at -1."""
    [row] = Vendor().get(ACTIVITIES).json["data"]
    assert {
        "agentId": "ann",
        "agentName": "Ann",
        "currentState": "connected",
        "taskId": TASK_ID,
        "queueName": "A queue",
        "isLogin": 1,
        "active": True,
        "endTime": -1,
    }.items() <= row.items()
    assert [] == Vendor().get(f"{ACTIVITIES}&agentIds=bob").json["data"]
    assert [] == Vendor().get(f"{ACTIVITIES}&channelTypes=chat,email").json["data"]


@pytest.mark.parametrize(
    ("words", "changed", "status", "direction"),
    [
        ("new", {}, "created", "inbound"),
        ("new flow-activity", {"direction": "outbound"}, "created", "outbound"),
        ("new parked", {"isOutdial": True}, "queued", "outdial"),
        ("new connect parked connect", {}, "offered", "inbound"),
        ("new connect connected on-hold", {"direction": None}, "assigned", None),
        ("new connect ended", {"isActive": False}, "abandoned", "inbound"),
        ("new connect connected ended", {"isActive": False}, "completed", "inbound"),
    ],
)
def test_tasks_are_derived_from_their_rows(words, changed, status, direction):
    """Their status comes from their history, and their direction is in lower case."""
    rows = [{"eventName": word, "createdTime": NOW + it} for it, word in enumerate(words.split())]
    task = TASK | {"activities": rows} | changed
    [current] = VendorRows(tasks={TASK_ID: task}).current_tasks()
    about = current["attributes"]
    assert (status, direction) == (about["status"], about["direction"])
    assert {"id": None, "name": None} == about["owner"] == about["queue"]


# --- faults ---


def test_a_fault_that_nobody_knows_is_an_error():
    """A test with a wrong name would prove nothing."""
    for faults in ({"plan": {1: "428"}}, {"every": {2: "null"}}, {"rows": "odd"}):
        with pytest.raises(ValueError, match="No such fault"):
            Faults(**faults)


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_on_demand_has_the_vendors_form(fault):
    """A status that has no described body is empty."""
    vendor = Vendor(faults=Faults(plan={1: fault}))
    answer = vendor.get(TASKS)
    assert REFUSALS[fault][0] == answer.status_code
    if fault == "422":
        assert b"" == answer.data
    else:
        assert [*REFUSALS[fault][1]] == said(answer)
    assert 200 == vendor.get(TASKS).status_code


def test_a_refusal_can_have_the_other_form():
    """HTTP 400 with the errors of GraphQL."""
    answer = Vendor(faults=Faults(every={1: "400-errors"})).search()
    assert (400, ["errors"]) == (answer.status_code, [*answer.json])
    assert "The query is not valid" == answer.json["errors"][0]["message"]


@pytest.mark.parametrize("after", [None, 0, 7, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_too_many_calls_may_say_when_to_come_back(after):
    """As seconds, as a date, or not at all."""
    answer = Vendor(faults=Faults(plan={1: "429"}, retry_after=after)).get(TASKS)
    assert 429 == answer.status_code
    assert (None if after is None else str(after)) == answer.headers.get("Retry-After")


def test_an_expired_token_stays_useless():
    """A refused one does not."""
    vendor = Vendor(faults=Faults(plan={1: "expired", 3: "401"}))
    headers = {"Authorization": f"Bearer {vendor.token()}"}
    assert [401, 401] == [vendor.client.get(TASKS, headers=headers).status_code for _ in range(2)]
    headers = {"Authorization": f"Bearer {vendor.token()}"}
    statuses = [vendor.client.get(TASKS, headers=headers).status_code for _ in range(3)]
    assert [200, 401, 200] == statuses


def activities_of(reply):
    [session] = reply["data"]["agentSession"]["agentSessions"]
    return session["channelInfo"][0]["activities"]


def test_faults_of_replies():
    """Each leaves the rest of the reply as it is."""

    def replied(fault):
        answer = Vendor(faults=Faults(plan={1: fault})).search()
        assert 200 == answer.status_code
        return answer.json

    whole = Vendor().search().json
    assert (1, 1) == (activities_of(whole)["totalCount"], len(activities_of(whole)["nodes"]))
    assert activities_of(whole) | {"nodes": None} == activities_of(replied("null-nodes"))
    assert activities_of(whole) | {"nodes": []} == activities_of(replied("fewer-rows"))
    assert activities_of(replied("null-activities")) is None
    sessions = {
        name: replied(name)["data"]["agentSession"] for name in REPLY_FAULTS if name != "null-data"
    }
    assert [{"channelInfo": None}] == sessions["null-channels"]["agentSessions"]
    assert sessions["null-rows"]["agentSessions"] is None
    assert sessions["null-page-info"]["pageInfo"] is None
    assert {"hasNextPage": True, "endCursor": "1"} == sessions["endless"]["pageInfo"]
    assert whole["data"] == replied("errors")["data"]
    assert 1 == len(replied("errors")["errors"])
    assert replied("null-data")["data"] is None
    assert Vendor(faults=Faults(plan={1: "null-data"})).get(TASKS).json["data"] is None


def test_pages_can_repeat():
    """Of sessions, of activities inside of them, and of the activities API."""
    api = {"faults": Faults(every={1: "repeat-pages"})}
    page = Vendor(**api).search().json["data"]["agentSession"]
    assert page["pageInfo"]["hasNextPage"]
    assert 1 == len(Vendor(**api).get(f"{ACTIVITIES}&page=3").json["data"])
    reply = Vendor(faults=Faults(every={1: "repeat-inner"})).search().json
    assert {"hasNextPage": True, "endCursor": str(NOW - HOUR)} == activities_of(reply)["pageInfo"]


def test_all_rows_can_be_wrong():
    """Times in seconds, missing fields, unknown states, and rows of others."""

    def activity(rows):
        [row] = Vendor(faults=Faults(rows=rows)).get(ACTIVITIES).json["data"]
        return row

    assert (NOW - HOUR) // 1_000 == activity("seconds")["startTime"]
    assert activity("missing")["agentId"] is None
    assert "supervising" == activity("strange")["currentState"]
    foreign = Vendor(faults=Faults(rows="foreign")).get(TASKS).json
    assert "another-organisation" == foreign["meta"]["orgId"]
    endless = Vendor(faults=Faults(rows="endless")).search().json
    assert "1" == endless["data"]["agentSession"]["pageInfo"]["endCursor"]


def test_a_reply_can_be_truncated():
    """It is half of the JSON."""
    with pytest.raises(json.JSONDecodeError):
        json.loads(Vendor(faults=Faults(plan={1: "truncated"})).search().data)


def test_a_connection_can_be_cut():
    """No answer comes, and the next call is answered."""
    server = ApiServer(VendorRows(), clock=lambda: NOW, faults=Faults(plan={1: "cut"}))
    with serving(server) as root, httpx.Client(base_url=root) as client:
        token = client.post("/v1/access_token", data=GRANT).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(TASKS, headers=headers)
        assert 200 == client.get(TASKS, headers=headers).status_code


def test_the_token_service_has_faults_of_its_own():
    """It counts its calls for itself."""
    vendor = Vendor(token_faults=Faults(plan={1: "500", 2: "429"}, retry_after=3))
    answers = [vendor.client.post("/v1/access_token", data=GRANT) for _ in range(3)]
    assert [500, 429, 200] == [it.status_code for it in answers]
    assert "An unexpected error occurred" == answers[0].json["message"]
    assert "3" == answers[1].headers["Retry-After"]
    assert ([], 3) == (vendor.server.calls, vendor.server.token_calls)


def test_calls_need_a_token_and_the_organisation():
    """Without them nothing else is looked at."""
    vendor = Vendor()
    assert 401 == vendor.client.get("/v1/tasks").status_code
    assert 403 == vendor.get("/v1/tasks?orgId=another").status_code
    assert 403 == vendor.call("POST", "/v1/captures/query", captures(orgId="another")).status_code
    other = vendor.make_subscription(orgId="00000000-0000-4000-8000-000000000000")
    assert 403 == other.status_code
    assert 404 == vendor.get("/v1/agents").status_code


def test_calls_of_a_minute_are_limited():
    """The next one hears when to come back."""
    vendor = Vendor(a_minute=2)
    answers = [vendor.get(TASKS) for _ in range(3)]
    assert [200, 200, 429] == [it.status_code for it in answers]
    assert "60" == answers[2].headers["Retry-After"]


def test_the_described_operations_are_the_ones_that_we_serve():
    """Each of them has an answer, and the schema of the Search API is whole."""
    rules = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in api_app(ApiServer(VendorRows())).url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    ours = {("GET", "/static/{path:filename}"), ("POST", "/v1/access_token")}
    ours |= {("GET", "/v1/authorize"), ("POST", "/v1/authorize")}
    assert rest_operations().keys() == rules - ours
    assert {"taskDetails", "agentSession"} == search_schema().query_type.fields.keys()


def test_the_configuration_is_listed_by_page():
    """A page size above the limit is reduced; ``attributes`` names the fields to return."""
    vendor = Vendor(configuration_page=1)
    path = f"{OF_ORG}/v2/auxiliary-code?attributes=name,workTypeCode&pageSize=500"
    first, second, beyond = (vendor.get(f"{path}&page={page}").json for page in range(3))
    assert [{"name": "Lunch", "workTypeCode": "IDLE_CODE"}] == first["data"]
    assert [{"name": "Solved", "workTypeCode": "WRAP_UP_CODE"}] == second["data"]
    assert [] == beyond["data"]
    meta = {"page": 1, "pageSize": 1, "totalPages": 2, "totalRecords": 2}
    assert meta.items() <= second["meta"].items()
    [user] = vendor.get(f"{OF_ORG}/v2/user").json["data"]
    assert ("ann", "Ann", "Archer Smith") == tuple(
        user[name] for name in ("ciUserId", "firstName", "lastName")
    )
    assert "ann" != user["id"]


def test_the_configuration_of_others_is_refused():
    """And so is a token that only opens the analyser, and what is not simulated."""
    vendor = Vendor()
    assert 403 == vendor.get("/organization/another/v2/user").status_code
    assert 501 == vendor.get(f"{OF_ORG}/v2/user?filter=id==1").status_code
    vendor.server.oauth.scopes[REFRESH_TOKEN] = ("cjp-analyzer:read",)
    refused = vendor.get(f"{OF_ORG}/v2/user")
    assert (403, ["The token lacks a scope for this"]) == (refused.status_code, said(refused))
    operation = rest_operations()["GET", "/organization/{orgid}/v2/user"]
    assert [] == operation.reply_faults(403, refused.json)
    assert 200 == vendor.get(ACTIVITIES).status_code
