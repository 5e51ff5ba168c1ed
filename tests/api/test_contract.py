"""The contract: shapes as the page has them, and a document that tells the truth about them."""

import re
from http import HTTPStatus

import pytest

from projector.domain.events import PARTITIONS
from tests.conftest import clone, open_site
from tests.examples import at, body, capture, channel, ended, login, logout, task, v1, v2

SESSION = "loginTime logoutTime loggedOutBy profileType destination"
LAST_EVENT = "id type createdTime recordedTime position"
AGENT = (
    "agentId orgId teamId status statusSince currentState stateSince loggedIn session idleCodeId"
    " idleCodeName wrapUpAuxCodeId taskId queueId destination interactions channels lastEvent"
    " eventCount anomalyCount settled"
)
INTERACTION = "taskId channelId channelType state since queueId"
CHANNEL = "currentState since pendingIdleState idleCodeName"
TASK = (
    "taskId orgId status currentState stateSince complete channelType direction outboundType origin"
    " destination queueId createdTime queuedTime offeredTime connectedTime endedTime completedTime"
    " terminatingParty reason participants captures counts durations lastEvent eventCount"
    " anomalyCount settled open stale waitingSince"
)
PARTICIPANT = "agentId state since joinedTime wrapUpAuxCodeId open"
COUNTS = "offers rona holds consults conferences transfers"
DURATIONS = "queuedMs talkMs holdMs consultMs wrapUpMs"
AGENT_INTERVAL = "from to durationMs status currentState taskId queueId idleCodeId eventId"
TASK_INTERVAL = "from to durationMs status currentState eventId"


@pytest.fixture(scope="module")
def site(template, tmp_path_factory):
    """Agents and tasks that fill every field of the shapes, and some that fill none."""
    with open_site(clone(template), tmp_path_factory.mktemp("contract")) as opened:
        phone = ("c1", "telephony")
        bodies = [
            login(0, "full", teamId="team-1"),
            channel(1, "full", "TELEPHONY", "Engaged", pendingIdleState=True, idleCodeName="tea"),
            v2(2, "full", "Connected", "t1", phone, queueId="q1", wrapUpAuxCodeId="w1"),
            v1(3, "idler", "Idle", idleCodeId="i1", idleCodeName="lunch"),
            login(4, "gone"),
            logout(5, "gone", "AGENT"),
            channel(6, "dark", "telephony", "LoggedOut"),
            body("agent:login", 7, agentId="bare"),
            v1(8, "bare", "Connected", "t-bare"),
            task(0, "t1", "new", queueId="q1", outboundType="OUTDIAL"),
            task(1, "t1", "parked"),
            task(2, "t1", "connect"),
            task(3, "t1", "connected"),
            capture(4, "t1", "/x"),
            capture(4, "t2", "/x"),
            task(0, "t3", "connected"),
            ended(9, "t3"),
            body("capture:available", 9, taskId="t4"),
        ]
        answer = opened.post([one | {"id": f"e{n}"} for n, one in enumerate(bodies)])
        assert len(bodies) == answer.json["appended"]
        opened.post(b"nonsense")
        opened.project()
        yield opened


def fields(value):
    return " ".join(sorted(value))


def named(words):
    return " ".join(sorted(words.split()))


def all_views(site, list_):
    views = site.get(f"/api/v1/{list_}").json["data"]
    assert views
    return views


# --- shapes ---


def test_agents_have_the_fields_of_the_page_and_no_others(site):
    """Names and nesting, of every agent, in lists and alone."""
    for view in all_views(site, "agents"):
        assert named(AGENT) == fields(view)
        assert named(SESSION) == fields(view["session"])
        assert named(LAST_EVENT) == fields(view["lastEvent"])
        assert {named(INTERACTION)} >= {fields(one) for one in view["interactions"]}
        assert {named(CHANNEL)} >= {fields(one) for one in view["channels"].values()}
        alone = site.get(f"/api/v1/agents/{view['agentId']}").json
        assert view | {"settled": None} == alone | {"settled": None}


