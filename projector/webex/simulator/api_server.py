"""A stand-in for the vendor: its APIs on this machine, over raw rows.

It has the schemas, pages, limits and refusals of the vendor, and on demand the faults that a client
must cope with. It is for tests, and to try reconciliation without an organisation.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from logging import getLogger
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from projector.infrastructure.clock import DAY_MS, now_ms
from projector.webex.simulator.api_faults import REFUSALS, REPLY_FAULTS, Faults, endless
from projector.webex.simulator.configuration_api import ConfigurationApi
from projector.webex.simulator.oauth_api import OAuthApi
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.simulator.rest_schema import (
    ApiCall,
    ApiRefusal,
    ApiReply,
    BadRequest,
    RestOperation,
    rest_operations,
)
from projector.webex.simulator.search_api import SearchApi
from projector.webex.simulator.subscription_api import SubscriptionApi
from projector.webex.simulator.vendor_rows import SimulatedRow, VendorRows

ACTIVITIES_SPAN_MS_LIMIT = DAY_MS
TASKS_SPAN_MS_LIMIT = 184 * DAY_MS
OLDEST_TASKS_MS = 366 * DAY_MS
TOKEN_PATH = "/v1/access_token"  # noqa: S105 - a path, no secret
# These describe the key of an error as a number; the other APIs have it as text.
NUMBERED_ERRORS = ("/subscriptions", "/event-types")


class ApiServer:
    """The state and the limits of the stand-in; ``calls`` are the calls of its APIs so far.

    ``faults`` are those of the APIs, and ``token_faults`` those of the token service, which counts
    its calls for itself.
    """

    def __init__(  # noqa: PLR0913 - all by name, with the vendor's own limits
        self,
        rows: VendorRows,
        *,
        faults: Faults | None = None,
        token_faults: Faults | None = None,
        clock: Callable[[], int] = now_ms,
        org_id: str = SIMULATED_ORG_ID,
        a_minute: int = 300,
        most_activities: int = 10_000,
        search_page: int = 250,
        configuration_page: int = 100,
        token_seconds: int = 1_209_600,
    ) -> None:
        self.rows = rows
        self.faults = faults or Faults()
        self.token_faults = token_faults or Faults()
        self.clock = clock
        self.org_id = org_id
        self.a_minute = a_minute
        self.most_activities = most_activities
        self.search_page = search_page
        self.oauth = OAuthApi(org_id, token_seconds=token_seconds)
        self.subscriptions = SubscriptionApi(org_id, clock)
        self.configuration = ConfigurationApi(org_id, rows, configuration_page)
        self.calls: list[tuple[str, str, float]] = []  # method, path and when
        self.token_calls = 0
        self.lock = Lock()


def api_app(server: ApiServer) -> Flask:
    """The stand-in as a Flask application."""
    app = Flask("vendor")

    @app.errorhandler(ApiRefusal)
    def refuse(refusal: ApiRefusal) -> Response:
        return _refused(refusal.status, refusal.sentences, refusal.headers)

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        return _refused(error.code or 500, [error.name])

    handlers: dict[tuple[str, str], Callable[[ApiCall], ApiReply]] = {
        **{name: partial(answer, server) for name, answer in HANDLERS.items()},
        **server.subscriptions.handlers(),
        **server.configuration.handlers(),
    }
    for (method, path), operation in rest_operations().items():
        answer = partial(_answer, server, operation, handlers[method, path])
        app.add_url_rule(
            path.replace("{", "<").replace("}", ">"), f"{method} {path}", answer, methods=[method]
        )
    app.add_url_rule(TOKEN_PATH, "token", partial(_answer_token, server), methods=["POST"])
    server.oauth.register(app)
    return app


# --- a call, from its admission to its answer ---


def _answer(
    server: ApiServer,
    operation: RestOperation,
    handler: Callable[[ApiCall], ApiReply],
    **in_path: str,
) -> Response:
    fault = _admit(server)
    _begin(server.faults, fault)
    body = request.get_json(silent=True) if operation.has_body else None
    if fault == "400-errors":
        status, reply = 400, {"errors": [{"message": "The query is not valid"}]}
    else:
        status, reply = handler(operation.accept(in_path, request.args, body, fault))
    answer = jsonify(reply) if reply is not None else Response()
    answer.status_code = status
    return _delivered(answer, fault)


def _answer_token(server: ApiServer) -> Response:
    with server.lock:
        server.token_calls += 1
        fault = server.token_faults.of(server.token_calls)
    _begin(server.token_faults, fault)
    reply, status = server.oauth.grant(request.form)
    answer = jsonify(reply)
    answer.status_code = status
    return _delivered(answer, fault)


def _admit(server: ApiServer) -> str:
    """The fault of a call that is let in; ApiRefusal for one that is not."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    now = time.monotonic()
    if not server.oauth.is_valid(token):
        raise ApiRefusal(401, "The token is expired or not valid")
    with server.lock:
        recent = sum(when > now - 60 for _, _, when in server.calls)
        server.calls.append((request.method, request.path, now))
        fault = server.faults.of(len(server.calls))
    if recent >= server.a_minute:
        raise ApiRefusal(429, "Too many requests", headers={"Retry-After": "60"})
    if fault == "expired":
        del server.oauth.tokens[token]
        raise ApiRefusal(401, "The token is expired or not valid")
    if request.args.get("orgId", server.org_id) != server.org_id:
        raise ApiRefusal(403, "The token has no access to the organisation")
    if not server.oauth.opens(token, request.method, request.path):
        raise ApiRefusal(403, "The token lacks a scope for this")
    return fault


