"""Secrets of webhooks: those of the settings, and those that were made with a subscription.

Rule: a secret that was made here stands in a file that only its owner can read. Every process of
the data folder uses it as soon as it stands there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings

ANY_SUBSCRIPTION = "*"


class WebhookSecrets:
    """Secrets by the id of their subscription. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._configured: Mapping[str, Sequence[str]] = settings.webhook_secrets
        self._file = settings.data_dir / "webhook-secrets"
        self._made: Mapping[str, Sequence[str]] = {}
        self._file_version: tuple[int, int] | None = None
        # By default unsigned webhooks are accepted as long as there is no secret at all.
        self._unsigned = settings.allow_unsigned
        self._unsigned_is_set = "allow_unsigned" in settings.model_fields_set

    def secrets_of(self, subscription_ids: Collection[str]) -> list[str]:
        """The secrets of some subscriptions; those of all where none is named."""
        by_id = self._by_subscription()
        ids = [*subscription_ids, ANY_SUBSCRIPTION] if subscription_ids else by_id
        return [secret for id_ in ids for secret in by_id.get(id_, ())]

    @property
    def allows_unsigned(self) -> bool:
        """Whether webhooks of a subscription that has no secret are accepted."""
        return self._unsigned and (
            self._unsigned_is_set or not any(self._by_subscription().values())
        )

    def subscription_ids(self) -> set[str]:
        """The subscriptions that have a secret."""
        return self._by_subscription().keys() - {ANY_SUBSCRIPTION}

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

    def _by_subscription(self) -> Mapping[str, Sequence[str]]:
        try:
            stat = self._file.stat()
        except OSError:
            return self._configured
        version = (stat.st_mtime_ns, stat.st_ino)
        if version != self._file_version:
            self._made, self._file_version = self._stored(), version
        by_id = {id_: [*secrets] for id_, secrets in self._configured.items()}
        for id_, made in self._made.items():
            by_id[id_] = [*by_id.get(id_, ()), *made]
        return by_id

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
