"""The stand-in's authorisation page and token service.

It accepts what the vendor accepts: a registered client, redirect URI and scopes, a code that holds
once and for some minutes, and the redirect URI of its request again when it is exchanged.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, redirect, render_template_string, request
from werkzeug.wrappers import Response as AnyResponse

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "demo-client", "demo-secret", "demo-refresh"
REDIRECT_URI = "http://127.0.0.1:8484/"
READ, WRITE = "cjp:config_read", "cjp:config_write"
OFFERED_SCOPES = frozenset({READ, WRITE, "cjp:config", "cjp-analyzer:read"})
CODE_SECONDS = 300
REFRESH_SECONDS = 7_776_000
OAuthAnswer = tuple[dict[str, Any], int]
_PAGE = """<!doctype html><meta charset=utf-8><title>Stand-in for the vendor</title>
<h1>{{ client }} asks for access</h1>
<ul>{% for scope in scopes %}<li>{{ scope }}{% endfor %}</ul>
<form method=post>
{% for name, value in fields.items() %}<input type=hidden name="{{ name }}" value="{{ value }}">
{% endfor %}<button name=answer value=agree>Agree</button>
<button name=answer value=deny>Deny</button></form>"""


@dataclass(frozen=True, kw_only=True)
class IssuedCode:
    """What a code was issued for, and when it expires by the monotonic clock."""

    redirect_uri: str
    scopes: tuple[str, ...]
    expires: float


class OAuthApi:
    """Authorises the one client that there is; ``tokens`` has the expiry of each access token."""

    def __init__(
        self,
        org_id: str,
        *,
        token_seconds: int = 1_209_600,
    ) -> None:
        self._org_id = org_id
        self._token_seconds = token_seconds
        self.clock: Callable[[], float] = time.monotonic
        self.redirect_uris = {REDIRECT_URI}
        self.codes: dict[str, IssuedCode] = {}
        self.refresh_tokens = {REFRESH_TOKEN}
        self.tokens: dict[str, float] = {}
        self.scopes: dict[str, tuple[str, ...]] = {REFRESH_TOKEN: (READ, WRITE)}  # of each token
        self.tells_scopes = True

    def register(self, app: Flask) -> None:
        """Add the page that authorises to an application."""
        app.add_url_rule("/v1/authorize", "authorize", self._asked_page, methods=["GET"])
        app.add_url_rule("/v1/authorize", "answer", self._answered_page, methods=["POST"])

    def is_valid(self, token: str) -> bool:
        return self.tokens.get(token, 0.0) >= self.clock()

    def opens(self, token: str, method: str, path: str) -> bool:
        """Whether a token has the scope of a call."""
        changes = "/subscriptions" in path and method != "GET"
        reading = {READ, "cjp:config"}
        if not path.startswith("/organization/"):
            reading.add("cjp-analyzer:read")
        needed = {WRITE} if changes else reading
        return bool(needed & set(self.scopes[token]))

    def _asked_page(self) -> AnyResponse | OAuthAnswer:
        """The page that asks who signed in whether they agree."""
        fields = request.args.to_dict()
        return self._refusal(fields) or Response(
            render_template_string(
                _PAGE, client=fields["client_id"], scopes=fields["scope"].split(), fields=fields
            )
        )

    def _answered_page(self) -> AnyResponse | OAuthAnswer:
        fields = request.form.to_dict()
        refusal = self._refusal(fields)
        if refusal is not None:
            return refusal
        if fields.get("answer") != "agree":
            return _back(fields, error="access_denied")
        code = secrets.token_urlsafe(24)
        self.codes[code] = IssuedCode(
            redirect_uri=fields["redirect_uri"],
            scopes=tuple(fields["scope"].split()),
            expires=self.clock() + CODE_SECONDS,
        )
        return _back(fields, code=code)

    def _refusal(self, fields: Mapping[str, str]) -> AnyResponse | OAuthAnswer | None:
        """Why a request is refused; the browser is sent back only where that is safe."""
        if fields.get("client_id") != CLIENT_ID:
            return {"message": "The client is not known."}, 400
        if fields.get("redirect_uri") not in self.redirect_uris:
            return {"message": "The redirect URI is not registered."}, 400
        if fields.get("response_type") != "code":
            return _back(fields, error="unsupported_response_type")
        scopes = set(fields.get("scope", "").split())
        if not scopes or not scopes <= OFFERED_SCOPES:
            return _back(fields, error="invalid_scope")
        return None

    def grant(self, form: Mapping[str, str]) -> OAuthAnswer:
        """New tokens for a code or a refresh token: the JSON answer and the status."""
        secret = form.get("client_secret", "").encode()
        is_secret = hmac.compare_digest(secret, CLIENT_SECRET.encode())
        if form.get("client_id") != CLIENT_ID or not is_secret:
            return {"message": "The client is not known or its secret is wrong."}, 401
        grants = {"authorization_code": self._by_code, "refresh_token": self._by_refresh_token}
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            return {"message": "The grant type is not supported."}, 400
        return grant(form)

    def _by_code(self, form: Mapping[str, str]) -> OAuthAnswer:
        issued = self.codes.pop(form.get("code", ""), None)
        if issued is None or issued.expires < self.clock():
            return {"message": "The code is not valid: it was used, or it has expired."}, 400
        if form.get("redirect_uri") != issued.redirect_uri:
            return {"message": "The redirect URI is not that of the code."}, 400
        refresh_token = secrets.token_urlsafe(24)
        self.refresh_tokens.add(refresh_token)
        self.scopes[refresh_token] = issued.scopes
        return self._tokens(refresh_token)

    def _by_refresh_token(self, form: Mapping[str, str]) -> OAuthAnswer:
        refresh_token = form.get("refresh_token", "")
        if refresh_token not in self.refresh_tokens:
            return {"message": "The refresh token is not valid."}, 400
        return self._tokens(refresh_token)

    def _tokens(self, refresh_token: str) -> OAuthAnswer:
        token = f"{secrets.token_urlsafe(12).replace('_', '-')}_A52D_{self._org_id}"
        self.tokens[token] = self.clock() + self._token_seconds
        self.scopes[token] = self.scopes.get(refresh_token, (READ, WRITE))
        answer = {
            "access_token": token,
            "expires_in": self._token_seconds,
            "refresh_token": refresh_token,
            "refresh_token_expires_in": REFRESH_SECONDS,
            "token_type": "Bearer",
        }
        if self.tells_scopes:
            answer["scope"] = " ".join(self.scopes[token])
        return answer, 200


def _back(fields: Mapping[str, str], **result: str) -> AnyResponse:
    """Send the browser back with a result and the request's own state."""
    query = urlencode({**result, "state": fields.get("state", "")})
    return redirect(f"{fields['redirect_uri']}?{query}")
