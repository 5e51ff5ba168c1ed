"""Webhook bodies: the data of an event in the vendor's envelope."""

from random import Random
from typing import Any, Literal, get_args

from projector.webex.simulator.staff import make_id

WebhookBody = dict[str, Any]
Versions = Literal["1", "2", "both"]
VERSIONS: tuple[str, ...] = get_args(Versions)

SIMULATED_ORG_ID = "5f0c2a56-1d3b-4f6e-9b7c-2d8e41a7c390"

# The vendor has one subscription for each resource and version. The ids are fixed, so that a
# service can have secrets for them.
SUBSCRIPTIONS = {
    "agent": "a2000000-7c1d-4e5f-8a9b-000000000001",
    "agent v1": "a1000000-7c1d-4e5f-8a9b-000000000002",
    "task": "b1000000-7c1d-4e5f-8a9b-000000000003",
    "capture": "c1000000-7c1d-4e5f-8a9b-000000000004",
}


class Outbox:
    """Collects webhook bodies until ``take``: one for each version that is subscribed to.

    It has a random generator of its own, so that the versions do not change what happens.
    """

    def __init__(self, rng: Random, versions: Versions) -> None:
        self._rng = rng
        self._v1 = versions in ("1", "both")
        self._v2 = versions in ("2", "both")
        self._bodies: list[WebhookBody] = []

    def take(self) -> list[WebhookBody]:
        """The bodies since the last call, in their order."""
        bodies, self._bodies = self._bodies, []
        return bodies

    def task(self, event: str, data: WebhookBody) -> None:
        self._bodies.append(self._stamped("task", f"task:{event}", data))

    def capture(self, data: WebhookBody) -> None:
        self._bodies.append(self._stamped("capture", "capture:available", data))

    def session(self, event: str, data: WebhookBody) -> None:
        """A login or a logout, which both versions have."""
        if self._v1:
            self._bodies.append(self._bare("agent v1", f"agent:{event}", data))
        if self._v2:
            self._bodies.append(self._stamped("agent", f"agent:{event}", dict(data)))

    def state(self, v1: WebhookBody | None, v2: WebhookBody) -> None:
        """A state of an agent, as the data of each version; ``v1`` is None where it has none."""
        if self._v1 and v1:
            self._bodies.append(self._bare("agent v1", "agent:state_change", v1))
        if self._v2:
            self._bodies.append(self._stamped("agent", "agent:channel_state_change", v2))

    def channel_type(self, data: WebhookBody) -> None:
        """A change of a channel type, which only the second version has."""
        if self._v2:
            self._bodies.append(self._stamped("agent", "agent:channelType_state_change", data))

    def _stamped(self, subscription: str, event_type: str, data: WebhookBody) -> WebhookBody:
        lag = self._rng.randint(80, 1_400)
        stamp = {"comciscotimestamp": str(data["createdTime"] + lag)}
        return self._bare(subscription, event_type, data, stamp)

    def _bare(
        self,
        subscription: str,
        event_type: str,
        data: WebhookBody,
        stamp: WebhookBody | None = None,
    ) -> WebhookBody:
        return {
            "id": make_id(self._rng),
            "specversion": "1.0",
            "type": event_type,
            "source": f"/com/cisco/wxcc/{SUBSCRIPTIONS[subscription]}",
            "comciscoorgid": SIMULATED_ORG_ID,
            **(stamp or {}),
            "datacontenttype": "application/json",
            "data": data,
        }
