"""What `projector simulate` and `projector demo` share: a vendor that knows what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from projector.infrastructure.errors import ProjectorError
from projector.webex.api_client import REQUESTS_A_MINUTE
from projector.webex.simulator.api_records import ApiRecords
from projector.webex.simulator.api_server import ApiServer, serving
from projector.webex.simulator.payloads import WebhookBody


@contextmanager
def stand_in(
    records: ApiRecords, port: int = 0, *, a_minute: int = REQUESTS_A_MINUTE
) -> Iterator[str]:
    """Answer on this machine as the vendor's APIs would; yields their root.

    ``a_minute`` calls are allowed in a minute.
    """
    with ExitStack() as stack:
        try:
            root = stack.enter_context(serving(ApiServer(records, a_minute=a_minute), port))
        except OSError as error:
            raise ProjectorError(f"Cannot listen on port {port} ({error.strerror}).") from error
        yield root


def with_records(happened: Iterable[WebhookBody], records: ApiRecords) -> Iterator[WebhookBody]:
    """The same events; the vendor has a record of each, whatever becomes of its webhook."""
    for body in happened:
        records.add(body)
        yield body
