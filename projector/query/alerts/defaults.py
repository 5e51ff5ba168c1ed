"""The thresholds of a contact centre that has set none; docs/what-you-see.md gives the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from projector.contract.thresholds import AgentThreshold, QueueMeasure, QueueThreshold

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000


def _agent(status: str, amber_ms: int, red_ms: int) -> AgentThreshold:
    return AgentThreshold(subject="agent", status=status, amber_ms=amber_ms, red_ms=red_ms)


def _queue(measure: QueueMeasure, channel_type: str, amber: int, red: int) -> QueueThreshold:
    return QueueThreshold(
        subject="queue", measure=measure, channel_type=channel_type, amber=amber, red=red
    )


DEFAULT_THRESHOLDS: Sequence[AgentThreshold | QueueThreshold] = (
    _agent("idle", 15 * _MINUTE, 30 * _MINUTE),
    _agent("ringing", 20 * _SECOND, 40 * _SECOND),
    _agent("not-responding", 1 * _MINUTE, 3 * _MINUTE),
    _agent("connected", 20 * _MINUTE, 40 * _MINUTE),
    _agent("on-hold", 3 * _MINUTE, 6 * _MINUTE),
    _agent("consulting", 5 * _MINUTE, 10 * _MINUTE),
    _agent("conferencing", 20 * _MINUTE, 40 * _MINUTE),
    _agent("wrapup", 2 * _MINUTE, 5 * _MINUTE),
    _queue("longestWaitMs", "telephony", 60 * _SECOND, 180 * _SECOND),
    _queue("longestWaitMs", "chat", 2 * _MINUTE, 5 * _MINUTE),
    _queue("longestWaitMs", "social", 15 * _MINUTE, 60 * _MINUTE),
    _queue("longestWaitMs", "email", 4 * _HOUR, 8 * _HOUR),
    _queue("waiting", "telephony", 5, 15),
    _queue("waiting", "chat", 5, 15),
)
