"""The subscription API of the stand-in, with the rules of the vendor that no schema says."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from projector.webex.simulator.rest_schema import ApiCall, ApiRefusal, ApiReply, BadRequest
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
            *("consulting", "consult-done", "conferencing", "conference-done", "join-conference"),
            *("exit-conference", "conference-transferred", "customer-left", "owner-changed"),
            *("primary-owner-left", "origin-updated"),
        )
    ),
    "capture:1.0.0": ("capture:available",),
}
FIRST_VERSIONS = [it for it in OFFERED_EVENT_TYPES if it.endswith(":1.0.0")]  # all that V1 knows
SECOND_ONLY = "resourceVersion"  # V1 has no such field
UNSEEN = {"secret", "version"}


class SubscriptionApi:
    """The subscriptions of one organisation; their secrets are stored and never returned.

    ``by_id`` has every field of a subscription, its secret and the version of its API too.
    """

    def __init__(self, org_id: str, clock: Callable[[], int]) -> None:
        self._org_id = org_id
        self._clock = clock
        self.by_id: dict[str, SimulatedRow] = {}

    def handlers(self) -> dict[tuple[str, str], Callable[[ApiCall], ApiReply]]:
        """What answers each of the API's operations, by method and path."""
        return {
            (method, f"/v{version}{path}"): partial(answer, version)
            for version in (1, 2)
            for (method, path), answer in {
                ("GET", "/event-types"): self._types,
                ("GET", "/subscriptions"): self._list,
                ("POST", "/subscriptions"): self._create,
                ("GET", "/subscriptions/{id}"): self._read,
                ("PATCH", "/subscriptions/{id}"): self._change,
                ("DELETE", "/subscriptions/{id}"): self._delete,
            }.items()
        }

    def _types(self, version: int, _: ApiCall) -> ApiReply:
        resources = FIRST_VERSIONS if version == 1 else [*OFFERED_EVENT_TYPES]
        names = dict.fromkeys(it for resource in resources for it in OFFERED_EVENT_TYPES[resource])
        data = [
            {"name": name, "resource": resource, "action": action}
            for name, (resource, _, action) in ((name, name.partition(":")) for name in names)
        ]
        meta: SimulatedRow = {"orgId": self._org_id}
        if version > 1:
            meta["resourceVersionList"] = [
                {"resource": resource, "version": number}
                for resource, _, number in (it.partition(":") for it in resources)
            ]
        return 200, {"meta": meta, "data": data}

    def _list(self, version: int, _: ApiCall) -> ApiReply:
        data = [_public(it) for it in self.by_id.values() if it["version"] == version]
        return 200, {"meta": self._meta_with_counts(), "data": data}

    def _create(self, version: int, call: ApiCall) -> ApiReply:
        body = self._own(call)
        if len(self.by_id) >= SUBSCRIPTION_LIMIT:
            raise BadRequest(f"The limit of {SUBSCRIPTION_LIMIT} subscriptions is reached")
        _check(version, body)
        now = self._clock()
        created = {
            "id": str(uuid4()),
            **body,
            "version": version,
            "status": "active",
            "createdTime": now,
            "createdBy": "admin@example.com",
            "lastUpdatedTime": now,
            "lastUpdatedBy": "admin@example.com",
        }
        self.by_id[created["id"]] = created
        return 201, {"meta": self._meta_with_counts(), "data": _public(created)}

    def _read(self, version: int, call: ApiCall) -> ApiReply:
        return 200, self._one(self._existing(version, call))

    def _change(self, version: int, call: ApiCall) -> ApiReply:
        subscription = self._existing(version, call)
        body = self._own(call)
        _check(version, {**subscription, **body})
        subscription.update(body, lastUpdatedTime=self._clock())
        return 200, self._one(subscription)

    def _delete(self, version: int, call: ApiCall) -> ApiReply:
        del self.by_id[self._existing(version, call)["id"]]
        return 204, None

    def _existing(self, version: int, call: ApiCall) -> SimulatedRow:
        subscription = self.by_id.get(call.in_path["id"])
        if subscription is None or subscription["version"] != version:
            raise ApiRefusal(404, "No such subscription")
        return subscription

    def _own(self, call: ApiCall) -> SimulatedRow:
        """The body of a call, which may name the organisation; ApiRefusal where it is another."""
        body = dict(call.body)
        if body.pop("orgId", self._org_id) != self._org_id:
            raise ApiRefusal(403, "The token has no access to the organisation")
        return body

    def _one(self, subscription: SimulatedRow) -> SimulatedRow:
        return {"meta": {"orgId": self._org_id}, "data": _public(subscription)}

    def _meta_with_counts(self) -> SimulatedRow:
        """The counts are of both versions; the vendor describes them in words only."""
        return {
            "orgId": self._org_id,
            "subscriptionCount": len(self.by_id),
            "subscriptionLimit": SUBSCRIPTION_LIMIT,
        }


def _check(version: int, body: Mapping[str, Any]) -> None:
    """The rules of the vendor beside its schema."""
    resources = FIRST_VERSIONS if version == 1 else [body[SECOND_ONLY]]
    offered = {it for resource in resources for it in OFFERED_EVENT_TYPES.get(resource, ())}
    if not offered:
        raise BadRequest("resourceVersion is not known")
    if not {*body["eventTypes"]} <= offered:
        raise BadRequest(f"eventTypes must be some of {', '.join(sorted(offered))}")
    if not _is_destination(body["destinationUrl"]):
        raise BadRequest("destinationUrl must be https with a path")


def _is_destination(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_extra_parts = url.query or url.fragment or url.username or url.port not in (None, 443)
    except ValueError:
        return False
    return bool(url.scheme == "https" and url.hostname and url.path and not has_extra_parts)


def _public(subscription: SimulatedRow) -> SimulatedRow:
    return {name: it for name, it in subscription.items() if name not in UNSEEN}
