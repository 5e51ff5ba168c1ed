"""Small lives of one task with its waits, offers and contacts, worked out by hand from section 10.

Data only. Each life has its events with the time at which each was recorded, and all facts of the
task for some questions. Moments of events and questions are milliseconds after dawn; the builders
of facts take such moments too. Where the page leaves the answer open, `choice` says what is
chosen. The task is `t`, in the queue q1; `case-...` is a case from the field by its number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.examples import Body, Fields, capture, ended, login, task, v1, v2
from tests.examples import at as after_dawn
from tests.fact_oracle import Part, TaskFact
from tests.worked_v2 import DAY, HOUR, MINUTE, Told, live, recorded

NOW = 20 * HOUR  # no deadline of a live task has passed, and the hour of every contact has


@dataclass(frozen=True, kw_only=True)
class FactAnswer:
    """A question, asked at `now` when all was recorded, and all facts of the task, in any order."""

    now: int
    facts: tuple[TaskFact, ...]
    at: int | None = None
    known_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class FactLife:
    """What happened to the task, when it was recorded, and the answers."""

    name: str
    told: tuple[Told, ...]
    answers: tuple[FactAnswer, ...]
    choice: str = ""


# --- builders -------------------------------------------------------------------------------------


def step(moment: int, word: str, **more: str | None) -> Body:
    """A step of the task."""
    return task(moment, "t", word, **more)


def parked(moment: int, queue: str | None = "q1", **more: str | None) -> Body:
    return step(moment, "parked", **({"queueId": queue} if queue else {}), **more)


def offered(moment: int, queue: str | None = None, **more: str | None) -> Body:
    return step(moment, "connect", **({"queueId": queue} if queue else {}), **more)


def over(moment: int, party: str = "Customer", reason: str = "", **more: str) -> Body:
    """The task's end."""
    return ended(moment, "t", party, reason, **more)


def rona(moment: int) -> Body:
    """An end that ends an offer, and not the task."""
    return over(moment, "System", "Agent RONA")


def says(moment: int, agent: str, word: str | None, **more: str) -> Body:
    """An agent's word on the task."""
    return v2(moment, agent, word, "t", on=(f"{agent}-phone", "telephony"), **more)


def part(
    team: str | None = None,
    *,
    handled: bool = True,
    talk: int = 0,
    hold: int = 0,
    consult: int = 0,
    wrap_up: int = 0,
) -> Part:
    """An agent's part in a contact."""
    return Part(team=team, handled=handled, talk=talk, hold=hold, consult=consult, wrap_up=wrap_up)


def spent(figure: str, duration: int) -> Fields:
    """One time of a contact or a part."""
    return {figure: duration}


def rang(**teams: str | None) -> dict[str, Part]:
    """The parts of a wait or an offer: agents with their teams."""
    return {agent: Part(team=team) for agent, team in teams.items()}


def after(moment: int | None) -> int | None:
    return None if moment is None else after_dawn(moment)


def wait(
    start: int,
    end: int | None = None,
    outcome: str | None = None,
    *,
    queue: str | None = "q1",
    channel_type: str | None = "telephony",
    direction: str | None = "INBOUND",
    number: int = 0,
    parts: dict[str, Part] | None = None,
) -> TaskFact:
    """A wait in q1; open without an end. It counts at its end; an unknown end makes it doubtful."""
    return TaskFact(
        kind="wait",
        start=after_dawn(start),
        number=number,
        end=after(end),
        outcome=outcome,
        counted=after(end),
        queue=queue,
        channel_type=channel_type,
        direction=direction,
        doubtful=outcome == "unknown",
        parts=parts or {},
    )


def offer(
    start: int,
    end: int | None = None,
    outcome: str | None = None,
    *,
    queue: str | None = "q1",
    channel_type: str | None = "telephony",
    direction: str | None = "INBOUND",
    number: int = 0,
    parts: dict[str, Part] | None = None,
) -> TaskFact:
    """An offer in q1; open without an end. It counts at its end."""
    return TaskFact(
        kind="offer",
        start=after_dawn(start),
        number=number,
        end=after(end),
        outcome=outcome,
        counted=after(end),
        queue=queue,
        channel_type=channel_type,
        direction=direction,
        parts=parts or {},
    )


SAME = -1  # a contact that is handled when it ends


def contact(
    start: int,
    end: int | None = None,
    counted: int | None = SAME,
    *,
    queue: str | None = "q1",
    channel_type: str | None = "telephony",
    direction: str | None = "INBOUND",
    number: int = 0,
    talk: int = 0,
    hold: int = 0,
    consult: int = 0,
    wrap_up: int = 0,
    doubtful: bool = False,
    parts: dict[str, Part] | None = None,
) -> TaskFact:
    """A contact of q1; open without an end, and not yet handled where `counted` is None."""
    return TaskFact(
        kind="contact",
        start=after_dawn(start),
        number=number,
        end=after(end),
        counted=after(end if counted == SAME else counted),
        queue=queue,
        channel_type=channel_type,
        direction=direction,
        talk=talk,
        hold=hold,
        consult=consult,
        wrap_up=wrap_up,
        doubtful=doubtful,
        parts=parts or {},
    )


def asked(
    now: int, *facts: TaskFact, at: int | None = None, known: int | None = None
) -> FactAnswer:
    return FactAnswer(now=now, facts=facts, at=at, known_at=known)


def facts(
    name: str, told: Iterable[Told], *answers: FactAnswer | TaskFact, choice: str = ""
) -> FactLife:
    """A life. Facts that stand alone are the answer at NOW."""
    alone = tuple(it for it in answers if isinstance(it, TaskFact))
    questions = tuple(it for it in answers if isinstance(it, FactAnswer))
    if alone or not questions:
        questions = (*questions, FactAnswer(now=NOW, facts=alone))
    return FactLife(name=name, told=tuple(told), answers=questions, choice=choice)


# --- cases from the field -------------------------------------------------------------------------

