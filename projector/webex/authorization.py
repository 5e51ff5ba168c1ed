"""The authorisation of an integration: the address to open, and the answer that comes back.

Rule: only an answer to this request counts. It names the request's ``state``, which is compared in
constant time. The code in it is a secret: no page, error or log line shows it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Thread
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from projector.infrastructure.errors import ProjectorError
from projector.webex.failed_calls import one_line

# What a token must open, and what for.
NEEDED_SCOPES = {
    "cjp:config_read": "read activities, tasks, recordings, subscriptions, searches and names",
    "cjp:config_write": "create, change and delete subscriptions",
}
LOOPBACK_HOST = "127.0.0.1"
REQUEST_SECONDS = 10.0  # a browser that sends no request by then is not waited for
_ADVICE = {
    "access_denied": "who signed in did not agree, or may not",
    "invalid_scope": "the integration is not registered with every scope that is asked for",
    "unauthorized_client": "the client id is not that of an integration",
    "redirect_uri_mismatch": "the integration is not registered with the redirect URI",
}


class AuthorizationFailed(ProjectorError):  # noqa: N818 - named for what is noticed
    """The vendor answers without a code; the sentence has its words."""


class ForeignAnswer(ProjectorError):  # noqa: N818 - named for what is noticed
    """What came back is no answer to this request."""


def new_state() -> str:
    """A name for one request, which nobody guesses."""
    return secrets.token_urlsafe(32)


def authorize_url(
    root: str, client_id: str, redirect_uri: str, scopes: Sequence[str], state: str
) -> str:
    """The address at which somebody signs in and agrees."""
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": state,
    }
    return f"{root}/v1/authorize?{urlencode(query, quote_via=quote)}"


def redirect_uri(port: int) -> str:
    """Where the vendor sends the browser back to; the integration is registered with it."""
    return f"http://{LOOPBACK_HOST}:{port}/"


def code_of_pasted(text: str, state: str) -> str:
    """The code in what somebody pasted: the whole address that came back, or the code alone."""
    text = text.strip()
    is_address = "://" in text or "code=" in text or "error=" in text
    if text and not is_address:
        return text
    return code_of_query(urlsplit(text).query or text.rpartition("?")[2], state)


def code_of_query(query: str, state: str) -> str:
    """The code in the query of the address that came back; AuthorizationFailed or ForeignAnswer."""
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    if not hmac.compare_digest(fields.get("state", "").encode(), state.encode()):
        raise ForeignAnswer(
            "This is no answer to the request: its state is another one. Open the address that is"
            " shown, and use what comes back from it."
        )
    if "error" in fields:
        error = one_line(fields["error"])
        words = one_line(fields.get("error_description", "")) or _ADVICE.get(error)
        raise AuthorizationFailed(
            f"The vendor does not authorise it ({error}): {words or 'no reason given'}."
        )
    if not fields.get("code"):
        raise AuthorizationFailed("The vendor's answer has no code.")
    return fields["code"]


class CodeListener:
    """Waits on a port of this machine for the browser that the vendor sends back."""

    def __init__(self, answers: Queue[str | AuthorizationFailed]) -> None:
        self._answers = answers

    def code(self, seconds: float) -> str:
        """The code; AuthorizationFailed where the vendor sends none, or nobody comes in time."""
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            raise AuthorizationFailed(
                f"No answer came within {seconds / 60:.0f} minutes."
            ) from None
        if isinstance(answer, AuthorizationFailed):
            raise answer
        return answer


@contextmanager
def listening(port: int, state: str) -> Iterator[CodeListener]:
    """Listen for the answer to a request; ProjectorError where the port is taken."""
    answers: Queue[str | AuthorizationFailed] = Queue(maxsize=1)
    try:
        server = ThreadingHTTPServer((LOOPBACK_HOST, port), partial(_AnswerPage, state, answers))
    except OSError as error:
        raise ProjectorError(
            f"Cannot listen on port {port} ({error.strerror}): give another one with --port, with"
            " which the integration is registered too, or paste the answer with --paste."
        ) from None
    thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield CodeListener(answers)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _AnswerPage(BaseHTTPRequestHandler):
    """The page to which the browser comes back. Only an answer to the request ends the wait."""

    timeout = REQUEST_SECONDS

    def __init__(
        self, state: str, answers: Queue[str | AuthorizationFailed], *connection: object
    ) -> None:
        self._state = state
        self._answers = answers
        super().__init__(*connection)  # type: ignore[arg-type]  # as the server passes them on

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != "/":
            self._show(HTTPStatus.NOT_FOUND, "There is nothing here.")
            return
        answer: str | AuthorizationFailed
        try:
            answer = code_of_query(query, self._state)
        except ForeignAnswer:
            self._show(HTTPStatus.BAD_REQUEST, "This is no answer to the request that waits here.")
            return
        except AuthorizationFailed as failed:
            answer = failed
        if self._answers.full():
            self._show(HTTPStatus.GONE, "The answer has come already.")
            return
        is_code = isinstance(answer, str)
        what = "The vendor authorised it." if is_code else "The vendor did not authorise it."
        try:
            self._show(
                HTTPStatus.OK, f"{what} You can close this window and go back to the terminal."
            )
        finally:  # last, so that the page is sent before the server ends
            with suppress(Full):
                self._answers.put_nowait(answer)

    def _show(self, status: HTTPStatus, sentence: str) -> None:
        page = f"<!doctype html><meta charset=utf-8><title>projector</title><p>{sentence}</p>"
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the request line has the code."""
