"""Real telephony tasks, and the webhooks that would have brought their events.

The rows of each task come from published replies of the vendor's Search API: oldest first, with
their duration in milliseconds (-1: not over yet), without ids and clock times. The rows are those
of the task only, so `webhooks` adds the events of the agents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from tests.examples import Body, capture, ended, login, story, task, v1, v2

COMPLETE = ""


@dataclass(frozen=True, kw_only=True)
class RealLife:
    """The rows of one task. ``open_since`` says why its webhooks leave it open, if they do."""

    number: int
    rows: str
    open_since: str = COMPLETE

    def __str__(self) -> str:
        return str(self.number)

    @property
    def steps(self) -> list[tuple[str, int]]:
        parts = self.rows.split()
        return [(name, int(ms)) for name, ms in zip(parts[::2], parts[1::2], strict=True)]


REAL_LIVES: tuple[RealLife, ...] = (
    RealLife(
        number=0,
        rows=(
            "new 34151 flow-activity 0 connect 10120 connected 22085 recording-started 0 ended 0 "
            "WrapUp 4187 recording-available 0"
        ),
    ),
    RealLife(
        number=2,
        rows=(
            "new 57560 flow-activity 0 connect 10368 connected 14627 recording-started 0 on-hold "
            "8695 hold-done 21394 paused 9416 resumed 0 ended 0 WrapUp 5901 recording-available 0"
        ),
    ),
    RealLife(
        number=4,
        rows=(
            "connected 22172 recording-started 0 ctq 7497 consult 3 ctq-accepted 36371 on-hold "
            "21832 consulting 16609 Conference 645 conferencing 14187 hold-done 13884 "
            "conference-done 13551 recording-started 0 ctq 602 consult 2 ctq-accepted 65207 "
            "on-hold 64555 consulting 61017 ConsultTransfer 694 Transferred 5 connected 41308 "
            "WrapUp 7241 recording-started 0 recording-available 0 ended 0 WrapUp 5115"
        ),
    ),
    RealLife(
        number=6,
        rows=(
            "new 1467 flow-activity 0 connect 7063 connect 1232 connect 1146 connect 1535 parked "
            "3396 connect 1163 connect 1324 connect 1057 connect 116 ended 0"
        ),
    ),
    RealLife(
        number=8,
        rows=(
            "new 1806 flow-activity 0 parked 407 connect 6580 connect 1741 connect 1254 connect "
            "1746 parked 35174 ended 0"
        ),
    ),
    RealLife(
        number=10,
        rows=(
            "new 1741 flow-activity 0 parked 7569 connect 5711 connected 35528 recording-started "
            "0 ctq 627 consult 3 ctq-accepted 179345 on-hold 159804 consulting 150902 Conference "
            "681 conferencing 18670 hold-done 18521 conference-done 13308 ended 0 WrapUp 10160 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=12,
        rows="new 378 ended 0 flow-activity 0",
    ),
    RealLife(
        number=14,
        rows="new 50 ended 0",
    ),
    RealLife(
        number=16,
        rows="new 50 ended 0",
    ),
    RealLife(
        number=18,
        rows="new -1",
        open_since="nothing after its arrival",
    ),
    RealLife(
        number=20,
        rows="new 10 campaignOutbound 40 ended 0",
    ),
    RealLife(
        number=22,
        rows="new 50 ended 0",
    ),
    RealLife(
        number=24,
        rows="new 50 ended 0",
    ),
    RealLife(
        number=26,
        rows=(
            "new 1794 flow-activity 0 connect 9709 connected 22382 recording-started 0 consult "
            "785 on-hold 51147 consulting 43346 new 2030 flow-activity 0 connect 9172 connected "
            "32065 consult-done 7319 ended 0 hold-done 5644 ended 0 WrapUp 3990 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=28,
        rows=(
            "new 1550 flow-activity 0 connect 6311 connected 10451 recording-started 0 consult "
            "602 on-hold 96286 consulting 87700 new 1796 flow-activity 0 connect 10528 connected "
            "74798 consult-done 7753 ended 0 hold-done 2765 ended 0 WrapUp 4610 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=30,
        rows=(
            "new 1361 flow-activity 0 connect 9234 connected 12815 recording-started 0 ctq 620 "
            "consult 2 ctq-accepted 37068 on-hold 36441 consulting 27149 ConsultTransfer 843 "
            "Transferred 4 connected 47195 WrapUp 39411 recording-started 0 ended 0 WrapUp 3662 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=32,
        rows=(
            "new 31646 ivr-done 0 parked 51829 dequeued 95 ivr-done 0 parked -1 optOutOfQueue "
            "825414 dequeued 3 callbackFailed 1150284 WrapUp 31305"
        ),
        open_since="a callback that failed: the rows have no end",
    ),
    RealLife(
        number=34,
        rows=(
            "new 31646 ivr-done 0 parked 51829 dequeued 95 ivr-done 0 parked -1 optOutOfQueue "
            "825414 dequeued 3 callbackFailed 1150284 WrapUp 31305"
        ),
        open_since="a callback that failed: the rows have no end",
    ),
    RealLife(
        number=36,
        rows=(
            "new 1000 ivr-connected 2000 ivr-done 0 ivr-done 0 parked 5000 connect 2000 connected "
            "5000 recording-started 0 on-hold 22001 consult 3000 consulting 8001 consult-done "
            "7000 hold-done 4000 ended 0"
        ),
    ),
    RealLife(
        number=38,
        rows=(
            "new 1000 ivr-connected 2000 ivr-done 0 ivr-done 0 parked 5000 connect 2000 connected "
            "5000 recording-started 0 on-hold 22001 consult 3001 consulting 8000 consult-done "
            "7000 hold-done 4000 ended 0"
        ),
    ),
    RealLife(
        number=40,
        rows=(
            "new 1000 ivr-connected 2000 ivr-done 0 ivr-done 0 parked 5000 connect 2000 connected "
            "5001 recording-started 0 on-hold 22000 consult 3000 consulting 8000 consult-done "
            "7000 hold-done 4000 ended 0"
        ),
    ),
    RealLife(
        number=42,
        rows=(
            "new 1000 ivr-connected 2000 ivr-done 0 ivr-done 0 parked 5000 connect 2000 connected "
            "5000 recording-started 0 on-hold 22001 consult 3000 consulting 8001 consult-done "
            "7000 hold-done 4000 ended 0"
        ),
    ),
    RealLife(
        number=44,
        rows=(
            "new 1000 ivr-connected 2000 ivr-done 0 ivr-done 0 parked 5000 connect 2000 connected "
            "5000 recording-started 0 on-hold 22001 consult 3000 consulting 8001 consult-done "
            "7000 hold-done 4000 ended 0"
        ),
    ),
    RealLife(
        number=46,
        rows=(
            "new 90988 flow-activity 0 connect 13648 connected 41680 recording-started 0 consult "
            "565 on-hold 30948 consulting 22183 new 22005 flow-activity 0 connect 5646 connected "
            "14478 consult-done 8219 ended 0 hold-done 3439 ended 0 WrapUp 12161 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=48,
        rows=(
            "new 147342 flow-activity 0 connect 8373 connected 11701 recording-started 0 consult "
            "705 on-hold 122018 consult-error 6 consult-done 66058 consult 9043 consulting 14964 "
            "consult-done 8490 hold-done 3753 ended 0 WrapUp 4210 recording-available 0"
        ),
    ),
    RealLife(
        number=50,
        rows=(
            "new 102104 flow-activity 0 parked 529 connect 15982 connected 31079 "
            "recording-started 0 dequeued 48 vt-transfer 1700 WrapUp 6220 flow-activity 0 connect "
            "11111 connected 39544 recording-started 0 ended 0 WrapUp 4392 recording-available 0"
        ),
    ),
    RealLife(
        number=52,
        rows=(
            "new 102919 flow-activity 0 connect 5333 connected 58876 recording-started 0 dequeued "
            "29 vt-transfer 723 WrapUp 5324 connect 9340 connected 16725 recording-started 0 "
            "on-hold 5728 hold-done 4356 ended 0 WrapUp 4649 recording-available 0"
        ),
    ),
    RealLife(
        number=54,
        rows=(
            "new 1796997 flow-activity 0 connect 6314 connected 1789253 recording-started 0 ended "
            "0 WrapUp 12247 recording-available 0"
        ),
    ),
    RealLife(
        number=56,
        rows=(
            "new 1483 flow-activity 0 connect 12027 connected 4656 recording-started 0 ended 0 "
            "WrapUp 12183 recording-available 0"
        ),
    ),
    RealLife(
        number=58,
        rows=(
            "new 1114 flow-activity 0 connect 4406 connected 12732 recording-started 0 consult "
            "674 on-hold 16729 consulting 9421 ConsultTransfer 500 Transferred 4 connected 57036 "
            "WrapUp 12070 recording-started 0 ended 0 WrapUp 11302 recording-available 0"
        ),
    ),
    RealLife(
        number=60,
        rows="flow-activity 0",
        open_since="rows for which there is no webhook",
    ),
    RealLife(
        number=62,
        rows=(
            "new 1665 flow-activity 0 parked 57817 connect 33123 con-to-agent-error 925 parked "
            "2293 ended 0"
        ),
    ),
    RealLife(
        number=64,
        rows="flow-activity 0 flow-activity 0",
        open_since="rows for which there is no webhook",
    ),
    RealLife(
        number=66,
        rows="flow-activity 0 flow-activity 0",
        open_since="rows for which there is no webhook",
    ),
    RealLife(
        number=68,
        rows="new 1551 flow-activity 0 connect 15508 ended 0",
    ),
    RealLife(
        number=70,
        rows=(
            "new 1634 flow-activity 0 parked 274 connect 4096 connected 37196 recording-started 0 "
            "consult 820 on-hold 54248 consulting 54093 new 1430 connect 6212 connected 46583 "
            "consult-done 5 ended 0 WrapUp 11138 ended 0 recording-available 0"
        ),
    ),
    RealLife(
        number=72,
        rows=(
            "new 1672 flow-activity 0 parked 8026 connect 3831 connected 24293 recording-started "
            "0 ctq 557 consult 3 ctq-accepted 34241 on-hold 33827 consulting 26949 "
            "ConsultTransfer 490 Transferred 5 connected 32086 WrapUp 9875 ended 0 WrapUp 8485 "
            "recording-available 0"
        ),
    ),
    RealLife(
        number=74,
        rows=(
            "new 1537 flow-activity 0 parked 25783 connect 8309 connected 26489 recording-started "
            "0 ctq 509 consult 4 ctq-accepted 13963 on-hold 13376 consulting 7607 ConsultTransfer "
            "605 Transferred 6 connected 21349 WrapUp 11336 recording-started 0 ended 0 WrapUp "
            "5725 recording-available 0"
        ),
    ),
    RealLife(
        number=76,
        rows="new 366 ended 0",
    ),
)

STEPS_WITH_WEBHOOK = frozenset(
    {
        *("new", "parked", "connect", "connected", "on-hold", "hold-done"),
        *("consulting", "consult-done", "conferencing", "conference-done"),
    }
)


@dataclass
class Call:
    """A task in progress: its rows become the webhooks of the task and of its agents."""

    shape: str  # "v1" or "v2": the agents' events
    now: int = 60_000
    bodies: list[Body] = field(default_factory=list)
    handler: str | None = None  # who talks with the customer
    offered: str | None = None  # whose phone rings
    guest: str | None = None  # who is consulted
    by_entry_point: bool = (
        False  # the consult goes through a queue, so rows of a child contact come too
    )
    leaving: list[str] = field(
        default_factory=list
    )  # who handed the task over and has not wrapped up
    names: count[int] = field(default_factory=lambda: count(1))

    def say(self, agent: str | None, word: str, after: int = 1) -> None:
        if agent is None:
            return
        moment = self.now + after
        if self.shape == "v1":
            self.bodies.append(v1(moment, agent, word, "t"))
        else:
            self.bodies.append(v2(moment, agent, word, "t", (f"{agent}-1", "telephony")))

    def newcomer(self) -> str:
        agent = f"agent-{next(self.names)}"
        self.bodies.append(login(0, agent, "Available"))
        return agent

    def play(self, name: str, ms: int, following: list[str]) -> None:
        if name in STEPS_WITH_WEBHOOK:
            self.bodies.append(task(self.now, "t", name))
        if name == "connect":
            self.say(self.offered, "not-responding", 0)
            self.offered = self.newcomer()
            self.say(self.offered, "ringing")
        elif name == "parked":
            self.say(self.offered, "not-responding", 0)
            self.offered = None
        elif name == "connected":
            self.answer()
        elif name == "consulting":
            self.by_entry_point = following[:1] == ["new"]
            self.say(self.handler, name)
            if not self.by_entry_point:
                self.guest = self.newcomer()
                self.say(self.guest, name)
        elif name in ("on-hold", "hold-done", "conferencing", "conference-done", "consult-done"):
            self.say(self.handler, name)
            self.with_guest(name)
        elif name == "ended":
            self.bodies.append(ended(self.now, "t"))
            self.say(self.offered, "available")
            self.offered = None
            if not {"WrapUp", "hold-done"} & set(following):
                self.say(self.handler, "available")  # where no wrap-up is configured
        elif name == "WrapUp":
            leaver = self.leaving.pop() if self.leaving else self.handler
            self.say(leaver, "wrapup", 2)
            self.say(leaver, "wrapup-done", 2 + ms)
        elif name == "recording-available":
            self.bodies.append(capture(self.now, "t", "/captures"))
        self.now += max(ms, 0) + 10

    def answer(self) -> None:
        if self.by_entry_point:
            self.guest, self.offered = self.offered, None
            self.say(self.guest, "consulting")
            return
        if self.guest is not None and self.handler is not None:  # transferred after a consult
            self.leaving.append(self.handler)
            self.handler, self.guest = self.guest, None
        else:
            self.handler, self.offered = self.offered or self.newcomer(), None
        self.say(self.handler, "connected")

    def with_guest(self, name: str) -> None:
        if name == "conferencing":
            self.say(self.guest, name)
        elif name in ("consult-done", "conference-done"):
            self.say(self.guest, name)
            self.say(self.guest, "available", 2)
            self.guest, self.by_entry_point = None, False


def webhooks(life: RealLife, shape: str) -> tuple[Body, ...]:
    """The webhooks of subscriptions to tasks and to one version of agents' events."""
    call, steps = Call(shape), life.steps
    for index, (name, ms) in enumerate(steps, 1):
        call.play(name, ms, [later for later, _ in steps[index:]])
    return story(*call.bodies)
