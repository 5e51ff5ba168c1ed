"""Receive webhooks: answered once durable, never before."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.routing import ROUTES, Route, answer
from api.service import service
from projector.contract.schemas import Shape

SIGNATURE = "X-WebexCC-Signature"
PATH = "/webhooks/webex"

blueprint = Blueprint("webhooks", __name__)


class ReceiptShape(Shape):
    """What became of the events of a request; ``received`` is the sum of the others."""

    received: int
    appended: int
    duplicates: int
    conflicts: int
    quarantined: int


ROUTES.append(
    Route(
        method="post",
        path=PATH,
        summary="Take one webhook or an array of them, as the vendor sends them.",
        answers=ReceiptShape,
        status=202,
    )
)


@blueprint.post(PATH)
def receive() -> Response:
    body = request.get_data(cache=False)
    if len(body) > service().settings.body_limit:
        raise RequestEntityTooLarge
    receipt = service().intake.accept(body, request.headers.get(SIGNATURE), dict(request.headers))
    response = answer(ReceiptShape.model_validate(receipt.counts), status=202)
    response.headers["X-Position"] = str(receipt.head)
    return response