CASES_OF_FACTS = (
    facts(
        "case-1",
        live(
            parked(0, "q1"),
            offered(3_000, "q1"),
            step(5_000, "connected"),
            parked(60_000, "q2"),
            over(660_000),
        ),
        wait(0, 5_000, "answered"),
        offer(3_000, 5_000, "accepted"),
        contact(5_000, 60_000, talk=55_000),
        wait(60_000, 660_000, "abandoned", queue="q2"),
    ),
    facts(
        "case-2",
        live(step(0, "new"), parked(1_000), over(300_000, "Agent")),
        wait(1_000, 300_000, "unknown"),
    ),
    facts(
        "case-6",
        live(
            parked(0),
            step(10_000, "connected"),
            over(100_000),
            offered(600_000),
            step(605_000, "connected"),
            over(900_000),
        ),
        wait(0, 10_000, "answered"),
        contact(10_000, 100_000, talk=90_000),
        wait(600_000, 605_000, "answered"),
        offer(600_000, 605_000, "accepted"),
        contact(605_000, 900_000, talk=295_000),
    ),
    facts(
        "case-7",
        live(
            parked(0),
            step(10_000, "connected"),
            says(10_000, "ann", "connected"),
            over(120_000),
            says(120_000, "ann", "wrapup"),
            says(4_320_000, "ann", "wrapup-done"),
        ),
        wait(0, 10_000, "answered"),
        contact(
            10_000,
            120_000,
            3_720_000,
            talk=110_000,
            doubtful=True,
            parts={"ann": part(talk=110_000)},
        ),
    ),
    facts(
        "case-8",
        live(
            offered(10_000, "q1"),
            says(10_500, "ann", "ringing"),
            says(28_000, "ann", "not-responding"),
            parked(29_000),
        ),
        wait(10_000, parts=rang(ann=None)),
        offer(10_000, 28_000, "refused", parts=rang(ann=None)),
    ),
    facts(
        "case-9",
        live(
            parked(0),
            offered(900_000, direction="OUTBOUND", outboundType="COURTESY_CALLBACK"),
            over(960_000, "System", "Customer Busy", direction="OUTBOUND"),
        ),
        wait(0, 960_000, "unanswered", direction="OUTBOUND"),
        offer(900_000, 960_000, "withdrawn", direction="OUTBOUND"),
    ),
    facts(
        "case-10",
        live(parked(0), over(100_000, "System", "Overflow")),
        wait(0, 100_000, "unanswered"),
    ),
    facts(
        "case-11",
        live(parked(0)),
        asked(DAY - 1, wait(0)),
        asked(25 * HOUR, wait(0, DAY, "unknown")),
    ),
    facts("case-14", live(capture(0, "t", "https://captures.invalid/t"))),
    facts(
        "case-15",
        live(
            step(1_000, "connected"),
            says(1_000, "ann", "connected"),
            step(10_000, "on-hold"),
            says(10_000, "ann", "on-hold"),
            step(11_000, "consulting"),
            says(11_000, "ann", "consulting"),
            says(12_000, "bob", "ringing"),
            says(15_000, "bob", "consulting"),
            says(30_000, "bob", "connected"),
            says(30_100, "ann", "wrapup"),
            step(30_200, "hold-done"),
            over(60_200),
            says(60_300, "bob", "wrapup"),
            says(62_300, "bob", "wrapup-done"),
            says(70_100, "ann", "wrapup-done"),
        ),
        contact(
            1_000,
            60_200,
            70_100,
            queue=None,
            talk=9_000 + 30_000,
            hold=1_000,
            consult=19_200,
            wrap_up=40_000 + 2_000,
            parts={
                "ann": part(talk=9_000, hold=1_000, consult=19_100, wrap_up=40_000),
                "bob": part(talk=30_200, consult=15_000, wrap_up=2_000),
            },
        ),
    ),
)


# --- waits ----------------------------------------------------------------------------------------

WAIT_BEGINNINGS = (
    facts("a-wait-that-goes-on", live(parked(0)), wait(0)),
    facts(
        "an-offer-begins-a-wait-and-parked-goes-on-with-it",
        live(step(0, "new"), offered(5_000, "q1"), parked(8_000), over(20_000)),
        wait(5_000, 20_000, "abandoned"),
        offer(5_000, 8_000, "refused"),
    ),
    facts(
        "new-alone-is-no-wait",
        live(step(0, "new", queueId="q1"), over(20_000)),
    ),
    facts(
        "the-queue-is-the-tasks-where-parked-names-none",
        live(step(0, "new", queueId="q7"), parked(1_000, None), over(2_000)),
        wait(1_000, 2_000, "abandoned", queue="q7"),
    ),
    facts(
        "the-queue-is-the-tasks-where-connect-names-none",
        live(step(0, "new", queueId="q7"), offered(1_000), over(2_000)),
        wait(1_000, 2_000, "abandoned", queue="q7"),
        offer(1_000, 2_000, "withdrawn", queue="q7"),
    ),
    facts(
        "a-later-queue-of-the-task-does-not-move-a-wait",
        live(
            parked(0, "q1"),
            offered(2_000, "q2"),
            step(3_000, "connected"),
            over(4_000),
        ),
        wait(0, 3_000, "answered", queue="q1"),
        offer(2_000, 3_000, "accepted", queue="q2"),
        contact(3_000, 4_000, queue="q1", talk=1_000),
    ),
    facts(
        "parked-without-a-queue-goes-on",
        live(parked(0, "q1"), offered(1_000, "q2"), parked(2_000, None), over(9_000)),
        wait(0, 9_000, "abandoned", queue="q1"),
        offer(1_000, 2_000, "refused", queue="q2"),
    ),
    facts(
        "a-wait-without-a-queue-takes-one",
        live(parked(0, None), parked(5_000, "q1"), parked(8_000, "q2"), over(9_000)),
        wait(0, 8_000, "moved", queue="q1"),
        wait(8_000, 9_000, "abandoned", queue="q2"),
    ),
    facts(
        "a-wait-without-a-queue-takes-none-from-an-offer",
        live(parked(0, None), offered(5_000, "q2"), over(9_000)),
        wait(0, 9_000, "abandoned", queue=None),
        offer(5_000, 9_000, "withdrawn", queue="q2"),
        choice="It takes the queue of a parked alone.",
    ),
    facts(
        "moved-from-queue-to-queue",
        live(parked(0, "q1"), parked(5_000, "q2"), parked(8_000, "q1"), over(9_000)),
        wait(0, 5_000, "moved"),
        wait(5_000, 8_000, "moved", queue="q2"),
        wait(8_000, 9_000, "abandoned"),
    ),
    facts(
        "offered-refused-and-parked-again-is-one-wait",
        live(
            parked(0, "q1"),
            offered(1_000),
            parked(5_000, "q1"),
            offered(6_000),
            offered(7_000),
            step(9_000, "connected"),
        ),
        wait(0, 9_000, "answered"),
        offer(1_000, 5_000, "refused"),
        offer(6_000, 7_000, "refused"),
        offer(7_000, 9_000, "accepted"),
        contact(9_000, None, None),
    ),
    facts(
        "an-outdial-has-no-wait",
        live(
            step(0, "new", direction="OUTBOUND", queueId="out"),
            offered(1_000, direction="OUTBOUND"),
            step(9_000, "connected", direction="OUTBOUND"),
            over(10_000, direction="OUTBOUND"),
        ),
        offer(1_000, 9_000, "accepted", queue="out", direction="OUTBOUND"),
        contact(9_000, 10_000, queue="out", direction="OUTBOUND", talk=1_000),
    ),
    facts(
        "an-outdial-in-small-letters-has-no-wait",
        live(offered(1_000, "out", direction="outbound")),
        offer(1_000, queue="out", direction="outbound"),
    ),
    facts(
        "an-outbound-task-that-is-parked-waits",
        live(
            step(0, "new", direction="OUTBOUND"),
            parked(1_000, direction="OUTBOUND"),
            offered(5_000, direction="OUTBOUND"),
            step(9_000, "connected", direction="OUTBOUND"),
        ),
        wait(1_000, 9_000, "answered", direction="OUTBOUND"),
        offer(5_000, 9_000, "accepted", direction="OUTBOUND"),
        contact(9_000, None, None, direction="OUTBOUND"),
    ),
    facts(
        "an-outbound-task-that-was-parked-once-waits-at-an-offer",
        live(
            parked(0, direction="OUTBOUND"),
            over(1_000, direction="OUTBOUND"),
            offered(5_000, direction="OUTBOUND"),
        ),
        wait(0, 1_000, "unanswered", direction="OUTBOUND"),
        wait(5_000, direction="OUTBOUND"),
        offer(5_000, direction="OUTBOUND"),
    ),
    facts(
        "an-outdial-that-is-parked-later",
        live(
            offered(1_000, "q1", direction="OUTBOUND"),
            parked(5_000, direction="OUTBOUND"),
        ),
        wait(5_000, direction="OUTBOUND"),
        offer(1_000, 5_000, "refused", direction="OUTBOUND"),
        choice="Never parked is as of the offer.",
    ),
    facts(
        "an-outdial-whose-direction-comes-late",
        live(
            offered(1_000, "q1", direction=None),
            step(5_000, "connected", direction="OUTBOUND"),
        ),
        offer(1_000, 5_000, "accepted", direction="OUTBOUND"),
        contact(5_000, None, None, direction="OUTBOUND"),
        choice="A direction that becomes known while the wait goes on takes it back.",
    ),
    facts(
        "the-channel-type-and-direction-are-as-of-the-end",
        live(
            parked(0, channelType="chat", direction="INBOUND"),
            step(5_000, "connected", channelType="email", direction="OUTBOUND"),
            over(6_000, channelType="social", direction="OUTBOUND"),
            step(7_000, "origin-updated", channelType="chat", direction="INBOUND"),
        ),
        wait(0, 5_000, "answered", channel_type="email", direction="OUTBOUND"),
        contact(5_000, 6_000, channel_type="social", direction="OUTBOUND", talk=1_000),
    ),
    facts(
        "the-channel-type-of-what-is-open-is-as-of-now",
        live(
            parked(0, channelType="chat"),
            step(1_000, "origin-updated", channelType="email"),
        ),
        wait(0, channel_type="email"),
    ),
    facts(
        "parked-again-and-connected-in-one-millisecond",
        live(
            parked(0, "q1", id="a"),
            parked(0, "q2", id="b", channelType=None),
            step(0, "connected", id="c"),
            over(0, id="d"),
        ),
        wait(0, 0, "moved"),
        wait(0, 0, "answered", queue="q2", number=1),
        contact(0, 0, queue="q2"),
        choice="With equal channel types the second parked would state the same fact.",
    ),
    facts(
        "what-is-told-twice-happens-once",
        live(
            parked(0, id="a"),
            parked(0, id="b"),
            offered(1_000, id="c"),
            offered(1_000, id="d"),
            over(2_000),
        ),
        wait(0, 2_000, "abandoned"),
        offer(1_000, 2_000, "withdrawn"),
    ),
    facts(
        "a-reconciled-offer-restates-the-webhook",
        (
            *live(parked(0, id="a"), offered(5_000, id="b"), over(20_000, id="c")),
            recorded(60_000, offered(6_000, id="r"), "reconciliation"),
        ),
        wait(0, 20_000, "abandoned"),
        offer(5_000, 20_000, "withdrawn"),
    ),
    facts(
        "what-is-known-decides-and-not-at",
        (
            *live(parked(0, id="a"), over(60_000, id="c")),
            recorded(2 * HOUR, step(9_000, "connected", id="b")),
        ),
        asked(3 * HOUR, wait(0, 60_000, "abandoned"), known=HOUR),
        asked(
            3 * HOUR,
            wait(0, 9_000, "answered"),
            contact(9_000, 60_000, talk=51_000),
            at=5_000,
        ),
    ),
)

