"""The records of the simulated APIs: what the vendor would store of the simulated events.

Pure. As at the vendor, there are no rows for availability by channel type.
"""

from collections.abc import Iterable

from projector.webex.simulator.agent_records import AgentRecords, ChannelSlots
from projector.webex.simulator.known_names import KnownNames
from projector.webex.simulator.payloads import WebhookBody
from projector.webex.simulator.task_records import ChildMarks, TaskRecords
from projector.webex.simulator.vendor_rows import SimulatedName, VendorRows


class ApiRecords(VendorRows):
    """Grows with each event; ``slots`` are the channels of every agent who may log in.

    ``child_marks`` says which rows of a child task tell that they are: published answers do not.
    ``names`` are what the vendor calls ids.
    """

    def __init__(
        self,
        slots: ChannelSlots,
        names: Iterable[SimulatedName] = (),
        *,
        child_marks: ChildMarks = "all",
    ) -> None:
        super().__init__(names=[*names])
        known = KnownNames(self.names)
        self._agents = AgentRecords(slots, self.sessions, known)
        self._task_records = TaskRecords(self.tasks, self.recordings, known, child_marks)

    def add(self, body: WebhookBody) -> None:
        """Record the next event. State changes of the first version repeat those of the second."""
        type_, data = body["type"], body["data"]
        task_id = data.get("taskId") or ""
        if type_ == "agent:login":
            self._agents.log_in(data)
        elif type_ == "agent:logout":
            self._agents.log_out(data)
        elif type_ == "agent:channel_state_change":
            word, task = self._task_records.last_word(task_id), self.tasks.get(task_id, {})
            self._agents.change_state(data, word, is_outdial=bool(task.get("isOutdial")))
            if session := self._agents.session_of(data["agentId"]):
                self._task_records.record_agent(data, session)
        elif type_ == "capture:available":
            self._task_records.record_capture(data)
        elif type_.startswith("task:"):
            self._task_records.record(type_.removeprefix("task:"), data)