def test_tasks_have_the_fields_of_the_page_and_no_others(site):
    """Names and nesting, of every task, in lists and alone."""
    for view in all_views(site, "tasks"):
        assert named(TASK) == fields(view)
        assert named(LAST_EVENT) == fields(view["lastEvent"])
        assert {named(PARTICIPANT)} >= {fields(one) for one in view["participants"]}
        assert {"createdTime filePath"} >= {fields(one) for one in view["captures"]}
        assert named(COUNTS) == fields(view["counts"])
        assert named(DURATIONS) == fields(view["durations"])
        alone = site.get(f"/api/v1/tasks/{view['taskId']}").json
        assert view | {"settled": None} == alone | {"settled": None}


def test_a_full_agent_shows_what_came(site):
    """Each field of the shape from the event that carries it; channel keys in lower case."""
    view = site.get("/api/v1/agents/full").json
    assert ["team-1", "connected", "connected", "t1", "q1", "w1"] == [
        view[n]
        for n in ("teamId", "status", "currentState", "taskId", "queueId", "wrapUpAuxCodeId")
    ]
    assert ["telephony"] == list(view["channels"])
    told = view["channels"]["telephony"]
    shown = [told[n] for n in ("currentState", "pendingIdleState", "idleCodeName")]
    assert ["Engaged", True, "tea"] == shown
    assert ["c1", "telephony"] == [view["interactions"][0][n] for n in ("channelId", "channelType")]
    assert (3, 0) == (view["eventCount"], view["anomalyCount"])
    assert ("e2", "agent:channel_state_change", 3) == tuple(
        view["lastEvent"][n] for n in ("id", "type", "position")
    )


def test_what_is_not_known_is_null(site):
    """Null rules: no empty texts, no missing keys; lists and objects are there, though empty."""
    bare = site.get("/api/v1/agents/bare").json
    for name in (
        "teamId",
        "idleCodeId",
        "idleCodeName",
        "wrapUpAuxCodeId",
        "queueId",
        "destination",
    ):
        assert bare[name] is None, name
    assert {"channelId": None, "channelType": None, "queueId": None}.items() <= bare[
        "interactions"
    ][0].items()
    idler = site.get("/api/v1/agents/idler").json
    assert dict.fromkeys(SESSION.split()) == idler["session"]
    assert ("i1", "lunch", [], {}) == tuple(
        idler[n] for n in ("idleCodeId", "idleCodeName", "interactions", "channels")
    )
    dark = site.get("/api/v1/agents/dark").json
    assert ("logged-out", "unknown", None, False) == tuple(
        dark[n] for n in ("status", "currentState", "stateSince", "loggedIn")
    )
    assert dict.fromkeys(SESSION.split()) == dark["session"]
    gone = site.get("/api/v1/agents/gone").json
    assert ("AGENT", False, "logged-out") == (
        gone["session"]["loggedOutBy"],
        gone["loggedIn"],
        gone["status"],
    )


def test_a_task_that_only_a_capture_names_is_unknown(site):
    """status and currentState unknown, stateSince null, all counts and durations 0."""
    for name, path in (("t2", "/x"), ("t4", None)):
        view = site.get(f"/api/v1/tasks/{name}").json
        assert ("unknown", "unknown", None, False) == tuple(
            view[n] for n in ("status", "currentState", "stateSince", "complete")
        )
        assert {0} == {*view["counts"].values(), *view["durations"].values()}
        assert [path] == [one["filePath"] for one in view["captures"]]
        nulls = (
            "channelType direction outboundType origin destination queueId createdTime queuedTime"
            " offeredTime connectedTime endedTime completedTime terminatingParty reason"
        )
        assert {None} == {view[n] for n in nulls.split()}


