"""The steps that a task goes through, one after the other, as its pattern says.

A step is a process that sends the task's events and has the agents send theirs. Where nobody
answers in time, or no colleague is free, the step changes the rest of the plan.
"""

from collections import deque
from collections.abc import Callable

from projector.webex.simulator.floor import SimulatedFloor
from projector.webex.simulator.staff import make_id
from projector.webex.simulator.task import (
    SimulatedTask,
    all_say,
    find_colleague,
    park,
    reserve,
    ring,
    route,
    say,
    send_ended,
    send_event,
)
from projector.webex.simulator.timeline import Process

CUSTOMER_ENDS = 0.6  # in the recorded calls the customer ended 131, and the agent 87


def run_plan(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """All steps of a task's plan."""
    while task.plan:
        yield from STEPS[task.plan.popleft()](floor, task)


def offer(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    if (yield from route(floor, task)):
        yield floor.span(f"{task.channel_type} pick-up")
        yield from connect(floor, task)


def connect(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    send_event(floor, task, "connected")
    yield floor.lag()
    say(floor, task, "connected")


def refuse(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    if (yield from route(floor, task)):
        yield floor.span("refuse" if floor.rng.random() < 0.7 else "ring")
        yield from floor.refuse(*task.legs.pop())


def withdraw(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """Back to the queue after refusals: an end is sent, though the task goes on."""
    park(floor, task)
    yield floor.lag()
    send_event(floor, task, "ended", terminatingParty="System", reason="RONA Timer Expired")
    yield floor.span("queue")


def call_back(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The customer has hung up, and is called back when it is their turn."""
    yield floor.span("callback wait")
    task.direction, task.outbound_type = "OUTBOUND", "COURTESY_CALLBACK"
    yield from offer(floor, task)


# Before and after


def moment(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    send_event(floor, task, "new")
    yield floor.span("moment")


def menu(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    send_event(floor, task, "new")
    yield floor.span("menu")
    if floor.rng.random() < 0.01:
        task.origin = phone_number(floor)
        send_event(floor, task, "origin-updated")


def queue(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    park(floor, task)
    yield floor.span("queue")


def leave(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    if task.parked:
        yield floor.span("queue")
    send_ended(floor, task, "Customer")


def leave_ringing(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    if (yield from route(floor, task)):
        yield floor.span("ring")
        send_ended(floor, task, "Customer")
        yield floor.lag()
        floor.release(*task.legs.pop())


def fail(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    send_event(floor, task, "new")
    yield floor.span("moment")
    more = {"reason": "CONVERSATION_ALREADY_OPEN", "failureType": "failed"}
    send_event(
        floor, task, "failed", mediaMgr="digitalmm", errorMessage="One is open already.", **more
    )


def talk(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield floor.span(f"{task.channel_type} work")


def end(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    party = "Customer" if floor.rng.random() < CUSTOMER_ENDS else "Agent"
    send_ended(floor, task, party)
    floor.timeline.start(capture(floor, task.id))
    yield from wrap_up_first(floor, task)


def end_part(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The agent hangs up, but the caller waits for somebody else."""
    send_ended(floor, task, "Agent")
    yield from wrap_up_first(floor, task)
    yield floor.span("moment")


def wrap_up_first(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The agent who joined first leaves the task and wraps up; the task may go on."""
    yield floor.lag()
    floor.timeline.start(floor.wrap_up(*task.legs.pop(0)))


def capture(floor: SimulatedFloor, task_id: str) -> Process:
    yield floor.span("capture")
    path = f"https://api.wxcc-us1.cisco.com/v1/captures/{make_id(floor.rng)}"
    floor.outbox.capture({"taskId": task_id, "filePath": path, "createdTime": floor.now})


# While connected


def hold(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield from all_say(floor, task, "on-hold")
    yield floor.span("hold")


def resume(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield from all_say(floor, task, "hold-done")


def consult(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """A colleague is called; if nobody is free, the agent goes back to the customer."""
    colleague = find_colleague(floor, task)
    if colleague is None:
        task.plan = deque(["resume", "talk", "end"])
        return
    reserve(task, colleague)
    yield from ring(floor, task)
    yield floor.span("ring")
    yield from all_say(floor, task, "consulting")
    yield floor.span("consult")


def consult_done(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield from all_say(floor, task, "consult-done")
    yield floor.lag()
    floor.release(*task.legs.pop())


def consult_entry_point(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The colleague is called through an entry point; both calls have one task id."""
    send_event(floor, task, "consulting")
    yield floor.lag()
    say(floor, task, "consulting")
    colleague = find_colleague(floor, task)
    if colleague is None:
        return
    reserve(task, colleague)
    send_event(floor, task, "new")
    yield floor.span("menu")
    send_event(floor, task, "connect")
    yield from ring(floor, task)
    yield floor.span("ring")
    yield from consult_as_caller(floor, task)


def consult_as_caller(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    send_event(floor, task, "connected")
    yield floor.lag()
    say(floor, task, "consulting")
    yield floor.span("consult")
    yield from consult_done(floor, task)
    send_ended(floor, task, "Agent")
    yield floor.span("moment")


def hand_over(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The colleague takes the customer, and then the first agent wraps up."""
    yield from connect(floor, task)
    yield from wrap_up_first(floor, task)


def confer(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield from all_say(floor, task, "conferencing")
    yield floor.lag()
    send_event(
        floor, task, "hold-done"
    )  # as recorded calls have it: the customer is not on hold now
    yield floor.span("conference")


def conference_done(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    yield from all_say(floor, task, "conference-done")
    yield floor.lag()
    floor.timeline.start(floor.wrap_up(*task.legs.pop()))


def conference_over(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """The first agent leaves the conference; the colleague stays with the customer."""
    send_event(floor, task, "conference-transferred")
    yield from wrap_up_first(floor, task)
    yield floor.lag()
    say(floor, task, "conference-done")


def back_to_queue(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """On to another team's queue."""
    task.team = floor.rng.randrange(len(floor.teams))
    task.queue_id = floor.queue_id(task.channel_type, task.team)
    park(floor, task)
    yield from wrap_up_first(floor, task)
    yield floor.span("queue")


def pass_on(floor: SimulatedFloor, task: SimulatedTask) -> Process:
    """Blind transfer: the first agent leaves as soon as the next one rings."""
    colleague = find_colleague(floor, task)
    if colleague is None:
        return
    reserve(task, colleague)
    send_event(floor, task, "connect")
    yield from ring(floor, task)
    yield from wrap_up_first(floor, task)
    yield floor.span("ring")
    yield from connect(floor, task)


def phone_number(floor: SimulatedFloor) -> str:
    return f"+1555{floor.rng.randrange(10**7):07}"


STEPS: dict[str, Callable[[SimulatedFloor, SimulatedTask], Process]] = {
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
