"""Secrets of webhooks: those of the settings, and those that were made with a subscription.

Rule: a secret that was made here stands in a file that only its owner can read. Every process of
the data folder uses it as soon as it stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings, SettingsError, SubscriptionSecrets
from projector.webex.keyring import ANY_SUBSCRIPTION, Keyring
from projector.webex.webhook import subscription_id

_FileVersion = tuple[int, int] | None  # null: there is no file


def configured_secrets(settings: Settings) -> Mapping[str, SubscriptionSecrets]:
    """The secrets of the settings by subscription id; SettingsError where an id stands twice."""
    by_id: dict[str, SubscriptionSecrets] = {}
    for address, secrets in settings.webhook_secrets.items():
        id_ = subscription_id(address)
        if id_ is None:
            raise SettingsError("PROJECTOR_WEBHOOK_SECRETS cannot be used: an id is empty.")
        if id_ in by_id:
            raise SettingsError(
                f"PROJECTOR_WEBHOOK_SECRETS cannot be used: {id_!r} stands there twice."
            )
        by_id[id_] = secrets
    return by_id


class WebhookSecrets:
    """Secrets by the id of their subscription. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._configured = configured_secrets(settings)
        self._file = settings.data_dir / "webhook-secrets"
        # By default unsigned webhooks are accepted as long as there is no secret at all.
        self._unsigned = settings.allow_unsigned
        self._unsigned_is_set = "allow_unsigned" in settings.model_fields_set
        self._read: tuple[_FileVersion, Keyring] = (None, self._keyring({}))

    def keyring(self) -> Keyring:
        """All secrets of this moment, by which one delivery is judged."""
        try:
            stat = self._file.stat()
            version: _FileVersion = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            version = None
        read_version, keyring = self._read
        if version != read_version:
            keyring = self._keyring(self._stored())
            self._read = (version, keyring)
        return keyring

    @property
    def allows_unsigned(self) -> bool:
        """Whether webhooks of a subscription that has no secret are accepted."""
        return self.keyring().allows_unsigned

    def subscription_ids(self) -> set[str]:
        """The subscriptions that have a secret."""
        by_id = self.keyring().by_subscription
        return {id_ for id_, it in by_id.items() if it.secrets} - {ANY_SUBSCRIPTION}

    def known_subscriptions(self) -> set[str]:
        """Those, and the others that the settings name."""
        return self.keyring().by_subscription.keys() - {ANY_SUBSCRIPTION}

    def save(self, id_: str, secret: str) -> None:
        """Save a secret that was made; those that the subscription has stay valid."""
        made = self._stored()
        made[id_] = [*dict.fromkeys([secret, *made.get(id_, ())])]
        self._write(made)

    def drop(self, id_: str) -> None:
        """Drop the secrets that were made for a subscription; those of the settings stay."""
        made = self._stored()
        if made.pop(id_, None) is not None:
            self._write(made)

    def _keyring(self, made: Mapping[str, Sequence[str]]) -> Keyring:
        by_id = {**self._configured}
        for address, secrets in made.items():
            id_ = subscription_id(address) or address
            known = by_id.get(id_, SubscriptionSecrets())
            by_id[id_] = known.model_copy(update={"secrets": (*known.secrets, *secrets)})
        has_secrets = any(it.secrets for it in by_id.values())
        return Keyring(by_id, self._unsigned and (self._unsigned_is_set or not has_secrets))

    def _stored(self) -> dict[str, list[str]]:
        try:
            made: dict[str, list[str]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ProjectorError(f"{self._file} cannot be read ({error}).") from None
        return made

    def _write(self, made: Mapping[str, Sequence[str]]) -> None:
        try:
            write_private(self._file, json.dumps(made))
        except OSError as error:
            raise ProjectorError(
                f"The secret cannot be saved in {self._file.parent} ({error.strerror})."
            ) from None