def test_numbers_are_whole(site):
    """Times, counts and positions are JSON integers, flags are booleans: none is a text."""

    def leaves(value, name=""):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from leaves(inner, key)
        elif isinstance(value, list):
            for inner in value:
                yield from leaves(inner, name)
        else:
            yield name, value

    flags = {"settled", "stale", "loggedIn", "complete", "open", "pendingIdleState"}
    numbers = {"position", "eventCount", "anomalyCount", *COUNTS.split(), *DURATIONS.split()}
    for list_ in ("agents", "tasks"):
        for name, value in leaves(all_views(site, list_)):
            if name in flags:
                assert type(value) is bool, name
            elif name in numbers:
                assert type(value) is int, name
            elif name.endswith(("Time", "since", "Since")):
                assert value is None or type(value) is int, name
            else:
                assert value is None or isinstance(value, str), name
                assert value != "", name


def test_histories_have_the_fields_of_the_page(site):
    """Intervals of agents and of tasks."""
    for list_, shape in (("agents", AGENT_INTERVAL), ("tasks", TASK_INTERVAL)):
        for view in all_views(site, list_):
            answer = site.get(f"/api/v1/{list_}/{view[f'{list_[:-1]}Id']}/history").json
            assert {named(shape)} == {fields(row) for row in answer["data"]}
            assert "count nextCursor" == fields(answer["meta"])


def test_a_list_is_its_meta_and_its_data(site):
    """`{"meta": {...}, "data": [...]}`, with count and nextCursor."""
    for path in ("/api/v1/agents", "/api/v1/tasks"):
        answer = site.get(path).json
        assert "data meta" == fields(answer)
        assert "count nextCursor" == fields(answer["meta"])


def test_health_and_readiness_are_short(site):
    """The process lives; the store is reachable and the projections keep up."""
    for path in ("/healthz", "/readyz"):
        answer = site.get(path)
        assert (200, "application/json") == (answer.status_code, answer.mimetype)
        assert isinstance(answer.json, dict)


def test_readiness_fails_with_its_reasons(template, tmp_path):
    """A store out of reach: 503 as a problem document; the process lives all the same."""
    with open_site(clone(template), tmp_path) as site:
        site.service.pool.close()
        answer = site.get("/readyz")
        assert (503, "application/problem+json") == (answer.status_code, answer.content_type)
        assert answer.json["detail"]
        assert 200 == site.get("/healthz").status_code
        answer = site.get("/api/v1/agents")
        assert (503, "application/problem+json") == (answer.status_code, answer.content_type)
        assert "Retry-After" in answer.headers


def test_the_status_tells_head_lag_subscriptions_ledgers_and_versions(site):
    """Log head, each projection's position and lag in events and seconds, silence, sizes."""
    answer = site.get("/api/v1/status").json
    head = answer["head"]["position"]
    assert 18 == head
    assert answer["projections"]
    for projection in answer["projections"]:
        assert {"name", "position", "lagEvents", "lagSeconds"} <= set(projection)
        assert (head, 0, 0) == tuple(projection[n] for n in ("position", "lagEvents", "lagSeconds"))
    assert ["sub-1"] == [one["id"] for one in answer["subscriptions"]]
    assert 1 == answer["ledgers"]["quarantine"]
    odd = [row for row in site.get("/api/v1/anomalies").json["data"] if row["eventId"]]
    assert 0 < len(odd) == answer["ledgers"]["anomalies"]
    assert all(isinstance(one, str) for one in answer["versions"].values())


