"""Credentials of the settings and of the data folder, and where they are used."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Settings, read_settings
from projector.webex.api_client import ApiClient
from projector.webex.credential_store import (
    Access,
    CredentialFile,
    StoredCredentials,
    has_credentials,
)
from projector.webex.credentials import (
    Credentials,
    CredentialsRefused,
    NoCredentials,
)
from projector.webex.simulator.api_faults import Faults
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN

NAMES = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "REFRESH_TOKEN": REFRESH_TOKEN}


def settings(folder, root: str = "http://127.0.0.1:9", **more: str) -> Settings:
    named = {f"PROJECTOR_WEBEX_{name}": value for name, value in more.items()}
    return read_settings(
        {"PROJECTOR_DATA_DIR": str(folder), "PROJECTOR_WEBEX_OAUTH": root, **named}
    )


def store(folder, **changes) -> StoredCredentials:
    """Store what `projector connect` stores; the token is spent unless a change says else."""
    access = Access(token="t_C_acme", expires=0.0, refresh_token=REFRESH_TOKEN, scopes=("a", "b"))
    fields = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "access": access} | changes
    stored = StoredCredentials(**fields)
    CredentialFile(settings(folder)).write(stored)
    return stored


@pytest.fixture
def vendor():
    api = ApiServer(ApiRecords({}))
    with serving(api) as api.root:
        yield api


def test_what_is_stored_is_read_again(tmp_path):
    """Wholly; only its owner can read it."""
    access = Access(
        token="t_C_acme", expires=7.5, refresh_token="r", refresh_expires=9.5, scopes=("a", "b")
    )
    assert store(tmp_path, access=access) == CredentialFile(settings(tmp_path)).read()
    assert 0o600 == (tmp_path / "webex-token").stat().st_mode & 0o777


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"client_id": "c"}', '{"client_id": "c", "access_token": 1}']
)
def test_a_file_that_is_not_ours_counts_as_none(tmp_path, text):
    """Nothing fails because of it."""
    (tmp_path / "webex-token").write_text(text)
    assert CredentialFile(settings(tmp_path)).read() is None
    assert not has_credentials(settings(tmp_path))


def test_a_file_of_an_older_release_is_read(tmp_path):
    """It has tokens without the client's secret, which the settings have."""
    old = {"client_id": CLIENT_ID, "access_token": "t", "refresh_token": "r", "until": 2e9}
    (tmp_path / "webex-token").write_text(json.dumps(old))
    assert not has_credentials(settings(tmp_path))
    assert "t" == Credentials(settings(tmp_path, **NAMES)).token()


def test_a_part_of_the_settings_is_not_enough(tmp_path):
    """All three are, and so is an access token."""
    for count in range(3):
        for names in combinations(NAMES, count):
            own = settings(tmp_path, **{name: NAMES[name] for name in names})
            assert not has_credentials(own)
            with pytest.raises(NoCredentials, match="projector connect"):
                Credentials(own).token()
    assert has_credentials(settings(tmp_path, **NAMES))
    assert has_credentials(settings(tmp_path, ACCESS_TOKEN="t_C_acme"))


def test_what_is_stored_is_enough_without_settings(tmp_path, vendor):
    """It is renewed, and what `projector connect` stored stays."""
    stored = store(tmp_path)
    own = settings(tmp_path, vendor.root)
    assert has_credentials(own)
    token = Credentials(own).token()
    assert vendor.oauth.is_valid(token)
    renewed = CredentialFile(own).read()
    assert (CLIENT_SECRET, token) == (renewed.client_secret, renewed.access.token)
    assert stored.access.token != token
    assert 0o600 == (tmp_path / "webex-token").stat().st_mode & 0o777


def test_scopes_that_a_renewal_does_not_tell_are_kept(tmp_path, vendor):
    """They are those of the authorisation."""
    store(tmp_path)
    vendor.oauth.tells_scopes = False
    assert ("a", "b") == Credentials(settings(tmp_path, vendor.root)).access().scopes


def test_a_secret_of_the_settings_is_not_stored(tmp_path, vendor):
    """A renewal stores tokens only."""
    Credentials(settings(tmp_path, vendor.root, **NAMES)).token()
    assert CLIENT_SECRET not in (tmp_path / "webex-token").read_text()


def test_settings_go_before_what_is_stored(tmp_path, vendor):
    """An access token, and a client with its secret; the stored token of another client is not
    used.
    """
    store(tmp_path, access=Access(token="s_C_acme", expires=2e10, refresh_token="r"))
    assert "s_C_acme" == Credentials(settings(tmp_path)).token()
    assert "t_C_acme" == Credentials(settings(tmp_path, ACCESS_TOKEN="t_C_acme")).token()
    store(tmp_path, client_id="other", access=Access(token="s", expires=2e10, refresh_token="r"))
    assert not has_credentials(settings(tmp_path, CLIENT_ID=CLIENT_ID))
    assert vendor.oauth.is_valid(Credentials(settings(tmp_path, vendor.root, **NAMES)).token())


def test_a_stored_secret_that_was_changed_is_replaced_by_the_settings(tmp_path, vendor):
    """So a new secret needs no new authorisation."""
    store(tmp_path, client_secret="old")
    with pytest.raises(CredentialsRefused, match=r"secret is wrong.*projector connect"):
        Credentials(settings(tmp_path, vendor.root)).token()
    own = settings(tmp_path, vendor.root, CLIENT_SECRET=CLIENT_SECRET)
    assert vendor.oauth.is_valid(Credentials(own).token())


def test_a_token_that_was_stored_meanwhile_is_used(tmp_path, vendor):
    """A process that found a token spent takes the one that another process stored."""
    store(tmp_path, access=Access(token="old_C_acme", expires=2e10, refresh_token="r"))
    own = Credentials(settings(tmp_path, vendor.root))
    assert "old_C_acme" == own.token()
    store(tmp_path, access=Access(token="new_C_acme", expires=2e10, refresh_token="r"))
    assert "new_C_acme" == own.renew("old_C_acme")


def test_a_wait_for_the_token_service_can_be_stopped(tmp_path):
    """By what stops the waits of the client that uses the credentials."""
    with serving(ApiServer(ApiRecords({}), token_faults=Faults(every={1: "500"}))) as root:
        client = ApiClient(root, Credentials(settings(tmp_path, root, **NAMES)))

        def stop() -> None:
            raise InterruptedError

        client.check_stop = stop
        with pytest.raises(InterruptedError):
            client.get("/v1/tasks", {})
        client.close()


def test_the_organisation_is_the_configured_one_or_the_tokens_end(tmp_path):
    """A token of another form is not shown."""
    assert "acme" == Credentials(settings(tmp_path, ACCESS_TOKEN="a_b_C_acme")).org_id
    own = settings(tmp_path, ACCESS_TOKEN="sesame", ORG_ID="acme")
    assert "acme" == Credentials(own).org_id
    for token in ("sesame", "C_sesame"):
        with pytest.raises(ProjectorError, match="set PROJECTOR_WEBEX_ORG_ID") as raised:
            _ = Credentials(settings(tmp_path, ACCESS_TOKEN=token)).org_id
        assert "sesame" not in str(raised.value)


def test_no_secret_is_in_a_repr(tmp_path):
    """Nor in what is stored, shown."""
    shown = repr(store(tmp_path))
    assert not [it for it in (CLIENT_SECRET, REFRESH_TOKEN, "t_C_acme") if it in shown]
