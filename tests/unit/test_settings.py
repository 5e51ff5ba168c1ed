"""Settings come from the environment alone; a bad one is named, and no secret is ever repeated."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from projector.infrastructure.settings import (
    Role,
    Settings,
    SettingsError,
    is_loopback,
    read_settings,
)
from projector.infrastructure.tokens import local_tokens
from projector.webex.webhook_secrets import configured_secrets

SECRETS = '{"sub-1": ["sesame", "older"], "*": ["any"]}'

KEEP_A_TOKEN = """
import sys, time
from projector.infrastructure.tokens import local_tokens
from projector.webex.webhook_secrets import configured_secrets
from projector.infrastructure.settings import read_settings
settings = read_settings({"PROJECTOR_DATA_DIR": sys.argv[1]})
print("ready", flush=True)
sys.stdin.readline()
print(local_tokens(settings)[0].token, flush=True)
"""


def refusal(**environment):
    with pytest.raises(SettingsError) as refused:
        read_settings(environment)
    return str(refused.value)


# --- what there is ---


def test_the_variables():
    """These and no others are read."""
    assert {
        "DATABASE_URL",
        "HOST",
        "PORT",
        "PROJECTOR_ALERT_SECRET",
        "PROJECTOR_ALERT_URL",
        "PROJECTOR_ALLOW_UNSIGNED",
        "PROJECTOR_BEHIND_PROXY",
        "PROJECTOR_BODY_LIMIT",
        "PROJECTOR_DATA_DIR",
        "PROJECTOR_DEFAULT_ORG_ID",
        "PROJECTOR_EXPORTS",
        "PROJECTOR_EXPORTS_PER_TOKEN",
        "PROJECTOR_STATEMENT_TIMEOUT_MS",
        "PROJECTOR_OPEN_SUBSCRIPTIONS",
        "PROJECTOR_STREAMS",
        "PROJECTOR_STREAMS_PER_TOKEN",
        "PROJECTOR_SERVICE_LEVEL_MS",
        "PROJECTOR_SETTLED_QUANTILE",
        "PROJECTOR_SHORT_ABANDON_MS",
        "PROJECTOR_THRESHOLDS",
        "PROJECTOR_TOKEN",
        "PROJECTOR_TOKENS",
        "PROJECTOR_WEBHOOK_SECRETS",
        "PROJECTOR_RECONCILE_AT",
        *(
            f"PROJECTOR_WEBEX_{name}"
            for name in (
                *("REGION", "API", "OAUTH", "ORG_ID", "CLIENT_ID", "CLIENT_SECRET"),
                *("REFRESH_TOKEN", "ACCESS_TOKEN"),
            )
        ),
    } == {field.alias for field in Settings.model_fields.values()}


def test_defaults():
    """An empty environment is a service for this machine alone."""
    assert {
        "host": "127.0.0.1",
        "port": 8080,
        "database_url": None,
        "data_dir": Path(".data"),
        "webhook_secrets": {},
        "behind_proxy": False,
        "allow_unsigned": True,
        "tokens": [],
        "token": None,
        "open_subscriptions": True,
        "default_org_id": None,
        "body_limit": 1_048_576,
        "streams": 100,
        "streams_per_token": 80,
        "exports": 4,
        "exports_per_token": 2,
        "statement_timeout_ms": 30_000,
        "service_level_ms": {"*": 20_000},
        "short_abandon_ms": 0,
        "settled_quantile": 0.999,
        "thresholds": None,
        "alert_url": None,
        "alert_secret": None,
        "webex_region": "us1",
        "webex_api": None,
        "webex_oauth": "https://webexapis.com",
        "webex_org_id": None,
        "webex_client_id": None,
        "webex_client_secret": None,
        "webex_refresh_token": None,
        "webex_access_token": None,
        "reconcile_at": None,
    } == read_settings({}).model_dump()


def test_an_empty_variable_counts_as_unset():
    """`PORT= make run` is `make run`."""
    empty = {field.alias: "" for field in Settings.model_fields.values()}
    assert read_settings({}) == read_settings(empty)


def test_all_are_read():
    """Each variable has its effect, and other variables have none."""
    found = read_settings(
        {
            "HOST": "0.0.0.0",
            "PORT": "1",
            "DATABASE_URL": "postgresql://me:sesame@host/name",
            "PROJECTOR_DATA_DIR": "/var/lib/here",
            "PROJECTOR_WEBHOOK_SECRETS": SECRETS,
            "PROJECTOR_ALLOW_UNSIGNED": "1",
            "PROJECTOR_TOKENS": '[{"token": "t", "role": "auditor", "orgIds": ["acme"]}]',
            "PROJECTOR_DEFAULT_ORG_ID": "acme",
            "PROJECTOR_BODY_LIMIT": "5000",
            "PROJECTOR_UNKNOWN": "7",
            "host": "10.0.0.1",
        }
    )
    assert ("0.0.0.0", 1, "postgresql://me:sesame@host/name", Path("/var/lib/here")) == (
        found.host,
        found.port,
        found.database_url,
        found.data_dir,
    )
    secrets = {id_: it.secrets for id_, it in found.webhook_secrets.items()}
    assert {"sub-1": ("sesame", "older"), "*": ("any",)} == secrets
    assert (True, "acme", 5000) == (found.allow_unsigned, found.default_org_id, found.body_limit)
    (token,) = found.tokens
    assert ("t", Role.AUDITOR, {"acme"}, None) == (
        token.token,
        token.role,
        token.org_ids,
        token.team_ids,
    )


def test_a_tokens_scope():
    """Absent and null mean all; an empty list means none; several tokens keep their order."""
    given = [
        {"token": "a", "role": "viewer"},
        {"token": "b", "role": "operator", "orgIds": None, "teamIds": None},
        {"token": "c", "role": "viewer", "orgIds": [], "teamIds": ["t-1", "t-1"]},
    ]
    found = read_settings({"PROJECTOR_TOKENS": json.dumps(given)}).tokens
    assert [("a", None, None), ("b", None, None), ("c", set(), {"t-1"})] == [
        (token.token, token.org_ids, token.team_ids) for token in found
    ]


def test_settings_are_values():
    """Nobody changes them afterwards."""
    with pytest.raises(ValueError, match="frozen"):
        read_settings({}).port = 1


# --- unsigned webhooks ---


@pytest.mark.parametrize(
    ("host", "secrets", "allowed"),
    [
        (None, None, True),
        ("127.0.0.1", None, True),
        ("127.8.9.10", None, True),
        ("localhost", None, True),
        ("::1", None, True),
        ("127.0.0.1", "{}", True),
        ("127.0.0.1", " { } ", True),
        ("127.0.0.1", '{"sub-1": ["sesame"]}', False),
        ("127.0.0.1", '{"*": ["sesame"]}', False),
        ("0.0.0.0", None, False),
        ("::", None, False),
        ("10.0.0.1", None, False),
        ("example.org", None, False),
        ("localhost.example.org", None, False),
        ("0.0.0.0", "{}", False),
        ("0.0.0.0", SECRETS, False),
    ],
)
def test_unsigned_webhooks_by_default(host, secrets, allowed):
    """Only where no secret is set and HOST is loopback."""
    given = {"HOST": host or "", "PROJECTOR_WEBHOOK_SECRETS": secrets or ""}
    assert allowed is read_settings(given).allow_unsigned


def test_unsigned_webhooks_do_not_come_through_a_proxy_by_default():
    """A proxy on loopback brings what comes from anywhere."""
    assert read_settings({"PROJECTOR_BEHIND_PROXY": "0"}).allow_unsigned
    assert not read_settings({"PROJECTOR_BEHIND_PROXY": "1"}).allow_unsigned


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("secrets", ["", SECRETS])
@pytest.mark.parametrize(("said", "allowed"), [("1", True), ("0", False)])
def test_unsigned_webhooks_as_said(host, secrets, said, allowed):
    """1 and 0 hold, whatever the rest says."""
    given = {
        "HOST": host,
        "PROJECTOR_WEBHOOK_SECRETS": secrets,
        "PROJECTOR_ALLOW_UNSIGNED": said,
    }
    assert allowed is read_settings(given).allow_unsigned


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_loopback(host, local):
    """Only addresses that nobody else can reach, and their one name."""
    assert local is is_loopback(host)


# --- what cannot be used ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", value) for value in ("http", "0", "-1", "65536", "80.5", "8e3", "9" * 5000)),
        *(("PROJECTOR_BODY_LIMIT", value) for value in ("0", "-1", "1 MiB")),
        *(("PROJECTOR_ALLOW_UNSIGNED", value) for value in ("maybe", "2", "-1")),
        ("PROJECTOR_BEHIND_PROXY", "nginx"),
        *(
            ("PROJECTOR_WEBHOOK_SECRETS", value)
            for value in (
                "sesame",
                '["sesame"]',
                '"sesame"',
                '{"sub-1": "sesame"}',
                '{"sub-1": [["sesame"]]}',
                '{"sub-1": [null, "sesame"]}',
                '{"sub-1": ["sesame", ""]}',
                '{"sub-1": ["sesame"',
                '{"sub-1": [" \\t"]}',
                '{"sub-1": {"secrets": ["sesame"], "orgs": ["acme"]}}',
                '{"sub-1": {"secrets": "sesame"}}',
                '{"sub-1": {"secrets": ["sesame"], "orgIds": "acme"}}',
            )
        ),
        *(
            ("PROJECTOR_TOKENS", value)
            for value in (
                "sesame",
                '{"token": "sesame", "role": "viewer"}',
                '["sesame"]',
                '[{"token": "sesame"}]',
                '[{"role": "viewer"}]',
                '[{"token": "", "role": "viewer"}]',
                '[{"token": "sesame", "role": "king"}]',
                '[{"token": "sesame", "role": "Viewer"}]',
                '[{"token": ["sesame"], "role": "viewer"}]',
                '[{"token": "sesame", "role": "viewer", "orgIds": "acme"}]',
                '[{"token": "sesame", "role": "viewer", "orgIds": [7]}]',
                '[{"token": "sesame", "role": "viewer", "orgs": ["acme"]}]',
                '[{"token": "sesame", "role": "viewer"}',
            )
        ),
        ("PROJECTOR_DEFAULT_ORG_ID", "a" * 513),
        ("PROJECTOR_DEFAULT_ORG_ID", "\N{EURO SIGN}" * 171),
    ],
)
def test_a_bad_setting_is_named(name, value):
    """One sentence that begins with the variable and repeats nothing that is secret."""
    said = refusal(**{name: value})
    assert (True, True, 0) == (said.startswith(name), said.endswith("."), said.count("\n"))
    assert "sesame" not in said
    assert len(said) < 200


def test_a_misspelt_field_does_not_widen_a_token():
    """`orgId` for `orgIds` would otherwise open all organisations."""
    given = '[{"token": "sesame", "role": "viewer", "orgId": ["acme"]}]'
    assert refusal(PROJECTOR_TOKENS=given).startswith("PROJECTOR_TOKENS.0.orgId cannot be used")


def test_a_bad_setting_does_not_hide_behind_the_default_of_another():
    """Bad secrets are named also where the rule for unsigned webhooks would need them."""
    assert refusal(PROJECTOR_WEBHOOK_SECRETS="{").startswith("PROJECTOR_WEBHOOK_SECRETS")
    assert refusal(PORT="x", PROJECTOR_WEBHOOK_SECRETS="{").startswith("PORT")


def test_a_blank_secret_is_refused():
    """Anybody would sign with it."""
    said = refusal(PROJECTOR_WEBHOOK_SECRETS='{"a": [" "]}')
    assert "a secret must not be blank" in said


def test_a_subscription_may_be_bound_to_organisations():
    """Beside the plain list of secrets; neither is repeated by the settings' text."""
    found = read_settings(
        {"PROJECTOR_WEBHOOK_SECRETS": '{"a": {"secrets": ["sesame"], "orgIds": ["acme"]}}'}
    )
    bound = found.webhook_secrets["a"]
    assert (("sesame",), {"acme"}) == (bound.secrets, bound.org_ids)
    assert "sesame" not in repr(found)
    assert [True, True, False] == [bound.covers(it) for it in ("acme", None, "umbra")]


