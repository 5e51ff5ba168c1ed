"""`projector connect`: credentials for the vendor's APIs, and a look whether each API answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from projector.cli.exit_codes import FAILED
from projector.cli.options import as_json, in_columns, printable, shown_time
from projector.infrastructure.clock import now_ms
from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.settings import Settings, settings_from_environment
from projector.webex.api_checks import check_apis
from projector.webex.api_client import ApiClient
from projector.webex.authorization import (
    NEEDED_SCOPES,
    authorize_url,
    code_of_pasted,
    listening,
    new_state,
    redirect_uri,
)
from projector.webex.credential_store import Access, CredentialFile, OAuthClient, StoredCredentials
from projector.webex.credentials import Credentials
from projector.webex.token_service import TokenService

DEFAULT_REDIRECT_PORT = 8484
BROWSER_WAIT_SECONDS = 600.0  # for somebody who signs in and agrees
TRIES_A_CHECK = 2  # somebody waits for the table


@click.command()
@click.option(
    "--service-app",
    is_flag=True,
    help="Take the refresh token of a service app, which an administrator has authorised.",
)
@click.option(
    "--paste",
    is_flag=True,
    help="Ask for the address that the browser ends at, where it is on another machine.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_REDIRECT_PORT,
    show_default=True,
    help="Port of the redirect URI http://127.0.0.1:PORT/, with which the integration is"
    " registered.",
)
@click.option("--scope", "scopes", multiple=True, help="Ask for this scope, too; may be repeated.")
@click.option("--check", is_flag=True, help="Store nothing; only ask each API.")
@as_json
def connect(**options: Any) -> None:
    """Connect the vendor: get tokens, store them in the data folder, and ask each API.

    The client id and its secret are asked for, or taken from PROJECTOR_WEBEX_CLIENT_ID and
    PROJECTOR_WEBEX_CLIENT_SECRET. A service that runs already uses what is stored at once.
    Exits with 1 unless every API answers.
    """
    settings = settings_from_environment()
    if not options["check"]:
        if settings.webex_access_token is not None:
            raise ProjectorError(
                "PROJECTOR_WEBEX_ACCESS_TOKEN is set, and would be used in place of what is stored:"
                " unset it first."
            )
        client = _client(settings)
        _store(settings, client, _first_access(settings, client, options))
    report = _report(settings)
    click.echo(json.dumps(report) if options["as_json"] else _text(report))
    if not all(it["isOk"] for it in report["checks"]):
        sys.exit(FAILED)


def _first_access(settings: Settings, client: OAuthClient, options: Mapping[str, Any]) -> Access:
    """Tokens for a service app's refresh token, or for the code of an integration."""
    service = TokenService(settings.webex_oauth)
    if options["service_app"]:
        return service.refresh(client, _asked("Refresh token", hidden=True))
    scopes = [*dict.fromkeys([*NEEDED_SCOPES, *options["scopes"]])]
    state, uri = new_state(), redirect_uri(options["port"])
    url = authorize_url(settings.webex_oauth, client.id, uri, scopes, state)
    code = _pasted(url, state) if options["paste"] else _caught(url, state, options["port"])
    return service.exchange(client, code, uri)


def _store(settings: Settings, client: OAuthClient, access: Access) -> None:
    if access.refresh_token is None:
        raise ProjectorError("The vendor gives no refresh token, so its token cannot be renewed.")
    file = CredentialFile(settings)
    file.write(StoredCredentials(client_id=client.id, client_secret=client.secret, access=access))
    _say(f"Client and tokens are stored in {file.path}, which only its owner can read.\n")


def _client(settings: Settings) -> OAuthClient:
    return OAuthClient(
        id=settings.webex_client_id or _asked("Client id"),
        secret=settings.webex_client_secret or _asked("Client secret", hidden=True),
    )


def _pasted(url: str, state: str) -> str:
    _say(
        f"Open this address, sign in as an administrator and agree:\n\n  {url}\n\nThe browser then"
        " shows a page that it cannot load. Copy its whole address."
    )
    return code_of_pasted(_asked("Address", hidden=True), state)


def _caught(url: str, state: str, port: int) -> str:
    with listening(port, state) as listener:
        _say(
            "Open this address in a browser on this machine, sign in as an administrator and"
            f" agree:\n\n  {url}\n\nWaiting for the answer at {redirect_uri(port)} (if the browser"
            " is on another machine: Ctrl-C, and again with --paste) …"
        )
        return listener.code(BROWSER_WAIT_SECONDS)


def _asked(what: str, *, hidden: bool = False) -> str:
    text = f"{what} (it stays hidden)" if hidden else what
    answer: str = click.prompt(text, hide_input=hidden, err=True)
    return answer.strip()


def _say(text: str) -> None:
    click.echo(text, err=True)  # the standard output is for the result


def _report(settings: Settings) -> dict[str, Any]:
    """What is connected, and what each API answers."""
    credentials = Credentials(settings, tries=TRIES_A_CHECK)
    access = credentials.access()
    client = ApiClient(settings.vendor_root, credentials, tries=TRIES_A_CHECK)
    try:
        return {
            "orgId": credentials.org_id,
            "orgIdFrom": "token" if settings.webex_org_id is None else "PROJECTOR_WEBEX_ORG_ID",
            "root": settings.vendor_root,
            "refreshTokenUntil": _ms(access.refresh_expires),
            "scopes": access.scopes,
            "missingScopes": _missing(access),
            "checks": [asdict(it) | {"isOk": it.is_ok} for it in check_apis(client, now_ms())],
        }
    finally:
        client.close()


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000)


def _missing(access: Access) -> list[str] | None:
    """The needed scopes that the token lacks; None where the vendor does not say what it has."""
    if access.scopes is None:
        return None
    return [scope for scope in NEEDED_SCOPES if scope not in access.scopes]


def _text(report: Mapping[str, Any]) -> str:
    scopes = report["scopes"]
    lines = [
        f"Organisation  {report['orgId']} (from {report['orgIdFrom']})",
        f"APIs          {report['root']}",
        f"Scopes        {'the vendor does not say' if scopes is None else ' '.join(scopes)}",
    ]
    until = report["refreshTokenUntil"]
    if until is not None:
        lines.append(f"Authorised    until {shown_time(until)}, unless the vendor renews it")
    lines = [printable(line) for line in lines]
    lines += ["", in_columns([_row(it) for it in report["checks"]]), ""]
    lines += _warnings(report)
    failed = sum(not it["isOk"] for it in report["checks"])
    total = len(report["checks"])
    lines.append(f"{failed} of {total} calls failed." if failed else "Every API answers.")
    return "\n".join(lines)


def _warnings(report: Mapping[str, Any]) -> Iterator[str]:
    """What is missing and what failed, with what to do about it."""
    for scope in report["missingScopes"] or []:
        yield f"! The scope {scope} is missing: it is needed to {NEEDED_SCOPES[scope]}."
    failed = [it for it in report["checks"] if not it["isOk"]]
    for advice in dict.fromkeys(it["advice"] for it in failed):
        for refusal in dict.fromkeys(it["refusal"] for it in failed if it["advice"] == advice):
            yield printable(f"! {refusal}")
        yield f"  {advice}"


def _row(it: Mapping[str, Any]) -> dict[str, str]:
    return {
        "api": it["api"],
        "answer": it["answer"],
        "rows": "-" if it["rows"] is None else str(it["rows"]),
    }
