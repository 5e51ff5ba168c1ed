"""Events of agents, as the rows of the vendor's APIs state them.

Rule: a run over rows whose webhooks all arrived finds nothing to append. So a row makes no event
where it repeats the state of its channel, and rows of several channels make one where a webhook
would be one: a login, a logout, idle and available without a task.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from projector.domain.events import RECONCILIATION_TOLERANCE_MS, Kind, plain_word
from projector.domain.state_names import AGENT_WORDS, LOGGED_OUT, spelling
from projector.webex.api_events import (
    ApiEvent,
    Certainty,
    RowWithoutWebhook,
    api_event,
    with_data,
    without_none,
)
from projector.webex.api_rows import AgentActivity, ApiSource, UnusableRow

SAME_MOMENT_MS = 500  # channels follow one step of an agent within this time
REST_WORDS = frozenset({"idle", "available"})
PUBLISHED_LOGGED_OUT_BY = frozenset({"SELF"})  # values that are known of webhooks
_CHANNEL_ORDER = {"telephony": 0, "chat": 1, "email": 2, "social": 3}

# States of the vendor's history that have another name in its webhooks, as plain words. An agent
# who is asked to a consult is reserved, and then consults out of the state before.
_WEBHOOK_WORDS = {
    "availableconsultreserved": "ringing",
    "idleconsultreserved": "ringing",
    "ctqreserved": "ringing",
    "outdialreserved": "ringing",  # an outdial that is not yet answered
    "availableconsulting": "consulting",
    "idleconsulting": "consulting",
    "connectedconsulting": "consulting",
}
# These mean something only for the agent who is asked; the one who asks goes on in the task.
_WORDS_OF_THE_CONSULTED = {"connectedconsultreserved": "ringing", "ctqaccepted": "consulting"}
_CONFERENCE_REQUEST = "conference"  # comes before conferencing, or in its place
# Steps that no webhook has: requests, transfers and the ends of calls.
_STEPS_WITHOUT_WEBHOOK = frozenset(
    {
        *("consult", "ctq", "ctqready", "endconsult", "consulterror", "consulttransfer"),
        *("blindtransfer", "vttransfer", "transferred", "callended", "skillupdate"),
        *(_CONFERENCE_REQUEST, *_WORDS_OF_THE_CONSULTED),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """A row and the word that a webhook would have for it."""

    row: AgentActivity
    word: str
    is_sure: bool = True

    @property
    def state(self) -> tuple[str, str | None, str | None]:
        code = self.row.idle_code_id if self.word == "idle" else None
        return self.word, self.row.task_id, code


def agent_events(
    activities: Iterable[AgentActivity], *, org_id: str, now: int
) -> Iterator[ApiEvent | RowWithoutWebhook | UnusableRow]:
    """Events of agents; ``now`` is epoch ms.

    The rows of the Search API must be those of whole sessions. Those of the activities API are cut
    at the window's start: the first of a channel is doubtful, since it may repeat its state.
    """
    sessions: dict[tuple[str, str], list[AgentActivity]] = defaultdict(list)
    for row in activities:
        sessions[row.agent_id, row.session_id].append(row)
    for rows in sessions.values():
        for it in _session_events(rows):
            if isinstance(it, RowWithoutWebhook):
                yield it
                continue
            source, element, certainty, channel_ids = it
            made = api_event(source, element, org_id=org_id, now=now)
            if isinstance(made, ApiEvent):
                made = replace(made, certainty=certainty, channel_ids=channel_ids)
            yield made


def with_login_profile(
    event: ApiEvent, activities: Iterable[AgentActivity], *, now: int
) -> ApiEvent:
    """A login with what the activities API has of it: the agent's number and profile."""
    for row in activities:
        if row.is_login and row.agent_id == event.subject[1]:
            return with_data(event, _profile([row]), now=now)
    return event


_Element = tuple[ApiSource, dict[str, Any], Certainty, frozenset[str]]


