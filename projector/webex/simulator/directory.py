"""What people call the simulated agents, teams, queues and codes: the same in each run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from projector.webex.simulator.floor import SimulatedFloor
from projector.webex.simulator.known_names import ENTRY_POINT, SITE_NAME
from projector.webex.simulator.vendor_rows import SimulatedName

FIRST_NAMES = (
    *("Ada", "Amir", "Bea", "Carlos", "Chen", "Dana", "Elif", "Emeka", "Fatima", "Goran", "Hana"),
    *("Ines", "Ivan", "Jonas", "Kavya", "Lena", "Luca", "Mei", "Nadia", "Noah", "Olga", "Pedro"),
    *("Priya", "Rosa", "Sami", "Tariq", "Tove", "Vera", "Yuki"),
)
LAST_NAMES = (
    *("Adler", "Bauer", "Costa", "Diaz", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jensen"),
    *("Kaya", "Lindgren", "Moreau", "Novak", "Okafor", "Park", "Quinn", "Rossi", "Silva", "Tanaka"),
    *(
        "Ueda",
        "Varga",
        "Weber",
        "Yilmaz",
        "Zhang",
        "Moss",
        "Hale",
        "Reyes",
        "Sato",
        "Byrne",
        "Cole",
    ),
)
TEAM_NAMES = (
    *("Sales", "Support", "Billing", "Orders", "Returns", "Travel", "Claims", "Renewals"),
    *("Onboarding", "Technical", "Business", "Premium"),
)
WORK_OF_CHANNEL = {"telephony": "calls", "chat": "chats", "email": "emails"}
WRAP_UP_NAMES = ("Solved", "Callback agreed", "Passed on", "Sale", "Complaint")


def directory(floor: SimulatedFloor) -> Iterator[SimulatedName]:
    """The kind, id and name of everybody and everything on a floor."""
    for number, agent in enumerate(chain.from_iterable(floor.teams)):
        yield "agent", agent.id, _person(number)
    for number, members in enumerate(floor.teams):
        team, name = members[0].team, _numbered(TEAM_NAMES, number)
        yield "team", team.id, name
        for channel_type, queue_id in team.queues.items():
            yield "queue", queue_id, f"{name} {WORK_OF_CHANNEL[channel_type]}"
    for code in (floor.login_code, floor.end_code, floor.refused_code, *floor.break_codes):
        yield "idleCode", code.id, code.name
    for code_id, name in zip(floor.wrap_up_codes, WRAP_UP_NAMES, strict=True):
        yield "wrapUpCode", code_id, name
    yield SITE_NAME
    yield ENTRY_POINT


def _person(number: int) -> str:
    """A first and a last name. The two lists have no common divisor, so it is long before one
    comes twice; then it has a number.
    """
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[number % len(LAST_NAMES)]
    turn = number // (len(FIRST_NAMES) * len(LAST_NAMES))
    return f"{first} {last}" if turn == 0 else f"{first} {last} {turn + 1}"


def _numbered(names: tuple[str, ...], number: int) -> str:
    turn = number // len(names)
    return names[number % len(names)] if turn == 0 else f"{names[number % len(names)]} {turn + 1}"
