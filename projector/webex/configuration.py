"""What the vendor's configuration calls its users, teams, queues, codes, sites and entry points.

Sources: the vendor's OpenAPI description of Webex Contact Center (``achobgood/wxops``,
``specs/webex-contact-center.json``, May 2026) and its page "List Auxiliary Code(s)".

- ``GET /organization/{orgid}/v2/…`` answers ``{"meta": …, "data": […]}``. ``page`` begins with 0.
  ``meta`` has ``orgid``, ``page``, ``pageSize``, ``totalPages`` and ``totalRecords``.
- A ``pageSize`` above the vendor's limit is no error: the vendor reduces it, and does not say to
  what. So ``totalPages`` tells the last page, and not a short page.
- ``attributes`` names the fields to return. ``filter`` takes RSQL; nothing here needs it.
- A refusal is ``{"trackingId": …, "error": {"key": "403", "message": [{"description": …}]}}``.
- Scopes: ``cjp:config_read`` or ``cjp:config``.

A user has two ids: ``ciUserId`` of Cisco's Common Identity, and ``id`` of the configuration. No
page says which of them webhooks carry as ``agentId``. The vendor's own SDK (``webex-js-sdk``,
``@webex/contact-center``) takes ``ciUserId`` as the agent's id, and keeps ``id`` as the one of
the analyser. Both are ids of one person, so the name is kept under both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from projector.contract.names import NameKind
from projector.webex.api_answers import (
    MOST_PAGES,
    EndlessPages,
    ForeignOrganisation,
    UnexpectedAnswer,
)
from projector.webex.api_client import ApiClient
from projector.webex.row_names import NamedRowId, named_id

CONFIGURATION_PAGE = 100  # rows; the vendor's default
KIND_OF_CODE: Mapping[object, NameKind] = {"IDLE_CODE": "idleCode", "WRAP_UP_CODE": "wrapUpCode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationList:
    """A list of the configuration: its path, the fields that are asked for, what rows name."""

    path: str  # after the organisation
    attributes: tuple[str, ...]
    names: Callable[[Mapping[str, Any]], Iterator[NamedRowId]]


class ConfigurationQueries:
    """Reads the lists of one organisation.

    A method may raise EndlessPages, ForeignOrganisation, UnexpectedAnswer and whatever
    ``ApiClient`` raises.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._org = client.org_id

    def names(self, asked: ConfigurationList) -> Iterator[NamedRowId]:
        """The names in all pages of a list; a row that names nothing is left out."""
        for rows in self._pages(asked):
            for row in rows:
                if isinstance(row, Mapping):
                    yield from asked.names(row)

    def _pages(self, asked: ConfigurationList) -> Iterator[list[Any]]:
        path = list_path(self._org, asked)
        before: list[Any] = []
        for page in range(MOST_PAGES):
            parameters = {
                "page": page,
                "pageSize": CONFIGURATION_PAGE,
                "attributes": ",".join(asked.attributes),
            }
            rows, total_pages = self._answered(self._client.get(path, parameters))
            if rows and rows == before:
                raise EndlessPages(f"The vendor returns page {page - 1} of {path} again.")
            yield rows
            is_last = not rows if total_pages is None else page + 1 >= total_pages
            if is_last:
                return
            before = rows
        raise EndlessPages(f"The vendor returns more than {MOST_PAGES} pages of {path}.")

    def _answered(self, answer: Any) -> tuple[list[Any], int | None]:
        """The rows of a page, and the number of pages where the vendor says it."""
        fields = answer if isinstance(answer, Mapping) else {}
        rows, meta = fields.get("data"), fields.get("meta")
        if not isinstance(rows, list):
            raise UnexpectedAnswer("The vendor answers a list of its configuration without data.")
        meta = meta if isinstance(meta, Mapping) else {}
        org_id = meta.get("orgid")
        if isinstance(org_id, str) and _plain(org_id) != _plain(self._org):
            raise ForeignOrganisation(
                f"The vendor answers for the organisation {org_id[:64]!r}, and was asked for"
                f" {self._org!r}: none of it is used."
            )
        total_pages = meta.get("totalPages")
        return rows, total_pages if isinstance(total_pages, int) else None


def list_path(org_id: str, asked: ConfigurationList) -> str:
    """Where a list of an organisation is."""
    return f"/organization/{quote(org_id, safe='')}/{asked.path}"


def _plain(org_id: str) -> str:
    """An id of an organisation without hyphens, which the vendor may leave out."""
    return org_id.replace("-", "").lower()


def _user(row: Mapping[str, Any]) -> Iterator[NamedRowId]:
    parts = (row.get(field) for field in ("firstName", "lastName"))
    name = " ".join(it.strip() for it in parts if isinstance(it, str) and it.strip())
    for field in ("ciUserId", "id"):
        yield from named_id("agent", row.get(field), name)


def _code(row: Mapping[str, Any]) -> Iterator[NamedRowId]:
    kind = KIND_OF_CODE.get(row.get("workTypeCode"))
    if kind is not None:
        yield from named_id(kind, row.get("id"), row.get("name"))


def _plainly(kind: NameKind) -> Callable[[Mapping[str, Any]], Iterator[NamedRowId]]:
    return lambda row: named_id(kind, row.get("id"), row.get("name"))


ID_AND_NAME = ("id", "name")
CONFIGURATION_LISTS = (
    ConfigurationList(
        path="v2/user", attributes=("id", "ciUserId", "firstName", "lastName"), names=_user
    ),
    ConfigurationList(path="v2/team", attributes=ID_AND_NAME, names=_plainly("team")),
    ConfigurationList(
        path="v2/contact-service-queue", attributes=ID_AND_NAME, names=_plainly("queue")
    ),
    ConfigurationList(
        path="v2/auxiliary-code", attributes=(*ID_AND_NAME, "workTypeCode"), names=_code
    ),
    ConfigurationList(path="v2/site", attributes=ID_AND_NAME, names=_plainly("site")),
    ConfigurationList(path="v2/entry-point", attributes=ID_AND_NAME, names=_plainly("entryPoint")),
)
