"""Subscriptions of webhooks at the vendor: one for each resource and version.

Rule: whatever was interrupted can be repeated. An existing subscription is used again, and gets a
new secret where its secret is not stored here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from projector.webex.api_answers import UnexpectedAnswer
from projector.webex.api_client import ApiClient
from projector.webex.webhook import EVENT_TYPES
from projector.webex.webhook_secrets import WebhookSecrets

# The beginnings of the event types of each resource, by resource and version.
EVENT_TYPES_BY_RESOURCE: dict[str, tuple[str, ...]] = {
    "agent:2.0.0": tuple(
        type_
        for type_ in EVENT_TYPES
        if type_.startswith("agent:") and type_ != "agent:state_change"  # that is of version 1.0.0
    ),
    "task:1.0.0": ("task:",),
    "capture:1.0.0": ("capture:",),
}
RETIRED_RESOURCE, RETIRED_FROM = "agent:1.0.0", datetime(2026, 12, 16, tzinfo=UTC)
_RETIRED = f"{RETIRED_RESOURCE}, which the vendor supports until 16 December 2026"
DEFAULT_SUBSCRIPTION_LIMIT = 20  # of an organisation, if the vendor names none
NEAR_SUBSCRIPTION_LIMIT = 2  # a warning comes when fewer are left
MOST_TYPES = 32
SUBSCRIPTION_NAME = "projector {resource}"
_NO_ROWS: list[Any] = []
_NO_FIELDS: dict[str, Any] = {}
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription at the vendor; ``version`` is that of the API which lists it.

    ``resource_version`` names several resources where one of the V1 API has event types of several.
    """

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

    @property
    def is_retired(self) -> bool:
        """Whether it ends with ``agent:1.0.0``."""
        return RETIRED_RESOURCE in self.resource_version.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All subscriptions of an organisation, and how many it may have."""

    subscriptions: Sequence[Subscription]
    limit: int

    def ours(self, with_secret: set[str]) -> list[Subscription]:
        """Those that have a secret here, lead where such a one leads, or have a name of ours."""
        urls = {it.destination_url for it in self.subscriptions if it.id in with_secret}
        return [
            it
            for it in self.subscriptions
            if it.id in with_secret
            or it.destination_url in urls
            or it.name.startswith(SUBSCRIPTION_NAME.partition("{")[0])
        ]


class Subscriptions:
    """The subscriptions of one organisation; the secrets of those it makes are stored here.

    Every method raises what ``ApiClient`` raises, and UnexpectedAnswer.
    """

    def __init__(self, client: ApiClient, webhook_secrets: WebhookSecrets) -> None:
        self._client = client
        self._webhook_secrets = webhook_secrets

    def listed(self) -> Listing:
        """All of both versions of the API, in the order of name and id."""
        by_id: dict[str, Subscription] = {}
        limit = DEFAULT_SUBSCRIPTION_LIMIT
        for version in (1, 2):
            answer = self._client.get(f"/v{version}/subscriptions", {"orgId": self._client.org_id})
            named_limit = _field(answer, "meta", _NO_FIELDS).get("subscriptionLimit")
            limit = named_limit if isinstance(named_limit, int) else limit
            for row in _field(answer, "data", _NO_ROWS):
                subscription = _subscription(row, version)
                if subscription.resource_version or subscription.id not in by_id:
                    by_id[subscription.id] = subscription
        ordered = sorted(by_id.values(), key=lambda it: (it.name, it.id))
        return Listing(subscriptions=ordered, limit=limit)

    def create(self, url: str) -> Iterator[tuple[str, Subscription]]:
        """Have each resource sent to a URL; yields what was done, and the subscription."""
        existing_by_resource = {
            it.resource_version: it
            for it in self.listed().subscriptions
            if it.destination_url == url and it.version == 2
        }
        offered = self._offered_types()
        for resource, prefixes in EVENT_TYPES_BY_RESOURCE.items():
            types = [name for name in offered if name.startswith(prefixes)][:MOST_TYPES]
            if not types:
                raise UnexpectedAnswer(f"The vendor offers no event type of {resource}.")
            existing = existing_by_resource.get(resource)
            if existing is None:
                yield "created", self._create(url, resource, types)
            elif existing.id not in self._webhook_secrets.subscription_ids():
                secret = secrets.token_urlsafe(48)
                changed = self._change(existing, secret=secret, status="active")
                self._webhook_secrets.save(existing.id, secret)
                yield "given a new secret", changed
            elif not existing.is_active:
                yield "switched on", self._change(existing, status="active")
            else:
                yield "there already", existing

    def switch_on(self) -> list[Subscription]:
        """Switch on those of ours that are inactive, and return them."""
        ours = self._webhook_secrets.subscription_ids()
        return [
            self._change(it, status="active")
            for it in self.listed().subscriptions
            if it.id in ours and not it.is_active
        ]

    def delete(self, id_: str) -> Subscription | None:
        """End a subscription and drop its secret; None where there is none."""
        ended = [it for it in self.listed().subscriptions if it.id == id_]
        for it in ended:
            path = f"/v{it.version}/subscriptions/{id_}"
            self._client.change("DELETE", path, None, orgId=self._client.org_id)
            self._webhook_secrets.drop(id_)
        return ended[0] if ended else None

    def _offered_types(self) -> list[str]:
        answer = self._client.get("/v2/event-types", {"orgId": self._client.org_id})
        names = (_field(row, "name", "") for row in _field(answer, "data", _NO_ROWS))
        return [*dict.fromkeys(names)]  # a type of two versions may stand there twice

    def _create(self, url: str, resource: str, types: Sequence[str]) -> Subscription:
        secret = secrets.token_urlsafe(48)
        body = {
            "name": SUBSCRIPTION_NAME.format(resource=resource.partition(":")[0]),
            "eventTypes": list(types),
            "destinationUrl": url,
            "secret": secret,
            "orgId": self._client.org_id,
            "resourceVersion": resource,
        }
        made = _subscription_of(self._client.change("POST", "/v2/subscriptions", body), 2)
        self._webhook_secrets.save(made.id, secret)
        return made

    def _change(self, it: Subscription, **changes: str) -> Subscription:
        body: dict[str, Any] = {**changes, "orgId": self._client.org_id}
        if it.version == 2:
            body["resourceVersion"] = it.resource_version
        path = f"/v{it.version}/subscriptions/{it.id}"
        return _subscription_of(self._client.change("PATCH", path, body), it.version)


def warnings(listing: Listing, with_secret: set[str], now: datetime) -> list[str]:
    """What an operator should look at, one sentence each; ``with_secret`` have a secret here."""
    sentences = []
    for it in listing.ours(with_secret):
        if not it.is_active:
            sentences.append(f"{it.name} ({it.id}) is {it.status}: nothing of it is delivered.")
        if it.is_retired:
            days = (RETIRED_FROM - now).days
            when = f"in {days} days" if days >= 0 else "since then"
            sentences.append(
                f"{it.name} ({it.id}) is of {_RETIRED} ({when}): `projector subscriptions create`"
                " makes one of agent:2.0.0; then delete this one."
            )
        if it.id not in with_secret:
            sentences.append(f"{it.name} ({it.id}) has no secret that is stored here.")
    if len(listing.subscriptions) > listing.limit - NEAR_SUBSCRIPTION_LIMIT:
        sentences.append(
            f"{len(listing.subscriptions)} of {listing.limit} subscriptions that the organisation"
            " may have."
        )
    return sentences


def note_on_others(listing: Listing, with_secret: set[str]) -> str:
    """How many subscriptions are not known as ours, one sentence; empty where all are ours."""
    ours = {it.id for it in listing.ours(with_secret)}
    others = [it for it in listing.subscriptions if it.id not in ours]
    if not others:
        return ""
    retired = sum(it.is_retired for it in others)
    ending = f", {retired} of them of {_RETIRED}" if retired else ""
    return f"Not known as subscriptions of this service: {len(others)}{ending}."


def _subscription_of(answer: Any, version: int) -> Subscription:
    return _subscription(_field(answer, "data", _NO_FIELDS), version)


def _subscription(row: Any, version: int) -> Subscription:
    id_ = _field(row, "id", "")
    if not id_:
        raise UnexpectedAnswer("The vendor lists a subscription without its id.")
    event_types = [str(it) for it in _field(row, "eventTypes", _NO_ROWS)]
    resource_version = _field(row, "resourceVersion", "")
    return Subscription(
        id=id_,
        name=_field(row, "name", ""),
        resource_version=_v1_resources(event_types) if version == 1 else resource_version,
        status=_field(row, "status", ""),
        destination_url=_field(row, "destinationUrl", ""),
        event_types=event_types,
        version=version,
    )


def _v1_resources(event_types: Sequence[str]) -> str:
    """The resources of the V1 API, whose rows name none: all are of version 1.0.0 there."""
    resources = dict.fromkeys(it.partition(":")[0] for it in event_types)
    return " ".join(f"{it}:1.0.0" for it in resources)


def _field(fields: Any, name: str, otherwise: T) -> T:
    """A field of a JSON object if it has the type of ``otherwise``, else ``otherwise``."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, type(otherwise)) else otherwise
