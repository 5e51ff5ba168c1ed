"""The clock of the service, and spans of time in milliseconds."""

from __future__ import annotations

import time

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def now_ms() -> int:
    """The present time, in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