ANSWERS_OF_THE_TASK = tuple(
    facts(
        f"answered-by-the-tasks-{word}",
        live(parked(0), step(7_000, word), over(10_000)),
        wait(0, 7_000, "answered"),
        contact(7_000, 10_000, **spent(figure, 3_000)),
    )
    for word, figure in (
        ("connected", "talk"),
        ("on-hold", "hold"),
        ("hold-done", "talk"),
        ("consulting", "consult"),
        ("consult-done", "hold"),
        ("conferencing", "talk"),
        ("conference-done", "talk"),
        ("conference-transferred", "talk"),
    )
)

ANSWERS_OF_AGENTS = tuple(
    facts(
        f"answered-by-an-agents-{word}",
        live(parked(0), says(7_000, "ann", word), over(10_000)),
        wait(0, 7_000, "answered", parts=rang(ann=None)),
        contact(
            7_000,
            10_000,
            parts={
                "ann": part(
                    handled=word not in ("consulting", "consult-done"), **spent(figure, 3_000)
                )
            },
        ),
    )
    for word, figure in (
        ("connected", "talk"),
        ("On_Hold", "hold"),
        ("hold-done", "talk"),
        ("consulting", "consult"),
        ("consult-done", "hold"),
        ("conferencing", "talk"),
        ("conference-done", "talk"),
    )
)

ENDS_OF_A_WAIT = tuple(
    facts(
        f"ended-by-{party or 'nobody'}-{direction}",
        live(parked(0, direction=direction), over(9_000, party, direction=direction)),
        wait(0, 9_000, outcome, direction=direction),
    )
    for party, direction, outcome in (
        ("Customer", "INBOUND", "abandoned"),
        ("CUSTOMER", "inbound", "abandoned"),
        ("", "INBOUND", "abandoned"),
        ("System", "INBOUND", "unanswered"),
        ("Agent", "INBOUND", "unknown"),
        ("AGENT", "inbound", "unknown"),
        ("Supervisor", "INBOUND", "unanswered"),
        ("Customer", "OUTBOUND", "unanswered"),
        ("", "OUTBOUND", "unanswered"),
        ("Agent", "OUTBOUND", "unanswered"),
        ("System", "OUTBOUND", "unanswered"),
    )
)

NO_ENDS_OF_A_WAIT = tuple(
    facts(
        f"a-wait-goes-on-at-an-agents-{word}",
        live(parked(0), says(5_000, "ann", word), over(9_000)),
        wait(0, 9_000, "abandoned", parts=rang(ann=None)),
    )
    for word in ("ringing", "not-responding", "idle", "available", "pondering")
)

