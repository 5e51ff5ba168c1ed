"""Thresholds: which rule counts, and which level a value has reached."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from projector.contract.thresholds import (
    MOST_RULES,
    AgentThreshold,
    QueueThreshold,
    ThresholdRules,
)
from projector.domain.leg import STATUS_PRECEDENCE
from projector.domain.state_names import AGENT_WORDS
from projector.infrastructure.settings import SettingsError, read_settings
from projector.query.alerts.defaults import DEFAULT_THRESHOLDS
from projector.query.alerts.rule_book import RuleBook, reached
from projector.query.alerts.threshold_file import file_thresholds

RULES: TypeAdapter[tuple[Any, ...]] = TypeAdapter(ThresholdRules)


def agent(status: str = "idle", amber: int | None = 1, red: int | None = 2, **whom: str) -> Any:
    return AgentThreshold(subject="agent", status=status, amber_ms=amber, red_ms=red, **whom)


def queue(measure: Any = "waiting", amber: int | None = 1, red: int | None = 2, **whom: str) -> Any:
    return QueueThreshold(subject="queue", measure=measure, amber=amber, red=red, **whom)


def selector_of(rule: Any) -> Any:
    return None if rule is None else rule.selector


# --- which rule counts ---

AGENT_ORDER = [  # from the most specific to the most general
    agent(queue_id="q", team_id="t", org_id="o"),
    agent(queue_id="q", team_id="t"),
    agent(queue_id="q", org_id="o"),
    agent(queue_id="q"),
    agent(team_id="t", org_id="o"),
    agent(team_id="t"),
    agent(org_id="o"),
    agent(),
]
QUEUE_ORDER = [
    queue(queue_id="q", channel_type="chat", org_id="o"),
    queue(queue_id="q", channel_type="chat"),
    queue(queue_id="q", org_id="o"),
    queue(queue_id="q"),
    queue(channel_type="chat", org_id="o"),
    queue(channel_type="chat"),
    queue(org_id="o"),
    queue(),
]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_most_specific_rule_of_an_agent_counts(count: int) -> None:
    """Whatever the order in which the rules are given."""
    given = AGENT_ORDER[-count:]
    for rules in (given, given[::-1]):
        found = RuleBook({"operator": rules}).of_agent(
            "idle", queue_id="q", team_id="t", org_id="o"
        )
        assert given[0].selector == selector_of(found)


@pytest.mark.parametrize("count", range(1, 9))
def test_the_most_specific_rule_of_a_queue_counts(count: int) -> None:
    """The channel type is compared in any case of its letters."""
    given = QUEUE_ORDER[-count:]
    for rules in (given, given[::-1]):
        found = RuleBook({"operator": rules}).of_queue(
            "waiting", queue_id="q", channel_type="CHAT", org_id="o"
        )
        assert given[0].selector == selector_of(found)


def test_a_rule_for_others_does_not_count() -> None:
    """Nor one of another status or measure, nor where the agent has no team or queue."""
    whom = {"queue_id": "q", "team_id": "t", "org_id": "o"}
    others = [agent("ringing"), agent(queue_id="x"), agent(team_id="x"), agent(org_id="x")]
    book = RuleBook({"operator": [*others, queue("longestWaitMs"), queue(channel_type="chat")]})
    assert book.of_agent("idle", **whom) is None
    assert book.of_queue("waiting", queue_id="q", channel_type="email", org_id="o") is None
    assert book.of_queue("waiting", queue_id=None, channel_type=None, org_id="o") is None
    some = RuleBook({"operator": [agent(team_id="t"), agent(queue_id="q")]})
    assert some.of_agent("idle", queue_id=None, team_id=None, org_id="o") is None


def test_of_two_sources_the_later_one_counts() -> None:
    """Where both have a rule for the same; a more specific one of the file still counts."""
    book = RuleBook(
        {
            "default": [agent(amber=1), agent("ringing", amber=1)],
            "file": [agent(amber=2), agent(amber=2, team_id="t")],
            "operator": [agent(amber=3, red=None)],
        }
    )
    told = [(it.selector[1], it.team_id, it.source, it.amber_ms) for it in book.rules]
    assert [
        ("idle", None, "operator", 3),
        ("idle", "t", "file", 2),
        ("ringing", None, "default", 1),
    ] == told
    found = book.of_agent("idle", queue_id=None, team_id="t", org_id="o")
    assert found is not None
    assert "file" == found.source


# --- levels ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [(9, None), (10, ("amber", 10)), (19, ("amber", 10)), (20, ("red", 20)), (21, ("red", 20))],
)
def test_limits_are_inclusive(value: int, expected: Any) -> None:
    """Exactly at the limit the level is reached."""
    assert expected == reached(agent(amber=10, red=20), value)
    assert expected == reached(queue(amber=10, red=20), value)


def test_a_limit_may_be_missing() -> None:
    """Then there is no such level; with neither, none at all."""
    assert reached(agent(amber=10, red=None), 10**9) == ("amber", 10)
    assert reached(agent(amber=None, red=10), 9) is None
    assert reached(agent(amber=None, red=10), 10) == ("red", 10)
    assert reached(agent(amber=None, red=None), 10**9) is None


def test_equal_limits_are_red_at_once() -> None:
    assert reached(agent(amber=10, red=10), 10) == ("red", 10)


# --- what a rule may be ---


@pytest.mark.parametrize(
    "rules",
    [
        [{"subject": "agent", "status": "idle", "amberMs": 2, "redMs": 1}],
        [{"subject": "queue", "measure": "waiting", "amber": 2, "red": 1}],
        [{"subject": "queue", "measure": "waiting", "amber": 0}],
        [{"subject": "queue", "measure": "longestWait", "amber": 1}],
        [{"subject": "agent", "status": "idle", "amberMs": -1}],
        [{"subject": "agent", "status": "idle", "amberMs": "60000"}],
        [{"subject": "agent", "status": "idle", "amberMs": 1.5}],
        [{"subject": "agent", "status": "idle", "amberMs": True}],
        [{"subject": "agent", "status": "idle", "amber": 1}],
        [{"subject": "agent", "status": "", "amberMs": 1}],
        [{"subject": "agent", "status": "a\0b", "amberMs": 1}],
        [{"subject": "agent", "status": "x" * 513, "amberMs": 1}],
        [{"subject": "agent", "status": "\ud800", "amberMs": 1}],
        [{"subject": "agent", "amberMs": 1}],
        [{"subject": "team", "status": "idle", "amberMs": 1}],
        [{"status": "idle", "amberMs": 1}],
        [1],
        [{"subject": "agent", "status": "idle", "amberMs": 1}] * 2,
        [
            {"subject": "queue", "measure": "waiting", "channelType": name, "red": 1}
            for name in ("chat", "Chat")
        ],
        [{"subject": "agent", "status": f"s{n}", "amberMs": 1} for n in range(MOST_RULES + 1)],
    ],
)
def test_what_is_no_rule_is_refused(rules: Any) -> None:
    """Also two rules for the same, since none of them would count more."""
    with pytest.raises(ValidationError):
        RULES.validate_python(tuple(rules))


def test_as_many_rules_as_are_allowed() -> None:
    rules = [{"subject": "agent", "status": f"s{n}", "redMs": 1} for n in range(MOST_RULES)]
    assert MOST_RULES == len(RULES.validate_python(tuple(rules)))


def test_defaults_are_for_statuses_that_there_are() -> None:
    """No two of them are for the same, and each has both levels."""
    by_selector = {rule.selector: rule for rule in DEFAULT_THRESHOLDS}
    assert len(DEFAULT_THRESHOLDS) == len(by_selector)
    assert RuleBook({"default": DEFAULT_THRESHOLDS}).statuses <= AGENT_WORDS | {*STATUS_PRECEDENCE}
    for rule in DEFAULT_THRESHOLDS:
        amber, red = rule.limits
        assert amber is not None
        assert red is not None
        assert amber < red


# --- the settings file ---


def settings_file(tmp_path: Path, content: str | bytes) -> Any:
    path = tmp_path / "thresholds.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file_thresholds(read_settings({"PROJECTOR_THRESHOLDS": str(path)}))


def test_a_settings_file_has_rules(tmp_path: Path) -> None:
    """As a list, or as the body of the request has them; without the setting there are none."""
    rules = [{"subject": "agent", "status": "idle", "amberMs": 1, "redMs": 2}]
    for content in (rules, {"rules": rules}):
        assert (agent(),) == settings_file(tmp_path, json.dumps(content))
    assert () == file_thresholds(read_settings({}))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("[{]", "is no JSON"),
        (b"\xff", "is no JSON"),
        ("1", "neither a list"),
        ('{"rules": [], "more": 1}', "neither a list"),
        ('[{"subject": "agent", "status": "idle", "amberMs": 2, "redMs": 1}]', "rule 0.agent"),
        ('[{"subject": "agent", "status": "idle", "colour": 1}]', "rule 0.agent.colour"),
        ('[{"subject": "queue", "measure": "waiting"}, 1]', "rule 1"),
        (json.dumps([{"subject": "agent", "status": "idle"}] * 2), "two rules are for the same"),
    ],
)
def test_a_bad_settings_file_is_named(tmp_path: Path, content: str | bytes, part: str) -> None:
    """With the variable, the file, and what is wrong with it."""
    with pytest.raises(SettingsError) as refused:
        settings_file(tmp_path, content)
    for told in ("PROJECTOR_THRESHOLDS", "thresholds.json", part):
        assert told in str(refused.value)


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        file_thresholds(read_settings({"PROJECTOR_THRESHOLDS": str(tmp_path / "none.json")}))


# --- the settings of posts ---

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    "url",
    ["https://x.example/a?b=c", "http://127.0.0.1:9/x", "http://localhost/", "http://[::1]:80/"],
)
def test_addresses_of_alerts(url: str) -> None:
    given = {"PROJECTOR_ALERT_URL": url, "PROJECTOR_ALERT_SECRET": SECRET}
    assert url == read_settings(given).alert_url


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/",
        "ftp://x.example/",
        "x.example",
        "https://",
        "https://x:port/",
        "https://x/\n",
    ],
)
def test_other_addresses_of_alerts_are_refused(url: str) -> None:
    """Without TLS only on this machine."""
    with pytest.raises(SettingsError, match="PROJECTOR_ALERT_URL"):
        read_settings({"PROJECTOR_ALERT_URL": url, "PROJECTOR_ALERT_SECRET": SECRET})


@pytest.mark.parametrize(
    "secret",
    ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_" + "A" * 90, "whsec_%%%%" * 9, ""],
)
def test_a_secret_of_alerts_is_one_of_standard_webhooks(secret: str) -> None:
    """With its prefix, and 24 to 64 bytes; the refusal does not repeat it. An address needs one."""
    with pytest.raises(SettingsError, match="PROJECTOR_ALERT_SECRET") as refused:
        read_settings(
            {"PROJECTOR_ALERT_URL": "https://x.example/", "PROJECTOR_ALERT_SECRET": secret}
        )
    assert not secret or secret not in str(refused.value)


def test_the_secret_and_the_address_are_in_no_text_of_the_settings() -> None:
    given = {"PROJECTOR_ALERT_URL": "https://x.example/s3", "PROJECTOR_ALERT_SECRET": SECRET}
    assert SECRET not in repr(read_settings(given))
    assert "s3" not in repr(read_settings(given))


def test_rules_are_listed_in_one_order() -> None:
    """Whatever the order in which they are given."""
    rules = [agent("b"), agent("a", team_id="t"), queue(), agent("a")]
    orders = [
        [it.selector for it in RuleBook({"operator": order}).rules] for order in permutations(rules)
    ]
    assert all(orders[0] == order for order in orders)
