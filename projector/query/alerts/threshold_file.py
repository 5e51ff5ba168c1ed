"""The settings file of thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from projector.contract.thresholds import (
    MOST_RULES,
    AgentThreshold,
    QueueThreshold,
    ThresholdRules,
)
from projector.infrastructure.settings import Settings, SettingsError

_VARIABLE = "PROJECTOR_THRESHOLDS"
_RULES: TypeAdapter[tuple[AgentThreshold | QueueThreshold, ...]] = TypeAdapter(ThresholdRules)


def file_thresholds(settings: Settings) -> Sequence[AgentThreshold | QueueThreshold]:
    """The rules of the file that a setting names; none without it.

    The file is a JSON list of rules, or an object that has them as ``rules``. SettingsError says
    what is wrong with it.
    """
    path = settings.thresholds
    if path is None:
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{_VARIABLE}: {path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{_VARIABLE}: {path} is no JSON ({error}).") from None
    if isinstance(content, dict) and content.keys() == {"rules"}:
        content = content["rules"]
    if not isinstance(content, list):
        raise SettingsError(
            f"{_VARIABLE}: {path} is neither a list of rules nor an object that has them alone."
        )
    try:
        return _RULES.validate_python(tuple(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f"rule {place}" if place else f"the rules (at most {MOST_RULES})"
        raise SettingsError(f"{_VARIABLE}: {path}: {where}: {first['msg']}.") from None
