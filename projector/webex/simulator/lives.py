"""How a task lives: the steps of its pattern, one after the other.

A step is a process that tells the task's events and has the agents tell theirs. Where the floor
does not play along (nobody answers in time, no colleague is free) the step changes the plan.
"""

from collections import deque
from collections.abc import Callable

from projector.webex.simulator.floor import Floor
from projector.webex.simulator.staff import make_id
from projector.webex.simulator.task import (
    Task,
    all_say,
    find_colleague,
    park,
    reserve,
    ring,
    route,
    say,
    tell,
    tell_ended,
)
from projector.webex.simulator.timeline import Process

CUSTOMER_ENDS = 0.6  # of the recorded ends, 131 by the customer and 87 by the agent


def live(floor: Floor, task: Task) -> Process:
    while task.plan:
        yield from STEPS[task.plan.popleft()](floor, task)


def offer(floor: Floor, task: Task) -> Process:
    if (yield from route(floor, task)):
        yield floor.span(f"{task.channel_type} pick-up")
        yield from connect(floor, task)


def connect(floor: Floor, task: Task) -> Process:
    tell(floor, task, "connected")
    yield floor.lag()
    say(floor, task, "connected")


def refuse(floor: Floor, task: Task) -> Process:
    if (yield from route(floor, task)):
        yield floor.span("refuse" if floor.rng.random() < 0.7 else "ring")
        yield from floor.refuse(*task.legs.pop())


def withdraw(floor: Floor, task: Task) -> Process:
    """Back to the queue after refusals: an end is told, though the task lives on."""
    park(floor, task)
    yield floor.lag()
    tell(floor, task, "ended", terminatingParty="System", reason="RONA Timer Expired")
    yield floor.span("queue")


def call_back(floor: Floor, task: Task) -> Process:
    """The customer has hung up and is called when it is their turn."""
    yield floor.span("callback wait")
    task.direction, task.outbound_type = "OUTBOUND", "COURTESY_CALLBACK"
    yield from offer(floor, task)


# Before and after


def moment(floor: Floor, task: Task) -> Process:
    tell(floor, task, "new")
    yield floor.span("moment")


def menu(floor: Floor, task: Task) -> Process:
    tell(floor, task, "new")
    yield floor.span("menu")
    if floor.rng.random() < 0.01:
        task.origin = phone_number(floor)
        tell(floor, task, "origin-updated")


def queue(floor: Floor, task: Task) -> Process:
    park(floor, task)
    yield floor.span("queue")


def leave(floor: Floor, task: Task) -> Process:
    if task.parked:
        yield floor.span("queue")
    tell_ended(floor, task, "Customer")


def leave_ringing(floor: Floor, task: Task) -> Process:
    if (yield from route(floor, task)):
        yield floor.span("ring")
        tell_ended(floor, task, "Customer")
        yield floor.lag()
        floor.release(*task.legs.pop())


def fail(floor: Floor, task: Task) -> Process:
    tell(floor, task, "new")
    yield floor.span("moment")
    more = {"reason": "CONVERSATION_ALREADY_OPEN", "failureType": "failed"}
    tell(floor, task, "failed", mediaMgr="digitalmm", errorMessage="One is open already.", **more)


def talk(floor: Floor, task: Task) -> Process:
    yield floor.span(f"{task.channel_type} work")


def end(floor: Floor, task: Task) -> Process:
    party = "Customer" if floor.rng.random() < CUSTOMER_ENDS else "Agent"
    tell_ended(floor, task, party)
    floor.timeline.start(capture(floor, task.id))
    yield from wrap_up_first(floor, task)


def end_part(floor: Floor, task: Task) -> Process:
    """The agent hangs up, but the caller asked to be put through to somebody else."""
    tell_ended(floor, task, "Agent")
    yield from wrap_up_first(floor, task)
    yield floor.span("moment")


def wrap_up_first(floor: Floor, task: Task) -> Process:
    """Who is longest on the task leaves it and wraps up while it may go on."""
    yield floor.lag()
    floor.timeline.start(floor.wrap_up(*task.legs.pop(0)))


def capture(floor: Floor, task_id: str) -> Process:
    yield floor.span("capture")
    path = f"https://api.wxcc-us1.cisco.com/v1/captures/{make_id(floor.rng)}"
    floor.wire.capture({"taskId": task_id, "filePath": path, "createdTime": floor.now})


