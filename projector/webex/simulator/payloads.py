"""The vendor's envelopes: facts go in, whole webhook bodies come out."""

from random import Random
from typing import Any, Literal, get_args

from projector.webex.simulator.staff import make_id

Body = dict[str, Any]
Versions = Literal["1", "2", "both"]
VERSIONS: tuple[str, ...] = get_args(Versions)

ORGANISATION = "5f0c2a56-1d3b-4f6e-9b7c-2d8e41a7c390"

# The vendor wants a subscription for each resource and version. Fixed, so that a service can be
# given secrets for them.
SUBSCRIPTIONS = {
    "agent": "a2000000-7c1d-4e5f-8a9b-000000000001",
    "agent v1": "a1000000-7c1d-4e5f-8a9b-000000000002",
    "task": "b1000000-7c1d-4e5f-8a9b-000000000003",
    "capture": "c1000000-7c1d-4e5f-8a9b-000000000004",
}


class Wire:
    """Holds what was put on it until it is taken, wrapped for each version subscribed to.

    Its chances are its own, so that a world is the same whatever versions it is told in.
    """

    def __init__(self, rng: Random, versions: Versions) -> None:
        self._rng = rng
        self._v1 = versions in ("1", "both")
        self._v2 = versions in ("2", "both")
        self._bodies: list[Body] = []

    def take(self) -> list[Body]:
        bodies, self._bodies = self._bodies, []
        return bodies

    def task(self, event: str, data: Body) -> None:
        self._bodies.append(self._stamped("task", f"task:{event}", data))

    def capture(self, data: Body) -> None:
        self._bodies.append(self._stamped("capture", "capture:available", data))

    def session(self, event: str, data: Body) -> None:
        """A login or a logout, which both versions have."""
        if self._v1:
            self._bodies.append(self._bare("agent v1", f"agent:{event}", data))
        if self._v2:
            self._bodies.append(self._stamped("agent", f"agent:{event}", dict(data)))

    def state(self, v1: Body | None, v2: Body) -> None:
        if self._v1 and v1:
            self._bodies.append(self._bare("agent v1", "agent:state_change", v1))
        if self._v2:
            self._bodies.append(self._stamped("agent", "agent:channel_state_change", v2))

    def channel_type(self, data: Body) -> None:
        """Only the second version tells these."""
        if self._v2:
            self._bodies.append(self._stamped("agent", "agent:channelType_state_change", data))

    def _stamped(self, subscription: str, event_type: str, data: Body) -> Body:
        lag = self._rng.randint(80, 1_400)
        stamp = {"comciscotimestamp": str(data["createdTime"] + lag)}
        return self._bare(subscription, event_type, data, stamp)

    def _bare(
        self, subscription: str, event_type: str, data: Body, stamp: Body | None = None
    ) -> Body:
        return {
            "id": make_id(self._rng),
            "specversion": "1.0",
            "type": event_type,
            "source": f"/com/cisco/wxcc/{SUBSCRIPTIONS[subscription]}",
            "comciscoorgid": ORGANISATION,
            **(stamp or {}),
            "datacontenttype": "application/json",
            "data": data,
        }
