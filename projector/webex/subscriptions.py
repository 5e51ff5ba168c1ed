"""Subscriptions: one for each resource and version, made, watched and ended at the vendor's.

The rule of this file: whatever broke off can be asked for again. A subscription whose secret is not
known here gets a new one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from projector.webex.api_client import Vendor
from projector.webex.api_queries import Unexpected
from projector.webex.webhook_secrets import WebhookSecrets

# By resource and version; the names that the vendor offers of them are asked for.
WANTED: dict[str, tuple[str, ...]] = {
    "agent:2.0.0": (
        *("agent:login", "agent:logout", "agent:channel_state_change"),
        "agent:channelType_state_change",
    ),
    "task:1.0.0": ("task:",),
    "capture:1.0.0": ("capture:",),
}
ENDING, ENDS = "agent:1.0.0", datetime(2026, 12, 16, tzinfo=UTC)
LIMIT, NEAR_LIMIT = 20, 2  # of an organisation, where the vendor tells none; how near is near
MOST_TYPES = 32
NAME = "projector {resource}"
NONE: list[Any] = []
EMPTY: dict[str, Any] = {}
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One of the vendor's; ``version`` is that of the API which tells of it."""

    id: str
    name: str
    resource_version: str
    status: str
    destination_url: str
    event_types: Sequence[str]
    version: int

    @property
    def is_active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All of an organisation, and how many it may have."""

    subscriptions: Sequence[Subscription]
    limit: int


class Subscriptions:
    """Asks the vendor for one organisation, and keeps the secrets of what it makes."""

    def __init__(self, vendor: Vendor, keyring: WebhookSecrets) -> None:
        self._vendor = vendor
        self._keyring = keyring

    def listed(self) -> Listing:
        """Of both versions of the API, by name and id."""
        found: dict[str, Subscription] = {}
        limit = LIMIT
        for version in (1, 2):
            answer = self._vendor.get(f"/v{version}/subscriptions", {"orgId": self._vendor.org_id})
            told = _field(answer, "meta", EMPTY).get("subscriptionLimit")
            limit = told if isinstance(told, int) else limit
            for row in _field(answer, "data", NONE):
                own = _subscription(row, version)
                found[own.id] = own
        ordered = sorted(found.values(), key=lambda it: (it.name, it.id))
        return Listing(subscriptions=ordered, limit=limit)

    def create(self, url: str) -> Iterator[tuple[str, Subscription]]:
        """See that each resource is sent to an address: what was done, and with which one."""
        known = {
            it.resource_version: it
            for it in self.listed().subscriptions
            if it.destination_url == url and it.version == 2
        }
        offered = self._offered()
        for resource, wanted in WANTED.items():
            types = [name for name in offered if name.startswith(wanted)][:MOST_TYPES]
            existing = known.get(resource)
            if existing is None:
                yield "created", self._made(url, resource, types)
            elif existing.id not in self._keyring.ids():
                secret = secrets.token_urlsafe(48)
                changed = self._changed(existing, secret=secret, status="active")
                self._keyring.keep(existing.id, secret)
                yield "given a new secret", changed
            elif not existing.is_active:
                yield "switched on", self._changed(existing, status="active")
            else:
                yield "there already", existing

    def switch_on(self) -> list[Subscription]:
        """Switch on those of ours that are inactive; which were."""
        ours = self._keyring.ids()
        return [
            self._changed(it, status="active")
            for it in self.listed().subscriptions
            if it.id in ours and not it.is_active
        ]

    def delete(self, id_: str) -> Subscription | None:
        """End one; null where there is none."""
        found = [it for it in self.listed().subscriptions if it.id == id_]
        for it in found:
            path = f"/v{it.version}/subscriptions/{id_}"
            self._vendor.change("DELETE", path, None, orgId=self._vendor.org_id)
            self._keyring.forget(id_)
        return found[0] if found else None

    def _offered(self) -> list[str]:
        answer = self._vendor.get("/v2/event-types", {"orgId": self._vendor.org_id})
        return [str(_field(row, "name", "")) for row in _field(answer, "data", NONE)]

    def _made(self, url: str, resource: str, types: Sequence[str]) -> Subscription:
        secret = secrets.token_urlsafe(48)
        body = {
            "name": NAME.format(resource=resource.partition(":")[0]),
            "eventTypes": list(types),
            "destinationUrl": url,
            "secret": secret,
            "orgId": self._vendor.org_id,
            "resourceVersion": resource,
        }
        made = _told(self._vendor.change("POST", "/v2/subscriptions", body), 2)
        self._keyring.keep(made.id, secret)
        return made

    def _changed(self, it: Subscription, **changes: str) -> Subscription:
        body: dict[str, Any] = {**changes, "orgId": self._vendor.org_id}
        if it.version == 2:
            body["resourceVersion"] = it.resource_version
        path = f"/v{it.version}/subscriptions/{it.id}"
        return _told(self._vendor.change("PATCH", path, body), it.version)


def warnings(listing: Listing, ours: set[str], now: datetime) -> list[str]:
    """What somebody should see to, a sentence each."""
    found = []
    for it in listing.subscriptions:
        if not it.is_active:
            found.append(f"{it.name} ({it.id}) is {it.status}: nothing of it is delivered.")
        if it.resource_version == ENDING:
            days = (ENDS - now).days
            when = f"in {days} days" if days >= 0 else "since then"
            found.append(
                f"{it.name} ({it.id}) is of {ENDING}, which the vendor supports until 16 December"
                f" 2026 ({when}): `projector subscriptions create` makes one of agent:2.0.0."
            )
        if it.id not in ours and it.name.startswith(NAME.partition("{")[0]):
            found.append(f"{it.name} ({it.id}) has no secret that is known here.")
    if len(listing.subscriptions) > listing.limit - NEAR_LIMIT:
        found.append(
            f"{len(listing.subscriptions)} of {listing.limit} subscriptions that the organisation"
            " may have."
        )
    return found


def _told(answer: Any, version: int) -> Subscription:
    return _subscription(_field(answer, "data", EMPTY), version)


def _subscription(row: Any, version: int) -> Subscription:
    id_ = _field(row, "id", "")
    if not id_:
        raise Unexpected("The vendor tells of a subscription without its id.")
    return Subscription(
        id=id_,
        name=_field(row, "name", ""),
        resource_version=_field(row, "resourceVersion", ""),
        status=_field(row, "status", ""),
        destination_url=_field(row, "destinationUrl", ""),
        event_types=[str(it) for it in _field(row, "eventTypes", NONE)],
        version=version,
    )


def _field(holder: Any, name: str, otherwise: T) -> T:
    """A field of an object of the vendor's, where it is of the kind that is expected."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, type(otherwise)) else otherwise
