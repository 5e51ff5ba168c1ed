"""What happens to tasks, how often, and how long each part takes: data only.

Counted from the 36 telephony lives with rows in published replies of the vendor's Search API (one
sample printed five times and one printed twice count once; raw rows were not kept). Those calls
were made by people trying the product out, so they consult and transfer more than a shop would.
Four lives of which such replies hold no whole example, but of which the vendor's guide, other
replies or users tell, have weight 1: blind transfer, conference transfer, reopened, and a call
that is taken after a refusal.
"""

from typing import NamedTuple


class Life(NamedTuple):
    weight: int
    steps: str  # words of `lives.STEPS`


VOICE: dict[str, Life] = {
    "plain": Life(3, "menu offer talk end"),
    "hold": Life(1, "menu offer talk hold resume talk end"),
    "abandoned at once": Life(7, "moment leave"),
    "abandoned ringing": Life(1, "menu leave-ringing"),
    "never answered": Life(3, "menu refuse refuse refuse withdraw refuse refuse leave"),
    "answered late": Life(1, "menu refuse withdraw offer talk end"),
    "consult": Life(2, "menu offer talk hold consult consult-done resume talk end"),
    "consult an entry point": Life(4, "menu offer talk hold consult-entry-point resume talk end"),
    "consult transfer": Life(4, "menu queue offer talk hold consult hand-over talk end"),
    "conference": Life(2, "menu queue offer talk hold consult confer conference-done talk end"),
    "conference transfer": Life(1, "menu offer talk hold consult confer conference-over talk end"),
    "queue transfer": Life(2, "menu offer talk back-to-queue offer talk end"),
    "blind transfer": Life(1, "menu offer talk pass-on talk end"),
    "callback": Life(1, "menu queue call-back talk end"),
    "reopened": Life(1, "menu offer talk end-part queue offer talk end"),
}

CHAT: dict[str, Life] = {
    "answered": Life(8, "moment offer talk end"),
    "refused first": Life(1, "moment refuse offer talk end"),
    "left waiting": Life(1, "moment queue leave"),
}

EMAIL: dict[str, Life] = {
    "answered": Life(9, "moment queue offer talk end"),
    "failed": Life(1, "fail"),
}

LIVES: dict[str, dict[str, Life]] = {"telephony": VOICE, "chat": CHAT, "email": EMAIL}


class Span(NamedTuple):
    """Half of all durations are below the median; two thirds within a factor e**spread of it."""

    median_ms: int
    spread: float


# Medians of the same lives, rounded. Chats answer within the seconds of a recorded trace.
SPANS: dict[str, Span] = {
    "moment": Span(235, 0.7),
    "menu": Span(1_800, 1.2),
    "queue": Span(5_000, 1.2),
    "ring": Span(8_000, 0.4),
    "refuse": Span(1_300, 0.4),
    "hold": Span(7_000, 0.6),
    "consult": Span(22_000, 0.8),
    "conference": Span(16_000, 0.3),
    "callback wait": Span(300_000, 0.6),
    "wrapup": Span(7_200, 0.6),
    "capture": Span(12_000, 0.6),
    "break": Span(600_000, 0.5),
    "until break": Span(4_200_000, 0.4),
    "shift": Span(28_800_000, 0.1),
    "off": Span(5_400_000, 0.5),
    "telephony pick-up": Span(8_000, 0.4),
    "chat pick-up": Span(2_700, 0.3),
    "email pick-up": Span(4_000, 0.5),
    "telephony work": Span(24_000, 0.8),
    "chat work": Span(120_000, 0.6),
    "email work": Span(240_000, 0.7),
    "telephony patience": Span(150_000, 0.6),
    "chat patience": Span(120_000, 0.6),
    "email patience": Span(3_600_000, 0.6),
}

# Mean time between two new tasks for one agent on duty: keeps about half of them busy, for a
# consult needs a free colleague.
GAPS_MS: dict[str, int] = {"telephony": 150_000, "chat": 1_200_000, "email": 1_800_000}