def _session_events(rows: Sequence[AgentActivity]) -> Iterator[_Element | RowWithoutWebhook]:
    ordered = sorted(rows, key=_row_order)
    login = [row for row in ordered if row.is_login]
    if login:
        yield _element(login, _login(login))
    stated: list[_Stated] = []
    for _, channel in groupby(sorted(ordered, key=_channel), key=_channel):
        for it in _of_channel([*channel]):
            if isinstance(it, RowWithoutWebhook):
                yield it
            else:
                stated.append(it)
    for group in _moments([it for it in stated if not _is_of_login(it, login)]):
        first, start = group[0], min(it.row.start for it in group)
        is_sure = any(it.is_sure for it in group)
        certainty = Certainty.SURE if is_sure else Certainty.DOUBTFUL
        element = _state(replace(first.row, start=start), first.word)
        yield _element([it.row for it in group], element, certainty)
    if logout := _logout(ordered):
        yield _element([], logout, source=ordered[0].source)


def _is_of_login(it: _Stated, login: Sequence[AgentActivity]) -> bool:
    """Whether a row says on its channel what the login says, at the same moment."""
    return any(
        it.state == _Stated(row=row, word=spelling(Kind.STATE, row.state)).state
        and abs(it.row.start - row.start) <= SAME_MOMENT_MS
        for row in login
    )


def _element(
    rows: Sequence[AgentActivity],
    element: dict[str, Any],
    certainty: Certainty = Certainty.SURE,
    source: ApiSource | None = None,
) -> _Element:
    channel_ids = frozenset(row.channel_id for row in rows if row.channel_id is not None)
    return source or rows[0].source, element, certainty, channel_ids


def _row_order(row: AgentActivity) -> tuple[object, ...]:
    """A total order: of rows that state one event, the first is the same in every run."""
    return (row.start, *_channel(row), row.state)


def _channel(row: AgentActivity) -> tuple[int, str]:
    order = _CHANNEL_ORDER.get((row.channel_type or "").casefold(), len(_CHANNEL_ORDER))
    return order, row.channel_id or ""


# --- what the rows of one channel state -----------------------------------------------------------


def _of_channel(rows: Sequence[AgentActivity]) -> Iterator[_Stated | RowWithoutWebhook]:
    """The rows that state something new on their channel, and the ends of wrap-ups."""
    before: _Stated | None = None
    for index, row in enumerate(rows):
        after = rows[index + 1] if index + 1 < len(rows) else None
        if plain_word(row.state) == plain_word(LOGGED_OUT):
            continue
        word = _word(row, before, after)
        if word is None:
            if not row.is_login and plain_word(row.state) not in _STEPS_WITHOUT_WEBHOOK:
                yield RowWithoutWebhook(source=row.source, word=row.state)
            continue
        is_cut = row.is_of_part or (index == 0 and row.source is ApiSource.AGENT_ACTIVITIES)
        now = _Stated(row=row, word=word, is_sure=not is_cut)
        if not row.is_login and (before is None or before.state != now.state):
            yield now
        before = now
        done = _wrapup_end(row, word, after)
        if done is not None:
            yield _Stated(row=replace(row, start=done), word="wrapup-done")


def _word(row: AgentActivity, before: _Stated | None, after: AgentActivity | None) -> str | None:
    """The word that a webhook has for a row; None where it has none."""
    plain = plain_word(row.state)
    if plain == _CONFERENCE_REQUEST:
        follows = after is not None and plain_word(after.state) == "conferencing"
        return None if follows else "conferencing"
    if plain in _WORDS_OF_THE_CONSULTED:
        was_asked = before is not None and _was_asked(before, row, plain)
        return _WORDS_OF_THE_CONSULTED[plain] if was_asked else None
    word = _WEBHOOK_WORDS.get(plain) or spelling(Kind.STATE, row.state)
    return word if word in AGENT_WORDS else None


def _was_asked(before: _Stated, row: AgentActivity, plain: str) -> bool:
    """Whether the agent is the one who is asked to a consult, not the one who asks."""
    in_task = before.row.task_id == row.task_id
    return in_task and before.word == "ringing" if plain == "ctqaccepted" else not in_task


def _wrapup_end(row: AgentActivity, word: str, after: AgentActivity | None) -> int | None:
    """When a wrap-up was done, although no row of wrapup-done follows it; else None."""
    if word != "wrapup" or row.task_id is None or row.end is None or after is None:
        return None
    is_followed = 0 <= after.start - row.end <= SAME_MOMENT_MS
    has_own_row = plain_word(after.state) in {"wrapupdone", plain_word(LOGGED_OUT)}
    return row.end if is_followed and not has_own_row else None


