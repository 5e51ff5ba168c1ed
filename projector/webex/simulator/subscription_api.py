"""The subscription API of the stand-in, with the rules and limits of the vendor."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, request

from projector.webex.simulator.vendor_rows import SimulatedRow

SUBSCRIPTION_LIMIT = 20
OFFERED_EVENT_TYPES: dict[str, tuple[str, ...]] = {
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


class SubscriptionApi:
    """The subscriptions of one organisation; their secrets are stored and never returned."""

    def __init__(self, org_id: str, clock: Callable[[], int]) -> None:
        self._org_id = org_id
        self._clock = clock
        self.by_id: dict[str, SimulatedRow] = {}

    def register(self, app: Flask, refused: Callable[[int, str], Exception]) -> None:
        """Serve both versions of the API; ``refused`` makes an error from status and sentence."""
        self._refused = refused
        for version in (1, 2):
            root = f"/v{version}/subscriptions"
            tail = f"v{version}"
            app.add_url_rule(
                root, f"list {tail}", lambda version=version: self._list(version), methods=["GET"]
            )
            app.add_url_rule(
                root,
                f"make {tail}",
                lambda version=version: self._create(version),
                methods=["POST"],
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

    def _list(self, version: int) -> SimulatedRow:
        data = [_public(it) for it in self.by_id.values() if it["version"] == version]
        meta = {
            "orgId": self._org_id,
            "subscriptionCount": len(self.by_id),
            "subscriptionLimit": SUBSCRIPTION_LIMIT,
        }
        return {"meta": meta, "data": data}

    def _create(self, version: int) -> tuple[SimulatedRow, int]:
        body = request.get_json(silent=True) or {}
        if len(self.by_id) >= SUBSCRIPTION_LIMIT:
            raise self._refused(400, f"The limit of {SUBSCRIPTION_LIMIT} subscriptions is reached")
        resource = body.get("resourceVersion", "agent:1.0.0" if version == 1 else None)
        self._check(body, resource)
        if not NAME_LENGTH[0] <= len(body.get("name") or "") <= NAME_LENGTH[1]:
            raise self._refused(400, "name must be 4 to 64 characters")
        now = self._clock()
        created = {
            "id": str(uuid4()),
            **body,
            "resourceVersion": resource,
            "version": version,
            "status": "active",
            "createdTime": now,
            "createdBy": "admin@example.com",
            "lastUpdatedTime": now,
            "lastUpdatedBy": "admin@example.com",
        }
        self.by_id[created["id"]] = created
        return {"meta": {"orgId": self._org_id}, "data": _public(created)}, 201

    def _one(self, version: int, id_: str) -> Any:
        subscription = self.by_id.get(id_)
        if subscription is None or subscription["version"] != version:
            raise self._refused(404, "No such subscription")
        if request.method == "DELETE":
            del self.by_id[id_]
            return "", 204
        if request.method == "PATCH":
            body = request.get_json(silent=True) or {}
            if "name" in body:
                raise self._refused(400, "name cannot change")
            self._check(
                {**subscription, **body},
                body.get("resourceVersion", subscription["resourceVersion"]),
            )
            subscription.update(body, lastUpdatedTime=self._clock())
        return {"meta": {"orgId": self._org_id}, "data": _public(subscription)}

    def _check(self, body: SimulatedRow, resource: str | None) -> None:
        offered = OFFERED_EVENT_TYPES.get(resource or "")
        if offered is None:
            raise self._refused(400, "resourceVersion is not known")
        types = body.get("eventTypes") or []
        if not types or not set(types) <= set(offered):
            raise self._refused(400, f"eventTypes must be some of {', '.join(offered)}")
        url = urlsplit(body.get("destinationUrl") or "")
        has_extra_parts = url.query or url.fragment or url.username or url.port not in (None, 443)
        if url.scheme != "https" or not url.path or has_extra_parts:
            raise self._refused(400, "destinationUrl must be https with a path")
        secret = body.get("secret")
        if secret is not None and not SECRET_LENGTH[0] <= len(secret) <= SECRET_LENGTH[1]:
            raise self._refused(400, "secret must be 32 to 256 characters")

    def _types(self) -> SimulatedRow:
        data = [
            {"name": name, "resource": name.partition(":")[0], "action": name.partition(":")[2]}
            for name in dict.fromkeys(it for types in OFFERED_EVENT_TYPES.values() for it in types)
        ]
        versions = [
            {"resource": resource, "version": version}
            for resource, _, version in (it.partition(":") for it in OFFERED_EVENT_TYPES)
        ]
        return {"meta": {"orgId": self._org_id, "resourceVersionList": versions}, "data": data}


def _public(subscription: SimulatedRow) -> SimulatedRow:
    return {name: it for name, it in subscription.items() if name not in {"secret", "version"}}
