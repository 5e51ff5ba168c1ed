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
from projector.webex.api_queries import UnexpectedAnswer
from projector.webex.credentials import Credentials
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.oauth_api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from projector.webex.subscriptions import (
    Listing,
    Subscription,
    Subscriptions,
    note_on_others,
    warnings,
)
from projector.webex.webhook_secrets import WebhookSecrets
from tests.examples import v2
from tests.scripted_server import Scripted, scripted

URL = "https://hooks.example.com/webhooks/webex"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
ORG_ID = "97cdbf45-ebe2-4687-8341-44d5c7abf101"


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


def secrets_of(settings, id_):
    """The secrets with which a subscription's webhooks may be signed."""
    return WebhookSecrets(settings).keyring().by_subscription[id_].secrets


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
    assert secrets == {it for id_ in kept for it in secrets_of(settings, id_)}
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
        assert kept[made[0].id]["secret"] in secrets_of(settings, made[0].id)


def test_a_subscription_that_is_bound_gets_its_secret_too(tmp_path):
    """The settings may name its organisations before it has a secret; both hold together."""
    with reached(tmp_path) as (_, own, settings):
        id_ = next(own.create(URL))[1].id
        (tmp_path / "webhook-secrets").unlink()
        named = {f"/x/{id_}/": {"orgIds": ["acme"]}}
        bound = read_settings(
            environment(settings.vendor_root, tmp_path)
            | {"PROJECTOR_WEBHOOK_SECRETS": json.dumps(named)}
        )
        webhook_secrets = WebhookSecrets(bound)
        assert ({id_}, set()) == (
            webhook_secrets.known_subscriptions(),
            webhook_secrets.subscription_ids(),
        )
        client = ApiClient(bound.vendor_root, Credentials(bound), sleep=lambda _: None)
        assert "given a new secret" == next(Subscriptions(client, webhook_secrets).create(URL))[0]
        client.close()
        entry = webhook_secrets.keyring().by_subscription[id_]
        assert (1, {"acme"}) == (len(entry.secrets), entry.org_ids)


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
    webhook_secrets = WebhookSecrets(site.service.settings)
    SubscriptionWatch(site.service.pool, lambda: None, webhook_secrets).check_if_due()


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
        ([subscription("a", resource_version="task:1.0.0 agent:1.0.0")], ["16 December 2026"]),
        ([subscription("b", name="projector task")], ["has no secret that is stored here"]),
        # Others' subscriptions are no matter of this service; what leads to its URL is.
        ([subscription("b", resource_version="agent:1.0.0", status="inactive")], []),
        ([subscription("a"), subscription("b", resource_version="agent:1.0.0", version=1)],
         ["makes one of agent:2.0.0; then delete this one", "(b) has no secret"]),
        ([subscription("a"), subscription("b", destination_url=f"{URL}/2", status="inactive")], []),
        ([subscription(f"{n}") for n in range(19)], ["19 of 20 subscriptions"]),
        ([subscription(f"{n}") for n in range(18)], []),
    ],
)  # fmt: skip
def test_an_operator_is_warned(listed, said):
    """One sentence each."""
    found = warnings(Listing(subscriptions=listed, limit=20), {"a"}, NOW)
    assert len(said) == len(found)
    assert all(part in line for part, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([], ""),
        ([subscription("a"), subscription("b")], ""),
        ([subscription("b"), subscription("c")],
         "Not known as subscriptions of this service: 2."),
        ([subscription("b", resource_version="agent:1.0.0"), subscription("c", status="inactive")],
         ("Not known as subscriptions of this service: 2, 1 of them of agent:1.0.0, which the"
          " vendor supports until 16 December 2026.")),
    ],
)  # fmt: skip
def test_subscriptions_of_others_are_one_neutral_line(listed, said):
    """With their number, and how many of them end."""
    assert said == note_on_others(Listing(subscriptions=listed, limit=20), {"a"})


def public(id_: str, types: list[str], **more: object) -> dict[str, object]:
    """A row as the vendor lists it: one of the V1 API has no resourceVersion."""
    return {
        "id": id_, "name": f"By hand {id_}", "eventTypes": types, "destinationUrl": URL,
        "createdTime": 1, "createdBy": "a@example.com", "status": "active", "lastUpdatedTime": 1,
        "lastUpdatedBy": "a@example.com", **more,
    }  # fmt: skip


@contextmanager
def scripted_vendor(folder, *bodies: object):
    """A vendor that gives these answers; its root, what it received, and the settings."""
    with scripted(*(Scripted(body=it) for it in bodies)) as (root, received):
        named = {"PROJECTOR_WEBEX_ACCESS_TOKEN": f"access_cluster_{ORG_ID}"}
        yield received, read_settings(environment(root, folder) | named)


