"""Subscriptions at the stand-in vendor: create, watch and delete; and their secrets at intake."""

from __future__ import annotations

import hmac
import json
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from projector.cli.main import main
from projector.infrastructure.database import connect
from projector.infrastructure.settings import read_settings
from projector.operations.reconciliation.subscription_watch import (
    CHECK_EVERY_SECONDS,
    SubscriptionWatch,
)
from projector.webex.api_client import ApiClient, VendorRefuses
from projector.webex.credentials import Credentials
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    ApiServer,
    serving,
)
from projector.webex.subscriptions import (
    Listing,
    Subscription,
    Subscriptions,
    warnings,
)
from projector.webex.webhook_secrets import WebhookSecrets
from tests.examples import v2

URL = "https://hooks.example.com/webhooks/webex"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def environment(root: str, folder) -> dict[str, str]:
    return {
        "PROJECTOR_DATA_DIR": str(folder),
        "PROJECTOR_WEBEX_API": root,
        "PROJECTOR_WEBEX_OAUTH": root,
        "PROJECTOR_WEBEX_CLIENT_ID": CLIENT_ID,
        "PROJECTOR_WEBEX_CLIENT_SECRET": CLIENT_SECRET,
        "PROJECTOR_WEBEX_REFRESH_TOKEN": REFRESH_TOKEN,
    }


@contextmanager
def reached(folder):
    """The stand-in's subscriptions, a client of them, and its settings."""
    vendor = ApiServer(ApiRecords({}))
    with serving(vendor) as root:
        settings = read_settings(environment(root, folder))
        client = ApiClient(root, Credentials(settings), sleep=lambda _: None)
        yield vendor.subscriptions.by_id, Subscriptions(client, WebhookSecrets(settings)), settings
        client.close()


def test_each_resource_and_version_gets_one_subscription(tmp_path):
    """Each has a secret of its own, which only its owner can read."""
    with reached(tmp_path) as (kept, own, settings):
        first = [*own.create(URL)]
        again = [*own.create(URL)]
        secrets = {it["secret"] for it in kept.values()}
    assert ["created"] * 3 == [what for what, _ in first]
    assert ["there already"] * 3 == [what for what, _ in again]
    versions = [it.resource_version for _, it in first]
    assert ["agent:2.0.0", "task:1.0.0", "capture:1.0.0"] == versions
    assert 3 == len(secrets)
    assert all(32 <= len(secret) <= 256 for secret in secrets)
    assert secrets == {*WebhookSecrets(settings).secrets_of([])}
    assert 0o600 == (tmp_path / "webhook-secrets").stat().st_mode & 0o777
    assert "agent:channel_state_change" in first[0][1].event_types
    assert "agent:state_change" not in first[0][1].event_types


def test_an_interrupted_creation_can_be_repeated(tmp_path):
    """A secret that is not stored here is replaced; what is inactive is switched on."""
    with reached(tmp_path) as (kept, own, settings):
        made = [it for _, it in own.create(URL)]
        (tmp_path / "webhook-secrets").unlink()
        WebhookSecrets(settings).save(made[1].id, "x" * 40)
        kept[made[1].id]["status"] = "inactive"
        del kept[made[2].id]
        done = [what for what, _ in own.create(URL)]
        assert ["given a new secret", "switched on", "created"] == done
        assert {"active"} == {it["status"] for it in kept.values()}
        assert kept[made[0].id]["secret"] in WebhookSecrets(settings).secrets_of([made[0].id])


def test_the_watch_switches_on_what_is_ours_alone(site, tmp_path):
    """It records what the vendor says, for the status."""
    with reached(tmp_path) as (kept, own, settings):
        made = [it for _, it in own.create(URL)]
        theirs = dict(kept[made[0].id], id="other", name="another's", status="inactive")
        kept["other"] = theirs
        kept[made[0].id]["status"] = "inactive"
        now = [0.0]

        def connect_vendor() -> ApiClient:
            return ApiClient(settings.vendor_root, Credentials(settings), sleep=lambda _: None)

        it = SubscriptionWatch(
            site.service.pool, connect_vendor, WebhookSecrets(settings), clock=lambda: now[0]
        )
        it.check_if_due()
        assert ("active", "inactive") == (kept[made[0].id]["status"], kept["other"]["status"])
        kept[made[0].id]["status"] = "inactive"
        it.check_if_due()
        assert "inactive" == kept[made[0].id]["status"]
        now[0] += CHECK_EVERY_SECONDS
        it.check_if_due()
        assert "active" == kept[made[0].id]["status"]
    now[0] += CHECK_EVERY_SECONDS
    it.check_if_due()  # the vendor is away: that is a line in the log
    with connect(site.url) as connection:
        rows = connection.execute("SELECT id, status FROM subscriptions").fetchall()
    assert {row["id"]: row["status"] for row in rows} == {
        **{it.id: "active" for it in made}, "other": "inactive"}  # fmt: skip


