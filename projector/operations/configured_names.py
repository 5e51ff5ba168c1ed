"""The names of the vendor's configuration: read now and then, and kept in the directory.

Rule: what cannot be read is a warning, and changes no name that is kept. What the vendor no longer
lists keeps its name, since the past has it still.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from projector.infrastructure.errors import ProjectorError
from projector.operations.names import NameEntry, NameStore
from projector.webex.api_answers import EndlessPages, ForeignOrganisation, UnexpectedAnswer
from projector.webex.api_checks import READ_SCOPE
from projector.webex.api_client import ApiClient, VendorRefuses, VendorSilent
from projector.webex.configuration import CONFIGURATION_LISTS, ConfigurationQueries

REFRESH_EVERY_SECONDS = 3_600.0
_UNUSABLE = (EndlessPages, ForeignOrganisation, UnexpectedAnswer)
_NEEDS = (
    f"Names need the scope {READ_SCOPE} and the role of an administrator: give the integration or"
    " service app what it lacks, and run `projector connect` again."
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedNames:
    """How many names of each kind were read, and a sentence for each list that was not."""

    kept: Mapping[str, int]
    failures: Sequence[str]


class ConfiguredNames:
    """Used by the worker that holds the lock, and by the command.

    ``connect`` makes a client of the vendor's APIs; it returns None as long as there are no
    credentials for one.
    """

    def __init__(
        self,
        name_store: NameStore,
        connect: Callable[[], ApiClient | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name_store = name_store
        self._connect = connect
        self._clock = clock
        self._read_at = float("-inf")
        self._told: Sequence[str] = ()

    def refresh_if_due(self) -> None:
        """Refresh every hour; a failure that stays the same is told once."""
        if self._clock() < self._read_at + REFRESH_EVERY_SECONDS:
            return
        try:
            refreshed = self.refresh()
        except ProjectorError as error:
            refreshed = RefreshedNames(kept={}, failures=[str(error)])
        if refreshed is None:
            return
        self._read_at = self._clock()
        if refreshed.failures != self._told:
            for sentence in refreshed.failures:
                log.warning("names of the vendor's configuration were not read: %s", sentence)
        self._told = refreshed.failures

    def refresh(self) -> RefreshedNames | None:
        """Read all lists and keep their names; None without credentials.

        A list that is refused stops no other. Raises what ``Credentials`` and NameStore raise.
        """
        client = self._connect()
        if client is None:
            return None
        try:
            return self._read(client)
        finally:
            client.close()

    def _read(self, client: ApiClient) -> RefreshedNames:
        org_id, queries = client.org_id, ConfigurationQueries(client)
        kept: Counter[str] = Counter()
        failures = []
        for asked in CONFIGURATION_LISTS:
            try:
                names = [*queries.names(asked)]
            except VendorSilent as silent:
                # The other lists are at the same address.
                failures.append(str(silent))
                break
            except VendorRefuses as refused:
                is_forbidden = refused.status == HTTPStatus.FORBIDDEN
                failures.append(f"{refused} {_NEEDS}" if is_forbidden else str(refused))
                continue
            except _UNUSABLE as error:
                failures.append(str(error))
                continue
            entries = [
                NameEntry(org_id=org_id, kind=kind, id=id_, name=name) for kind, id_, name in names
            ]
            self._name_store.keep("configuration", entries)
            kept.update(it.kind for it in entries)
        return RefreshedNames(kept=kept, failures=failures)