WAIT_ENDS = (
    facts(
        "a-failed-task-was-not-answered",
        live(parked(0), offered(3_000), step(9_000, "failed")),
        wait(0, 9_000, "unanswered"),
        offer(3_000, 9_000, "withdrawn"),
    ),
    facts(
        "the-direction-at-the-end-decides-its-outcome",
        live(parked(0), over(9_000, "Agent", direction="OUTBOUND")),
        wait(0, 9_000, "unanswered", direction="OUTBOUND"),
    ),
    facts(
        "an-end-by-system-and-parked-again-are-two-waits",
        live(parked(0), over(9_000, "System", "Flow"), parked(10_000), step(15_000, "connected")),
        wait(0, 9_000, "unanswered"),
        wait(10_000, 15_000, "answered"),
        contact(15_000, None, None),
    ),
    facts(
        "a-second-end-ends-nothing",
        live(parked(0), over(9_000), over(10_000, "Agent"), step(11_000, "failed")),
        wait(0, 9_000, "abandoned"),
    ),
    facts(
        "an-end-that-names-rona-ends-no-wait",
        live(
            parked(0),
            offered(2_000),
            over(9_000, "SYSTEM", "agent Rona"),
            offered(10_000),
            over(12_000),
        ),
        wait(0, 12_000, "abandoned"),
        offer(2_000, 9_000, "refused"),
        offer(10_000, 12_000, "withdrawn"),
    ),
    facts(
        "an-end-by-the-customer-that-names-rona-is-an-end",
        live(parked(0), offered(2_000), over(9_000, "Customer", "RONA")),
        wait(0, 9_000, "abandoned"),
        offer(2_000, 9_000, "withdrawn"),
    ),
    facts(
        "a-wrap-up-is-a-trace",
        live(
            parked(0),
            offered(2_000),
            says(30_000, "ann", "wrapup"),
            says(40_000, "ann", "wrapup-done"),
            over(41_000),
        ),
        wait(0, 30_000, "unknown", parts=rang(ann=None)),
        offer(2_000, 41_000, "withdrawn"),
    ),
    facts(
        "a-wrap-up-done-is-a-trace",
        live(parked(0), says(40_000, "ann", "wrapup-done")),
        wait(0, 40_000, "unknown", parts=rang(ann=None)),
    ),
    facts(
        "the-wrap-up-of-an-outbound-task-is-no-trace",
        live(
            parked(0, direction="OUTBOUND"),
            says(30_000, "ann", "wrapup"),
            says(31_000, "ann", "wrapup-done"),
            over(40_000, direction="OUTBOUND"),
        ),
        wait(0, 40_000, "unanswered", direction="OUTBOUND", parts=rang(ann=None)),
    ),
    facts(
        "after-a-trace-an-offer-begins-another-wait",
        live(
            parked(0),
            says(30_000, "ann", "wrapup"),
            offered(50_000),
            step(60_000, "connected"),
        ),
        wait(0, 30_000, "unknown", parts=rang(ann=None)),
        wait(50_000, 60_000, "answered"),
        offer(50_000, 60_000, "accepted"),
        contact(60_000, None, None),
    ),
    facts(
        "after-a-trace-parked-in-the-same-queue-begins-another-wait",
        live(parked(0), says(30_000, "ann", "wrapup"), parked(50_000), over(60_000)),
        wait(0, 30_000, "unknown", parts=rang(ann=None)),
        wait(50_000, 60_000, "abandoned"),
    ),
    facts(
        "after-a-trace-an-answer-is-a-contact-of-the-tasks-queue",
        live(parked(0), says(30_000, "ann", "wrapup"), step(50_000, "connected"), over(51_000)),
        wait(0, 30_000, "unknown", parts=rang(ann=None)),
        contact(50_000, 51_000, talk=1_000),
        choice="The wrap-up began before the contact, so it is none of its own.",
    ),
    facts(
        "a-silence-ends-a-wait-for-good",
        live(
            parked(0),
            step(DAY + 9_000, "connected"),
            over(DAY + 10_000),
        ),
        asked(
            DAY + HOUR,
            wait(0, DAY, "unknown"),
            contact(DAY + 9_000, DAY + 10_000, talk=1_000),
        ),
    ),
    facts(
        "after-a-silence-parked-begins-another-wait",
        live(parked(0), offered(1_000), parked(DAY + 9_000), over(DAY + 10_000)),
        asked(
            DAY + HOUR,
            wait(0, DAY + 1_000, "unknown"),
            offer(1_000, DAY + 9_000, "refused"),
            wait(DAY + 9_000, DAY + 10_000, "abandoned"),
        ),
    ),
    facts(
        "after-a-silence-an-offer-begins-another-wait",
        live(parked(0), offered(DAY + 9_000), over(DAY + 10_000)),
        asked(
            DAY + HOUR,
            wait(0, DAY, "unknown"),
            wait(DAY + 9_000, DAY + 10_000, "abandoned"),
            offer(DAY + 9_000, DAY + 10_000, "withdrawn"),
        ),
    ),
    facts(
        "after-a-silence-an-end-ends-no-wait",
        live(parked(0), over(DAY + 9_000)),
        asked(DAY + HOUR, wait(0, DAY, "unknown")),
    ),
    facts(
        "an-event-in-the-millisecond-of-the-deadline-comes-first",
        live(parked(0), over(DAY)),
        asked(DAY + HOUR, wait(0, DAY, "abandoned")),
    ),
    facts(
        "an-agents-word-breaks-the-silence",
        live(parked(0), says(HOUR, "ann", "ringing")),
        asked(DAY + HOUR - 1, wait(0, parts=rang(ann=None))),
        asked(DAY + HOUR, wait(0, DAY + HOUR, "unknown", parts=rang(ann=None))),
    ),
    facts(
        "a-chat-waits-for-thirty-days",
        live(parked(0, channelType="chat")),
        asked(30 * DAY - 1, wait(0, channel_type="chat")),
        asked(30 * DAY, wait(0, 30 * DAY, "unknown", channel_type="chat")),
    ),
    facts(
        "old-news-has-no-deadline",
        (recorded(3 * DAY, parked(0, id="a"), "import"),),
        asked(9 * DAY, wait(0)),
    ),
    facts(
        "news-that-comes-late-has-its-deadline-later",
        (recorded(DAY, parked(0, id="a")),),
        asked(2 * DAY - 1, wait(0)),
        asked(2 * DAY, wait(0, 2 * DAY, "unknown")),
        asked(3 * DAY, wait(0), at=DAY, known=DAY),
    ),
    facts(
        "the-clock-is-the-later-of-two",
        live(parked(0)),
        asked(25 * HOUR, wait(0, DAY, "unknown"), at=HOUR),
        asked(2 * HOUR, wait(0, DAY, "unknown"), at=25 * HOUR),
        asked(25 * HOUR, wait(0), at=HOUR, known=2 * HOUR),
        asked(25 * HOUR, wait(0, DAY, "unknown"), at=30 * HOUR, known=2 * HOUR),
    ),
)


# --- whose words count ----------------------------------------------------------------------------

