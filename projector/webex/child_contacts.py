"""Child contacts: which rows of a task's list are those of a consult to an entry point or queue.

The vendor lists the rows of the consult's own contact among those of the task that asks for it, and
marks them or not. Rule: a row that may be of either is doubtful. It is better to leave a lost event
out than to show a call as ended while it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, plain_word
from projector.webex.api_events import Certainty
from projector.webex.api_rows import TaskActivity

# What also happens to a contact of its own. Other words, such as consulting, are of the task.
_SHARED_WORDS = frozenset({"new", "parked", "connect", "connected", "ended", "failed"})
_CONSULT_BEGINS = frozenset({"consult", "ctq", "consulting"})
_CONSULT_ENDS = frozenset(
    {"consultdone", "consulttransfer", "transferred", "conference", "conferencing"}
)


def certainties(rows: Iterable[TaskActivity]) -> Iterator[tuple[TaskActivity, Certainty]]:
    """The rows of one task in the order of time, each with how sure it is of the task itself.

    While somebody is consulted, any row of a shared word may be that of the consult, and is a sign
    of its own contact. A mark at one row says nothing of the others. A list that came in part may
    have lost the sign.
    """
    ordered = sorted(rows, key=lambda row: row.time)
    last_end = _end_of_task(ordered)
    has_begun = has_child = is_consulting = False
    for row in ordered:
        word = plain_word(row.event)
        is_second_new = word == "new" and has_begun
        has_begun |= word == "new"
        is_marked = row.child_contact_id is not None or not row.id.startswith(row.task_id)
        if is_marked or is_second_new or row.consult_entry_point_id is not None:
            has_child = is_consulting = True
        has_child = has_child or (is_consulting and word in _SHARED_WORDS - {"ended"})
        if word in _CONSULT_BEGINS:
            is_consulting = True
        elif word in _CONSULT_ENDS:
            is_consulting = False
        is_of_either = is_consulting
        if word == "ended":
            is_of_either = (has_child or is_consulting) and row is not last_end
        if row.is_of_part:
            is_of_either = row.time != row.task_end
        if is_second_new or (is_marked and word in _SHARED_WORDS):
            yield row, Certainty.OF_CHILD
        elif is_of_either and word in _SHARED_WORDS:
            yield row, Certainty.DOUBTFUL
        else:
            yield row, Certainty.SURE


def _end_of_task(ordered: Iterable[TaskActivity]) -> TaskActivity | None:
    """The end that is the task's own: the nearest to the time at which the vendor says it ended."""
    ends = [
        (abs(row.task_end - row.time), -index, row)
        for index, row in enumerate(ordered)
        if plain_word(row.event) == "ended" and row.task_end is not None
    ]
    distance, _, row = min(ends, key=lambda it: it[:2], default=(0, 0, None))
    return row if distance <= RECONCILIATION_TOLERANCE_MS else None
