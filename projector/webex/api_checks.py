"""Dry queries: one small question to each API that is used, and what each answers.

None changes anything. A refusal comes with what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from projector.infrastructure.clock import HOUR_MS
from projector.webex.api_client import ApiClient, VendorRefuses, VendorSilent
from projector.webex.configuration import CONFIGURATION_LISTS, list_path

UNKNOWN_TASK_ID = "00000000-0000-4000-8000-000000000000"  # a task that nobody has
_QUERY_HEAD = "query($from: Long!, $to: Long!)"
TASK_QUERY = f"""{_QUERY_HEAD} {{ taskDetails(from: $from, to: $to) {{
    tasks {{ id }} pageInfo {{ hasNextPage }} }} }}"""
SESSION_QUERY = f"""{_QUERY_HEAD} {{ agentSession(from: $from, to: $to) {{
    agentSessions {{ agentSessionId }} pageInfo {{ hasNextPage }} }} }}"""
READ_SCOPE = "cjp:config_read"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCheck:
    """What an API answered: how many rows, or why it gave none and what to do about it.

    ``answer`` is "ok", "refused" or "none".
    """

    api: str
    answer: str = "ok"
    rows: int | None = None
    refusal: str | None = None
    advice: str | None = None

    @property
    def is_ok(self) -> bool:
        return self.answer == "ok"


def check_apis(client: ApiClient, now: int) -> Iterator[ApiCheck]:
    """Ask each API for the hour before ``now`` (epoch ms), for one row where it lets us say so.

    Raises what ``Credentials`` raises.
    """
    org = client.org_id
    window = {"from": now - HOUR_MS, "to": now}
    listed = {"orgId": org}
    # Without an end the vendor takes its own present time, which may be behind ours.
    one_row = {"from": window["from"], **listed, "pageSize": 1}
    captures = {"orgId": org, "urlExpiration": 1, "taskIds": [UNKNOWN_TASK_ID]}
    captures |= {"includeSegments": False, "includeVARecordings": False}

    def search(query: str) -> Any:
        return client.query("/search", {"query": query, "variables": window}, orgId=org)

    questions: dict[str, Callable[[], Any]] = {
        "GET /v1/agents/activities": lambda: client.get("/v1/agents/activities", one_row),
        "GET /v1/tasks": lambda: client.get("/v1/tasks", one_row),
        "POST /search (agentSession)": lambda: search(SESSION_QUERY),
        "POST /search (taskDetails)": lambda: search(TASK_QUERY),
        "POST /v1/captures/query": lambda: client.query("/v1/captures/query", {"query": captures}),
        "GET /v1/subscriptions": lambda: client.get("/v1/subscriptions", listed),
        "GET /v2/subscriptions": lambda: client.get("/v2/subscriptions", listed),
        "GET /v2/event-types": lambda: client.get("/v2/event-types", listed),
    }
    first_row = {"page": 0, "pageSize": 1}
    for asked in CONFIGURATION_LISTS:
        path = list_path(org, asked)
        questions[f"GET /organization/…/{asked.path}"] = partial(client.get, path, first_row)
    for api, ask in questions.items():
        try:
            yield _told(api, ask())
        except VendorRefuses as refused:
            yield _failed(api, str(refused), _advice(refused.status))
        except VendorSilent as silent:
            yield _failed(api, str(silent), _REACH, answer="none")


def _told(api: str, answer: Any) -> ApiCheck:
    """The rows of an answer; a refusal where it has errors or no list."""
    errors = answer.get("errors") if isinstance(answer, Mapping) else None
    if errors:
        words = [str(it.get("message")) for it in errors if isinstance(it, Mapping)]
        refusal = f"The vendor's Search API refuses: {'; '.join(words)[:300]}."
        return _failed(api, refusal, _THEIR_WORDS)
    rows = _rows(answer)
    if rows is None:
        return _failed(api, "The vendor answers without a list.", _REACH, answer="none")
    return ApiCheck(api=api, rows=len(rows))


def _failed(api: str, refusal: str, advice: str, answer: str = "refused") -> ApiCheck:
    return ApiCheck(api=api, answer=answer, refusal=refusal, advice=advice)


def _rows(answer: Any) -> Sequence[Any] | None:
    """The list of a REST answer, or the one inside the only field of a search."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if isinstance(data, Mapping):
        field = next(iter(data.values()), None)
        values = field.values() if isinstance(field, Mapping) else []
        return next((it for it in values if isinstance(it, list)), None)
    return data if isinstance(data, list) else None


_REACH = (
    "Is PROJECTOR_WEBEX_REGION the organisation's region, and does this machine reach it? Try again"
    " later if it is."
)
_THEIR_WORDS = "The sentence is the vendor's: it may name what is missing."


def _advice(status: int) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "Connect again with `projector connect`."
    if status == HTTPStatus.FORBIDDEN:
        return (
            f"It needs the scope {READ_SCOPE}, the role of an administrator (for searches, a"
            " supervisor will do) and a Webex Contact Center licence of the organisation. Give the"
            " integration or service app what it lacks, and authorise it anew. An organisation"
            " with a Hybrid Analyzer licence needs the scope cjp-analyzer:read instead."
        )
    if status == HTTPStatus.NOT_FOUND:
        return "Is PROJECTOR_WEBEX_REGION the organisation's region?"
    return _THEIR_WORDS
