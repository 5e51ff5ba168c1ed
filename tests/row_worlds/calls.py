"""Contacts within a shift: each function writes one into a day, and returns when it is over.

Both agents are available at ``at`` and at the end. The times between the rows are those of the
vendor's published sequences, rounded.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.row_worlds.day import MINUTE_MS, Desk, Line, VendorDay

Contact = Callable[[VendorDay, int, Desk, Desk], int]
CALLBACK, OUTDIAL = "COURTESY_CALLBACK", "OUTDIAL"  # as webhooks spell outbound types
RONA_CODE = "rona-code"


def answered(day: VendorDay, at: int, desk: Desk) -> Line:
    """A call that an agent talks to from ``at`` + 16.1 s on; the caller listens to a menu first."""
    call = Line(day, at)
    call.both(at, "new")
    call.row(at + 549, "flow-activity")
    call.row(at + 2_436, "treatment")
    call.row(at + 8_929, "treatment-completed")
    call.both(at + 9_674, "connect")
    desk.both(at + 9_702, "ringing", call)
    call.both(at + 16_087, "connected")
    desk.both(at + 16_122, "connected", call)
    call.row(at + 17_795, "recording-started", suffix="capture-started")
    return call


def hung_up(at: int, call: Line, desk: Desk, *, party: str = "Customer") -> int:
    """The end of a call that one agent has, and its wrap-up; returns when it is over."""
    call.ended(at, party, f"{party} Left")
    call.row(at + 1, "WrapUp", suffix="wrapup-done")
    desk.row(at + 20, "call-ended", call)
    desk.wrap_up(at + 1_030, at + 9_000, at + 9_012, call)
    call.recorded(at + 10_500)
    return at + 12_000


def plain(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    call = answered(day, at, desk)
    return hung_up(at + 67_014, call, desk)


def queued(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    """The caller waits in the queue. The agent is free in the millisecond when the wrap-up ends."""
    call = Line(day, at)
    call.both(at, "new")
    call.row(at + 1_000, "ivr-connected")
    call.row(at + 3_000, "ivr-done")
    call.both(at + 3_400, "parked")
    call.both(at + 33_000, "connect")
    desk.both(at + 33_031, "ringing", call)
    call.both(at + 37_100, "connected")
    desk.both(at + 37_135, "connected", call)
    call.ended(at + 97_000, "Agent", "Agent Left")
    call.row(at + 97_001, "WrapUp", suffix="wrapup-done")
    desk.wrap_up(at + 97_047, at + 101_000, at + 101_000, call)
    return at + 102_000


def abandoned(day: VendorDay, at: int, _: Desk, __: Desk) -> int:
    """The caller leaves the queue. No row tells that the caller's number changed."""
    call = Line(day, at)
    call.both(at, "new")
    call.row(at + 549, "flow-activity")
    call.both(at + 1_634, "parked")
    call.said["origin"] = "+15550100777"
    call.send(at + 21_000, "origin-updated")
    call.ended(at + 59_400, "Customer", "Customer Left")
    return at + 61_000


