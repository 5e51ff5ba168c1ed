"""What happens to tasks, how often, and how long each part takes: data only.

The weights are counts of 36 calls in published answers of the vendor's Search API. A sample that is
printed more than once counts once; raw rows were not stored. People made those calls to try the
product, so they consult and transfer more often than a real contact centre does. Four patterns have
weight 1, since the answers have no whole example of them and other sources describe them: blind
transfer, conference transfer, reopened, and answered late.
"""

from typing import NamedTuple


class TaskPattern(NamedTuple):
    weight: int
    steps: str  # words of `task_steps.STEPS`


VOICE_PATTERNS: dict[str, TaskPattern] = {
    "plain": TaskPattern(3, "menu offer talk end"),
    "hold": TaskPattern(1, "menu offer talk hold resume talk end"),
    "abandoned at once": TaskPattern(7, "moment leave"),
    "abandoned ringing": TaskPattern(1, "menu leave-ringing"),
    "never answered": TaskPattern(3, "menu refuse refuse refuse withdraw refuse refuse leave"),
    "answered late": TaskPattern(1, "menu refuse withdraw offer talk end"),
    "consult": TaskPattern(2, "menu offer talk hold consult consult-done resume talk end"),
    "consult an entry point": TaskPattern(
        4, "menu offer talk hold consult-entry-point resume talk end"
    ),
    "consult transfer": TaskPattern(4, "menu queue offer talk hold consult hand-over talk end"),
    "conference": TaskPattern(
        2, "menu queue offer talk hold consult confer conference-done talk end"
    ),
    "conference transfer": TaskPattern(
        1, "menu offer talk hold consult confer conference-over talk end"
    ),
    "queue transfer": TaskPattern(2, "menu offer talk back-to-queue offer talk end"),
    "blind transfer": TaskPattern(1, "menu offer talk pass-on talk end"),
    "callback": TaskPattern(1, "menu queue call-back talk end"),
    "reopened": TaskPattern(1, "menu offer talk end-part queue offer talk end"),
}

CHAT_PATTERNS: dict[str, TaskPattern] = {
    "answered": TaskPattern(8, "moment offer talk end"),
    "refused first": TaskPattern(1, "moment refuse offer talk end"),
    "left waiting": TaskPattern(1, "moment queue leave"),
}

EMAIL_PATTERNS: dict[str, TaskPattern] = {
    "answered": TaskPattern(9, "moment queue offer talk end"),
    "failed": TaskPattern(1, "fail"),
}

PATTERNS: dict[str, dict[str, TaskPattern]] = {
    "telephony": VOICE_PATTERNS,
    "chat": CHAT_PATTERNS,
    "email": EMAIL_PATTERNS,
}


class Duration(NamedTuple):
    """Half of all durations are below the median; two thirds within a factor e**spread of it."""

    median_ms: int
    spread: float


# Rounded medians of the same calls. Chats are picked up as fast as in a recorded trace.
DURATIONS: dict[str, Duration] = {
    "moment": Duration(235, 0.7),
    "menu": Duration(1_800, 1.2),
    "queue": Duration(5_000, 1.2),
    "ring": Duration(8_000, 0.4),
    "refuse": Duration(1_300, 0.4),
    "hold": Duration(7_000, 0.6),
    "consult": Duration(22_000, 0.8),
    "conference": Duration(16_000, 0.3),
    "callback wait": Duration(300_000, 0.6),
    "wrapup": Duration(7_200, 0.6),
    "capture": Duration(12_000, 0.6),
    "break": Duration(600_000, 0.5),
    "until break": Duration(4_200_000, 0.4),
    "shift": Duration(28_800_000, 0.1),
    "off": Duration(5_400_000, 0.5),
    "telephony pick-up": Duration(8_000, 0.4),
    "chat pick-up": Duration(2_700, 0.3),
    "email pick-up": Duration(4_000, 0.5),
    "telephony work": Duration(24_000, 0.8),
    "chat work": Duration(120_000, 0.6),
    "email work": Duration(240_000, 0.7),
    "telephony patience": Duration(150_000, 0.6),
    "chat patience": Duration(120_000, 0.6),
    "email patience": Duration(3_600_000, 0.6),
}

# Mean time between two new tasks for each agent on duty. About half of the agents are busy, since a
# consult needs a free colleague.
ARRIVAL_GAPS_MS: dict[str, int] = {"telephony": 150_000, "chat": 1_200_000, "email": 1_800_000}
