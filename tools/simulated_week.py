"""Fill the log of DATABASE_URL with a simulated week, each event recorded when its webhook came.

`projector simulate` sends webhooks now, so a week of it takes a week. Here the clock of the log is
that of the simulated network. Two versions of the fold can then be compared over what a service
would have stored by today: see docs/decisions/0015.

    DATABASE_URL=… python -m tools.simulated_week [agents] [days]
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from itertools import takewhile

from projector.domain.events import Offered
from projector.event_log.store import EventStore, Request
from projector.infrastructure.clock import now_ms
from projector.infrastructure.database import open_pool
from projector.infrastructure.migrations import migrate
from projector.webex.simulator.contact_center import Simulation
from projector.webex.simulator.network import disturb
from projector.webex.webhook import judge

DAY_MS = 86_400_000
TOGETHER_MS = 60_000  # what arrives within a minute is appended together
FATES = {"late": 0.05, "duplicate": 0.01, "lose": 0.02}


def fill(url: str, agents: int, days: int) -> dict[str, int]:
    """Counts of what was appended, and of the webhooks that came late, came twice or were lost."""
    end = now_ms()
    clock = [end - days * DAY_MS]
    fates: Counter[str] = Counter()
    world = Simulation(agents, start_ms=clock[0])
    happened = takewhile(lambda body: body["data"]["createdTime"] < end, world)
    with open_pool(url, max_size=1) as pool:
        store = EventStore(pool, clock=lambda: clock[0])
        appended = 0
        together: list[Offered] = []
        for due_ms, body in disturb(happened, **FATES, counters=fates):
            if together and due_ms > clock[0] + TOGETHER_MS:
                appended += store.append([Request(events=together)])[0].counts["appended"]
                together = []
            if not together:
                clock[0] = due_ms
            text = json.dumps(body, separators=(",", ":")).encode()
            offered = judge(text, body, now=clock[0], default_org=None)
            assert isinstance(offered, Offered), offered
            together.append(offered)
        appended += store.append([Request(events=together)])[0].counts["appended"]
    return {"appended": appended, **fates}


if __name__ == "__main__":
    migrate(os.environ["DATABASE_URL"])
    numbers = [int(number) for number in sys.argv[1:]]
    print(fill(os.environ["DATABASE_URL"], *(numbers + [20, 7][len(numbers) :])))