def _moments(stated: Sequence[_Stated]) -> Iterator[list[_Stated]]:
    """What one webhook would say: each row of a task by itself, and rests of the same moment."""
    last_rest: dict[tuple[str, str | None, str | None], list[_Stated]] = {}
    groups: list[list[_Stated]] = []
    for it in sorted(stated, key=lambda it: _row_order(it.row)):
        is_rest = it.word in REST_WORDS and it.row.task_id is None
        if is_rest and it.state in last_rest and _is_same_moment(last_rest[it.state], it):
            last_rest[it.state].append(it)
            continue
        groups.append([it])
        if is_rest:
            last_rest[it.state] = groups[-1]
    for group in groups:
        yield sorted(group, key=lambda it: _channel(it.row))


def _is_same_moment(group: Sequence[_Stated], it: _Stated) -> bool:
    """Whether another channel follows the last one soon, and the first one within the tolerance."""
    since_first, since_last = (it.row.start - group[at].row.start for at in (0, -1))
    is_close = since_last <= SAME_MOMENT_MS and since_first <= RECONCILIATION_TOLERANCE_MS
    return is_close and all(it.row.channel_id != other.row.channel_id for other in group)


# --- elements -------------------------------------------------------------------------------------


def _login(rows: Sequence[AgentActivity]) -> dict[str, Any]:
    first = rows[0]
    word = spelling(Kind.STATE, first.state)
    data = {
        "agentId": first.agent_id,
        "createdTime": first.start,
        "teamId": first.team_id,
        "currentState": first.state if word in AGENT_WORDS else None,
        "idleCodeId": first.idle_code_id,
        **_profile(rows),
    }
    return {"id": f"{first.session_id}-login", "type": "agent:login", "data": without_none(data)}


def _profile(rows: Sequence[AgentActivity]) -> dict[str, Any]:
    by_channel = sorted(rows, key=_channel)
    destination = next((it.destination for it in by_channel if it.destination), None)
    profile = next((it.profile_type for it in by_channel if it.profile_type), None)
    if profile is not None:  # "Blended Real-time" is BLENDED_REALTIME in webhooks
        profile = profile.upper().replace("-", "").replace(" ", "_")
    return {"destination": destination, "profileType": profile}


def _logout(rows: Sequence[AgentActivity]) -> dict[str, Any] | None:
    """The end of a session: as a row of logged-out says, else a flagged row, else the session."""
    ends = [
        (rank, time, row)
        for row in rows
        if row.is_logout
        for rank, time in [_logout_time(row)]
        if time is not None
    ]
    if not ends:
        return None
    _, time, row = min(ends, key=lambda it: it[:2])
    reason = row.sign_out_reason
    data = {
        "agentId": row.agent_id,
        "createdTime": time,
        "currentState": LOGGED_OUT,
        "loggedOutBy": reason if reason in PUBLISHED_LOGGED_OUT_BY else None,
        "agentSignOutReason": reason,
    }
    return {"id": f"{row.session_id}-logout", "type": "agent:logout", "data": without_none(data)}


def _logout_time(row: AgentActivity) -> tuple[int, int | None]:
    """How direct the source is, the most direct first, and when it says that the session ended."""
    if plain_word(row.state) != plain_word(LOGGED_OUT):
        return 1, row.end
    return (0, row.start) if row.channel_id is not None else (2, row.end)


def _state(row: AgentActivity, word: str) -> dict[str, Any]:
    is_phone = (row.channel_type or "telephony").casefold() == "telephony"
    data = {
        "agentId": row.agent_id,
        "currentState": word,
        "taskId": row.task_id,
        "queueId": row.queue_id,
        "channelId": row.channel_id,
        "channelType": row.channel_type,
        "teamId": row.team_id,
        "destination": row.destination if is_phone else None,
        "idleCodeId": row.idle_code_id if word == "idle" else None,
        "wrapUpAuxCodeId": row.wrap_up_code_id if word == "wrapup-done" else None,
        "createdTime": row.start,
    }
    id_ = f"{row.channel_id or row.agent_id}-{row.channel_type or ''}-{row.start}-{word}"
    return {"id": id_, "type": "agent:channel_state_change", "data": without_none(data)}