# While connected


def hold(floor: Floor, task: Task) -> Process:
    yield from all_say(floor, task, "on-hold")
    yield floor.span("hold")


def resume(floor: Floor, task: Task) -> Process:
    yield from all_say(floor, task, "hold-done")


def consult(floor: Floor, task: Task) -> Process:
    """A colleague is rung and asked; if nobody is free the customer is taken back."""
    colleague = find_colleague(floor, task)
    if colleague is None:
        task.plan = deque(["resume", "talk", "end"])
        return
    reserve(task, colleague)
    yield from ring(floor, task)
    yield floor.span("ring")
    yield from all_say(floor, task, "consulting")
    yield floor.span("consult")


def consult_done(floor: Floor, task: Task) -> Process:
    yield from all_say(floor, task, "consult-done")
    yield floor.lag()
    floor.release(*task.legs.pop())


def consult_entry_point(floor: Floor, task: Task) -> Process:
    """The colleague is reached as a caller would be; the rows of both calls bear one task id."""
    tell(floor, task, "consulting")
    yield floor.lag()
    say(floor, task, "consulting")
    colleague = find_colleague(floor, task)
    if colleague is None:
        return
    reserve(task, colleague)
    tell(floor, task, "new")
    yield floor.span("menu")
    tell(floor, task, "connect")
    yield from ring(floor, task)
    yield floor.span("ring")
    yield from consult_as_caller(floor, task)


def consult_as_caller(floor: Floor, task: Task) -> Process:
    tell(floor, task, "connected")
    yield floor.lag()
    say(floor, task, "consulting")
    yield floor.span("consult")
    yield from consult_done(floor, task)
    tell_ended(floor, task, "Agent")
    yield floor.span("moment")


def hand_over(floor: Floor, task: Task) -> Process:
    """The colleague takes the customer; the first agent's wrap-up comes after."""
    yield from connect(floor, task)
    yield from wrap_up_first(floor, task)


def confer(floor: Floor, task: Task) -> Process:
    yield from all_say(floor, task, "conferencing")
    yield floor.lag()
    tell(floor, task, "hold-done")  # the recordings have it here: the customer hears again
    yield floor.span("conference")


def conference_done(floor: Floor, task: Task) -> Process:
    yield from all_say(floor, task, "conference-done")
    yield floor.lag()
    floor.timeline.start(floor.wrap_up(*task.legs.pop()))


def conference_over(floor: Floor, task: Task) -> Process:
    """The first agent leaves the conference; the colleague stays with the customer."""
    tell(floor, task, "conference-transferred")
    yield from wrap_up_first(floor, task)
    yield floor.lag()
    say(floor, task, "conference-done")


def back_to_queue(floor: Floor, task: Task) -> Process:
    """On to another team's queue."""
    task.team = floor.rng.randrange(len(floor.teams))
    task.queue_id = floor.queue_id(task.channel_type, task.team)
    park(floor, task)
    yield from wrap_up_first(floor, task)
    yield floor.span("queue")


def pass_on(floor: Floor, task: Task) -> Process:
    """Blind transfer: the first agent is out as soon as the next one rings."""
    colleague = find_colleague(floor, task)
    if colleague is None:
        return
    reserve(task, colleague)
    tell(floor, task, "connect")
    yield from ring(floor, task)
    yield from wrap_up_first(floor, task)
    yield floor.span("ring")
    yield from connect(floor, task)


def phone_number(floor: Floor) -> str:
    return f"+1555{floor.rng.randrange(10**7):07}"


STEPS: dict[str, Callable[[Floor, Task], Process]] = {
    "moment": moment,
    "menu": menu,
    "queue": queue,
    "offer": offer,
    "refuse": refuse,
    "withdraw": withdraw,
    "call-back": call_back,
    "leave": leave,
    "leave-ringing": leave_ringing,
    "fail": fail,
    "talk": talk,
    "hold": hold,
    "resume": resume,
    "consult": consult,
    "consult-done": consult_done,
    "consult-entry-point": consult_entry_point,
    "hand-over": hand_over,
    "confer": confer,
    "conference-done": conference_done,
    "conference-over": conference_over,
    "back-to-queue": back_to_queue,
    "pass-on": pass_on,
    "end": end,
    "end-part": end_part,
}