@pytest.mark.parametrize(
    "secrets",
    [
        {"/x/sub-1": ["a"], "sub-1": ["b"]},
        {"sub-1/": ["a"], "sub%2D1": ["b"]},
        {"": ["a"]},
        {"/": ["a"]},
    ],
)
def test_a_subscription_stands_in_the_settings_once(secrets):
    """In whatever spelling."""
    with pytest.raises(SettingsError, match="PROJECTOR_WEBHOOK_SECRETS cannot be used"):
        configured_secrets(read_settings({"PROJECTOR_WEBHOOK_SECRETS": json.dumps(secrets)}))


# --- the local operator's token ---


def at(data_dir, **environment):
    return read_settings({"PROJECTOR_DATA_DIR": str(data_dir), **environment})


def test_a_local_token_is_made_once(tmp_path):
    """An operator's, for all organisations; kept for the next start, for its owner's eyes only."""
    data_dir = tmp_path / "not" / "yet"
    (first,) = local_tokens(at(data_dir))
    assert ([first], Role.OPERATOR, None, None) == (
        local_tokens(at(data_dir)),
        first.role,
        first.org_ids,
        first.team_ids,
    )
    kept = data_dir / "operator-token"
    assert (first.token, 0o600) == (kept.read_text(), stat.S_IMODE(kept.stat().st_mode))
    assert ["operator-token"] == [path.name for path in data_dir.iterdir()]
    assert len(first.token) >= 32


