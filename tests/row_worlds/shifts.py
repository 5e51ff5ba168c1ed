"""Shifts: each function writes whole sessions of agents into a day, with the contacts they had."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.row_worlds.calls import RONA_CODE, Contact, answered, hung_up, plain
from tests.row_worlds.day import CHANNELS, MINUTE_MS, Desk, Line, VendorDay

Shift = Callable[[VendorDay, int], int]
BETWEEN_CONTACTS_MS = 20_000
LOGOUTS = ("row", "flag", "session")
VOICE = ("telephony",)


def ready(
    day: VendorDay, at: int, *, channels: Sequence[str] = CHANNELS, agent_id: str | None = None
) -> Desk:
    """An agent who logs in, and is available 8 s later."""
    desk = Desk(day, at, channels=channels, agent_id=agent_id)
    desk.rest(at + 8_000, "available")
    return desk


def shift(day: VendorDay, at: int, contacts: Sequence[Contact], *, logout: str = "row") -> int:
    """Two agents who have some contacts one after the other, and then log out."""
    desks = [ready(day, at), ready(day, at + 2_500)]
    now = at + 30_000
    for contact in contacts:
        now = contact(day, now, desks[0], desks[1]) + BETWEEN_CONTACTS_MS
        desks.reverse()
    for place, desk in enumerate(desks):
        desk.rest(now + place * 3_000, "idle", code="end-code")
        desk.log_out(now + 12_000 + place * 3_000, logout)
    return now + 20_000


def two_sessions(day: VendorDay, at: int) -> int:
    """One agent works twice a day, in sessions with their own ids and channels."""
    first, other = ready(day, at), ready(day, at + 1_000, channels=VOICE)
    noon = plain(day, at + 30_000, first, other)
    first.log_out(noon + 10_000)
    again = ready(day, noon + 40 * MINUTE_MS, agent_id=first.agent_id)
    now = plain(day, noon + 42 * MINUTE_MS, again, other)
    again.log_out(now + 10_000, "session")
    other.log_out(now + 15_000)
    return now + 20_000


def over_midnight(day: VendorDay, _: int) -> int:
    """The session and a call begin before the window, and end in it."""
    desk = ready(day, day.start - 95 * MINUTE_MS)
    call = answered(day, day.start - 4 * MINUTE_MS, desk)
    call.both(day.start - 30_000, "on-hold")
    desk.both(day.start - 29_970, "on-hold", call)
    call.both(day.start + 15_000, "hold-done")
    desk.both(day.start + 15_030, "hold-done", call)
    now = hung_up(day.start + 60_000, call, desk)
    desk.log_out(now + 30_000)
    return now + 40_000


def still_running(day: VendorDay, _: int) -> int:
    """Neither the session nor the call nor the wait of another one has ended with the window."""
    desk = ready(day, day.end - 50 * MINUTE_MS)
    answered(day, day.end - 3 * MINUTE_MS, desk)
    waiting = Line(day, day.end - 2 * MINUTE_MS)
    waiting.both(day.end - 2 * MINUTE_MS, "new")
    waiting.both(day.end - 2 * MINUTE_MS + 1_700, "parked")
    return day.end


def idle_codes(day: VendorDay, at: int) -> int:
    """Two idle codes 1.2 s apart, and a change of skills, which says nothing new of the agent."""
    desk = ready(day, at)
    desk.rest(at + 60_000, "idle", code="meeting-code")
    desk.rest(at + 61_200, "idle", code="lunch-code")
    desk.rest(at + 300_000, "available")
    desk.row(at + 330_000, "skill-update")
    desk.row(at + 330_000, "available")
    desk.rest(at + 400_000, "idle", code=RONA_CODE)
    desk.log_out(at + 420_000, "session")
    return at + 430_000


def busy_desk(day: VendorDay, at: int, *, odd: bool = False, agent_id: str | None = None) -> int:
    """More rows on a channel than one page holds: 66 changes, each with two rows of one time.

    ``odd`` adds a row before them, so that a page ends between other rows.
    """
    desk = ready(day, at, channels=VOICE, agent_id=agent_id)
    if odd:
        desk.row(at + 9_000, "skill-update")
    for number in range(66):
        now = at + 20_000 + number * 5_000
        desk.row(now, "skill-update")
        word, code = ("available", None) if number % 2 else ("idle", f"code-{number}")
        desk.rest(now, word, code=code)
    desk.log_out(at + 360_000)
    return at + 370_000


SHIFTS: dict[str, Shift] = {
    "two-sessions": two_sessions,
    "over-midnight": over_midnight,
    "still-running": still_running,
    "idle-codes": idle_codes,
}
