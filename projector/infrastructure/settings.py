"""Settings: what the environment variables say, checked. No other module reads settings."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    ValidationError,
    ValidationInfo,
)

from projector.infrastructure.errors import ProjectorError


class SettingsError(ProjectorError):
    """A setting cannot be used; the sentence names it."""


class Role(StrEnum):
    """What a caller may do; each includes the ones before it."""

    VIEWER = "viewer"
    AUDITOR = "auditor"
    OPERATOR = "operator"


def _no_blanks(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError("it must have no blanks and no control characters")
    return text


class ConfiguredToken(BaseModel):
    """A token, and who may read what with it; null organisations or teams mean all."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    token: Annotated[str, AfterValidator(_no_blanks)] = Field(min_length=1, repr=False)
    role: Role
    org_ids: frozenset[str] | None = Field(default=None, alias="orgIds")
    team_ids: frozenset[str] | None = Field(default=None, alias="teamIds")


def _different(tokens: list[ConfiguredToken]) -> list[ConfiguredToken]:
    if len({it.token for it in tokens}) < len(tokens):
        raise ValueError("two tokens are equal")
    return tokens


def _not_blank(secret: str) -> str:
    if not secret.strip():
        raise ValueError("a secret must not be blank")
    return secret


Secret = Annotated[str, AfterValidator(_not_blank)]


