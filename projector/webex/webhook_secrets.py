"""The keyring: secrets of webhooks, those that are configured and those that were made here.

The rule of this file: what is made here stands in a file that only its owner reads, and every
process of the data directory sees it as soon as it is there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from projector.infrastructure.errors import ProjectorError
from projector.infrastructure.private_file import write_private
from projector.infrastructure.settings import Settings

ANY_SUBSCRIPTION = "*"


class WebhookSecrets:
    """Secrets by subscription id. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._configured: Mapping[str, Sequence[str]] = settings.webhook_secrets
        self._file = settings.data_dir / "webhook-secrets"
        self._made: Mapping[str, Sequence[str]] = {}
        self._read_as_of: tuple[int, int] | None = None
        # Said outright, or as long as there is no secret at all.
        self._unsigned = settings.allow_unsigned
        self._unsigned_is_said = "allow_unsigned" in settings.model_fields_set

    def of(self, named: Collection[str]) -> list[str]:
        """The secrets of some subscriptions, of all where none is named."""
        every = self._every()
        ids = [*named, ANY_SUBSCRIPTION] if named else every
        return [secret for id_ in ids for secret in every.get(id_, ())]

    @property
    def allows_unsigned(self) -> bool:
        """Whether webhooks of a subscription that has no secret are taken."""
        return self._unsigned and (self._unsigned_is_said or not any(self._every().values()))

    def ids(self) -> set[str]:
        """The subscriptions that have a secret."""
        return self._every().keys() - {ANY_SUBSCRIPTION}

    def keep(self, id_: str, secret: str) -> None:
        """Keep a secret that was made, beside any that the subscription has."""
        made = self._stored()
        made[id_] = [*dict.fromkeys([secret, *made.get(id_, ())])]
        self._write(made)

    def forget(self, id_: str) -> None:
        """Drop the secrets that were made of a subscription."""
        made = self._stored()
        if made.pop(id_, None) is not None:
            self._write(made)

    def _every(self) -> Mapping[str, Sequence[str]]:
        try:
            stat = self._file.stat()
        except OSError:
            return self._configured
        as_of = (stat.st_mtime_ns, stat.st_ino)
        if as_of != self._read_as_of:
            self._made, self._read_as_of = self._stored(), as_of
        found = {id_: [*given] for id_, given in self._configured.items()}
        for id_, made in self._made.items():
            found[id_] = [*found.get(id_, ()), *made]
        return found

    def _stored(self) -> dict[str, list[str]]:
        try:
            found: dict[str, list[str]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ProjectorError(f"{self._file} cannot be read ({error}).") from None
        return found

    def _write(self, made: Mapping[str, Sequence[str]]) -> None:
        try:
            write_private(self._file, json.dumps(made))
        except OSError as error:
            raise ProjectorError(
                f"The secret cannot be kept in {self._file.parent} ({error.strerror})."
            ) from None
