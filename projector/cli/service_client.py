"""The commands' client of the running service; a failure is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import httpx

from projector.infrastructure.certificates import trusted_certificates
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import (
    ConfiguredToken,
    Role,
    Settings,
    settings_from_environment,
)
from projector.infrastructure.tokens import valid_tokens

NOTHING: Mapping[str, Any] = MappingProxyType({})
SECONDS = 60.0  # within which an answer begins
MOST_ROWS = 1_000  # of one page
NAMES_PATH = "/api/v1/names"
NAMES_OF_A_REQUEST = 5_000


class ServiceSilent(ProjectorError):  # noqa: N818 - named for what is noticed
    """Nothing that is this service answers there, or it refuses."""


class NotThisService(ServiceSilent):
    """Something else answers there."""


class Client:
    """A client of one service, with the token of the settings that is meant for it."""

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self._url = url or settings.root
        token = settings.token or _most_powerful(valid_tokens(settings))
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(
        self,
        path: str,
        field: str,
        query: Mapping[str, Any] = NOTHING,
        *,
        accept: str = "application/json",
        timeout: float | None = SECONDS,
    ) -> dict[str, Any]:
        """What a GET answers, by a field that it must have."""
        headers = self._headers | {"Accept": accept}
        return self._ask("GET", path, field, params=_given(query), headers=headers, timeout=timeout)

    def rows(
        self, path: str, query: Mapping[str, Any] = NOTHING, *, after: int | None = None
    ) -> list[dict[str, Any]]:
        """The rows of all pages; ``after``: once the projection has passed this position."""
        return [row for page in self._pages(path, query, after) for row in page["data"]]

    def named_rows(
        self, path: str, query: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        """The rows of all pages, and the names of the ids in them, by kind and id."""
        rows: list[dict[str, Any]] = []
        names: dict[str, dict[str, str]] = {}
        for page in self._pages(path, {**query, "names": "true"}, None):
            rows += page["data"]
            for kind, named in page["names"].items():
                names.setdefault(kind, {}).update(named)
        return rows, names

    def _pages(
        self, path: str, query: Mapping[str, Any], after: int | None
    ) -> Iterator[dict[str, Any]]:
        headers = self._headers | ({} if after is None else {"X-Min-Position": str(after)})
        cursor = None
        while True:
            params = _given({"limit": MOST_ROWS, **query, "cursor": cursor})
            page = self._ask("GET", path, "data", params=params, headers=headers, timeout=SECONDS)
            yield page
            cursor = page["meta"]["nextCursor"]
            if cursor is None:
                return

    def post(self, path: str, field: str, body: Any) -> dict[str, Any]:
        """What a POST answers, by a field that it must have."""
        return self._ask("POST", path, field, json=body, headers=self._headers, timeout=SECONDS)

    def import_names(self, names: Sequence[Any]) -> dict[str, int]:
        """Import names into the directory, some at a time; how many were stored and removed."""
        done = {"stored": 0, "removed": 0}
        for begin in range(0, len(names), NAMES_OF_A_REQUEST):
            body = {"names": names[begin : begin + NAMES_OF_A_REQUEST]}
            options = {"json": body, "headers": self._headers, "timeout": SECONDS}
            answer = self._ask("PUT", NAMES_PATH, "stored", **options)
            done = {name: count + answer[name] for name, count in done.items()}
        return done

    def delete(self, path: str, field: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """What a DELETE answers, by a field that it must have."""
        options = {"params": _given(query), "headers": self._headers, "timeout": SECONDS}
        return self._ask("DELETE", path, field, **options)

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Any], accept: str) -> Iterator[httpx.Response]:
        """An answer that is read as it comes; ServiceSilent also where it breaks off.

        It may begin late: the service sends a file when it is whole.
        """
        headers = self._headers | {"Accept": accept}
        with (
            self._telling(),
            httpx.stream(
                "GET",
                f"{self._url}{path}",
                params=_given(query),
                headers=headers,
                timeout=httpx.Timeout(SECONDS, read=None),
            ) as answer,
        ):
            if not answer.is_success:
                answer.read()
                self._refuse(answer)
            yield answer

    def _ask(self, method: str, path: str, field: str, **options: Any) -> dict[str, Any]:
        with self._telling():
            answer = httpx.request(
                method, f"{self._url}{path}", verify=trusted_certificates(), **options
            )
        if not answer.is_success:
            self._refuse(answer)
        try:
            content: dict[str, Any] = answer.json()
            content[field]
        except (ValueError, KeyError, TypeError):
            raise self._stranger(answer) from None
        return content

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceSilent(
                f"No service answers at {self._url} ({error}): start it with `make run`."
            ) from error

    def _refuse(self, answer: httpx.Response) -> None:
        try:
            problem = answer.json()
            refusal = problem["detail"]
            wrong = [f"{it['parameter']} is {it['allowed']}" for it in problem.get("errors", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._stranger(answer) from None
        refusal = " ".join([refusal, *(f"{it}." for it in wrong)])
        raise ServiceSilent(f"The service at {self._url} refuses ({answer.status_code}): {refusal}")

    def _stranger(self, answer: httpx.Response) -> NotThisService:
        return NotThisService(
            f"What answers at {self._url} is not this service ({answer.status_code}): set HOST and"
            " PORT, or give --url."
        )


def service_client(url: str | None) -> Client:
    """A client of the service at a root, or at the one that the settings name."""
    return Client(settings_from_environment(), url)


def _most_powerful(tokens: Sequence[ConfiguredToken]) -> str | None:
    operators = [it for it in tokens if it.role is Role.OPERATOR]
    return next((it.token for it in operators or tokens), None)


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, ())}
