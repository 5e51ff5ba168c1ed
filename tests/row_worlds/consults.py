"""Consults within a shift: each function writes one into a day, and returns when it is over.

Both agents are available at ``at`` and at the end. In a consult to an entry point the rows of the
call to it, the child, stand in the list of the parent.
"""

from __future__ import annotations

from functools import partial
from itertools import product

from tests.row_worlds.calls import Contact, answered, hung_up
from tests.row_worlds.day import Desk, Line, VendorDay

ALL_MARKED, NEW_MARKED, UNMARKED = "all rows marked", "only new marked", "no row marked"
MARKS = (ALL_MARKED, NEW_MARKED, UNMARKED)
ANSWERED, UNANSWERED, CUSTOMER_LEAVES = "answered", "unanswered", "customer leaves"
OUTCOMES = (ANSWERED, UNANSWERED, CUSTOMER_LEAVES)


def asked(day: VendorDay, at: int, desk: Desk) -> Line:
    """A call whose agent asks for another one; the customer is on hold from ``at`` + 45.7 s on."""
    call = answered(day, at, desk)
    call.row(at + 45_000, "consult")
    desk.row(at + 45_000, "consult", call)
    call.both(at + 45_705, "on-hold")
    desk.both(at + 45_730, "on-hold", call)
    return call


def consulted(day: VendorDay, at: int, desk: Desk, other: Desk) -> Line:
    """A call whose two agents talk to each other from ``at`` + 53 s on.

    The rows have words of their own for the one who is asked, and for the request.
    """
    call = asked(day, at, desk)
    other.row(at + 49_800, "AvailableConsultReserved", call)
    other.send(at + 49_800, "ringing", call, told={})
    call.both(at + 53_000, "consulting")
    desk.row(at + 51_980, "ConnectedConsultReserved", call)
    desk.both(at + 53_028, "consulting", call)
    desk.row(at + 53_036, "connected-consulting", call)
    other.row(at + 53_031, "available-consulting", call)
    other.send(at + 53_031, "consulting", call, told={})
    return call


def back_to_the_customer(at: int, call: Line, desk: Desk, other: Desk) -> None:
    """The consult ends: the one who was asked is released, and the customer is off hold."""
    desk.row(at - 800, "EndConsult", call)
    call.both(at, "consult-done")
    desk.both(at + 25, "consult-done", call)
    other.both(at + 30, "consult-done", call)
    other.both(at + 61, "available")
    call.both(at + 8_490, "hold-done")
    desk.both(at + 8_520, "hold-done", call)


