"""The shell of the pages: one HTML document for every page, and the static files that draw them.

The rule of this file: no page has data of its own. The shell says where the script is, and the
script asks the public API. So a page can do what every program with the same token can do. These
routes answer HTML, also where they refuse; they are plain Flask routes that the OpenAPI document
lacks.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.exceptions import NotFound

from api.auth import session, sign_in
from api.auth.errors import AccessDenied
from api.http.problems import RETRY_LATER, http_problem
from projector.infrastructure.database import StoreUnavailable

STATIC = Path(__file__).parent / "static"
# The last parts of the paths are read by the script.
PAGES = (
    "/",
    "/agents/<path:_>",
    "/tasks",
    "/tasks/<path:_>",
    "/reports",
    "/audit",
    "/operations",
    "/thresholds",
    "/wall",
    "/docs",
)
# Programs ask below these paths, and nobody else does.
FOR_PROGRAMS = re.compile(
    r"/(api|webhooks|metrics|healthz|readyz|static|openapi\.json|favicon\.ico)(/|$)"
)
# In their order: a later one may overrule an earlier one.
STYLES = tuple(
    f"styles/{name}.css"
    for name in ("base", "tables", "floor", "wall", "lanes", "operations", "viewer", "widths")
)
# Beside what the script of the page is, nothing may run, load or frame. The images of the style
# sheets are data of the sheets themselves.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
}
# Said here, since what a machine takes a suffix for differs.
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain",
}
FOREVER = 365 * 24 * 3_600  # seconds

blueprint = Blueprint("pages", __name__)


def page(_: str = "") -> Response:
    """The document of any page; a token in the address becomes a session and leaves the address."""
    token = request.args.get("token")
    return _document() if token is None else _sign_in(token)


for path in PAGES:
    blueprint.add_url_rule(path, view_func=page)


@blueprint.get("/static/<digest>/<path:file>")
def static_file(digest: str, file: str) -> Response:
    """A file of the page. Its address changes with any file, so browsers keep it for good."""
    content = _contents().get(file) if digest == static_digest() else None
    if content is None:
        abort(404)
    response = Response(content, mimetype=_type_of(file))
    response.cache_control.public = True
    response.cache_control.max_age = FOREVER
    response.cache_control.immutable = True
    return response


@blueprint.get("/favicon.ico")
def icon() -> Response:
    """The icon for what has no document that names it, such as JSON in a window of its own."""
    return Response(_contents()["icon.svg"], mimetype=TYPES[".svg"])


@blueprint.app_errorhandler(404)
def _missing(error: NotFound) -> Response:
    """Where no page is: the shell for people, whose script says so, and a problem for programs."""
    types = ("application/problem+json", "text/html")
    prefers_html = request.accept_mimetypes.best_match(types) == "text/html"
    if (
        request.method not in {"GET", "HEAD"}
        or FOR_PROGRAMS.match(request.path)
        or not prefers_html
    ):
        return http_problem(error)
    response = _protect(_document())
    response.status_code = 404
    return response


@blueprint.after_request
def _protect(response: Response) -> Response:
    for name, value in PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@blueprint.errorhandler(AccessDenied)
def _refuse(error: AccessDenied) -> Response:
    response = _document(refusal=str(error))
    response.status_code = error.status
    response.headers.update(error.headers)
    return response


@blueprint.errorhandler(StoreUnavailable)
def _unavailable(error: StoreUnavailable) -> Response:
    response = _document(refusal=str(error))
    response.status_code = 503
    response.headers.update(RETRY_LATER)
    return response


def _sign_in(text: str) -> Response:
    token = sign_in.by_address(text)
    response = make_response(redirect(request.path, 303))
    session.start(response, token, "person")
    return response


def _document(refusal: str = "") -> Response:
    return make_response(
        render_template(
            "shell.html",
            static=f"/static/{static_digest()}",
            languages=" ".join(languages()),
            styles=STYLES,
            modules=_modules(),
            refusal=refusal,
        )
    )


@cache
def static_digest() -> str:
    """Sixteen digits that change when any static file does."""
    digest = hashlib.sha256()
    for name, content in _contents().items():
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


@cache
def _contents() -> dict[str, bytes]:
    """All static files by name, in its order: some 3 MB, which are read once."""
    files = sorted(it for it in STATIC.rglob("*") if it.is_file())
    return {str(it.relative_to(STATIC)): it.read_bytes() for it in files}


def _type_of(file: str) -> str:
    return TYPES.get(Path(file).suffix, "application/octet-stream")


@cache
def languages() -> tuple[str, ...]:
    """The languages of the pages: a file of ``texts/`` each."""
    return tuple(sorted(it.stem for it in (STATIC / "texts").glob("*.js")))


@cache
def _modules() -> tuple[str, ...]:
    """What every page needs, so that the browser asks for all of it at once."""
    shared = [
        *(it for folder in ("core", "parts") for it in (STATIC / folder).glob("*.js")),
        *(STATIC / "vendor" / f"{it}.js" for it in ("preact", "preact-hooks", "htm")),
        *(STATIC / "vendor" / f"{it}.js" for it in ("signals", "signals-core")),
    ]
    return tuple(sorted(str(it.relative_to(STATIC)) for it in shared))
