"""A stand-in for the vendor: its APIs on this machine, over the records of the simulation.

It has the schemas, pages, limits and refusals of the vendor, and on demand the faults that a client
must cope with. It is for tests, and to try reconciliation without an organisation.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging import getLogger
from threading import Lock, Thread
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from projector.infrastructure.clock import now_ms
from projector.webex.simulator.payloads import SIMULATED_ORG_ID
from projector.webex.simulator.search_api import SearchApi
from projector.webex.simulator.subscription_api import SubscriptionApi
from projector.webex.simulator.vendor_rows import SimulatedRow, VendorRows

ACTIVITIES_SPAN_MS_LIMIT = 86_400_000
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "demo-client", "demo-secret", "demo-refresh"
MOST_IDS, MOST_PAGE, MOST_CAPTURES = 100, 1_000, 10
API_CHANNEL_TYPES = {"email", "chat", "telephony", "social"}
BAD_ROWS: dict[str, Callable[[SimulatedRow], SimulatedRow]] = {
    "seconds": lambda row: {
        name: value // 1_000 if name.endswith("Time") and value else value
        for name, value in row.items()
    },
    "missing": lambda row: {
        name: None if name in {"startTime", "createdTime", "agentId"} else value
        for name, value in row.items()
    },
    "strange": lambda row: {
        name: "skill-update" if name in {"state", "currentState", "eventName"} else value
        for name, value in row.items()
    },
}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong.

    ``plan`` names the fault of a call by its number, from 1. ``every`` names the fault of every
    n-th call. ``rows`` is wrong with all rows.
    """

    plan: Mapping[int, str] = field(default_factory=dict)
    every: Mapping[int, str] = field(default_factory=dict)
    rows: str = ""  # "seconds", "missing", "strange", "endless", "foreign"
    slow_seconds: float = 1.0
    retry_after: int = 0

    def of(self, call: int) -> str:
        periodic = (name for number, name in self.every.items() if call % number == 0)
        return self.plan.get(call) or next(periodic, "")


class ApiServer:
    """The state and the limits of the stand-in; ``calls`` are the calls of its APIs so far."""

    def __init__(  # noqa: PLR0913 - all by name, with the vendor's own limits
        self,
        records: VendorRows,
        *,
        faults: Faults | None = None,
        clock: Callable[[], int] = now_ms,
        org_id: str = SIMULATED_ORG_ID,
        a_minute: int = 300,
        most_activities: int = 10_000,
        search_page: int = 250,
        token_seconds: int = 1_209_600,
    ) -> None:
        self.records = records
        self.faults = faults or Faults()
        self.clock = clock
        self.org_id = org_id
        self.a_minute = a_minute
        self.most_activities = most_activities
        self.search_page = search_page
        self.token_seconds = token_seconds
        self.subscriptions = SubscriptionApi(org_id, clock)
        self.refresh_tokens = {REFRESH_TOKEN}
        self.tokens: dict[str, float] = {}  # when each expires, by the monotonic clock
        self.calls: list[tuple[str, str, float]] = []  # method, path and when
        self.lock = Lock()

    def grant(self, form: Mapping[str, str]) -> tuple[SimulatedRow, int]:
        """A new access token for a refresh token: the JSON answer and the status."""
        client = (form.get("client_id"), form.get("client_secret"))
        if client != (CLIENT_ID, CLIENT_SECRET):
            return {"message": "The client is not known or its secret is wrong."}, 401
        if form.get("grant_type") != "refresh_token":
            return {"message": "The grant type is not supported."}, 400
        if form.get("refresh_token") not in self.refresh_tokens:
            return {"message": "The refresh token is not valid."}, 400
        token = f"{secrets.token_urlsafe(12).replace('_', '-')}_A52D_{self.org_id}"
        self.tokens[token] = time.monotonic() + self.token_seconds
        return {
            "access_token": token,
            "expires_in": self.token_seconds,
            "refresh_token": form["refresh_token"],
            "refresh_token_expires_in": 7_776_000,
            "token_type": "Bearer",
        }, 200