def test_lag_is_what_the_projection_has_not_folded(template, tmp_path):
    """Events and seconds behind the log's head; none after folding."""
    with open_site(clone(template), tmp_path) as site:
        assert 0 == site.get("/api/v1/status").json["projections"][0]["lagEvents"]
        site.post([login(n, "a1") | {"id": f"e{n}"} for n in range(3)])
        before = site.get("/api/v1/status").json["projections"][0]
        assert (0, 3) == (before["position"], before["lagEvents"])
        behind = [{"partition": n, "position": 0, "lagEvents": 3} for n in range(PARTITIONS)]
        assert behind == before["partitions"]
        assert before["lagSeconds"] >= 0
        site.project()
        after = site.get("/api/v1/status").json["projections"][0]
        assert (3, 0, 0) == (after["position"], after["lagEvents"], after["lagSeconds"])
        assert {(3, 0)} == {(it["position"], it["lagEvents"]) for it in after["partitions"]}


# --- the document ---

CHECKED = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def mismatches(value, schema, schemas, where="$"):
    """What of a value its JSON schema does not allow; an object may hold nothing undeclared."""
    if "$ref" in schema:
        yield from mismatches(value, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, where)
    elif "anyOf" in schema:
        told = [list(mismatches(value, one, schemas, where)) for one in schema["anyOf"]]
        yield from min(told, key=len)
    elif schema.get("type") in ("integer", "number"):
        kinds = (int,) if schema["type"] == "integer" else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield f"{where}: {value!r} is no {schema['type']}"
    elif schema.get("type") in CHECKED and not isinstance(value, CHECKED[schema["type"]]):
        yield f"{where}: {value!r} is no {schema['type']}"
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from mismatches(one, schema.get("items", {}), schemas, f"{where}[{number}]")
    elif isinstance(value, dict) and (schema.get("properties") or "additionalProperties" in schema):
        yield from _of_object(value, schema, schemas, where)


def _of_object(value, schema, schemas, where):
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", False)
    for name in set(schema.get("required", ())) - set(value):
        yield f"{where}.{name} is missing"
    for name, one in value.items():
        if name in properties:
            yield from mismatches(one, properties[name], schemas, f"{where}.{name}")
        elif rest is False:
            yield f"{where}.{name} is not declared"
        elif isinstance(rest, dict):
            yield from mismatches(one, rest, schemas, f"{where}.{name}")


@pytest.fixture(scope="module")
def document(site):
    return site.get("/openapi.json").json


def test_the_check_of_schemas_finds_what_is_wrong():
    """The checker itself: missing, undeclared and ill-typed members are told."""
    schema = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {
            "a": {"type": "integer"},
            "b": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }
    assert [] == list(mismatches({"a": 1, "b": None}, schema, {}))
    for wrong in ({"a": 1}, {"a": "1", "b": ""}, {"a": True, "b": ""}, {"a": 1, "b": 2}, [], None):
        assert list(mismatches(wrong, schema, {})), wrong
    assert list(mismatches({"a": 1, "b": "", "c": 1}, schema, {}))