def test_without_credentials_nothing_is_watched(site):
    """The watch does nothing."""
    SubscriptionWatch(site.service.pool, None, WebhookSecrets(site.service.settings)).check_if_due()


def test_a_subscription_is_deleted_with_its_secret(tmp_path):
    """One that does not exist gives None."""
    with reached(tmp_path) as (kept, own, settings):
        made = [it for _, it in own.create(URL)]
        assert made[0].id == own.delete(made[0].id).id
        assert own.delete("nobody") is None
        assert {it.id for it in made[1:]} == {*kept} == WebhookSecrets(settings).subscription_ids()


def test_a_refusal_of_the_vendor_is_an_error(tmp_path):
    """It has the vendor's words."""
    with reached(tmp_path) as (_, own, _), pytest.raises(VendorRefuses, match="https with a path"):
        [*own.create("http://hooks.example.com")]


def subscription(id_: str, **more: object) -> Subscription:
    about = {"id": id_, "name": f"sub {id_}", "resource_version": "agent:2.0.0"}
    about |= {"status": "active", "destination_url": URL, "event_types": (), "version": 2}
    return Subscription(**(about | more))


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([subscription("a")], []),
        ([subscription("a", status="inactive")], ["is inactive: nothing"]),
        ([subscription("a", resource_version="agent:1.0.0")], ["16 December 2026 (in 21 days)"]),
        ([subscription("b", name="projector task")], ["has no secret that is stored here"]),
        ([subscription(f"{n}") for n in range(19)], ["19 of 20 subscriptions"]),
        ([subscription(f"{n}") for n in range(18)], []),
    ],
)
def test_an_operator_is_warned(listed, said):
    """One sentence each."""
    found = warnings(Listing(subscriptions=listed, limit=20), {"a"}, NOW)
    assert len(said) == len(found)
    assert all(part in line for part, line in zip(said, found, strict=True))


def test_webhooks_of_a_new_subscription_need_its_secret(site):
    """At once, without a restart; unsigned webhooks are refused from then on."""
    body = json.dumps(v2(0, "ann", "idle") | {"id": "1", "source": "/com/cisco/wxcc/made"}).encode()
    assert 202 == site.post(body).status_code
    WebhookSecrets(site.service.settings).save("made", "s" * 40)
    assert 401 == site.post(body).status_code
    assert 401 == site.post(v2(0, "ann", "idle") | {"id": "2"}).status_code
    signature = hmac.digest(b"s" * 40, body, "sha256").hex()
    signed = site.post(body, headers={"X-WebexCC-Signature": signature})
    assert (202, 1) == (signed.status_code, signed.json["duplicates"])


def test_the_commands(tmp_path, monkeypatch):
    """List, create, watch and delete print what they do."""
    vendor = ApiServer(ApiRecords({}))
    with serving(vendor) as root:
        for name, value in environment(root, tmp_path).items():
            monkeypatch.setenv(name, value)

        def run(*arguments: str) -> str:
            result = CliRunner().invoke(main, ["subscriptions", *arguments])
            assert 0 == result.exit_code, result.output
            return result.output

        assert "There is no subscription.\n" == run("list")
        assert 3 == run("create", URL).count(": created")
        vendor.subscriptions.by_id[next(iter(vendor.subscriptions.by_id))]["status"] = "inactive"
        assert "is inactive: nothing of it is delivered" in run("list")
        assert 3 == len(json.loads(run("list", "--json"))["subscriptions"])
        assert 1 == run("watch", "--once").count(": switched on")
        assert ": deleted" in run("delete", next(iter(vendor.subscriptions.by_id)))
        gone = CliRunner().invoke(main, ["subscriptions", "delete", "nobody"])
        assert (1, "The organisation has no subscription 'nobody'.\n") == (
            gone.exit_code, gone.stderr)  # fmt: skip