class ApiRefusal(Exception):  # noqa: N818 - a signal inside the stand-in
    """An API's refusal: its status, its sentence, and when to come back (seconds)."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def api_app(server: ApiServer) -> Flask:
    """The stand-in as a Flask application."""
    app = Flask("vendor")

    @app.errorhandler(ApiRefusal)
    def refuse(refused: ApiRefusal) -> Response:
        answer = jsonify(_error(refused.status, refused.sentence))
        answer.status_code = refused.status
        answer.headers.update(refused.headers)
        return answer

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        answer = jsonify(_error(error.code or 500, error.name))
        answer.status_code = error.code or 500
        return answer

    @app.before_request
    def admit() -> None:
        if request.path != "/v1/access_token":
            _admit(server)

    @app.after_request
    def break_off(answer: Response) -> Response:
        if request.environ.get("fault") == "truncated":
            whole = answer.get_data()
            answer.set_data(whole[: len(whole) // 2])
        return answer

    routes: dict[tuple[str, str], Callable[[], Any]] = {
        ("POST", "/v1/access_token"): lambda: server.grant(request.form),
        ("GET", "/v1/agents/activities"): lambda: _listed(server, _activities(server)),
        ("GET", "/v1/tasks"): lambda: _listed(server, _tasks(server)),
        ("POST", "/v1/captures/query"): lambda: _captures(server),
        ("POST", "/search"): lambda: _search(server),
    }
    for (method, path), answer in routes.items():
        app.add_url_rule(path, path, answer, methods=[method])
    server.subscriptions.register(app, ApiRefusal)
    return app


def _admit(server: ApiServer) -> None:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    now = time.monotonic()
    if server.tokens.get(token, 0.0) < now:
        raise ApiRefusal(401, "The token is expired or not valid")
    with server.lock:
        recent = sum(when > now - 60 for _, _, when in server.calls)
        server.calls.append((request.method, request.path, now))
        fault = server.faults.of(len(server.calls))
    if recent >= server.a_minute:
        raise ApiRefusal(429, "Too many requests", 60)
    org_id = request.args.get("orgId", server.org_id)
    if org_id != server.org_id:
        raise ApiRefusal(403, "The token has no access to the organisation")
    request.environ["fault"] = fault
    if fault == "429":
        raise ApiRefusal(429, "Too many requests", server.faults.retry_after)
    if fault == "500":
        raise ApiRefusal(500, "An unexpected error occurred")
    if fault == "slow":
        time.sleep(server.faults.slow_seconds)
    if fault == "expired":
        del server.tokens[token]
        raise ApiRefusal(401, "The token is expired or not valid")


def _listed(server: ApiServer, rows: list[SimulatedRow]) -> SimulatedRow:
    org_id = "another-organisation" if server.faults.rows == "foreign" else server.org_id
    return {"meta": {"orgId": org_id}, "data": rows}


def _activities(server: ApiServer) -> list[SimulatedRow]:
    start, now = _number("from"), server.clock()
    end = _number("to", now)
    if end > now:
        raise ApiRefusal(400, "to: the timestamp should not be more than the current time")
    if end - start >= ACTIVITIES_SPAN_MS_LIMIT:
        raise ApiRefusal(400, "from and to must be less than 24 hours apart")
    size, page = _number("pageSize", 100), _number("page", 0)
    if not 1 <= size <= MOST_PAGE:
        raise ApiRefusal(400, f"pageSize must be 1 to {MOST_PAGE}")
    if page * size >= server.most_activities:
        raise ApiRefusal(400, f"No more than {server.most_activities} records can be fetched")
    agents, teams, kinds = (_names(it) for it in ("agentIds", "teamIds", "channelTypes"))
    if max(len(agents), len(teams)) > MOST_IDS or not kinds <= API_CHANNEL_TYPES:
        raise ApiRefusal(400, f"At most {MOST_IDS} ids, and channel types in lower case")
    rows = [
        row
        for row in server.records.activities()
        if start < row["startTime"] < end
        and (not agents or row["agentId"] in agents)
        and (not teams or row["teamId"] in teams)
        and (not kinds or row["channelType"] in kinds)
    ]
    rows.sort(key=lambda row: row["startTime"])
    rows_of_page = rows[: server.most_activities][page * size : (page + 1) * size]
    return [_changed(server, row) for row in rows_of_page]


def _tasks(server: ApiServer) -> list[SimulatedRow]:
    start, end, size = _number("from"), _number("to", server.clock()), _number("pageSize", 100)
    if not 1 <= size <= MOST_PAGE:
        raise ApiRefusal(400, f"pageSize must be 1 to {MOST_PAGE}")
    rows = [
        row
        for row in server.records.current_tasks()
        if start < row["attributes"]["createdTime"] < end
    ]
    rows.sort(key=lambda row: row["attributes"]["createdTime"])
    return [{**row, "attributes": _changed(server, row["attributes"])} for row in rows[:size]]


def _captures(server: ApiServer) -> SimulatedRow:
    query = (request.get_json(silent=True) or {}).get("query") or {}
    ids = query.get("taskIds") or []
    if query.get("orgId") != server.org_id:
        raise ApiRefusal(403, "Forbidden from accessing resources")
    if not 1 <= query.get("urlExpiration", 30) <= 60 or not 1 <= len(ids) <= MOST_CAPTURES:
        raise ApiRefusal(400, f"urlExpiration is 1 to 60, and taskIds are 1 to {MOST_CAPTURES}")
    recordings = server.records.recordings
    data = [{"taskId": id_, "recording": recordings.get(id_, [])} for id_ in ids]
    return {"meta": {"orgId": server.org_id, "urlExpiration": 1}, "data": data}


def _search(server: ApiServer) -> SimulatedRow:
    body = request.get_json(silent=True) or {}
    search = SearchApi(
        records=server.records,
        page=server.search_page,
        now=server.clock,
        change=lambda row: _changed(server, row),
        is_endless=server.faults.rows == "endless",
    )
    return dict(search.answer(body.get("query") or "", body.get("variables") or {}).formatted)


def _changed(server: ApiServer, row: SimulatedRow) -> SimulatedRow:
    change = BAD_ROWS.get(server.faults.rows)
    return row if change is None else change(row)


def _number(name: str, default: int | None = None) -> int:
    value = request.args.get(name)
    if value is None and default is not None:
        return default
    if value is None or not value.isdigit():
        raise ApiRefusal(400, f"{name} is a whole number, and is needed")
    return int(value)


def _names(name: str) -> set[str]:
    return {it for it in request.args.get(name, "").split(",") if it}


def _error(status: int, sentence: str) -> SimulatedRow:
    message: list[Any] = [{"description": sentence}]
    return {"trackingId": "SIM_1", "error": {"key": str(status), "message": message}}


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