@contextmanager
def scripted_subscriptions(folder, *bodies: object):
    with scripted_vendor(folder, *bodies) as (received, settings):
        client = ApiClient(settings.vendor_root, Credentials(settings), sleep=lambda _: None)
        yield received, Subscriptions(client, WebhookSecrets(settings)), settings
        client.close()


V1_LIST = {"meta": {"orgId": "org"}, "data": [
    public("agents", ["agent:login", "agent:state_change"]),
    public("both", ["task:new", "agent:logout", "task:ended"]),
    public("tasks", ["task:new"]),
    public("odd", []),
]}  # fmt: skip
V2_LIST = {"meta": {"orgId": "org", "subscriptionLimit": 30}, "data": [
    public("new", ["agent:login"], resourceVersion="agent:2.0.0"),
    public("old", ["agent:login"], resourceVersion="agent:1.0.0"),
]}  # fmt: skip


def test_subscriptions_of_the_v1_api_are_of_version_1(tmp_path):
    """Their rows name no version; those that have agents' event types end."""
    with scripted_subscriptions(tmp_path, V1_LIST, V2_LIST) as (_, own, _):
        listing = own.listed()
    versions = {it.id: (it.resource_version, it.version) for it in listing.subscriptions}
    assert {
        "agents": ("agent:1.0.0", 1), "both": ("task:1.0.0 agent:1.0.0", 1),
        "tasks": ("task:1.0.0", 1), "odd": ("", 1),
        "new": ("agent:2.0.0", 2), "old": ("agent:1.0.0", 2),
    } == versions  # fmt: skip
    assert {"agents", "both", "old"} == {it.id for it in listing.subscriptions if it.is_retired}
    said = warnings(listing, {"new"}, NOW)
    assert 3 == sum("16 December 2026" in it for it in said)
    assert 30 == listing.limit


def test_the_watch_records_subscriptions_of_the_v1_api(site, tmp_path):
    """By their id and status, as the status shows them."""
    off = {"data": [public("sub-1", ["agent:login"], status="inactive")]}
    on = {"data": [public("sub-1", ["agent:login"])]}
    answers = [off, {"data": []}, {"data": on["data"][0]}, on, {"data": []}]
    with scripted_vendor(tmp_path, *answers) as (received, settings):
        webhook_secrets = WebhookSecrets(settings)
        webhook_secrets.save("sub-1", "s" * 40)

        def connect_vendor() -> ApiClient:
            return ApiClient(settings.vendor_root, Credentials(settings))

        SubscriptionWatch(site.service.pool, connect_vendor, webhook_secrets).check_if_due()
    switched_on = received[2]
    assert ("PATCH", "/v1/subscriptions/sub-1") == (switched_on.method, switched_on.path)
    assert {"status": "active", "orgId": ORG_ID} == switched_on.body
    with connect(site.url) as connection:
        rows = connection.execute("SELECT id, resource_version, status FROM subscriptions")
        assert [{"id": "sub-1", "resource_version": "agent:1.0.0", "status": "active"}] == [
            dict(row) for row in rows]  # fmt: skip


OFFERED = {"data": [{"name": name} for name in (
    "agent:login", "agent:login", "agent:state_change", "agent:channel_state_change", "task:new",
    "capture:available",
)], "meta": {"resourceVersionList": []}}  # fmt: skip


