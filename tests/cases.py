"""The named cases from the field that are not about figures or HTTP, by their number.

Data only. Times are milliseconds; a login stands before what only a logged-in agent does.
"""

from tests.examples import at as after_dawn
from tests.examples import capture, channel, ended, login, logout, phase, rows, stretch, task, v2
from tests.worked_v2 import (
    DAY,
    HOUR,
    MINUTE,
    Answer,
    TimedLife,
    by,
    life,
    live,
    overdue,
    silent,
    stale,
)

C1 = ("c1", "telephony")
C9 = ("c9", "telephony")
B1 = ("b1", "telephony")

CASES: dict[int, TimedLife] = {
    2: life(
        "case-2",
        live(
            task(0, "t", "new"),
            task(1_000, "t", "parked", queueId="q1"),
            ended(300_000, "t", "Agent", "Agent Left", id="end"),
        ),
        Answer(
            now=301_000,
            tasks={"t": {"status": "completed", "complete": True}},
            first_traces=("end",),
            open_tasks=(),
        ),
    ),
    3: life(
        "case-3",
        live(
            login(0, "a", "Available", id="in"),
            v2(10_000, "a", "ringing", "t", on=C9, id="ring"),
            v2(12_000, "a", "consulting", "t", on=C9, id="ask"),
            v2(60_000, "a", "consult-done", "t", on=C9, id="done"),
            v2(61_000, "a", "idle", on=C9, id="idle"),
        ),
        Answer(
            now=62_000,
            at=60_000,
            agents={"a": {"status": "unknown", "interactions": []}},
        ),
        Answer(
            now=62_000,
            agents={"a": {"status": "idle", "interactions": []}},
            agent_intervals={
                "a": rows(
                    by("in", stretch(0, "available")),
                    by("ring", stretch(10_000, "ringing", "t")),
                    by("ask", stretch(12_000, "consulting", "t")),
                    by("done", stretch(60_000, "unknown", word="consult-done")),
                    by("idle", stretch(61_000, "idle")),
                )
            },
        ),
    ),
    4: life(
        "case-4",
        live(
            login(0, "a"),
            v2(1_000, "a", "available", on=C1),
            v2(10_000, "a", "connected", "t", on=C1),
            ended(240_000, "t"),
            v2(300_000, "a", "idle", on=C1),
        ),
        Answer(
            now=301_000,
            agents={
                "a": {
                    "status": "idle",
                    "statusSince": after_dawn(300_000),
                    "interactions": [],
                }
            },
        ),
    ),
    5: life(
        "case-5",
        live(
            login(0, "a"),
            v2(1_000, "a", "available", on=C1),
            v2(10_000, "a", "connected", "t", on=C1),
            ended(240_000, "t"),
            channel(300_000, "a", "telephony", "Idle"),
        ),
        Answer(
            now=301_000,
            agents={
                "a": {
                    "status": "idle",
                    "statusSince": after_dawn(300_000),
                    "idleCodeId": None,
                    "interactions": [],
                }
            },
        ),
    ),
    9: life(
        "case-9",
        live(
            task(0, "t", "parked", queueId="q1"),
            task(900_000, "t", "connect", direction="OUTBOUND", outboundType="COURTESY_CALLBACK"),
            ended(960_000, "t", "System", "Customer Busy", direction="OUTBOUND"),
        ),
        Answer(now=961_000, tasks={"t": {"status": "unanswered", "complete": True}}),
    ),
    10: life(
        "case-10",
        live(
            task(0, "t", "parked", queueId="q1", id="parked"),
            ended(100_000, "t", "System", "Overflow", id="end"),
        ),
        Answer(
            now=101_000,
            tasks={"t": {"status": "unanswered"}},
            task_intervals={
                "t": rows(
                    by("parked", phase(0, "queued", "parked")),
                    by("end", phase(100_000, "unanswered", "ended")),
                )
            },
        ),
    ),
    11: life(
        "case-11",
        live(task(0, "t", "parked", queueId="q1")),
        Answer(
            now=25 * HOUR,
            tasks={"t": {"status": "queued", "stale": True}},
            anomalies=(stale("t", 0, DAY),),
            open_tasks=(),
        ),
    ),
    12: life(
        "case-12",
        live(login(0, "a"), v2(10_000, "a", "ringing", "t", on=C1)),
        Answer(
            now=10_000 + 5 * MINUTE,
            agents={"a": {"status": "unknown", "interactions": []}},
            anomalies=(overdue("a", 10_000, 10_000 + 5 * MINUTE),),
        ),
    ),
    13: life(
        "case-13",
        live(login(0, "a"), v2(1_000, "a", "available", on=C1)),
        Answer(
            now=25 * HOUR,
            agents={"a": {"status": "logged-out", "statusSince": after_dawn(DAY + 1_000)}},
            anomalies=(silent("a", 1_000, DAY + 1_000),),
        ),
    ),
    14: life(
        "case-14",
        live(capture(0, "t", "https://captures.invalid/t")),
        Answer(now=1_000, tasks={"t": {"stale": False}}, open_tasks=()),
    ),
    15: life(
        "case-15",
        live(
            login(0, "a"),
            login(0, "b"),
            task(1_000, "t", "connected"),
            v2(1_000, "a", "connected", "t", on=C1),
            v2(10_000, "a", "on-hold", "t", on=C1),
            v2(11_000, "a", "consulting", "t", on=C1),
            v2(12_000, "b", "ringing", "t", on=B1),
            v2(15_000, "b", "consulting", "t", on=B1),
            v2(30_000, "b", "connected", "t", on=B1),
            v2(30_100, "a", "wrapup", "t", on=C1),
        ),
        Answer(
            now=31_000,
            agents={"a": {"status": "wrapup"}, "b": {"status": "connected", "taskId": "t"}},
            tasks={"t": {"counts.transfers": 1}},
        ),
    ),
    21: life(
        "case-21",
        live(
            login(0, "a"),
            logout(50_000, "a", "AGENT") | {"id": "out"},
            login(50_000, "a", id="in-again"),
        ),
        Answer(
            now=51_000,
            agents={"a": {"loggedIn": True, "session.loginTime": after_dawn(50_000)}},
        ),
    ),
    22: life(
        "case-22",
        live(
            task(0, "t", "connected"),
            task(10_000, "t", "on-hold"),
            task(20_000, "t", "hold-done"),
            task(20_000, "t", "on-hold"),
        ),
        Answer(now=21_000, tasks={"t": {"currentState": "on-hold"}}),
    ),
}