class SubscriptionSecrets(BaseModel):
    """The secrets of a subscription, and the organisations that it is bound to; null: any."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    secrets: tuple[Secret, ...] = Field(default=(), repr=False)
    org_ids: frozenset[str] | None = Field(default=None, alias="orgIds")

    def covers(self, org_id: str | None) -> bool:
        """Whether something of this organisation may come; null: of none that is known."""
        return self.org_ids is None or org_id is None or org_id in self.org_ids


def _secrets_alone(given: Any) -> Any:
    """A list of secrets is a subscription that is bound to no organisation."""
    return {"secrets": given} if isinstance(given, list) else given


def _bounded(name: str) -> str:
    if len(name.encode()) > 512 or "\0" in name:
        raise ValueError("it must be at most 512 bytes, without NUL")
    return name


def _root(address: str) -> str:
    if not address.startswith(("https://", "http://")):
        raise ValueError("it must be the root of an API, as https://host")
    # What goes over an open network would show the token.
    host = urlsplit(address).hostname or ""
    if address.startswith("http://") and not is_loopback(host):
        raise ValueError("without TLS only on this machine")
    return address.rstrip("/")


def _receiver(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or not address.isprintable():
        raise ValueError("it must be an address, as https://host/path")
    # What goes over an open network would show who does what.
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("without TLS only on this machine")
    return address


def _standard_webhooks_secret(secret: str | None, info: ValidationInfo) -> str | None:
    if secret is None:
        if info.data.get("alert_url"):
            raise ValueError("it is needed with PROJECTOR_ALERT_URL")
        return None
    prefix, coded = secret[: len(SECRET_PREFIX)], secret[len(SECRET_PREFIX) :]
    try:
        key = base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix != SECRET_PREFIX or not 24 <= len(key) <= 64:
        raise ValueError(f"it must be {SECRET_PREFIX} and 24 to 64 bytes in base64")
    return secret


SECRET_PREFIX = "whsec_"  # noqa: S105 - of every secret of Standard Webhooks
Milliseconds = Annotated[int, Field(ge=0, le=2**53 - 1)]
DEFAULT_SERVICE_LEVEL_MS = 20_000


def _by_channel_type(given: Any) -> dict[str, Any]:
    """A number for every channel type, or a JSON object with a number for each of some."""
    if isinstance(given, str) and given.strip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise ValueError("it must be a number, or a JSON object by channel type") from None
    if not isinstance(given, dict):
        given = {"*": given}
    return {"*": DEFAULT_SERVICE_LEVEL_MS} | {name.lower(): ms for name, ms in given.items()}


class Settings(BaseModel):
    """All settings, with the environment variable of each as its alias."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    host: str = Field(default="127.0.0.1", alias="HOST")
    port: int = Field(default=8080, ge=1, le=65535, alias="PORT")
    database_url: str | None = Field(default=None, repr=False, alias="DATABASE_URL")
    data_dir: Path = Field(default=Path(".data"), alias="PROJECTOR_DATA_DIR")
    webhook_secrets: Json[
        dict[str, Annotated[SubscriptionSecrets, BeforeValidator(_secrets_alone)]]
    ] = Field(default={}, repr=False, alias="PROJECTOR_WEBHOOK_SECRETS")
    # A proxy with the limits of deploy/nginx.conf stands between the service and others.
    behind_proxy: bool = Field(default=False, alias="PROJECTOR_BEHIND_PROXY")
    # Without any secret, and only for this machine, unsigned webhooks are taken.
    allow_unsigned: bool = Field(
        default_factory=lambda given: (
            not any(it.secrets for it in given["webhook_secrets"].values())
            and is_loopback(given["host"])
            and not given["behind_proxy"]
        ),
        alias="PROJECTOR_ALLOW_UNSIGNED",
    )
    tokens: Annotated[Json[list[ConfiguredToken]], AfterValidator(_different)] = Field(
        default=[], repr=False, alias="PROJECTOR_TOKENS"
    )
    # With which the commands ask the service; without it, one of the tokens.
    token: str | None = Field(default=None, repr=False, alias="PROJECTOR_TOKEN")
    # On this machine alone, and without tokens, there is one operator who sees everything.
    open_subscriptions: bool = Field(
        default_factory=lambda given: not given["tokens"] and is_loopback(given["host"]),
        alias="PROJECTOR_OPEN_SUBSCRIPTIONS",
    )
    default_org_id: Annotated[str, AfterValidator(_bounded)] | None = Field(
        default=None, alias="PROJECTOR_DEFAULT_ORG_ID"
    )
    body_limit: int = Field(default=1_048_576, ge=1, alias="PROJECTOR_BODY_LIMIT")  # bytes
    # Of a process, at once: in all, and of one token.
    streams: int = Field(default=100, ge=1, le=1_000, alias="PROJECTOR_STREAMS")
    streams_per_token: int = Field(
        default_factory=lambda given: -(-given.get("streams", 1) * 4 // 5),
        ge=1,
        alias="PROJECTOR_STREAMS_PER_TOKEN",
    )
    exports: int = Field(default=4, ge=1, le=100, alias="PROJECTOR_EXPORTS")
    exports_per_token: int = Field(
        default_factory=lambda given: -(-given.get("exports", 1) // 2),
        ge=1,
        alias="PROJECTOR_EXPORTS_PER_TOKEN",
    )
    # Of a request that reads; exports have longer.
    statement_timeout_ms: int = Field(
        default=30_000, ge=1, le=2**31 - 1, alias="PROJECTOR_STATEMENT_TIMEOUT_MS"
    )
    # By channel type in lower case; ``*`` is every other one.
    service_level_ms: Annotated[dict[str, Milliseconds], BeforeValidator(_by_channel_type)] = Field(
        default={}, validate_default=True, alias="PROJECTOR_SERVICE_LEVEL_MS"
    )
    short_abandon_ms: Milliseconds = Field(default=0, alias="PROJECTOR_SHORT_ABANDON_MS")
    settled_quantile: float = Field(default=0.999, gt=0, lt=1, alias="PROJECTOR_SETTLED_QUANTILE")

    # A JSON file of thresholds, and where alerts are posted to.
    thresholds: Path | None = Field(default=None, alias="PROJECTOR_THRESHOLDS")
    alert_url: Annotated[str, AfterValidator(_receiver)] | None = Field(
        default=None, repr=False, alias="PROJECTOR_ALERT_URL"
    )
    alert_secret: Annotated[str | None, AfterValidator(_standard_webhooks_secret)] = Field(
        default=None, repr=False, validate_default=True, alias="PROJECTOR_ALERT_SECRET"
    )

    # The vendor's APIs, with which reconciliation finds what webhooks did not bring.
    webex_region: Literal["us1", "eu1", "eu2", "anz1", "ca1", "jp1", "sg1", "in1"] = Field(
        default="us1", alias="PROJECTOR_WEBEX_REGION"
    )
    webex_api: Annotated[str, AfterValidator(_root)] | None = Field(
        default=None, alias="PROJECTOR_WEBEX_API"
    )
    webex_oauth: Annotated[str, AfterValidator(_root)] = Field(
        default="https://webexapis.com", alias="PROJECTOR_WEBEX_OAUTH"
    )
    webex_org_id: Annotated[str, AfterValidator(_bounded)] | None = Field(
        default=None, alias="PROJECTOR_WEBEX_ORG_ID"
    )
    webex_client_id: str | None = Field(default=None, alias="PROJECTOR_WEBEX_CLIENT_ID")
    webex_client_secret: str | None = Field(
        default=None, repr=False, alias="PROJECTOR_WEBEX_CLIENT_SECRET"
    )
    webex_refresh_token: str | None = Field(
        default=None, repr=False, alias="PROJECTOR_WEBEX_REFRESH_TOKEN"
    )
    webex_access_token: str | None = Field(
        default=None, repr=False, alias="PROJECTOR_WEBEX_ACCESS_TOKEN"
    )
    reconcile_at: time | None = Field(default=None, alias="PROJECTOR_RECONCILE_AT")  # UTC

    def require_database_url(self) -> str:
        """The database's address, for a part that starts no database; SettingsError without."""
        if self.database_url is None:
            raise SettingsError("DATABASE_URL is needed here: `projector run` sets it by itself.")
        return self.database_url

    @property
    def vendor_root(self) -> str:
        """Where the vendor's contact centre APIs are."""
        return self.webex_api or f"https://api.wxcc-{self.webex_region}.cisco.com"

    @property
    def root(self) -> str:
        """The service's address as seen from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)


def settings_from_environment() -> Settings:
    """The settings of this process; SettingsError names the variable that cannot be used."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from some variables; an empty variable counts as unset."""
    given = {
        field.alias: environment[field.alias]
        for field in Settings.model_fields.values()
        if field.alias and environment.get(field.alias)
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field, *rest = first["loc"] or ("the settings",)
        if field in Settings.model_fields:  # a default is named by its field
            field = Settings.model_fields[str(field)].alias or field
        name = ".".join(str(part) for part in (field, *rest))
        raise SettingsError(f"{name} cannot be used: {first['msg']}.") from None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
