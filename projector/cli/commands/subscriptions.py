"""`projector subscriptions`: the vendor's webhook subscriptions, from the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click

from projector.cli.options import as_json, in_columns, printable
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import settings_from_environment
from projector.webex.api_client import ApiClient
from projector.webex.credentials import Credentials
from projector.webex.subscriptions import (
    Listing,
    Subscription,
    Subscriptions,
    note_on_others,
    warnings,
)
from projector.webex.webhook_secrets import WebhookSecrets

WATCH_EVERY_SECONDS = 300
TERMINAL_WAIT_SECONDS = 60.0
_UNSIGNED_REFUSED = (
    "From now on the service refuses unsigned webhooks. Another subscription that leads to it needs"
    " its secret in PROJECTOR_WEBHOOK_SECRETS."
)
_UNSIGNED_ACCEPTED = (
    "PROJECTOR_ALLOW_UNSIGNED is set, so the service still accepts unsigned webhooks of"
    " subscriptions that have no secret."
)


@click.group()
def subscriptions() -> None:
    """List, create, watch and delete the vendor's webhook subscriptions."""


@contextmanager
def _vendor_subscriptions() -> Iterator[tuple[Subscriptions, WebhookSecrets]]:
    settings = settings_from_environment()
    webhook_secrets = WebhookSecrets(settings)
    credentials = Credentials(settings)
    vendor = ApiClient(settings.vendor_root, credentials, longest_wait=TERMINAL_WAIT_SECONDS)
    try:
        yield Subscriptions(vendor, webhook_secrets), webhook_secrets
    finally:
        vendor.close()


@subscriptions.command("list")
@as_json
def list_subscriptions(*, as_json: bool) -> None:
    """List the organisation's subscriptions, with warnings."""
    with _vendor_subscriptions() as (own, webhook_secrets):
        listing = own.listed()
        with_secret = webhook_secrets.subscription_ids()
        lines = warnings(listing, with_secret, datetime.now(UTC))
        note = note_on_others(listing, with_secret)
    if as_json:
        rows = [asdict(it) for it in listing.subscriptions]
        answer = {"subscriptions": rows, "limit": listing.limit, "warnings": lines, "note": note}
        click.echo(json.dumps(answer))
        return
    click.echo(_table(listing, webhook_secrets) or "There is no subscription.")
    for line in lines:
        click.echo(printable(f"! {line}"))
    if note:
        click.echo(note)


@subscriptions.command()
@click.argument("url")
@as_json
def create(*, url: str, as_json: bool) -> None:
    """Let the vendor send every resource to URL, which must be https and lead to this service.

    There is one subscription for each resource and version, with a secret that is made and stored
    here. A subscription that exists stays, and is switched on if it is inactive. From then on the
    service refuses unsigned webhooks, unless PROJECTOR_ALLOW_UNSIGNED is set.
    """
    done = []
    with _vendor_subscriptions() as (own, webhook_secrets):
        try:
            for what, it in own.create(url):
                done.append({"done": what} | asdict(it))
                if not as_json:
                    click.echo(printable(f"{it.resource_version} {it.id}: {what}"))
        finally:  # also where only some could be made
            accepts = webhook_secrets.allows_unsigned
            note = _UNSIGNED_ACCEPTED if accepts else _UNSIGNED_REFUSED
            if done and not as_json:
                click.echo(note)
    if as_json:
        click.echo(json.dumps([it | {"note": note} for it in done]))


@subscriptions.command()
@click.option("--once", is_flag=True, help="Look once.")
def watch(*, once: bool) -> None:
    """Switch on our inactive subscriptions, every five minutes until Ctrl-C."""
    with _vendor_subscriptions() as (own, webhook_secrets):
        while True:
            for it in own.switch_on():
                click.echo(printable(f"{it.resource_version} {it.id}: switched on"))
            for line in warnings(
                own.listed(), webhook_secrets.subscription_ids(), datetime.now(UTC)
            ):
                click.echo(printable(f"! {line}"))
            if once:
                return
            time.sleep(WATCH_EVERY_SECONDS)


@subscriptions.command()
@click.argument("id_", metavar="ID")
def delete(*, id_: str) -> None:
    """Delete a subscription and its secret."""
    with _vendor_subscriptions() as (own, _):
        subscription = own.delete(id_)
    if subscription is None:
        raise ProjectorError(f"The organisation has no subscription {id_!r}.")
    click.echo(printable(f"{subscription.resource_version} {subscription.id}: deleted"))


def _table(listing: Listing, webhook_secrets: WebhookSecrets) -> str:
    return in_columns([_row(it, webhook_secrets) for it in listing.subscriptions])


def _row(it: Subscription, webhook_secrets: WebhookSecrets) -> dict[str, str]:
    return {
        "id": it.id,
        "name": it.name,
        "resource": it.resource_version,
        "status": it.status,
        "secret": "known" if it.id in webhook_secrets.subscription_ids() else "-",
        "types": str(len(it.event_types)),
        "url": it.destination_url,
    }
