"""Thresholds: from which time in a status, or from how many who wait, somebody should look.

A rule says for whom it is: a field that is null is for all. Its limits are inclusive; a limit that
is null is none. So a rule without limits takes back what a more general one says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, StrictInt, model_validator

from projector.contract.base import Shape

AlertLevel = Literal["amber", "red"]
ThresholdSource = Literal["default", "file", "operator"]
QueueMeasure = Literal["longestWaitMs", "waiting"]
LONGEST_WORD = 512  # bytes of an id, a status or a channel type
MOST_RULES = 1_000
_MOST = 2**53 - 1  # that JSON readers with double precision still hold exactly

Selector = tuple[str | None, ...]  # whom a rule is for
Limits = tuple[int | None, int | None]  # amber, red


def _storable(word: str) -> str:
    if "\0" in word or not 0 < len(word.encode()) <= LONGEST_WORD:
        raise ValueError(f"it must have 1 to {LONGEST_WORD} bytes, without NUL")
    return word


_Word = Annotated[str, AfterValidator(_storable)]
_Milliseconds = Annotated[StrictInt, Field(ge=0, le=_MOST)]
_Number = Annotated[StrictInt, Field(ge=1, le=_MOST)]


def _require_order(amber: int | None, red: int | None) -> None:
    if amber is not None and red is not None and amber > red:
        raise ValueError("amber is more than red")


class AgentThreshold(Shape):
    """From which time in a status an agent is shown amber and red."""

    model_config = ConfigDict(extra="forbid")

    subject: Literal["agent"]
    status: _Word
    org_id: _Word | None = None
    team_id: _Word | None = None
    queue_id: _Word | None = Field(default=None, description="Of the task that gives the status.")
    amber_ms: _Milliseconds | None = None
    red_ms: _Milliseconds | None = None

    @property
    def selector(self) -> Selector:
        """Whom the rule is for; no two rules that count have the same."""
        return ("agent", self.status, self.queue_id, self.team_id, self.org_id)

    @property
    def limits(self) -> Limits:
        return self.amber_ms, self.red_ms

    @model_validator(mode="after")
    def _amber_comes_first(self) -> Self:
        _require_order(*self.limits)
        return self


class QueueThreshold(Shape):
    """From which longest wait, or from how many waiting tasks, a queue is shown amber and red."""

    model_config = ConfigDict(extra="forbid")

    subject: Literal["queue"]
    measure: QueueMeasure
    org_id: _Word | None = None
    queue_id: _Word | None = None
    channel_type: _Word | None = Field(default=None, description="In any case of its letters.")
    amber: _Number | None = Field(default=None, description="Milliseconds, or tasks.")
    red: _Number | None = Field(default=None, description="Milliseconds, or tasks.")

    @property
    def selector(self) -> Selector:
        """Whom the rule is for; no two rules that count have the same."""
        channel_type = None if self.channel_type is None else self.channel_type.casefold()
        return ("queue", self.measure, self.queue_id, channel_type, self.org_id)

    @property
    def limits(self) -> Limits:
        return self.amber, self.red

    @model_validator(mode="after")
    def _amber_comes_first(self) -> Self:
        _require_order(*self.limits)
        return self


ThresholdRule = Annotated[AgentThreshold | QueueThreshold, Field(discriminator="subject")]
R = TypeVar("R", bound=Sequence[AgentThreshold | QueueThreshold])


def _distinct(rules: R) -> R:
    if len({rule.selector for rule in rules}) < len(rules):
        raise ValueError("two rules are for the same")
    return rules


ThresholdRules = Annotated[
    tuple[ThresholdRule, ...], Field(max_length=MOST_RULES), AfterValidator(_distinct)
]


class CountingAgentThreshold(AgentThreshold):
    """A rule of agents that counts."""

    source: ThresholdSource = Field(description="Who says so: we, the settings file, an operator.")


class CountingQueueThreshold(QueueThreshold):
    """A rule of queues that counts."""

    source: ThresholdSource = Field(description="Who says so: we, the settings file, an operator.")


CountingThreshold = Annotated[
    CountingAgentThreshold | CountingQueueThreshold, Field(discriminator="subject")
]


class ThresholdChange(Shape):
    """A change of the operator's rules: all that they are since then."""

    version: int
    time: int
    who: str
    why: str
    rules: list[ThresholdRule] | None = Field(description="Null: they were taken back.")
