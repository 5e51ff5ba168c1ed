"""Intake of webhooks: a request is answered when its events are durable, never before."""

from __future__ import annotations

from flask import Blueprint, Response, request
from pydantic import ConfigDict
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.parameters import Parameters
from api.http.problems import Problem
from api.http.routing import Route, json_response
from api.service import service
from projector.contract.base import Shape
from projector.webex.content_encoding import (
    SUPPORTED_ENCODINGS,
    BodyTooLarge,
    UnsupportedEncoding,
)

SIGNATURE = "X-WebexCC-Signature"

blueprint = Blueprint("webhooks", __name__)


class AnyQuery(Parameters):
    """Anything: an operator may register an address with parameters at the vendor."""

    model_config = ConfigDict(extra="ignore")


class ReceiptShape(Shape):
    """What became of the events of a request; ``received`` is the sum of the others."""

    received: int
    appended: int
    duplicates: int
    conflicts: int
    quarantined: int


@Route(
    blueprint,
    "post",
    "/webhooks/webex",
    role=None,  # the signature shows who sent it
    summary=(
        "Receive one webhook, or an array of them, as the vendor sends them, or in any mode of"
        " CloudEvents. 401: no secret fits the signature; 413: the decoded body is too large;"
        " 415: another encoding than gzip and deflate."
    ),
    answers=ReceiptShape,
    query=AnyQuery,
    status=202,
    has_threads=True,
    takes=(
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "*/*",  # the binary mode of CloudEvents, whose attributes are headers
    ),
    takes_headers=(
        SIGNATURE,
        "Content-Encoding",
        *("ce-id", "ce-type", "ce-source", "ce-specversion"),
    ),
)
def receive() -> Response:
    signature, headers = request.headers.get(SIGNATURE), dict(request.headers)
    service().intake.require_signature(signature, headers)  # before the body takes any time
    body = request.get_data(cache=False)
    if len(body) > service().settings.body_limit:
        raise RequestEntityTooLarge
    try:
        receipt = service().intake.accept(body, signature, headers)
    except BodyTooLarge:
        raise RequestEntityTooLarge from None
    except UnsupportedEncoding as error:
        supported = {"Accept-Encoding": SUPPORTED_ENCODINGS}
        raise Problem(415, str(error), headers=supported) from None
    response = json_response(ReceiptShape.model_validate(receipt.counts), status=202)
    response.headers["X-Position"] = str(receipt.head)
    return response