def test_every_route_is_in_the_document(site, document):
    """Every route that answers JSON is listed with its methods, and no other is."""
    routes = set()
    for rule in site.client.application.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/webhooks/")) or rule.rule in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
        ):
            path = re.sub(
                r"<(?:\w+:)?(\w+)>",
                lambda m: "{" + re.sub(r"_(\w)", lambda n: n[1].upper(), m[1]) + "}",
                rule.rule,
            )
            routes |= {(path, method.lower()) for method in rule.methods - {"HEAD", "OPTIONS"}}
    listed = {
        (path, method)
        for path, operations in document["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "delete", "patch")
    }
    assert routes == listed
    assert "3.1" == document["openapi"][:3]


def test_the_document_can_be_read_by_topic(document):
    """Each operation has a topic, each topic a sentence, and each parameter says what it takes."""
    topics = {it["name"]: it["description"] for it in document["tags"]}
    assert all(it.endswith(".") for it in topics.values())
    doubled = {f"{it}: " for it in topics} | {f"the {it}: " for it in topics}
    assert not any(it.casefold().startswith(tuple(doubled)) for it in topics.values())
    assert {"OpenAPI", "agents"} <= topics.keys()
    used = set()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            (topic,) = operation["tags"]
            used.add(topic)
            for parameter in operation["parameters"]:
                if parameter["in"] != "header":
                    assert parameter["description"], (path, parameter["name"])
    assert used == set(topics)
    assert "/" == document["servers"][0]["url"]


def test_the_document_says_what_must_be_given(document):
    """A report needs its window; its zone has a default; null is no value of a query."""
    parameters = document["paths"]["/api/v1/reports/queues"]["get"]["parameters"]
    by_name = {it["name"]: it for it in parameters}
    assert (True, False) == (by_name["from"]["required"], by_name["tz"]["required"])
    assert "UTC" == by_name["tz"]["schema"]["default"]
    assert {"type": "string"} == by_name["cursor"]["schema"]


WINDOW = f"from={at(0)}&to={at(60_000)}"
CONCRETE = {
    "/webhooks/webex": None,
    "/api/v1/agents": "/api/v1/agents",
    "/api/v1/tasks": "/api/v1/tasks",
    "/api/v1/agents/{agentId}": "/api/v1/agents/full",
    "/api/v1/tasks/{taskId}": "/api/v1/tasks/t1",
    "/api/v1/agents/{agentId}/history": "/api/v1/agents/full/history",
    "/api/v1/agents/{agentId}/timeline": f"/api/v1/agents/full/timeline?{WINDOW}",
    "/api/v1/tasks/{taskId}/history": "/api/v1/tasks/t1/history",
    "/api/v1/tasks/{taskId}/journey": "/api/v1/tasks/t1/journey",
    "/api/v1/reports/adherence": "/api/v1/reports/adherence",
    "/api/v1/quarantine/{id}": "/api/v1/quarantine/1",
    "/api/v1/status": "/api/v1/status",
    "/api/v1/session": "/api/v1/session",
    "/healthz": "/healthz",
    "/readyz": "/readyz",
    "/openapi.json": "/openapi.json",
}


ELSE_ACCEPTED = {"text/csv", "application/x-ndjson", "text/event-stream"}  # beside JSON


def schema_of(document, path, method, answer):
    responses = document["paths"][path][method]["responses"]
    told = responses.get(str(answer.status_code), responses["default"])["content"]
    assert [answer.mimetype] == [it for it in told if it not in ELSE_ACCEPTED], path
    return told[answer.mimetype]["schema"]


def check(document, path, method, answer):
    schema = schema_of(document, path, method, answer)
    schemas = document["components"]["schemas"]
    assert [] == list(mismatches(answer.json, schema, schemas)), (path, answer.status_code)


def test_every_answer_fits_its_schema(site, document):
    """Each path of the document, read with a token: what answers is what is declared."""
    for path, concrete in CONCRETE.items():
        if concrete is not None:
            assert path in document["paths"]
            answer = site.get(concrete)
            assert 200 == answer.status_code, concrete
            check(document, path, "get", answer)
    for list_ in ("agents", "tasks"):
        for view in all_views(site, list_):
            key = f"{list_[:-1]}Id"
            check(
                document,
                f"/api/v1/{list_}/{{{key}}}",
                "get",
                site.get(f"/api/v1/{list_}/{view[key]}"),
            )
    check(document, "/webhooks/webex", "post", site.post(b"[]"))
    for verb in ("retry", "release"):  # one answers, the other refuses
        path = f"/api/v1/quarantine/{{id}}/{verb}"
        answer = site.client.post(path.format(id=1), json={"why": "to see"}, headers=site.headers)
        check(document, path, "post", answer)


def test_every_refusal_fits_its_schema(site, document):
    """401, 400, 404, 413 and the like are the problem documents that are declared."""
    for path, concrete in CONCRETE.items():
        if concrete is None:
            continue
        check(document, path, "get", site.get(f"{concrete}?nonsense=1&nonsense=2"))
        if concrete.startswith("/api/"):
            check(document, path, "get", site.client.get(concrete))
    check(document, "/api/v1/agents/{agentId}", "get", site.get("/api/v1/agents/none"))
    check(document, "/webhooks/webex", "post", site.post(b"x" * 1_048_577))


def test_every_parameter_is_in_the_document(document):
    """Filters, limits, windows, path parts and X-Min-Position are declared where they are taken."""

    def names(path, place):
        told = document["paths"][path]["get"]["parameters"]
        return {one["name"] for one in told if one["in"] == place}

    common = {"orgId", "limit", "cursor"}
    agents = ["agentId", "status", "currentState", "teamId", "queueId", "channelType", "loggedIn"]
    tasks = [
        "taskId",
        "status",
        "currentState",
        "queueId",
        "channelType",
        "direction",
        "agentId",
        "open",
    ]
    assert common | set(agents) <= names("/api/v1/agents", "query")
    assert common | set(tasks) <= names("/api/v1/tasks", "query")
    for list_, part in (("agents", "agentId"), ("tasks", "taskId")):
        assert {part} == names(f"/api/v1/{list_}/{{{part}}}", "path")
        assert common | {"from", "to"} <= names(f"/api/v1/{list_}/{{{part}}}/history", "query")
    for path, operations in document["paths"].items():
        if "get" in operations:
            streams = {"/api/v1/stream", "/api/v1/reports/adherence"}
            resumed = {"Last-Event-ID"} if path in streams else set()
            assert {"X-Min-Position"} | resumed == names(path, "header"), path


def test_what_is_declared_is_taken(site, document):
    """A parameter of the document is never refused as unknown."""
    for path, concrete in CONCRETE.items():
        if concrete is None:
            continue
        for one in document["paths"][path]["get"]["parameters"]:
            if one["in"] == "query":
                alone = concrete.partition("?")[0]
                answer = site.get(alone, query_string={one["name"]: "1"})
                told = [error["allowed"] for error in answer.json.get("errors", [])]
                assert "one of the parameters" not in "; ".join(told), (path, one["name"])


def test_what_needs_a_token_says_so(document):
    """Open routes declare no security, all reads do; to sign in, the token is in the body."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needs = path.startswith("/api/") and (method, path) != ("post", "/api/v1/session")
            assert needs == bool(operation.get("security")), path


# --- problems ---


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/none", 404),
        ("GET", "/api", 404),
        ("GET", "/api/v1/agents/", 404),
        ("GET", "/api/v1/agents/a/b/c", 404),
        ("GET", "/api/v1/agents/none", 404),
        ("POST", "/api/v1/none", 404),
        ("POST", "/api/v1/agents", 405),
        ("DELETE", "/api/v1/agents/full", 405),
        ("PUT", "/healthz", 405),
        ("GET", "/webhooks/webex", 405),
        ("GET", "/api/v1/agents?limit=0", 400),
        ("PROPFIND", "/api/v1/agents", 405),
    ],
)
def test_errors_are_problem_documents(site, method, path, expected):
    """RFC 9457: type, title, status and detail, under the media type of problems."""
    answer = site.client.open(path, method=method, headers=site.headers)
    assert (expected, "application/problem+json") == (answer.status_code, answer.content_type)
    assert {"type", "title", "status", "detail"} == set(answer.json) - {"errors"}
    assert (expected, HTTPStatus(expected).phrase) == (answer.json["status"], answer.json["title"])
    assert (expected == 400) == ("errors" in answer.json)
    assert (expected == 405) == ("Allow" in answer.headers)


def test_a_fault_of_the_service_is_a_problem_document(site, monkeypatch):
    """500 says nothing of the inside."""

    def fail(*_, **__):
        raise RuntimeError("secret inside")

    monkeypatch.setattr(type(site.service.views), "list", fail)
    answer = site.get("/api/v1/agents")
    assert (500, "application/problem+json") == (answer.status_code, answer.content_type)
    assert "secret" not in answer.text
