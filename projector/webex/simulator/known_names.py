"""What the stand-in vendor calls ids: by their name, else by their kind and beginning."""

from collections.abc import Iterable, Mapping
from uuid import NAMESPACE_OID, uuid5

from projector.webex.simulator.vendor_rows import UNNAMED, SimulatedName, SimulatedRow

SITE_NAME: SimulatedName = ("site", str(uuid5(NAMESPACE_OID, "site")), "A Site")
ENTRY_POINT: SimulatedName = (
    "entryPoint",
    str(uuid5(NAMESPACE_OID, "entry point")),
    "An entry point",
)
_WORDS: Mapping[str, str] = {
    "agent": "Agent",
    "team": "Team",
    "queue": "Queue",
    "idleCode": "Idle code",
    "wrapUpCode": "Wrap-up code",
}


class KnownNames:
    """Names by kind and id."""

    def __init__(self, names: Iterable[SimulatedName]) -> None:
        self._by_id = {(kind, id_): name for kind, id_, name in names}

    def name(self, kind: str, id_: str) -> str:
        return self._by_id.get((kind, id_), f"{_WORDS[kind]} {id_[:8]}")

    def named(self, kind: str, id_: str | None) -> SimulatedRow:
        """An id with its name, as the vendor has it; both are null where there is none."""
        return UNNAMED if id_ is None else {"id": id_, "name": self.name(kind, id_)}
