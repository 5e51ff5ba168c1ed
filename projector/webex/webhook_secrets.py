"""The secrets that sign webhooks: those of the settings, and those that were made here.

A secret that is made here is written to a private file of the data folder. Every process reads the
file again when it has changed, so a new secret is valid at once.
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
        # By the setting, or by default as long as there is no secret at all.
        self._unsigned = settings.allow_unsigned
        self._unsigned_is_said = "allow_unsigned" in settings.model_fields_set

    def of(self, named: Collection[str]) -> list[str]:
        """The secrets of the named subscriptions; of all subscriptions if none is named."""
        every = self._every()
        ids = [*named, ANY_SUBSCRIPTION] if named else every
        return [secret for id_ in ids for secret in every.get(id_, ())]

    @property
    def allows_unsigned(self) -> bool:
        """Whether webhooks of a subscription without a secret are accepted."""
        return self._unsigned and (self._unsigned_is_said or not any(self._every().values()))

    def ids(self) -> set[str]:
        """The ids of the subscriptions that have a secret."""
        return self._every().keys() - {ANY_SUBSCRIPTION}

    def keep(self, id_: str, secret: str) -> None:
        """Store a new secret of a subscription; its older ones stay valid."""
        made = self._stored()
        made[id_] = [*dict.fromkeys([secret, *made.get(id_, ())])]
        self._write(made)

    def forget(self, id_: str) -> None:
        """Delete the secrets that were made here for a subscription."""
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
