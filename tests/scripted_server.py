"""A server that gives answers as they are written down, also broken ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """An answer; without a status the connection is cut after the head and half of the body."""

    status: int | None = 200
    body: Any = field(default_factory=dict)  # JSON, or the bytes themselves
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request that came."""

    method: str
    path: str  # with its query
    body: Any


@contextmanager
def scripted(*answers: Scripted) -> Iterator[tuple[str, list[Received]]]:
    """Serve answers in their order, the last one again and again; the root and what came."""
    received: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            came = Received(
                method=self.command, path=self.path, body=json.loads(content) if content else None
            )
            received.append(came)
            answer = answers[min(len(received), len(answers)) - 1]
            body = answer.body
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response_only(answer.status or 200)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if answer.status else body[: len(body) // 2])
            self.close_connection = answer.status is None

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