def consult(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    call = consulted(day, at, desk, other)
    back_to_the_customer(at + 75_000, call, desk, other)
    return hung_up(at + 95_000, call, desk)


def consult_of_an_idle_agent(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """The one who is asked is idle, and idle again afterwards."""
    other.rest(at + 3_000, "idle", code="break-code")
    call = asked(day, at, desk)
    other.row(at + 49_800, "IdleConsultReserved", call)
    other.send(at + 49_800, "ringing", call, told={})
    call.both(at + 53_000, "consulting")
    desk.both(at + 53_028, "consulting", call)
    desk.row(at + 53_036, "connected-consulting", call)
    other.row(at + 53_031, "idle-consulting", call)
    other.send(at + 53_031, "consulting", call, told={})
    call.both(at + 75_000, "consult-done")
    desk.both(at + 75_025, "consult-done", call)
    other.both(at + 75_030, "consult-done", call)
    other.row(at + 75_061, "idle", code="break-code")
    other.send(at + 75_061, "idle", told={}, idleCodeId="break-code")
    call.both(at + 83_490, "hold-done")
    desk.both(at + 83_520, "hold-done", call)
    other.rest(at + 90_000, "available")
    return hung_up(at + 95_000, call, desk)


def consult_transfer(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """The one who was asked takes the customer, and the first agent wraps up."""
    call = consulted(day, at, desk, other)
    handed_over(at + 70_000, call, desk, other)
    return hung_up(at + 110_000, call, other)


def handed_over(at: int, call: Line, desk: Desk, other: Desk) -> None:
    call.row(at, "ConsultTransfer")
    desk.row(at, "ConsultTransfer", call)
    call.row(at + 694, "Transferred")
    call.both(at + 699, "connected")
    other.both(at + 731, "connected", call)
    desk.row(at + 700, "transferred", call)
    desk.wrap_up(at + 704, at + 12_774, at + 12_785, call)
    call.row(at + 705, "WrapUp")


def conference(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """All three talk. The webhook of the conference's end has no time, as the vendor documents."""
    call = consulted(day, at, desk, other)
    call.row(at + 69_319, "Conference")
    desk.row(at + 69_319, "Conference", call)
    call.both(at + 70_000, "conferencing")
    desk.both(at + 70_027, "conferencing", call)
    other.both(at + 70_033, "conferencing", call)
    call.both(at + 70_149, "hold-done")
    call.row(at + 88_670, "conference-done")
    conference_done_without_time(at + 88_670, call)
    desk.both(at + 88_700, "conference-done", call)
    other.both(at + 88_707, "conference-done", call)
    other.wrap_up(at + 88_750, at + 95_000, at + 95_010, call)
    return hung_up(at + 105_000, call, desk)


def conference_transfer(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """All three talk, and the first agent leaves the customer to the other; no row says so."""
    call = consulted(day, at, desk, other)
    call.row(at + 69_355, "Conference")
    desk.row(at + 69_355, "Conference", call)
    call.both(at + 70_000, "conferencing")
    desk.both(at + 70_027, "conferencing", call)
    other.both(at + 70_033, "conferencing", call)
    call.both(at + 70_149, "hold-done")
    call.send(at + 84_187, "conference-transferred")
    desk.row(at + 84_190, "transferred", call)
    desk.wrap_up(at + 84_230, at + 92_000, at + 92_011, call)
    call.row(at + 84_231, "WrapUp")
    other.both(at + 84_260, "conference-done", call)
    return hung_up(at + 110_000, call, other)


def conference_done_without_time(at: int, call: Line) -> None:
    call.send(at, "conference-done", told={})
    data = call.day.webhooks[-1].body["data"]
    kept = {name: data[name] for name in ("taskId", "origin", "destination")}
    data.clear()
    data |= kept


def queue_consulted(day: VendorDay, at: int, desk: Desk, other: Desk) -> Line:
    """A call whose agent consults a queue, for which the rows have words of their own."""
    call = answered(day, at, desk)
    call.row(at + 40_000, "ctq")
    desk.row(at + 40_000, "ctq", call)
    call.row(at + 40_557, "consult")
    call.row(at + 40_560, "ctq-accepted")
    call.both(at + 40_974, "on-hold")
    desk.both(at + 41_002, "on-hold", call)
    other.row(at + 43_700, "ctq-reserved", call)
    other.send(at + 43_700, "ringing", call, told={})
    desk.row(at + 47_845, "ctq-ready", call)
    call.both(at + 47_852, "consulting")
    desk.both(at + 47_880, "consulting", call)
    desk.row(at + 47_888, "connected-consulting", call)
    other.row(at + 47_884, "ctq-accepted", call)
    other.send(at + 47_884, "consulting", call, told={})
    return call


def queue_consult(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    call = queue_consulted(day, at, desk, other)
    back_to_the_customer(at + 75_000, call, desk, other)
    return hung_up(at + 95_000, call, desk)


def queue_consult_transfer(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    call = queue_consulted(day, at, desk, other)
    handed_over(at + 74_801, call, desk, other)
    return hung_up(at + 112_000, call, other)


def entry_point_consult(
    day: VendorDay, at: int, desk: Desk, other: Desk, *, marks: str, outcome: str
) -> int:
    """A consult to an entry point. Its call is a contact of its own, the child.

    The child's webhooks have its own id, and no row of its own: its rows are the parent's, and name
    it as ``marks`` says. The agent who is asked gets the child, and says so under its id.
    """
    call, child = asked(day, at, desk), _ChildContact(day)
    call.both(at + 46_200, "consulting")
    desk.both(at + 46_228, "consulting", call)
    desk.row(at + 46_236, "connected-consulting", call)
    child.tells(at + 46_279, "new", call, is_marked=marks != UNMARKED)
    is_marked = marks == ALL_MARKED
    child.tells(at + 48_309, "connect", call, is_marked=is_marked)
    if outcome == UNANSWERED:
        for later in (7_063, 11_300, 15_500):
            child.tells(at + 48_309 + later, "connect", call, is_marked=is_marked)
        child.tells(at + 66_900, "parked", call, is_marked=is_marked)
    else:
        other.both(at + 48_340, "ringing", child.id)
        child.tells(at + 57_481, "connected", call, is_marked=is_marked)
        other.both(at + 57_510, "connected", child.id)
    done = at + 89_500
    call.both(done, "consult-done")
    desk.both(done + 25, "consult-done", call)
    if outcome == CUSTOMER_LEAVES:
        over = hung_up(done + 60, call, desk)
        child.ends(done + 11_143, call, other, is_marked=is_marked)
        return max(over, done + 13_000)
    child.ends(done + 140, call, other if outcome == ANSWERED else None, is_marked=is_marked)
    call.both(done + 7_319, "hold-done")
    desk.both(done + 7_350, "hold-done", call)
    return hung_up(done + 20_000, call, desk)


class _ChildContact:
    """The call to the entry point, which has no row of its own."""

    def __init__(self, day: VendorDay) -> None:
        self.id = day.new_id()
        self._day = day

    def tells(self, at: int, word: str, parent: Line, *, is_marked: bool, **data: str) -> None:
        mark = {"childContactId": self.id, "childContactType": "consult"} if is_marked else {}
        reason = {"terminationReason": data["reason"]} if "reason" in data else {}
        parent.row(at, word, **mark, **reason)
        said = {**parent.said, "taskId": self.id, **data}
        self._day.send(f"task:{word}", at, said, owner_id=parent.id, told=None)

    def ends(self, at: int, parent: Line, desk: Desk | None, *, is_marked: bool) -> None:
        self.tells(
            at,
            "ended",
            parent,
            is_marked=is_marked,
            terminatingParty="Agent",
            reason="Agent Left",
        )
        if desk is not None:
            desk.both(at + 31, "available")


CONSULTS: dict[str, Contact] = {
    "consult": consult,
    "consult-of-an-idle-agent": consult_of_an_idle_agent,
    "consult-transfer": consult_transfer,
    "conference": conference,
    "conference-transfer": conference_transfer,
    "queue-consult": queue_consult,
    "queue-consult-transfer": queue_consult_transfer,
    **{
        f"entry-point-consult ({outcome}, {marks})": partial(
            entry_point_consult, marks=marks, outcome=outcome
        )
        for marks, outcome in product(MARKS, OUTCOMES)
    },
}
