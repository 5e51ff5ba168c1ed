"""The operator's address: a message is signed by Standard Webhooks and posted to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, time

import httpx
from standardwebhooks.webhooks import Webhook

from projector.contract.alerts import AlertMessageType
from projector.contract.base import to_json
from projector.infrastructure.certificates import trusted_certificates
from projector.infrastructure.errors import ProjectorError

POST_TIMEOUT = httpx.Timeout(10.0, connect=5.0)  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAnswer:
    """What became of a post: the status that the receiver answered, or why there is none."""

    status: int | None
    text: str
    seconds: float

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has the message. A redirect is not followed, and takes nothing."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more of it: 410, by the specification."""
        return self.status == httpx.codes.GONE


class AlertReceiver:
    """Posts messages to one address. ``secret`` is that of Standard Webhooks, ``whsec_…``."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._webhook = Webhook(secret)

    @property
    def host(self) -> str:
        """Where the messages go; the rest of the address may be a secret."""
        return httpx.URL(self._url).host

    def signature(self, message_id: str, seconds: int, body: str) -> str:
        """The signature of a message that is posted at a time, in seconds since the epoch."""
        return self._webhook.sign(message_id, datetime.fromtimestamp(seconds, UTC), body)

    def post(self, message_id: str, body: str) -> PostAnswer:
        """Post a message once. The time of the attempt is signed with it, the answer's body is
        not read.
        """
        seconds, begun = int(time()), monotonic()
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": self.signature(message_id, seconds, body),
        }
        status: int | None = None
        try:
            with httpx.stream(
                "POST",
                self._url,
                content=body.encode(),
                headers=headers,
                follow_redirects=False,
                timeout=POST_TIMEOUT,
                verify=trusted_certificates(),
            ) as answer:
                status, text = answer.status_code, f"{answer.status_code} {answer.reason_phrase}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = f"{type(error).__name__}: {error}"
        return PostAnswer(status=status, text=text.strip(), seconds=monotonic() - begun)


def message_text(type_: AlertMessageType, alert: str, noticed: int) -> str:
    """The body of a message about an alert (JSON) that was noticed at a time (epoch ms)."""
    moment = datetime.fromtimestamp(noticed / 1_000, UTC).isoformat(timespec="milliseconds")
    timestamp = moment.replace("+00:00", "Z")
    return to_json({"type": type_, "timestamp": timestamp, "data": json.loads(alert)}).decode()


class NoAlertReceiver(ProjectorError):  # noqa: N818 - named for what callers say
    """No address for alerts is set."""
