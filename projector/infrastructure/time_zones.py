"""Time zones by their IANA names.

Rule: the rules of a zone come from the package `tzdata` alone, never from the system. So one
release cuts days alike on every machine.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


def time_zone(name: str) -> ZoneInfo:
    """A zone; ValueError where the IANA has none of this name."""
    if name not in _zone_names():
        raise ValueError(f"no time zone {name!r}")
    return _read_zone(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text().split())


@cache
def _read_zone(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