WHOSE_WORDS = (
    facts(
        "the-wrap-up-of-who-transferred-is-no-trace",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            step(5_100, "connected"),
            parked(60_000, "q2"),
            says(60_100, "ann", "wrapup"),
            says(70_100, "ann", "wrapup-done"),
            over(90_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(
            5_000,
            60_000,
            70_100,
            talk=54_900,
            wrap_up=10_000,
            parts={"ann": part(talk=55_000, wrap_up=10_000)},
        ),
        wait(60_000, 90_000, "abandoned", queue="q2"),
    ),
    facts(
        "a-word-of-who-transferred-is-no-answer",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            says(60_100, "ann", "hold-done"),
            over(90_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(5_000, 60_000, parts={"ann": part(talk=55_000)}),
        wait(60_000, 90_000, "abandoned", queue="q2"),
    ),
    facts(
        "who-transferred-and-rings-again-answers",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            offered(61_000, "q2"),
            says(62_000, "ann", "ringing"),
            says(65_000, "ann", "connected"),
            over(90_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(5_000, 60_000, parts={"ann": part(talk=55_000)}),
        wait(60_000, 65_000, "answered", queue="q2", parts=rang(ann=None)),
        offer(61_000, 65_000, "accepted", queue="q2", parts=rang(ann=None)),
        contact(65_000, 90_000, queue="q2", parts={"ann": part(talk=25_000)}),
    ),
    facts(
        "who-transferred-and-rings-again-leaves-a-trace",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            says(62_000, "ann", "ringing"),
            says(65_000, "ann", "wrapup"),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(
            5_000,
            60_000,
            60_000 + HOUR,
            doubtful=True,
            parts={"ann": part(talk=55_000)},
        ),
        wait(60_000, 65_000, "unknown", queue="q2", parts=rang(ann=None)),
        choice="A wrap-up before the next contact is of the contact before, even after a ring.",
    ),
    facts(
        "another-agent-answers-while-the-first-wraps-up",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            says(60_100, "ann", "wrapup"),
            says(61_000, "bob", "ringing"),
            says(65_000, "bob", "connected"),
            says(80_100, "ann", "wrapup-done"),
            over(90_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(
            5_000,
            60_000,
            80_100,
            wrap_up=20_000,
            parts={"ann": part(talk=55_000, wrap_up=20_000)},
        ),
        wait(60_000, 65_000, "answered", queue="q2", parts=rang(bob=None)),
        contact(65_000, 90_000, queue="q2", parts={"bob": part(talk=25_000)}),
    ),
    facts(
        "who-rang-before-the-wait-began",
        live(
            says(900, "ann", "ringing"),
            offered(1_000, "q1"),
            says(5_000, "ann", "connected"),
            step(5_200, "connected"),
            over(9_200),
        ),
        wait(1_000, 5_200, "answered"),
        offer(1_000, 5_200, "accepted"),
        contact(5_200, 9_200, talk=4_000, parts={"ann": part(talk=4_000)}),
        choice="By the letter: a ring before the beginning is a word before it.",
    ),
    facts(
        "a-ring-in-the-millisecond-of-the-offer",
        live(
            offered(1_000, "q1"),
            says(1_000, "ann", "ringing"),
            says(5_000, "ann", "connected"),
        ),
        wait(1_000, 5_000, "answered", parts=rang(ann=None)),
        offer(1_000, 5_000, "accepted", parts=rang(ann=None)),
        contact(5_000, None, None, parts={"ann": part()}),
    ),
    facts(
        "without-a-wait-any-agents-word-begins-a-contact",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            says(70_000, "bob", "wrapup"),
            says(80_000, "ann", "hold-done"),
            over(90_000),
            says(95_000, "bob", "wrapup-done"),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(
            5_000,
            60_000,
            95_000,
            wrap_up=25_000,
            parts={"ann": part(talk=55_000), "bob": part(wrap_up=25_000)},
        ),
        wait(60_000, 70_000, "unknown", queue="q2", parts=rang(bob=None)),
        contact(80_000, 90_000, queue="q2", parts={"ann": part(talk=10_000)}),
        choice="The words of who had one before keep a wait open, and there is none.",
    ),
    facts(
        "teams-of-a-wait-and-an-offer-are-as-of-their-ends",
        live(
            parked(0),
            offered(1_000),
            says(2_000, "ann", "ringing", teamId="red"),
            says(3_000, "ann", None, teamId="blue"),
            says(4_000, "ann", "not-responding"),
            offered(5_000),
            says(5_500, "bob", "ringing"),
            says(6_000, "ann", "idle", teamId="green"),
            step(8_000, "connected", teamId="no-agents-team", agentId="bob"),
            says(8_100, "bob", "connected", teamId="red"),
            over(9_000),
        ),
        wait(0, 8_000, "answered", parts=rang(ann="green", bob=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann="blue")),
        offer(5_000, 8_000, "accepted", parts=rang(bob=None)),
        contact(8_000, 9_000, talk=1_000, parts={"bob": part("red", talk=900)}),
    ),
    facts(
        "a-team-that-names-no-task-is-none",
        live(login(0, "ann"), parked(1_000), says(2_000, "ann", "ringing")),
        wait(1_000, parts=rang(ann=None)),
    ),
    facts(
        "the-old-shape-tells-as-much",
        live(
            parked(0),
            v1(2_000, "ann", "ringing", "t", teamId="red"),
            v1(3_000, "ann", "connected", "t"),
            over(9_000),
            v1(9_100, "ann", "wrapup", "t"),
            v1(9_600, "ann", "idle", "t"),
        ),
        wait(0, 3_000, "answered", parts=rang(ann="red")),
        contact(
            3_000,
            9_000,
            9_600,
            wrap_up=500,
            parts={"ann": part("red", talk=6_100 - 100, wrap_up=500)},
        ),
    ),
)


# --- offers ---------------------------------------------------------------------------------------

OFFERS = (
    facts(
        "an-offer-that-is-open",
        live(parked(0), offered(1_000), says(1_100, "ann", "ringing")),
        wait(0, parts=rang(ann=None)),
        offer(1_000, parts=rang(ann=None)),
    ),
    facts(
        "accepted-by-an-agents-word",
        live(parked(0), offered(1_000), says(4_000, "ann", "connected"), over(5_000)),
        wait(0, 4_000, "answered", parts=rang(ann=None)),
        offer(1_000, 4_000, "accepted", parts=rang(ann=None)),
        contact(4_000, 5_000, parts={"ann": part(talk=1_000)}),
    ),
    facts(
        "refused-by-who-rang",
        live(
            parked(0),
            offered(1_000),
            says(1_100, "ann", "ringing"),
            says(4_000, "ann", "not-responding"),
            says(4_100, "ann", "not-responding"),
            over(9_000),
        ),
        wait(0, 9_000, "abandoned", parts=rang(ann=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann=None)),
    ),
    facts(
        "a-late-refusal-of-the-offer-before",
        live(
            parked(0),
            offered(1_000),
            says(1_100, "ann", "ringing"),
            offered(4_000),
            says(4_010, "bob", "ringing"),
            says(4_020, "ann", "not-responding"),
            says(7_000, "bob", "connected"),
            over(9_000),
        ),
        wait(0, 7_000, "answered", parts=rang(ann=None, bob=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann=None)),
        offer(4_000, 7_000, "accepted", parts=rang(bob=None)),
        contact(7_000, 9_000, parts={"bob": part(talk=2_000)}),
    ),
    facts(
        "refused-by-anybody-where-no-ringing-was-told",
        live(
            parked(0),
            offered(1_000),
            says(4_000, "ann", "not-responding"),
            over(9_000),
        ),
        wait(0, 9_000, "abandoned", parts=rang(ann=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann=None)),
    ),
    facts(
        "a-late-refusal-where-nobody-rings-for-the-next-offer",
        live(
            parked(0),
            offered(1_000),
            says(1_100, "ann", "ringing"),
            offered(4_000),
            says(4_020, "ann", "not-responding"),
            over(9_000),
        ),
        wait(0, 9_000, "abandoned", parts=rang(ann=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann=None)),
        offer(4_000, 9_000, "withdrawn"),
        choice="Ringing was told for the task, and not of ann for this offer.",
    ),
    facts(
        "a-refusal-in-the-millisecond-of-the-next-offer",
        live(
            parked(0),
            offered(1_000),
            says(1_100, "ann", "ringing"),
            offered(4_000),
            says(4_000, "ann", "not-responding"),
            says(4_010, "bob", "ringing"),
            says(7_000, "bob", "connected"),
            over(9_000),
        ),
        wait(0, 7_000, "answered", parts=rang(ann=None, bob=None)),
        offer(1_000, 4_000, "refused", parts=rang(ann=None)),
        offer(4_000, 7_000, "accepted", parts=rang(bob=None)),
        contact(7_000, 9_000, parts={"bob": part(talk=2_000)}),
    ),
    facts(
        "a-refusal-of-who-never-rang-where-another-did",
        live(
            parked(0),
            offered(1_000),
            says(1_100, "ann", "ringing"),
            says(4_020, "bob", "not-responding"),
            over(9_000),
        ),
        wait(0, 9_000, "abandoned", parts=rang(ann=None, bob=None)),
        offer(1_000, 9_000, "withdrawn", parts=rang(ann=None)),
    ),
    facts(
        "a-refusal-without-an-offer",
        live(parked(0), says(4_000, "ann", "not-responding"), over(9_000)),
        wait(0, 9_000, "abandoned", parts=rang(ann=None)),
    ),
    facts(
        "the-refusal-of-who-left-is-of-no-account-to-the-wait",
        live(
            parked(0, "q1"),
            says(5_000, "ann", "connected"),
            parked(60_000, "q2"),
            offered(61_000),
            says(62_000, "ann", "not-responding"),
            over(70_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(5_000, 60_000, parts={"ann": part(talk=55_000)}),
        wait(60_000, 70_000, "abandoned", queue="q2"),
        offer(61_000, 62_000, "refused", queue="q2", parts=rang(ann=None)),
    ),
    facts(
        "refused-by-rona",
        live(parked(0), offered(1_000), rona(4_000), over(9_000)),
        wait(0, 9_000, "abandoned"),
        offer(1_000, 4_000, "refused"),
    ),
    facts(
        "the-offer-of-a-silent-task-stays-open",
        live(parked(0), offered(1_000)),
        asked(2 * DAY, wait(0, DAY + 1_000, "unknown"), offer(1_000)),
    ),
    facts(
        "an-offer-amid-a-conversation-is-never-accepted",
        live(
            parked(0),
            step(5_000, "connected"),
            offered(20_000, "q2"),
            says(21_000, "bob", "ringing"),
            says(25_000, "bob", "consulting"),
            step(26_000, "connected"),
            over(30_000),
        ),
        wait(0, 5_000, "answered"),
        contact(
            5_000,
            30_000,
            talk=15_000 + 4_000,
            parts={"bob": part(handled=False, consult=5_000)},
        ),
        offer(20_000, 30_000, "withdrawn", queue="q2", parts=rang(bob=None)),
    ),
    facts(
        "an-offer-amid-a-conversation-is-refused-by-who-rang",
        live(
            parked(0),
            step(5_000, "connected"),
            offered(20_000),
            says(21_000, "bob", "ringing"),
            says(25_000, "bob", "not-responding"),
            over(30_000),
        ),
        wait(0, 5_000, "answered"),
        contact(5_000, 30_000, talk=15_000),
        offer(20_000, 25_000, "refused", parts=rang(bob=None)),
    ),
    facts(
        "an-offer-amid-a-conversation-is-refused-by-parked-and-by-the-next",
        live(
            parked(0),
            step(5_000, "connected"),
            offered(20_000),
            offered(22_000),
            parked(25_000),
            over(30_000),
        ),
        wait(0, 5_000, "answered"),
        contact(5_000, 25_000, talk=15_000),
        offer(20_000, 22_000, "refused"),
        offer(22_000, 25_000, "refused"),
        wait(25_000, 30_000, "abandoned"),
    ),
    facts(
        "a-rona-amid-a-conversation-ends-the-offer-alone",
        live(
            parked(0),
            step(5_000, "connected"),
            offered(20_000),
            rona(25_000),
            step(26_000, "connected"),
            over(30_000),
        ),
        wait(0, 5_000, "answered"),
        contact(5_000, 30_000, talk=15_000 + 4_000),
        offer(20_000, 25_000, "refused"),
    ),
)


# --- contacts -------------------------------------------------------------------------------------

CONTACTS = (
    facts(
        "all-kinds-of-work",
        live(
            step(0, "connected", queueId="q1"),
            step(1_000, "on-hold"),
            step(3_000, "consulting"),
            step(6_000, "consult-done"),
            step(10_000, "hold-done"),
            step(15_000, "conferencing"),
            step(21_000, "conference-done"),
            step(28_000, "new"),
            step(36_000, "conference-transferred"),
            over(45_000),
        ),
        contact(
            0,
            45_000,
            talk=1_000 + 5_000 + 6_000 + 7_000 + 9_000,
            hold=2_000 + 4_000,
            consult=3_000,
        ),
    ),
    facts(
        "case-22",
        live(
            step(0, "connected"),
            step(10_000, "on-hold"),
            step(20_000, "hold-done"),
            step(20_000, "on-hold"),
            over(25_000),
        ),
        contact(0, 25_000, queue=None, talk=10_000, hold=10_000 + 5_000),
    ),
    facts(
        "an-offer-ends-no-contact-and-counts-as-no-work",
        live(
            parked(0),
            step(5_000, "connected"),
            offered(20_000),
            step(28_000, "connected"),
            step(30_000, "failed"),
        ),
        wait(0, 5_000, "answered"),
        contact(5_000, 30_000, talk=15_000 + 2_000),
        offer(20_000, 30_000, "withdrawn"),
    ),
    facts(
        "parked-while-only-an-agent-told-the-answer",
        live(
            parked(0),
            says(5_000, "ann", "connected"),
            parked(20_000),
            over(30_000),
        ),
        wait(0, 5_000, "answered", parts=rang(ann=None)),
        contact(5_000, 20_000, parts={"ann": part(talk=15_000)}),
        wait(20_000, 30_000, "abandoned"),
    ),
    facts(
        "no-words-after-the-end-begin-a-contact",
        live(
            parked(0),
            over(10_000),
            step(10_500, "hold-done"),
            step(10_600, "consult-done"),
            says(11_000, "ann", "connected"),
            says(12_000, "ann", "idle"),
        ),
        wait(0, 10_000, "abandoned"),
    ),
    facts(
        "no-words-after-a-failure-begin-a-contact",
        live(parked(0), step(10_000, "failed"), says(11_000, "ann", "connected")),
        wait(0, 10_000, "unanswered"),
    ),
    facts(
        "a-word-that-reopens-begins-a-contact",
        live(
            parked(0),
            over(10_000),
            step(20_000, "on-hold"),
            over(25_000),
            step(30_000, "new"),
            says(31_000, "ann", "connected"),
            over(33_000),
        ),
        wait(0, 10_000, "abandoned"),
        contact(20_000, 25_000, hold=5_000),
        contact(31_000, 33_000, parts={"ann": part(talk=2_000)}),
    ),
    facts(
        "the-contact-of-a-silent-task-stays-open",
        live(parked(0), step(5_000, "connected"), offered(6_000)),
        asked(
            3 * DAY,
            wait(0, 5_000, "answered"),
            contact(5_000, None, None),
            offer(6_000),
        ),
    ),
    facts(
        "the-queue-of-an-answered-wait-without-one-is-the-tasks",
        live(parked(0, None), step(5_000, "connected", queueId="q9"), over(6_000)),
        wait(0, 5_000, "answered", queue=None),
        contact(5_000, 6_000, queue="q9", talk=1_000),
    ),
    facts(
        "a-later-queue-is-not-the-contacts",
        live(
            step(5_000, "connected", queueId="q9"),
            offered(6_000, "q2"),
            over(7_000),
        ),
        contact(5_000, 7_000, queue="q9", talk=1_000),
        offer(6_000, 7_000, "withdrawn", queue="q2"),
    ),
    facts(
        "who-is-consulted-does-not-handle",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected", teamId="red"),
            says(9_000, "ann", "on-hold"),
            says(10_000, "ann", "consulting"),
            says(11_000, "bob", "ringing", teamId="blue"),
            says(12_000, "bob", "consulting"),
            says(20_000, "bob", "consult-done"),
            says(20_100, "ann", "consult-done"),
            says(21_100, "ann", "hold-done"),
            over(30_000),
        ),
        contact(
            0,
            30_000,
            talk=30_000,
            parts={
                "ann": part("red", talk=9_000 + 8_900, hold=1_000 + 1_000, consult=10_100),
                "bob": part("blue", handled=False, consult=8_000),
            },
        ),
        choice="Nobody is on hold for an agent who was only consulted and is released.",
    ),
    facts(
        "who-only-rings-has-no-part-in-a-contact",
        live(
            step(0, "connected", queueId="q1"),
            says(100, "ann", "connected"),
            says(200, "bob", "ringing"),
            says(300, "bob", "idle"),
            over(1_000),
            says(1_100, "cyd", "connected"),
        ),
        contact(0, 1_000, talk=1_000, parts={"ann": part(talk=900)}),
    ),
    facts(
        "conference-of-two",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected"),
            step(4_000, "conferencing"),
            says(4_000, "ann", "conferencing"),
            says(4_000, "bob", "conferencing"),
            says(7_000, "bob", "wrapup"),
            step(8_000, "conference-done"),
            says(8_000, "ann", "conference-done"),
            says(9_000, "bob", "wrapup-done"),
            over(10_000),
        ),
        contact(
            0,
            10_000,
            talk=10_000,
            wrap_up=2_000,
            parts={"ann": part(talk=10_000), "bob": part(talk=3_000, wrap_up=2_000)},
        ),
    ),
    facts(
        "who-never-told-an-end-is-in-the-next-contact-too",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected"),
            parked(10_000, "q2"),
            step(15_000, "connected"),
            says(15_000, "bob", "connected"),
            over(20_000),
        ),
        contact(0, 10_000, talk=10_000, parts={"ann": part(talk=10_000)}),
        wait(10_000, 15_000, "answered", queue="q2"),
        contact(
            15_000,
            20_000,
            queue="q2",
            talk=5_000,
            parts={"ann": part(talk=5_000), "bob": part(talk=5_000)},
        ),
    ),
    facts(
        "who-had-left-is-not-in-the-next-contact",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected"),
            parked(10_000, "q2"),
            says(15_000, "ann", "idle"),
            says(15_000, "bob", "ringing"),
            says(15_000, "bob", "connected"),
            over(20_000),
        ),
        contact(0, 10_000, talk=10_000, parts={"ann": part(talk=10_000)}),
        wait(10_000, 15_000, "answered", queue="q2", parts=rang(bob=None)),
        contact(15_000, 20_000, queue="q2", parts={"bob": part(talk=5_000)}),
    ),
)


# --- wrap-ups and when a contact is handled -------------------------------------------------------

TALK = (step(0, "connected", queueId="q1"), says(0, "ann", "connected"))
ENDED_AT = 10_000
LIMIT = ENDED_AT + HOUR
ANN = part(talk=10_000)

WRAP_UPS = (
    facts(
        "handled-at-the-end-where-nobody-wraps-up",
        live(*TALK, over(10_000)),
        contact(0, 10_000, talk=10_000, parts={"ann": ANN}),
    ),
    facts(
        "handled-when-the-wrap-up-is-finished",
        live(*TALK, over(10_000), says(10_100, "ann", "wrapup"), says(40_100, "ann", "available")),
        asked(
            NOW,
            contact(
                0,
                10_000,
                40_100,
                talk=10_000,
                wrap_up=30_000,
                parts={"ann": part(talk=10_000, wrap_up=30_000)},
            ),
        ),
        asked(NOW, contact(0, 10_000, None, parts={"ann": part()}), known=30_000),
    ),
    facts(
        "not-handled-while-a-wrap-up-runs",
        live(*TALK, over(10_000), says(10_100, "ann", "wrapup")),
        asked(LIMIT - 1, contact(0, 10_000, None, parts={"ann": part()})),
        asked(LIMIT, contact(0, 10_000, LIMIT, talk=10_000, doubtful=True, parts={"ann": ANN})),
    ),
    facts(
        "the-same-word-again-does-not-end-a-wrap-up",
        live(
            *TALK,
            over(10_000),
            says(10_000, "ann", "wrapup"),
            says(20_000, "ann", "Wrap_Up"),
            says(30_000, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            30_000,
            talk=10_000,
            wrap_up=20_000,
            parts={"ann": part(talk=10_000, wrap_up=20_000)},
        ),
    ),
    facts(
        "finished-at-the-limit",
        live(
            *TALK,
            over(10_000),
            says(LIMIT - 30_000, "ann", "wrapup"),
            says(LIMIT, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            LIMIT,
            talk=10_000,
            wrap_up=30_000,
            parts={"ann": part(talk=10_000, wrap_up=30_000)},
        ),
    ),
    facts(
        "finished-after-the-limit",
        live(
            *TALK,
            over(10_000),
            says(LIMIT - 30_000, "ann", "wrapup"),
            says(LIMIT + 1, "ann", "wrapup-done"),
        ),
        contact(0, 10_000, LIMIT, talk=10_000, doubtful=True, parts={"ann": ANN}),
    ),
    facts(
        "begun-at-the-limit",
        live(
            *TALK,
            over(10_000),
            says(LIMIT, "ann", "wrapup"),
            says(LIMIT + 1_000, "ann", "wrapup-done"),
        ),
        contact(0, 10_000, LIMIT, talk=10_000, doubtful=True, parts={"ann": ANN}),
        choice="The limit is tested after all events of its millisecond.",
    ),
    facts(
        "begun-after-the-limit",
        live(
            *TALK,
            over(10_000),
            says(LIMIT + 1, "ann", "wrapup"),
            says(LIMIT + 1_000, "ann", "wrapup-done"),
        ),
        contact(0, 10_000, talk=10_000, parts={"ann": ANN}),
        choice="What had not begun is not unfinished.",
    ),
    facts(
        "one-finishes-and-the-other-does-not",
        live(
            *TALK,
            says(5_000, "bob", "conferencing"),
            over(10_000),
            says(10_000, "ann", "wrapup"),
            says(10_000, "bob", "wrapup"),
            says(15_000, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            LIMIT,
            talk=10_000,
            wrap_up=5_000,
            doubtful=True,
            parts={"ann": part(talk=10_000, wrap_up=5_000), "bob": part(talk=5_000)},
        ),
    ),
    facts(
        "a-second-wrap-up-moves-the-moment",
        live(
            *TALK,
            over(10_000),
            says(10_000, "ann", "wrapup"),
            says(15_000, "ann", "wrapup-done"),
            says(60_000, "ann", "wrapup"),
            says(62_000, "ann", "wrapup-done"),
        ),
        asked(
            HOUR,
            contact(
                0,
                10_000,
                15_000,
                talk=10_000,
                wrap_up=5_000,
                parts={"ann": part(talk=10_000, wrap_up=5_000)},
            ),
            known=30_000,
        ),
        asked(HOUR, contact(0, 10_000, None, parts={"ann": part()}), known=61_000),
        asked(
            HOUR,
            contact(
                0,
                10_000,
                62_000,
                talk=10_000,
                wrap_up=7_000,
                parts={"ann": part(talk=10_000, wrap_up=7_000)},
            ),
        ),
        choice="All that is known decides.",
    ),
    facts(
        "a-wrap-up-during-the-conversation",
        live(
            *TALK,
            says(4_000, "bob", "conferencing"),
            says(5_000, "ann", "wrapup"),
            says(8_000, "ann", "wrapup-done"),
            over(10_000),
        ),
        contact(
            0,
            10_000,
            talk=10_000,
            wrap_up=3_000,
            parts={"ann": part(talk=5_000, wrap_up=3_000), "bob": part(talk=6_000)},
        ),
    ),
    facts(
        "a-wrap-up-reaches-into-the-next-contact",
        live(
            *TALK,
            over(10_000),
            says(11_000, "ann", "wrapup"),
            step(20_000, "connected"),
            over(30_000),
            says(51_000, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            51_000,
            talk=10_000,
            wrap_up=40_000,
            parts={"ann": part(talk=10_000, wrap_up=40_000)},
        ),
        contact(20_000, 30_000, talk=10_000),
    ),
    facts(
        "a-wrap-up-told-again-in-the-next-contact-is-still-of-the-first",
        live(
            *TALK,
            over(10_000),
            says(11_000, "ann", "wrapup"),
            step(20_000, "connected"),
            says(25_000, "ann", "wrapup"),
            over(30_000),
            says(51_000, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            51_000,
            talk=10_000,
            wrap_up=40_000,
            parts={"ann": part(talk=10_000, wrap_up=40_000)},
        ),
        contact(20_000, 30_000, talk=10_000),
    ),
    facts(
        "an-event-ahead-of-the-clock-passes-no-limit",
        (
            *live(*TALK, over(10_000), says(10_000, "ann", "wrapup")),
            recorded(LIMIT - 2_000, says(LIMIT + 1_000, "ann", "wrapup-done", id="ahead")),
        ),
        asked(LIMIT - 1_000, contact(0, 10_000, None, parts={"ann": part()}), known=LIMIT - 3_000),
        asked(LIMIT - 1_000, contact(0, 10_000, None, parts={"ann": part()})),
        choice="A contact counts when the clock has reached its moment.",
    ),
    facts(
        "a-wrap-up-after-the-next-contact-began-is-of-that-one",
        live(
            *TALK,
            parked(10_000, "q2"),
            step(20_000, "connected"),
            says(20_000, "ann", "wrapup"),
            says(23_000, "ann", "wrapup-done"),
            over(30_000),
        ),
        contact(0, 10_000, talk=10_000, parts={"ann": ANN}),
        wait(10_000, 20_000, "answered", queue="q2"),
        contact(
            20_000,
            30_000,
            queue="q2",
            talk=10_000,
            wrap_up=3_000,
            parts={"ann": part(wrap_up=3_000)},
        ),
        choice=(
            "In one millisecond the order of events decides: the task's come first, and agents' "
            "after them. So ann is connected when it begins, for no time."
        ),
    ),
    facts(
        "a-wrap-up-before-an-agent-begins-the-next-contact",
        live(
            *TALK,
            parked(10_000, "q2"),
            says(20_000, "ann", "wrapup"),
            says(20_000, "bob", "connected"),
            says(23_000, "ann", "wrapup-done"),
            over(30_000),
        ),
        contact(
            0,
            10_000,
            23_000,
            talk=10_000,
            wrap_up=3_000,
            parts={"ann": part(talk=10_000, wrap_up=3_000)},
        ),
        wait(10_000, 20_000, "answered", queue="q2", parts=rang(bob=None)),
        contact(20_000, 30_000, queue="q2", parts={"bob": part(talk=10_000)}),
        choice="In one millisecond the order of events decides: wrapup comes before connected.",
    ),
    facts(
        "a-wrap-up-from-before-the-first-contact-is-of-none",
        live(
            says(0, "ann", "wrapup"),
            step(5_000, "connected", queueId="q1"),
            over(10_000),
            says(15_000, "ann", "wrapup-done"),
        ),
        contact(5_000, 10_000, talk=5_000),
    ),
    facts(
        "who-only-wraps-up-handled-it",
        live(
            step(0, "connected", queueId="q1"),
            over(10_000),
            says(11_000, "ann", "wrapup", teamId="red"),
            says(12_000, "ann", "wrapup-done"),
        ),
        contact(
            0,
            10_000,
            12_000,
            talk=10_000,
            wrap_up=1_000,
            parts={"ann": part("red", wrap_up=1_000)},
        ),
    ),
    facts(
        "who-only-wraps-up-and-never-finishes",
        live(
            step(0, "connected", queueId="q1"),
            over(10_000),
            says(11_000, "ann", "wrapup"),
        ),
        contact(0, 10_000, LIMIT, talk=10_000, doubtful=True, parts={"ann": part()}),
        choice="The wrap-up counts nothing, and yet its agent has a part.",
    ),
    facts(
        "who-is-consulted-and-wraps-up",
        live(
            *TALK,
            says(4_000, "bob", "consulting"),
            says(6_000, "bob", "wrapup"),
            says(7_000, "bob", "wrapup-done"),
            over(10_000),
        ),
        contact(
            0,
            10_000,
            talk=10_000,
            wrap_up=1_000,
            parts={"ann": ANN, "bob": part(handled=False, consult=2_000, wrap_up=1_000)},
        ),
    ),
    facts(
        "a-reopening-takes-nothing-back",
        live(
            *TALK,
            over(10_000),
            says(11_000, "ann", "wrapup"),
            says(12_000, "ann", "wrapup-done"),
            parked(20_000, "q2"),
        ),
        contact(
            0,
            10_000,
            12_000,
            talk=10_000,
            wrap_up=1_000,
            parts={"ann": part(talk=10_000, wrap_up=1_000)},
        ),
        wait(20_000, queue="q2"),
    ),
    facts(
        "a-second-end-does-not-move-the-limit",
        live(
            *TALK,
            over(10_000),
            says(10_000, "ann", "wrapup"),
            over(10_000 + 30 * MINUTE, "Agent"),
        ),
        asked(LIMIT, contact(0, 10_000, LIMIT, talk=10_000, doubtful=True, parts={"ann": ANN})),
    ),
    facts(
        "teams-of-a-contact-are-as-of-when-it-is-handled",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected", teamId="red"),
            over(10_000),
            says(10_000, "ann", "wrapup", teamId="blue"),
            says(12_000, "ann", "wrapup-done", teamId="green"),
            says(13_000, "ann", "idle", teamId="late"),
        ),
        asked(
            NOW,
            contact(
                0,
                10_000,
                12_000,
                talk=10_000,
                wrap_up=2_000,
                parts={"ann": part("green", talk=10_000, wrap_up=2_000)},
            ),
        ),
        asked(NOW, contact(0, 10_000, None, parts={"ann": part("blue")}), known=11_000),
    ),
    facts(
        "teams-of-a-doubtful-contact-are-as-of-its-limit",
        live(
            step(0, "connected", queueId="q1"),
            says(0, "ann", "connected", teamId="red"),
            over(10_000),
            says(10_000, "ann", "wrapup"),
            says(LIMIT, "ann", None, teamId="blue"),
            says(LIMIT + 1, "ann", None, teamId="late"),
        ),
        contact(
            0,
            10_000,
            LIMIT,
            talk=10_000,
            doubtful=True,
            parts={"ann": part("blue", talk=10_000)},
        ),
    ),
)

FACT_LIVES: tuple[FactLife, ...] = (
    *CASES_OF_FACTS,
    *WAIT_BEGINNINGS,
    *ANSWERS_OF_THE_TASK,
    *ANSWERS_OF_AGENTS,
    *ENDS_OF_A_WAIT,
    *NO_ENDS_OF_A_WAIT,
    *WAIT_ENDS,
    *WHOSE_WORDS,
    *OFFERS,
    *CONTACTS,
    *WRAP_UPS,
)