def test_tokens_of_different_folders_differ(tmp_path):
    """They are drawn, not derived."""
    assert 5 == len({local_tokens(at(tmp_path / str(n)))[0].token for n in range(5)})


@pytest.mark.parametrize(
    "environment",
    [
        {"HOST": "0.0.0.0"},
        {"HOST": "example.org"},
        {"PROJECTOR_TOKENS": '[{"token": "t", "role": "viewer"}]'},
    ],
)
def test_no_token_where_others_may_ask(tmp_path, environment):
    """Beyond this machine, or with configured tokens, none is made."""
    assert [] == local_tokens(at(tmp_path / "data", **environment))
    assert not (tmp_path / "data").exists()


def test_a_strict_umask_or_a_lax_one_changes_nothing(tmp_path):
    """The token's mode is 0600 under any umask."""
    modes = []
    for mask in (0, 0o077):
        before = os.umask(mask)
        try:
            local_tokens(at(tmp_path / str(mask)))
        finally:
            os.umask(before)
        modes.append(stat.S_IMODE((tmp_path / str(mask) / "operator-token").stat().st_mode))
    assert [0o600, 0o600] == modes


def test_those_who_start_at_once_get_the_same_token(tmp_path):
    """Several processes, released together: one token, one file."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", KEEP_A_TOKEN, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert ["ready\n"] * 4 == [process.stdout.readline() for process in started]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    told = {process.communicate(timeout=30)[0] for process in started}
    assert [0] * 4 == [process.returncode for process in started]
    assert {f"{(tmp_path / 'data' / 'operator-token').read_text()}\n"} == told
    assert ["operator-token"] == [path.name for path in (tmp_path / "data").iterdir()]


@pytest.mark.parametrize(
    "given",
    [
        '[{"token": "", "role": "viewer"}]',
        '[{"token": " ", "role": "viewer"}]',
        '[{"token": "a b", "role": "viewer"}]',
        '[{"token": "a\\nb", "role": "viewer"}]',
        '[{"token": "same", "role": "viewer"}, {"token": "same", "role": "operator"}]',
    ],
)
def test_a_blank_token_and_two_equal_ones_are_refused(given):
    """Before the service starts; the sentence names the setting and no token."""
    with pytest.raises(SettingsError, match="PROJECTOR_TOKENS") as error:
        read_settings({"PROJECTOR_TOKENS": given})
    assert "same" not in str(error.value)


def test_settings_that_are_shown_have_no_secret():
    """As in a traceback or a log."""
    secrets = {
        "DATABASE_URL": "postgresql://u:hidden1@h/d",
        "PROJECTOR_WEBHOOK_SECRETS": '{"sub": ["hidden2"]}',
        "PROJECTOR_TOKENS": '[{"token": "hidden3", "role": "viewer"}]',
        "PROJECTOR_TOKEN": "hidden4",
        "PROJECTOR_ALERT_URL": "https://h/hidden5",
        "PROJECTOR_ALERT_SECRET": "whsec_" + "hidden6A" * 4,
        "PROJECTOR_WEBEX_CLIENT_SECRET": "hidden7",
        "PROJECTOR_WEBEX_REFRESH_TOKEN": "hidden8",
        "PROJECTOR_WEBEX_ACCESS_TOKEN": "hidden9",
    }
    settings = read_settings(secrets)
    assert "hidden" not in repr(settings) + str(settings) + repr(settings.tokens)
