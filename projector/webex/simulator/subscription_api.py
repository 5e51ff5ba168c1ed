"""The stand-in's subscriptions: one for each resource and version, with the vendor's limits."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, request

from projector.webex.simulator.api_records import Row

LIMIT = 20
EVENT_TYPES: dict[str, tuple[str, ...]] = {
    "agent:1.0.0": ("agent:login", "agent:logout", "agent:state_change"),
    "agent:2.0.0": (
        *("agent:login", "agent:logout", "agent:channel_state_change"),
        "agent:channelType_state_change",
    ),
    "task:1.0.0": tuple(
        f"task:{word}"
        for word in (
            *("new", "parked", "connect", "connected", "failed", "ended", "on-hold", "hold-done"),
            *("consulting", "consult-done", "conferencing", "conference-done"),
            *("conference-transferred", "origin-updated"),
        )
    ),
    "capture:1.0.0": ("capture:available",),
}
SECRET_LENGTH = (32, 256)
NAME_LENGTH = (4, 64)


class Subscriptions:
    """The subscriptions of one organisation; secrets are kept and never told."""

    def __init__(self, org_id: str, clock: Callable[[], int]) -> None:
        self._org_id = org_id
        self._clock = clock
        self.kept: dict[str, Row] = {}

    def register(self, app: Flask, refused: Callable[[int, str], Exception]) -> None:
        """Serve them, in both versions of the API."""
        self._refused = refused
        for version in (1, 2):
            root = f"/v{version}/subscriptions"
            tail = f"v{version}"
            app.add_url_rule(
                root, f"list {tail}", lambda version=version: self._list(version), methods=["GET"]
            )
            app.add_url_rule(
                root, f"make {tail}", lambda version=version: self._make(version), methods=["POST"]
            )
            app.add_url_rule(
                f"{root}/<id_>",
                f"one {tail}",
                lambda id_, version=version: self._one(version, id_),
                methods=["GET", "PATCH", "DELETE"],
            )
            app.add_url_rule(
                f"/v{version}/event-types", f"types {tail}", self._types, methods=["GET"]
            )

    def _list(self, version: int) -> Row:
        data = [_shown(it) for it in self.kept.values() if it["version"] == version]
        meta = {
            "orgId": self._org_id,
            "subscriptionCount": len(self.kept),
            "subscriptionLimit": LIMIT,
        }
        return {"meta": meta, "data": data}

    def _make(self, version: int) -> tuple[Row, int]:
        asked = request.get_json(silent=True) or {}
        if len(self.kept) >= LIMIT:
            raise self._refused(400, f"The limit of {LIMIT} subscriptions is reached")
        resource = asked.get("resourceVersion", "agent:1.0.0" if version == 1 else None)
        self._check(asked, resource)
        if not NAME_LENGTH[0] <= len(asked.get("name") or "") <= NAME_LENGTH[1]:
            raise self._refused(400, "name must be 4 to 64 characters")
        now = self._clock()
        made = {
            "id": str(uuid4()),
            **asked,
            "resourceVersion": resource,
            "version": version,
            "status": "active",
            "createdTime": now,
            "createdBy": "admin@example.com",
            "lastUpdatedTime": now,
            "lastUpdatedBy": "admin@example.com",
        }
        self.kept[made["id"]] = made
        return {"meta": {"orgId": self._org_id}, "data": _shown(made)}, 201

    def _one(self, version: int, id_: str) -> Any:
        found = self.kept.get(id_)
        if found is None or found["version"] != version:
            raise self._refused(404, "No such subscription")
        if request.method == "DELETE":
            del self.kept[id_]
            return "", 204
        if request.method == "PATCH":
            asked = request.get_json(silent=True) or {}
            if "name" in asked:
                raise self._refused(400, "name cannot change")
            self._check({**found, **asked}, asked.get("resourceVersion", found["resourceVersion"]))
            found.update(asked, lastUpdatedTime=self._clock())
        return {"meta": {"orgId": self._org_id}, "data": _shown(found)}

    def _check(self, asked: Row, resource: str | None) -> None:
        known = EVENT_TYPES.get(resource or "")
        if known is None:
            raise self._refused(400, "resourceVersion is not known")
        types = asked.get("eventTypes") or []
        if not types or not set(types) <= set(known):
            raise self._refused(400, f"eventTypes must be some of {', '.join(known)}")
        url = urlsplit(asked.get("destinationUrl") or "")
        odd = url.query or url.fragment or url.username or url.port not in (None, 443)
        if url.scheme != "https" or not url.path or odd:
            raise self._refused(400, "destinationUrl must be https with a path")
        secret = asked.get("secret")
        if secret is not None and not SECRET_LENGTH[0] <= len(secret) <= SECRET_LENGTH[1]:
            raise self._refused(400, "secret must be 32 to 256 characters")

    def _types(self) -> Row:
        data = [
            {"name": name, "resource": name.partition(":")[0], "action": name.partition(":")[2]}
            for name in dict.fromkeys(it for types in EVENT_TYPES.values() for it in types)
        ]
        versions = [
            {"resource": resource, "version": version}
            for resource, _, version in (it.partition(":") for it in EVENT_TYPES)
        ]
        return {"meta": {"orgId": self._org_id, "resourceVersionList": versions}, "data": data}


def _shown(subscription: Row) -> Row:
    return {name: it for name, it in subscription.items() if name not in {"secret", "version"}}
