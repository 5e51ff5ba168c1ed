"""The configuration API of the stand-in: its lists of users, teams, queues, codes and the like.

As at the vendor, a page size above the limit is reduced, and array fields are left out.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.rest_schema import ApiCall, ApiRefusal, ApiReply, BadRequest
from projector.webex.simulator.vendor_rows import SimulatedName, SimulatedRow, VendorRows

CONFIGURATION_ROOT = "/organization/"
# What a caller may ask for; the other parameters of the vendor are not simulated.
SIMULATED_PARAMETERS = {"page", "pageSize", "attributes"}
WORK_TYPES = {"idleCode": "IDLE_CODE", "wrapUpCode": "WRAP_UP_CODE"}


class ConfigurationApi:
    """Lists what the vendor's rows name; ``page_limit`` is the longest page."""

    def __init__(self, org_id: str, rows: VendorRows, page_limit: int) -> None:
        self._org_id = org_id
        self._rows = rows
        self._page_limit = page_limit

    def handlers(self) -> dict[tuple[str, str], Callable[[ApiCall], ApiReply]]:
        """What answers each of the API's operations, by method and path."""
        return {
            ("GET", f"{CONFIGURATION_ROOT}{{orgid}}/v2/{name}"): partial(self._list, rows_of)
            for name, rows_of in CONFIGURED_ROWS.items()
        }

    def _list(
        self, rows_of: Callable[[str, VendorRows], Iterator[SimulatedRow]], call: ApiCall
    ) -> ApiReply:
        if call.in_path["orgid"] != self._org_id:
            raise ApiRefusal(403, "The token has no access to the organisation")
        asked = call.parameters
        if unknown := {name for name, it in asked.items() if it} - SIMULATED_PARAMETERS:
            raise ApiRefusal(501, f"{', '.join(sorted(unknown))}: the stand-in has no such thing")
        page, size = asked["page"], min(asked["pageSize"], self._page_limit)
        if page < 0 or size < 1:
            raise BadRequest("page and pageSize must not be negative, and pageSize not 0")
        rows = [{"organizationId": self._org_id, **it} for it in rows_of(self._org_id, self._rows)]
        first = 0 if call.fault == "repeat-pages" else page * size
        attributes = asked.get("attributes")
        data = [_only(attributes, row) for row in rows[first : first + size]]
        meta: SimulatedRow = {
            "orgid": self._org_id,
            "page": page,
            "pageSize": size,
            "totalPages": -(-len(rows) // size),
            "totalRecords": len(rows),
            "links": {},
        }
        return 200, {"meta": meta, "data": None if call.fault == "null-data" else data}


def _only(attributes: str | None, row: SimulatedRow) -> SimulatedRow:
    """The fields of a row that are asked for, between commas; all where none is named."""
    if not attributes:
        return row
    names = attributes.split(",")
    return {name: it for name, it in row.items() if name in names}


def _of_kind(kind: str, rows: VendorRows) -> Iterator[SimulatedName]:
    return (it for it in rows.names if it[0] == kind)


def _users(org_id: str, rows: VendorRows) -> Iterator[SimulatedRow]:
    """Webhooks name an agent by the id of Cisco's Common Identity."""
    for _, agent_id, name in _of_kind("agent", rows):
        first, _, last = name.partition(" ")
        yield {
            "id": str(uuid5(NAMESPACE_OID, f"user {org_id} {agent_id}")),
            "ciUserId": agent_id,
            "firstName": first,
            "lastName": last,
            "email": f"agent-{agent_id[:8]}@example.com",
            "contactCenterEnabled": True,
            "active": True,
        }


def _codes(_: str, rows: VendorRows) -> Iterator[SimulatedRow]:
    for kind, work_type in WORK_TYPES.items():
        for _, id_, name in _of_kind(kind, rows):
            yield {"id": id_, "name": name, "workTypeCode": work_type, "active": True}


def _plain_rows(kind: str, _: str, rows: VendorRows) -> Iterator[SimulatedRow]:
    for _, id_, name in _of_kind(kind, rows):
        yield {"id": id_, "name": name, "active": True}


CONFIGURED_ROWS: Mapping[str, Callable[[str, VendorRows], Iterator[SimulatedRow]]] = {
    "user": _users,
    "team": partial(_plain_rows, "team"),
    "contact-service-queue": partial(_plain_rows, "queue"),
    "auxiliary-code": _codes,
    "site": partial(_plain_rows, "site"),
    "entry-point": partial(_plain_rows, "entryPoint"),
}