def abandoned_ringing(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    """The caller gives up while it rings; the agent is available again."""
    call = Line(day, at)
    call.both(at, "new")
    call.both(at + 1_551, "connect")
    desk.both(at + 1_590, "ringing", call)
    call.ended(at + 17_059, "Customer", "Customer Left")
    desk.both(at + 17_080, "available")
    return at + 19_000


def hold(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    call = answered(day, at, desk)
    for begin in (at + 31_000, at + 61_000):
        call.both(begin, "on-hold")
        desk.both(begin + 28, "on-hold", call)
        call.both(begin + 8_695, "hold-done")
        desk.both(begin + 8_720, "hold-done", call)
    call.row(at + 81_000, "paused")
    call.row(at + 90_416, "resumed")
    return hung_up(at + 95_000, call, desk, party="Agent")


def blind_transfer(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """The first agent leaves while the second one rings."""
    call = answered(day, at, desk)
    call.row(at + 45_000, "blind-transfer")
    desk.row(at + 45_000, "BlindTransfer", call)
    call.row(at + 45_380, "Transferred")
    call.row(at + 45_384, "WrapUp")
    call.both(at + 45_400, "connect")
    other.both(at + 45_431, "ringing", call)
    desk.row(at + 45_390, "transferred", call)
    desk.wrap_up(at + 45_395, at + 52_000, at + 52_009, call)
    call.both(at + 49_700, "connected")
    other.both(at + 49_733, "connected", call)
    return hung_up(at + 90_000, call, other)


def queue_transfer(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """Back to the queue, where the second agent is free at once."""
    call = answered(day, at, desk)
    call.row(at + 58_876, "dequeued")
    call.row(at + 58_905, "vt-transfer")
    desk.row(at + 58_905, "vt-transfer", call)
    call.row(at + 59_628, "WrapUp")
    desk.wrap_up(at + 58_911, at + 64_952, at + 64_952, call)
    call.both(at + 64_990, "connect")
    other.both(at + 65_021, "ringing", call)
    call.both(at + 74_292, "connected")
    other.both(at + 74_330, "connected", call)
    return hung_up(at + 91_000, call, other)


def refused(day: VendorDay, at: int, desk: Desk, other: Desk) -> int:
    """RONA: the first agent does not answer, and the call is parked again; an end is none.

    The second agent answers, and the first one comes back.
    """
    call = Line(day, at)
    call.both(at, "new")
    call.row(at + 549, "flow-activity")
    call.both(at + 1_467, "connect")
    desk.both(at + 1_500, "ringing", call)
    desk.row(at + 19_500, "not-responding", call)
    desk.send(at + 19_500, "not-responding", call, told={})
    idle_again(at + 19_512, desk)
    call.both(at + 19_540, "parked")
    call.row(at + 19_571, "ended", terminationReason="RONA Timer Expired")
    system = {"terminatingParty": "System", "reason": "RONA Timer Expired"}
    call.send(at + 19_571, "ended", told={}, **system)
    call.both(at + 24_000, "connect")
    other.both(at + 24_033, "ringing", call)
    call.both(at + 28_300, "connected")
    other.both(at + 28_333, "connected", call)
    desk.rest(at + 44_000, "available")
    return hung_up(at + 70_000, call, other)


def idle_again(at: int, desk: Desk) -> None:
    """Idle after an offer that nobody answered. The id of the row says so."""
    desk.rest(at, "idle", code=RONA_CODE, suffix="-rona")


def outdial(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    """An agent calls a customer, who answers."""
    call = dialled(day, at, desk)
    call.both(at + 9_400, "connected")
    desk.both(at + 9_431, "connected", call)
    return hung_up(at + 60_000, call, desk)


def outdial_unanswered(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    call = dialled(day, at, desk)
    call.ended(at + 31_000, "Customer", "NO_ANSWER_FROM_CUSTOMER")
    desk.row(at + 31_018, "call-ended", call)
    desk.wrap_up(at + 32_020, at + 36_000, at + 36_008, call)
    return at + 38_000


def dialled(day: VendorDay, at: int, desk: Desk) -> Line:
    """An agent calls a customer: the rows have other words for it than the webhooks."""
    call = Line(day, at, direction="OUTBOUND", row_direction="outdial")
    call.said["outboundType"] = OUTDIAL
    call.both(at, "new")
    call.both(at + 1_250, "connect")
    desk.row(at + 1_280, "outdial-reserved", call)
    desk.send(at + 1_280, "ringing", call, told={})
    return call


def callback(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    """The customer waits for a call back, which no webhook tells. The direction turns with it."""
    call = Line(day, at)
    call.both(at, "new")
    call.both(at + 31_646, "parked")
    call.row(at + 83_475, "optOutOfQueue")
    back = at + 16 * MINUTE_MS
    call.said |= {"direction": "OUTBOUND", "outboundType": CALLBACK}
    asked_for, called = at + 83_475 + day.skew_ms, back + day.skew_ms
    data = {"callbackRequestTime": asked_for, "callbackType": "courtesy"}
    day.change(asked_for, call.task, isCallback=True, callbackData=data)
    data = data | {"callbackConnectTime": called, "callbackStatus": "Success"}
    day.change(called, call.task, direction="outbound", callbackData=data)
    call.row(back - 40, "dequeued")
    call.both(back, "connect")
    desk.both(back + 34, "ringing", call)
    call.both(back + 6_000, "connected")
    desk.both(back + 6_031, "connected", call)
    return hung_up(back + 50_000, call, desk)


def side_by_side(day: VendorDay, at: int, desk: Desk, _: Desk) -> int:
    """A chat, two e-mails and a call of one agent, on four channels of the session.

    The agent goes idle while an e-mail is open: rows on the free channels alone say so.
    """
    chat, call = Line(day, at, channel_type="chat"), Line(day, at + 20_000)
    first, second = (Line(day, at + it, channel_type="email") for it in (5_000, 9_000))
    for line, begin, on in (
        (chat, at, "chat"),
        (first, at + 5_000, "email"),
        (second, at + 9_000, "email-2"),
        (call, at + 20_000, "telephony"),
    ):
        line.both(begin, "new")
        line.both(begin + 235, "connect")
        desk.both(begin + 262, "ringing", line, on=on)
        line.both(begin + 2_980, "connected")
        desk.both(begin + 3_015, "connected", line, on=on)
    for line, end, on in (
        (second, at + 32_000, "email-2"),
        (call, at + 47_000, "telephony"),
        (chat, at + 62_000, "chat"),
    ):
        line.ended(end, "Agent", "Agent Left")
        line.row(end + 1, "WrapUp", suffix="wrapup-done")
        desk.wrap_up(end + 47, end + 6_000, end + 6_011, line, on=on)
    desk.rest(at + 75_000, "idle", code="break-code")
    first.ended(at + 90_000, "Agent", "Agent Left")
    desk.row(at + 90_047, "wrapup", first, on="email")
    desk.send(at + 90_047, "wrapup", first, on="email", told={})
    desk.send(at + 96_000, "wrapup-done", first, on="email", told={})
    desk.row(at + 96_000, "idle", on="email", code="break-code")
    desk.send(at + 96_000, "idle", on="email", told={}, idleCodeId="break-code")
    desk.rest(at + 120_000, "available")
    return at + 122_000


CALLS: dict[str, Contact] = {
    "plain": plain,
    "queued": queued,
    "abandoned": abandoned,
    "abandoned-ringing": abandoned_ringing,
    "hold": hold,
    "blind-transfer": blind_transfer,
    "queue-transfer": queue_transfer,
    "refused": refused,
    "outdial": outdial,
    "outdial-unanswered": outdial_unanswered,
    "callback": callback,
    "side-by-side": side_by_side,
}