def test_what_is_sent_has_the_published_fields(tmp_path):
    """Names, lengths and places as in the vendor's OpenAPI: V2 needs resourceVersion."""
    made = [
        {"data": public(id_, ["x"], resourceVersion=id_)}
        for id_ in ("agent:2.0.0", "task:1.0.0", "capture:1.0.0")
    ]
    empty = {"data": []}
    listed = {"data": [it["data"] for it in made]}
    with scripted_subscriptions(
        tmp_path, empty, empty, OFFERED, *made, empty, listed, OFFERED, *made, empty, listed, ""
    ) as (received, own, settings):
        assert ["created"] * 3 == [what for what, _ in own.create(URL)]
        (tmp_path / "webhook-secrets").unlink()
        assert ["given a new secret"] * 3 == [what for what, _ in own.create(URL)]
        assert own.delete("task:1.0.0") is not None
        saved = WebhookSecrets(settings).subscription_ids()
    assert {"agent:2.0.0", "capture:1.0.0"} == saved
    posts = [it for it in received if it.method == "POST"]
    assert {"/v2/subscriptions"} == {it.path for it in posts}
    secrets = [it.body.pop("secret") for it in posts]
    assert {64} == {len(it) for it in secrets}  # 32 to 256 are allowed
    same = {"destinationUrl": URL, "orgId": ORG_ID}
    assert [
        {"name": "projector agent", "eventTypes": ["agent:login", "agent:channel_state_change"],
         "resourceVersion": "agent:2.0.0", **same},
        {"name": "projector task", "eventTypes": ["task:new"],
         "resourceVersion": "task:1.0.0", **same},
        {"name": "projector capture", "eventTypes": ["capture:available"],
         "resourceVersion": "capture:1.0.0", **same},
    ] == [it.body for it in posts]  # fmt: skip
    patches = [it for it in received if it.method == "PATCH"]
    resources = [it["data"]["id"] for it in made]
    for patch, resource in zip(patches, resources, strict=True):
        assert f"/v2/subscriptions/{resource}" == patch.path
        assert 64 == len(patch.body.pop("secret"))
        assert {"status": "active", "orgId": ORG_ID, "resourceVersion": resource} == patch.body
    (deleted,) = (it for it in received if it.method == "DELETE")
    assert (f"/v2/subscriptions/task:1.0.0?orgId={ORG_ID}", None) == (deleted.path, deleted.body)
    reads = {it.path for it in received if it.method == "GET"}
    assert {
        f"/{path}?orgId={ORG_ID}"
        for path in ("v1/subscriptions", "v2/subscriptions", "v2/event-types")
    } == reads


def test_a_subscription_without_event_types_is_not_asked_for(tmp_path):
    """The vendor would refuse it; the sentence says what it does not offer."""
    empty = {"data": []}
    made = {"data": public("1", ["x"], resourceVersion="agent:2.0.0")}
    offered = {"data": OFFERED["data"][:4]}
    with (
        scripted_subscriptions(tmp_path, empty, empty, offered, made) as (received, own, _),
        pytest.raises(UnexpectedAnswer, match="no event type of task:1"),
    ):
        [*own.create(URL)]
    assert 1 == sum(it.method == "POST" for it in received)


def test_a_creation_that_fails_on_its_way_says_what_holds_from_now_on(tmp_path, monkeypatch):
    """The first secret that is stored is enough to refuse unsigned webhooks."""
    empty = {"data": []}
    made = {"data": public("1", ["x"], resourceVersion="agent:2.0.0")}
    offered = {"data": OFFERED["data"][:4]}
    with scripted_vendor(tmp_path, empty, empty, offered, made) as (_, settings):
        for name, value in environment(settings.vendor_root, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PROJECTOR_WEBEX_ACCESS_TOKEN", f"access_cluster_{ORG_ID}")
        result = CliRunner().invoke(main, ["subscriptions", "create", URL])
    first, second = result.stdout.splitlines()
    assert "agent:2.0.0 1: created" == first
    assert second.startswith("From now on the service refuses unsigned webhooks.")
    assert (1, "The vendor offers no event type of task:1.0.0.\n") == (
        result.exit_code, result.stderr)  # fmt: skip


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
        first = run("create", URL)
        assert 3 == first.count(": created")
        assert first.endswith("needs its secret in PROJECTOR_WEBHOOK_SECRETS.\n")
        assert "From now on the service refuses unsigned webhooks." in first
        again = json.loads(run("create", URL, "--json"))
        assert ["there already"] * 3 == [it["done"] for it in again]
        assert 3 == sum(it["note"].startswith("From now on") for it in again)
        monkeypatch.setenv("PROJECTOR_ALLOW_UNSIGNED", "1")
        assert "still accepts unsigned webhooks" in run("create", URL)
        monkeypatch.delenv("PROJECTOR_ALLOW_UNSIGNED")
        vendor.subscriptions.by_id[next(iter(vendor.subscriptions.by_id))]["status"] = "inactive"
        assert "is inactive: nothing of it is delivered" in run("list")
        listed = json.loads(run("list", "--json"))
        assert (3, "") == (len(listed["subscriptions"]), listed["note"])
        other = dict(next(iter(vendor.subscriptions.by_id.values())))
        other |= {"id": "other", "name": "another's", "destinationUrl": "https://a.example.com/"}
        vendor.subscriptions.by_id["other"] = other
        assert run("list").endswith("\nNot known as subscriptions of this service: 1.\n")
        del vendor.subscriptions.by_id["other"]
        assert 1 == run("watch", "--once").count(": switched on")
        assert ": deleted" in run("delete", next(iter(vendor.subscriptions.by_id)))
        gone = CliRunner().invoke(main, ["subscriptions", "delete", "nobody"])
        assert (1, "The organisation has no subscription 'nobody'.\n") == (
            gone.exit_code, gone.stderr)  # fmt: skip