def _begin(faults: Faults, fault: str) -> None:
    """What a fault does before a call is looked at."""
    if fault in REFUSALS:
        status, sentences = REFUSALS[fault]
        waits = status == 429 and faults.retry_after is not None
        headers = {"Retry-After": str(faults.retry_after)} if waits else {}
        raise ApiRefusal(status, *sentences, headers=headers)
    if fault == "slow":
        time.sleep(faults.slow_seconds)
    if fault == "cut":
        request.environ["werkzeug.socket"].shutdown(SHUT_RDWR)


def _delivered(answer: Response, fault: str) -> Response:
    if fault == "truncated":
        whole = answer.get_data()
        answer.set_data(whole[: len(whole) // 2])
    return answer


def _refused(
    status: int, sentences: Sequence[str], headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal in the form that the vendor describes for the path; empty without sentences."""
    answer = jsonify(_refusal_body(status, sentences)) if sentences else Response()
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer


def _refusal_body(status: int, sentences: Sequence[str]) -> SimulatedRow:
    tracking_id = request.headers.get("TrackingId", f"SIM_{secrets.token_hex(8)}")
    if request.path == TOKEN_PATH:
        return {"message": " ".join(sentences), "trackingId": tracking_id}
    is_numbered = any(it in request.path for it in NUMBERED_ERRORS)
    error = {
        "key": status if is_numbered else str(status),
        "message": [{"description": it} for it in sentences],
    }
    return {"trackingId": tracking_id, "error": error}


# --- the APIs ---


def _activities(server: ApiServer, call: ApiCall) -> ApiReply:
    asked, now = call.parameters, server.clock()
    start, end = asked["from"], asked.get("to", now)
    size, page = asked["pageSize"], 0 if call.fault == "repeat-pages" else asked["page"]
    if end > now:
        raise BadRequest("to: the timestamp should not be more than the current time")
    if end - start >= ACTIVITIES_SPAN_MS_LIMIT:
        raise BadRequest("from and to must be less than 24 hours apart")
    if page * size >= server.most_activities:
        raise BadRequest(f"No more than {server.most_activities} records can be fetched")
    rows = [
        row
        for row in server.rows.activities()
        if _is_between(start, row["startTime"], end)
        and _is_asked(asked.get("agentIds"), row["agentId"])
        and _is_asked(asked.get("teamIds"), row["teamId"])
        and _is_asked(asked.get("channelTypes"), row["channelType"])
    ]
    rows.sort(key=lambda row: row["startTime"])
    rows_of_page = rows[: server.most_activities][page * size : (page + 1) * size]
    return 200, _listed(server, call, map(server.faults.change_row, rows_of_page))


def _tasks(server: ApiServer, call: ApiCall) -> ApiReply:
    asked, now = call.parameters, server.clock()
    start, end = asked["from"], asked.get("to", now)
    if end - start > TASKS_SPAN_MS_LIMIT:
        raise BadRequest("from and to must not be more than 184 days apart")
    if start < now - OLDEST_TASKS_MS:
        raise BadRequest("from must not be older than 12 months")
    rows = [
        row
        for row in server.rows.current_tasks()
        if _is_between(start, row["attributes"]["createdTime"], end)
        and _is_asked(asked.get("channelTypes"), row["attributes"]["channelType"])
    ]
    rows.sort(key=lambda row: row["attributes"]["createdTime"])
    changed = (
        {**row, "attributes": server.faults.change_row(row["attributes"])}
        for row in rows[: asked["pageSize"]]
    )
    return 200, _listed(server, call, changed)


def _captures(server: ApiServer, call: ApiCall) -> ApiReply:
    query = call.body["query"]
    expiration = query.get("urlExpiration", 30)
    if query.get("orgId", server.org_id) != server.org_id:
        raise ApiRefusal(403, "Forbidden from accessing resources")
    if expiration < 1:
        raise BadRequest("urlExpiration should be greater than 0")
    data = [
        {"taskId": id_, "recording": server.rows.recordings.get(id_, []), "transcription": []}
        for id_ in query["taskIds"]
    ]
    return 200, {"meta": {"orgId": server.org_id, "urlExpiration": expiration}, "data": data}


def _search(server: ApiServer, call: ApiCall) -> ApiReply:
    search = SearchApi(
        rows=server.rows,
        page_size=server.search_page,
        now=server.clock,
        change=server.faults.change_row,
        repeats=call.fault == "repeat-pages",
        inner_repeats=call.fault == "repeat-inner",
    )
    status, reply = search.answer(call.body.get("query"), call.body.get("variables"))
    if status == 413:
        raise ApiRefusal(413, reply["errors"][0]["message"])
    if status == 200 and call.fault in REPLY_FAULTS:
        reply = REPLY_FAULTS[call.fault](reply)
    if status == 200 and server.faults.rows == "endless":
        reply = endless(reply)
    return status, reply


def _listed(server: ApiServer, call: ApiCall, rows: Iterable[SimulatedRow]) -> SimulatedRow:
    org_id = "another-organisation" if server.faults.rows == "foreign" else server.org_id
    return {"meta": {"orgId": org_id}, "data": None if call.fault == "null-data" else [*rows]}


def _is_between(start: int, time_ms: Any, end: int) -> bool:
    return isinstance(time_ms, int) and start < time_ms < end


def _is_asked(names: list[str] | None, name: str) -> bool:
    return not names or name in names


HANDLERS: dict[tuple[str, str], Callable[[ApiServer, ApiCall], ApiReply]] = {
    ("GET", "/v1/agents/activities"): _activities,
    ("GET", "/v1/tasks"): _tasks,
    ("POST", "/v1/captures/query"): _captures,
    ("POST", "/search"): _search,
}


@contextmanager
def serving(server: ApiServer, port: int = 0) -> Iterator[str]:
    """Serve the stand-in on this machine; yields its root URL."""
    getLogger("werkzeug").setLevel("ERROR")
    http_server = make_server("127.0.0.1", port, api_app(server), threaded=True)
    thread = Thread(target=http_server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http_server.server_port}"
    finally:
        http_server.shutdown()
        thread.join()
        http_server.server_close()
