"""The audit trail of requests: what is asked for is stored before it is done, and then the answer.

Of interest is what changes anything, and what takes a file away: ``begin`` is called for these.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from uuid import UUID

from flask import Response, after_this_request, request
from pydantic import BaseModel

from api.auth.authentication import Caller
from api.auth.origin import caller_address
from api.service import service
from projector.infrastructure.database import StoreUnavailable
from projector.operations.audit_trail import TrailRequest

_TOLD_OF_A_FILE = {"rows": "X-Row-Count", "sha256": "X-SHA-256", "position": "X-As-Of-Position"}

log = logging.getLogger(__name__)


def begin(action: str, caller: Caller, body: BaseModel | None) -> None:
    """Store what the request asks for; its answer is stored once it is made.

    StoreUnavailable where that is not stored: then nothing is to be done.
    """
    details = {
        "path": request.path,
        "query": request.args.to_dict(flat=False),
        "body": None if body is None else body.model_dump(mode="json", by_alias=True),
        "accept": request.headers.get("Accept"),
        "session": caller.session is not None,
    }
    asked = TrailRequest(
        who=caller.token.name, address=caller_address(), action=action, details=details
    )
    after_this_request(partial(_answer, service().audit_trail.ask(asked)))


def _answer(request_id: UUID, response: Response) -> Response:
    told = {name: response.headers.get(header) for name, header in _TOLD_OF_A_FILE.items()}
    details = {"status": response.status_code} | {k: it for k, it in told.items() if it is not None}
    if response.status_code >= 400 and response.is_json:
        details["detail"] = json.loads(response.get_data()).get("detail")
    if location := response.headers.get("Location"):
        details["location"] = location
    try:
        service().audit_trail.answer(request_id, details)
    except StoreUnavailable as error:
        log.warning("the answer of %s is not in the audit trail: %s", request_id, error)
    return response
