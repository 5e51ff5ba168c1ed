"""Deadlines: how long a state lasts without news, before the passing of time ends it.

Rule: silence says something only where we listened. A state that was known before its deadline ends
at that time. One that became known later lasts as long from then on; old news lasts for ever
(semantics 9).
"""

from __future__ import annotations

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000

TELEPHONY = "telephony"
OLD_NEWS_MS = _DAY_MS  # what is so old when it becomes known, after its deadline, has none
# A leg's state to its limit by channel type: telephony, none, and any other. None: other states.
LEG_LIMITS_MS: dict[str | None, tuple[int, int, int]] = {
    "ringing": (5 * _MINUTE_MS, 5 * _MINUTE_MS, 60 * _MINUTE_MS),
    "wrapup": (60 * _MINUTE_MS, 60 * _MINUTE_MS, 60 * _MINUTE_MS),
    None: (12 * _HOUR_MS, 24 * _HOUR_MS, 30 * _DAY_MS),
}
TASK_LIMITS_MS = (24 * _HOUR_MS, 24 * _HOUR_MS, 30 * _DAY_MS)  # a task without events
SHORTEST_LONG_LIMIT_MS = min(*LEG_LIMITS_MS[None], 24 * _HOUR_MS)  # of those but ringing and wrapup
SESSION_LIMIT_MS = 24 * _HOUR_MS  # a session without open legs and events
COMPLETION_LIMIT_MS = 60 * _MINUTE_MS  # after its end a task is complete, whoever is at work


def leg_limit_ms(state: str, channel_type: str | None) -> int:
    """How long a leg may be in a state."""
    return _by_channel(LEG_LIMITS_MS.get(state, LEG_LIMITS_MS[None]), channel_type)


def task_limit_ms(channel_type: str | None) -> int:
    """How long a task that is not over may be without events."""
    return _by_channel(TASK_LIMITS_MS, channel_type)


def is_telephony(channel_type: str | None) -> bool:
    """Whether a channel type is that of calls."""
    return channel_type is not None and channel_type.casefold() == TELEPHONY


def deadline_after(time: int, known_time: int, limit_ms: int) -> int | None:
    """When what began at ``time`` ends without news (epoch ms); None for never."""
    if known_time < time + limit_ms:
        return time + limit_ms
    return known_time + limit_ms if known_time - time <= OLD_NEWS_MS else None


def _by_channel(limits: tuple[int, int, int], channel_type: str | None) -> int:
    on_telephony, without, on_others = limits
    if channel_type is None:
        return without
    return on_telephony if is_telephony(channel_type) else on_others
