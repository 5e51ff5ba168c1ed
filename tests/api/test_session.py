"""Sessions: signing in with a token, what a session may do and from where, and how it ends."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient
from psycopg.rows import tuple_row
from werkzeug.test import TestResponse

from api.http.routing import ROUTES
from projector.infrastructure.clock import DAY_MS, HOUR_MS
from projector.infrastructure.database import StoreUnavailable, connect
from projector.infrastructure.settings import Role
from projector.operations.sessions import CallerSessions
from tests.conftest import Site, open_site, served
from tests.examples import login
from tests.integration.driving import Clock

PATH = "/api/v1/session"
TOKENS = [
    {"token": "the-operator", "role": "operator"},
    {"token": "the-auditor", "role": "auditor", "orgIds": ["acme"]},
    {"token": "the-viewer", "role": "viewer", "orgIds": ["beta", "acme"], "teamIds": ["team-1"]},
    {"token": "another-viewer", "role": "viewer"},
]
COOKIE = "projector-session-80"  # of the test client's port
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
MINUTE_MS = 60_000

# What browsers send from where: only the first ones are this service's own pages.
OWN = (
    {"Sec-Fetch-Site": "same-origin", "Origin": "{own}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},  # where a page sends no referrer
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "{own}"},  # without TLS and not on loopback, browsers send no more
)
FOREIGN = (
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9"},  # another port of the host
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    {"Origin": "http://127.0.0.1:9"},
    {"Origin": "http://other.example"},
    {"Origin": "https://{host}"},
    {"Origin": "http://evil.{host}"},
    {"Origin": "http://{host}.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {},
)
FORM_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/json-patch+json",
    "text/plain; a=application/json",
    None,
)

# A request to each route that changes something, with a body that is valid.
CHANGES: dict[tuple[str, str], Any] = {
    ("put", "/api/v1/names"): {
        "names": [{"orgId": "acme", "kind": "agent", "id": "a", "name": "Ann"}]
    },
    ("post", "/api/v1/parked/retry"): {"orgId": "acme", "agentId": "a"},
    ("post", "/api/v1/parked/skip"): {"orgId": "acme", "agentId": "a"},
    ("post", "/api/v1/quarantine/<id>/retry"): {"why": "to see"},
    ("post", "/api/v1/quarantine/<id>/release"): {"why": "to see"},
    ("post", "/api/v1/reconciliations"): {"from": 0, "to": 1_000},
    ("delete", "/api/v1/reconciliations/<id>"): None,
    ("post", "/api/v1/replays"): {},
    ("delete", "/api/v1/replays/<id>"): None,
    ("put", "/api/v1/thresholds"): {"rules": [], "why": "to see", "version": 0},
    ("delete", "/api/v1/thresholds"): None,
    ("delete", PATH): None,
}


def address_of(method: str, path: str) -> str:
    """A path with what it needs to be taken for a good request."""
    takes_back = (method, path) == ("delete", "/api/v1/thresholds")
    query = "?why=to%20see&version=0" if takes_back else ""
    return path.replace("<id>", "1") + query


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Site]:
    with site_of(database_url, tmp_path, clock) as opened:
        yield opened


def site_of(url: str, folder: Path, clock: Clock, tokens: list[dict[str, Any]] = TOKENS) -> Any:
    """A service over a database, as another process or a later start would be."""
    settings = {"PROJECTOR_TOKENS": json.dumps(tokens), "PROJECTOR_ALLOW_UNSIGNED": "1"}
    return open_site(url, folder, clock=clock, **settings)


def signed_in(site: Site, token: str = "the-operator", **body: Any) -> FlaskClient:
    """A browser of its own that has signed in."""
    client = site.client.application.test_client()
    answer = sign_in(client, token=token, **body)
    assert 201 == answer.status_code, answer.text
    return client


def sign_in(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post(PATH, json=body, headers=OWN_PAGE)


def as_same_browser(client: FlaskClient, site: Site) -> FlaskClient:
    """A client of another service that has the first one's cookie."""
    other = site.client.application.test_client()
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    other.set_cookie(COOKIE, cookie.value)
    return other


def status(client: FlaskClient, path: str = PATH) -> int:
    return client.get(path).status_code


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def rows(site: Site, columns: str = "*") -> list[tuple[Any, ...]]:
    with connect(site.url) as connection:
        cur = connection.cursor(row_factory=tuple_row)
        return cur.execute(f"SELECT {columns} FROM sessions ORDER BY 1".encode()).fetchall()


# --- signing in ---


def test_a_sign_in_answers_who_one_is(site: Site, clock: Clock) -> None:
    """The role, the scope, the name that runs have, and when the session ends at the latest."""
    client = site.client
    answer = sign_in(client, token=" the-viewer\n")
    name = f"viewer {hashlib.sha256(b'the-viewer').hexdigest()[:8]}"
    shape = {
        "role": "viewer",
        "orgIds": ["acme", "beta"],
        "teamIds": ["team-1"],
        "who": name,
        "kind": "session",
        "wall": False,
        "expiresTime": clock.now + 12 * HOUR_MS,
    }
    assert (201, shape) == (answer.status_code, without_now(answer))
    assert "no-store" == answer.headers["Cache-Control"]
    answer = client.get(PATH)
    assert (200, shape) == (answer.status_code, without_now(answer))
    assert "no-store" == answer.headers["Cache-Control"]


def without_now(answer: TestResponse) -> dict[str, Any]:
    assert isinstance(answer.json["serviceTime"], int)
    return {name: value for name, value in answer.json.items() if name != "serviceTime"}


def test_a_bearer_of_a_token_asks_who_it_is(site: Site) -> None:
    """Without a session, so nothing expires."""
    answer = site.client.get(PATH, headers=bearer("the-operator"))
    found = [answer.json[it] for it in ("role", "orgIds", "teamIds", "kind", "expiresTime")]
    assert ["operator", None, None, "token", None] == found
    assert 401 == status(site.client)


def test_the_cookie_is_out_of_reach(site: Site) -> None:
    """HttpOnly and Strict; the name has the port, as a host's cookies go to all its ports."""
    answer = site.client.post(PATH, json={"token": "the-operator"}, base_url="http://box:8080")
    name, attributes = cookie(answer)
    assert "projector-session-8080" == name
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} == attributes
    assert 401 == site.client.get(PATH, base_url="http://box:8081").status_code
    assert 200 == site.client.get(PATH, base_url="http://box:8080").status_code


@pytest.mark.parametrize(
    "reached", [{"base_url": "https://box"}, {"headers": {"X-Forwarded-Proto": "https"}}]
)
def test_over_tls_only_this_host_sets_the_cookie(site: Site, reached: dict[str, Any]) -> None:
    """Also where a proxy ends TLS: __Host- asks for Secure, Path=/ and no Domain."""
    answer = site.client.post(PATH, json={"token": "the-operator"}, **reached)
    assert ("__Host-projector-session", {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"}) == (
        cookie(answer)
    )
    assert 200 == site.client.get(PATH, **{"base_url": "https://localhost"} | reached).status_code


def cookie(answer: TestResponse) -> tuple[str, set[str]]:
    """The name of the one cookie that is set, and its attributes."""
    (text,) = answer.headers.getlist("Set-Cookie")
    value, *attributes = text.split("; ")
    return value.partition("=")[0], set(attributes)


def test_nothing_stored_gives_a_session_or_a_token_away(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The table has digests of both, and the log has neither."""
    with caplog.at_level(logging.DEBUG):
        client = signed_in(site)
        assert 200 == status(client)
    kept = client.get_cookie(COOKIE)
    assert kept is not None
    assert "the-operator" not in kept.value
    digests = [hashlib.sha256(text.encode()).digest() for text in (kept.value, "the-operator")]
    assert [tuple(digests)] == rows(site, "id_sha256, token_sha256")
    with connect(site.url) as connection:
        (row,) = connection.execute("SELECT sessions::text AS it FROM sessions").fetchall()
    for text in (kept.value, "the-operator"):
        assert text not in row["it"] + caplog.text
        assert text.encode().hex() not in row["it"]


def test_ids_of_sessions_are_not_guessed(site: Site) -> None:
    """Each is 256 random bits."""
    ids = [site.service.sessions.begin(bytes(32), "person")[0] for _ in range(20)]
    assert (20, {43}) == (len({*ids}), {len(it) for it in ids})


def test_a_wrong_token_is_counted_and_not_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """401 with the same answer, however near it is; the log counts, and says from where."""
    for text in ("the-operato", "the-operator!", "THE-OPERATOR", "x" * 10_000, "ä€"):
        answer = sign_in(site.client, token=text)
        assert (401, "This token is not known here.") == (answer.status_code, answer.json["detail"])
        assert "Set-Cookie" not in answer.headers
        assert text not in caplog.text
    said = [record.getMessage() for record in caplog.records if record.name == "api.auth.sign_in"]
    assert 5 == len(said)
    assert "an unknown token from 127.0.0.1; attempts that failed since the start: 5" == said[-1]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": ""},
        {"token": None},
        {"token": "the\0operator"},
        {"token": "\ud800"},
        {"token": "the-viewer", "wall": "true"},
        {"token": "the-viewer", "more": 1},
    ],
)
def test_a_body_that_is_no_sign_in_is_refused(site: Site, body: dict[str, Any]) -> None:
    """400, and no session."""
    assert 400 == sign_in(site.client, **body).status_code
    assert [] == rows(site)


def test_a_new_sign_in_replaces_the_session(site: Site) -> None:
    """The earlier one of the same browser ends."""
    client = signed_in(site)
    before = as_same_browser(client, site)
    assert 201 == sign_in(client, token="the-viewer").status_code
    assert ("viewer", 401, 1) == (client.get(PATH).json["role"], status(before), len(rows(site)))


# --- what a session may do ---


def test_a_session_may_what_its_token_may(site: Site) -> None:
    """The role and the scope are the token's, on every route."""
    viewer, auditor = signed_in(site, "the-viewer"), signed_in(site, "the-auditor")
    assert [200, 403] == [status(viewer, path) for path in ("/api/v1/agents", "/api/v1/parked")]
    assert [200, 403] == [status(auditor, path) for path in ("/api/v1/events", "/api/v1/replays")]
    assert 403 == status(auditor, "/api/v1/agents?orgId=beta")


def test_a_wrong_header_stays_wrong(site: Site) -> None:
    """Authorization counts more than a session, for better and for worse."""
    client = signed_in(site, "the-viewer")
    for header in ("Bearer wrong", "Bearer", "Basic the-operator", "wrong"):
        assert 401 == client.get(PATH, headers={"Authorization": header}).status_code, header
    answer = client.get(PATH, headers=bearer("the-operator"))
    assert ("operator", "token") == (answer.json["role"], answer.json["kind"])


def changing_rules(site: Site) -> set[tuple[str, str]]:
    """Every method and path of the application that may change something, whoever declared it."""
    return {
        (method.lower(), rule.rule)
        for rule in site.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }


# What asks for no session: a sign-in has its token, and a webhook its signature.
WITHOUT_SESSION = {("post", PATH), ("post", "/webhooks/webex")}


def test_every_change_is_among_the_changes(site: Site) -> None:
    """So that the tests below leave no route out."""
    assert changing_rules(site) == set(CHANGES) | WITHOUT_SESSION


def contents(site: Site) -> dict[str, Any]:
    """A digest of every table, without what is written a while after it was counted."""
    with connect(site.url) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text AS it FROM pg_class WHERE relkind = 'r' AND relnamespace"
            " NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchall()
        digests = {}
        for row in tables:
            if "delivery_hours" in row["it"]:
                continue
            query = (
                "SELECT md5(coalesce(string_agg(it, '|' ORDER BY it), '')) AS digest FROM ("
                " SELECT (to_jsonb(t) - 'last_used_time')::text AS it"
                f" FROM {row['it']} AS t) AS r"
            )
            digests[row["it"]] = connection.execute(query.encode()).fetchone()
    return digests


@pytest.mark.parametrize("content_type", ["application/json", *FORM_TYPES])
def test_a_cookie_changes_nothing_from_elsewhere(site: Site, content_type: str | None) -> None:
    """By no method and on no path that there is, whatever is sent; no table changes."""
    client = signed_in(site)
    site.post(login(0, "a") | {"id": "e1"})
    site.project()
    before = contents(site)
    assert len(before) > 20
    methods = ("POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "TRACE", "MERGE")
    paths = {rule.rule for rule in site.client.application.url_map.iter_rules()}
    overriding = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "PUT"}
    for path in sorted(paths - {"/webhooks/webex", PATH}):
        for method in methods:
            url = address_of(method.lower(), path).replace("<agent_id>", "a")
            for headers in ({"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:9"}, {}):
                answer = client.open(
                    url,
                    method=method,
                    data=json.dumps(CHANGES.get((method.lower(), path), {})),
                    content_type=content_type,
                    headers=headers | overriding,
                )
                answer.close()
                if (method.lower(), path) in CHANGES:
                    assert 403 == answer.status_code, (method, url, headers)
    assert before == contents(site)
    assert 200 == status(client)


def test_a_cookie_adds_nothing_to_a_webhook(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    """Where signatures are asked for, a session of an own page is none."""
    settings = {"PROJECTOR_TOKENS": json.dumps(TOKENS), "PROJECTOR_WEBHOOK_SECRETS": '{"*": ["s"]}'}
    with open_site(database_url, tmp_path, clock=clock, **settings) as signing:
        client = signed_in(signing)
        before = contents(signing)
        for headers in map(filled_in, (*OWN, *FOREIGN)):
            answer = client.post("/webhooks/webex", json=login(0, "a"), headers=headers)
            assert 401 == answer.status_code
        assert before == contents(signing)


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_only_own_pages_change_anything_with_a_session(site: Site, method: str, path: str) -> None:
    """403 for every other site, port and scheme, and where the browser says nothing."""
    client, url = signed_in(site), address_of(method, path)
    content = CHANGES[method, path]
    for headers in map(filled_in, FOREIGN):
        answer = client.open(url, method=method, json=content, headers=headers)
        assert 403 == answer.status_code, (headers, answer.text)
        assert "own pages" in answer.json["detail"]
    if content is not None:
        for content_type in FORM_TYPES:
            answer = client.open(
                url,
                method=method,
                data=json.dumps(content),
                content_type=content_type,
                headers=OWN_PAGE,
            )
            assert 403 == answer.status_code, content_type
            assert "Content-Type" in answer.json["detail"]
    assert 200 == status(client)
    assert [] == client.get("/api/v1/names").json["data"]
    assert [] == client.get("/api/v1/replays").json["data"]
    # The same request of an own page, or with the token itself, gets further than that.
    of_program = site.client.open(url, method=method, json=content, headers=bearer("the-operator"))
    assert of_program.status_code not in (401, 403)
    for headers in map(filled_in, OWN):
        another = signed_in(site)
        answer = another.open(url, method=method, json=content, headers=headers)
        assert answer.status_code not in (401, 403), (headers, answer.text)


def filled_in(
    headers: dict[str, str], host: str = "localhost", own: str = "http://localhost"
) -> dict[str, str]:
    return {name: value.format(host=host, own=own) for name, value in headers.items()}


def test_json_may_name_its_encoding(site: Site) -> None:
    """As some libraries do."""
    data, json_type = json.dumps({}), "application/json; charset=utf-8"
    answer = signed_in(site).post(
        "/api/v1/replays", data=data, content_type=json_type, headers=OWN_PAGE
    )
    assert 202 == answer.status_code


def test_reading_needs_no_page(site: Site) -> None:
    """An address that is typed or kept opens; what another site reads, its browser hides."""
    client = signed_in(site)
    for headers in ({}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}):
        assert 200 == client.get("/api/v1/agents", headers=headers).status_code
        assert 200 == client.head("/api/v1/agents", headers=headers).status_code
    foreign = client.get("/api/v1/agents", headers={"Origin": "http://127.0.0.1:9"})
    assert not [name for name, _ in foreign.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("headers", [it for it in FOREIGN if it])
def test_no_other_site_signs_a_visitor_in(site: Site, headers: dict[str, str]) -> None:
    """Else a visitor would work under a name that is not their own."""
    body = {"token": "the-operator"}
    answer = site.client.post(PATH, json=body, headers=filled_in(headers))
    assert (403, []) == (answer.status_code, rows(site))


@pytest.mark.parametrize("content_type", FORM_TYPES)
def test_a_form_of_another_site_cannot_send_a_sign_in(site: Site, content_type: str | None) -> None:
    """JSON under another type is refused."""
    data = json.dumps({"token": "the-operator"})
    answer = site.client.post(PATH, data=data, content_type=content_type)
    assert (403, []) == (answer.status_code, rows(site))


def test_over_real_http_no_cookie_changes_anything(site: Site) -> None:
    """With the headers that browsers send; a webhook goes by its signature alone, as ever."""
    with served(site.client.application) as own, httpx.Client(base_url=own) as browser:
        host = own.removeprefix("http://")
        signed = browser.post(PATH, json={"token": "the-operator"}, headers={"Origin": own})
        assert 201 == signed.status_code
        assert [f"projector-session-{host.partition(':')[2]}"] == list(browser.cookies)
        names = CHANGES["put", "/api/v1/names"]
        for headers in FOREIGN:
            filled = filled_in(headers, host, own)
            assert 403 == browser.put("/api/v1/names", json=names, headers=filled).status_code
            assert 403 == browser.delete(PATH, headers=filled).status_code
            body = json.dumps(login(0, "a") | {"id": json.dumps(headers)})
            assert 202 == browser.post("/webhooks/webex", content=body, headers=filled).status_code
        for content_type in ("text/plain", "application/x-www-form-urlencoded"):
            typed = {"Origin": own, "Content-Type": content_type}
            content = json.dumps(names).encode()
            answer = browser.put("/api/v1/names", content=content, headers=typed)
            assert 403 == answer.status_code
            chunked = browser.put("/api/v1/names", content=iter([content]), headers=typed)
            assert 403 == chunked.status_code
        assert [] == browser.get("/api/v1/names").json()["data"]
        for headers in OWN:
            filled = filled_in(headers, host, own)
            assert 200 == browser.put("/api/v1/names", json=names, headers=filled).status_code
        assert 200 == browser.delete(PATH, headers={"Origin": own}).status_code
        assert 401 == browser.get(PATH).status_code


# --- how a session ends ---


def test_signing_out_ends_the_session(site: Site) -> None:
    """At once, for whoever has the cookie; the others of the token stay."""
    client, other = signed_in(site), signed_in(site)
    copy = as_same_browser(client, site)
    assert 200 == status(copy)
    answer = client.delete(PATH, headers=OWN_PAGE)
    assert (200, {"ended": 1}) == (answer.status_code, answer.json)
    assert client.get_cookie(COOKIE) is None
    assert [401, 401, 200] == [status(it) for it in (client, copy, other)]
    assert 401 == client.delete(PATH, headers=OWN_PAGE).status_code


def test_signing_out_everywhere_ends_all_sessions_of_the_token(site: Site) -> None:
    """By one of them or by the token itself; those of other tokens stay."""
    one, two, other = signed_in(site), signed_in(site), signed_in(site, "the-auditor")
    answer = one.delete(f"{PATH}?everywhere=true", headers=OWN_PAGE)
    assert (200, {"ended": 2}) == (answer.status_code, answer.json)
    assert [401, 401, 200] == [status(it) for it in (one, two, other)]
    by_token = site.client.delete(f"{PATH}?everywhere=true", headers=bearer("the-auditor"))
    assert (200, {"ended": 1}) == (by_token.status_code, by_token.json)
    assert 401 == status(other)


def test_a_token_alone_has_no_session_to_end(site: Site) -> None:
    """404, and even the cookie beside it stays; a wrong parameter is a 400."""
    client = signed_in(site)
    assert 404 == client.delete(PATH, headers=bearer("the-operator")).status_code
    assert 400 == client.delete(f"{PATH}?everywhere=yes", headers=OWN_PAGE).status_code
    assert 200 == status(client)


def test_a_session_expires(site: Site, clock: Clock) -> None:
    """Twelve hours after the sign-in, however much it is used."""
    client = signed_in(site)
    for _ in range(11):
        clock.now += HOUR_MS
        assert 200 == status(client)
    clock.now += HOUR_MS - 1
    assert 200 == status(client)
    clock.now += 1
    assert 401 == status(client)


def test_an_unused_session_ends(site: Site, clock: Clock) -> None:
    """Four hours after the last use, which is known to the minute."""
    client = signed_in(site)
    clock.now += 4 * HOUR_MS - 1
    assert 200 == status(client)
    clock.now += 4 * HOUR_MS
    assert 401 == status(client)
    clock.now += MINUTE_MS  # to ask once more was no use
    assert 401 == status(client)


def test_the_last_use_is_written_once_a_minute(site: Site, clock: Clock) -> None:
    """At most: reading writes nothing more."""
    client, began = signed_in(site), clock.now
    for after, written in ((59_999, 0), (65_000, 65_000), (124_999, 65_000), (130_000, 130_000)):
        clock.now = began + after
        assert 200 == status(client)
        assert [(began + written,)] == rows(site, "last_used_time")


def test_a_removed_token_ends_its_sessions(
    site: Site, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    """And a changed one changes what they may; the others survive the restart."""
    clients = {it["token"]: signed_in(site, it["token"]) for it in TOKENS}
    later = [TOKENS[0] | {"role": "viewer"}, *TOKENS[2:]]
    with site_of(database_url, tmp_path / "later", clock, later) as restarted:
        found = {name: as_same_browser(it, restarted) for name, it in clients.items()}
        assert 401 == status(found["the-auditor"])
        assert "viewer" == found["the-operator"].get(PATH).json["role"]
        assert 200 == status(found["the-viewer"])


def test_sessions_that_are_over_are_removed(site: Site, clock: Clock) -> None:
    """By whoever signs in next."""
    signed_in(site)
    wall = signed_in(site, "the-viewer", wall=True)
    clock.now += 3 * HOUR_MS
    used = signed_in(site)
    clock.now += HOUR_MS
    signed_in(site)
    assert 3 == len(rows(site))
    assert 200 == status(used)
    clock.now += 90 * DAY_MS
    signed_in(site)
    assert (1, 401) == (len(rows(site)), status(wall))


def test_a_page_with_many_requests_makes_few_queries(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One within five seconds; an unknown cookie is looked up each time."""
    asked: list[bytes] = []
    read = CallerSessions._read

    def counted(self: CallerSessions, digest: bytes, now: int) -> Any:
        asked.append(digest)
        return read(self, digest, now)

    monkeypatch.setattr(CallerSessions, "_read", counted)
    client = signed_in(site)
    for _ in range(20):
        assert 200 == status(client)
    assert 1 == len(asked)
    clock.now += 5_000
    assert 200 == status(client)
    assert 2 == len(asked)


def test_another_process_forgets_a_session_within_seconds(
    site: Site, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    """Signing out ends it at once here, and there after five seconds at the latest."""
    with site_of(database_url, tmp_path / "other", clock) as other:
        here = signed_in(site)
        there = as_same_browser(here, other)
        assert [200, 200] == [status(here), status(there)]
        assert 200 == here.delete(PATH, headers=OWN_PAGE).status_code
        clock.now += 4_999
        assert 200 == status(there)
        clock.now += 1
        assert 401 == status(there)


def test_a_look_up_during_a_sign_out_is_not_remembered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The query began before the session ended; the next request sees the end."""
    client = signed_in(site)
    copy = as_same_browser(client, site)
    read = CallerSessions._read

    def overtaken(self: CallerSessions, digest: bytes, now: int) -> Any:
        found = read(self, digest, now)
        self.end_all(hashlib.sha256(b"the-operator").digest())
        return found

    monkeypatch.setattr(CallerSessions, "_read", overtaken)
    assert 200 == status(copy, "/api/v1/agents")
    monkeypatch.setattr(CallerSessions, "_read", read)
    assert 401 == status(copy, "/api/v1/agents")


@pytest.mark.parametrize("path", ["/api/v1/stream", "/api/v1/reports/adherence"])
def test_a_stream_ends_with_its_session(site: Site, path: str) -> None:
    """At the next message, which it does not send; a stream by token goes on."""
    client = signed_in(site)
    accepting = {"Accept": "text/event-stream"}
    by_session = client.get(path, headers=accepting)
    by_token = site.client.get(path, headers=accepting | bearer("the-operator"))
    messages, others = iter(by_session.response), iter(by_token.response)
    assert b"retry:" in next(messages)
    assert b"retry:" in next(others)
    assert 200 == client.delete(PATH, headers=OWN_PAGE).status_code
    site.post(login(0, "ann") | {"id": "e1"})
    site.project()
    assert any(b"ann" in message for message in others)
    assert None is next(messages, None)
    by_session.close()
    by_token.close()


def test_without_a_database_a_session_is_neither_good_nor_bad(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, so that nobody is sent to sign in again; a token is still known."""
    client = signed_in(site)

    def unavailable(*_: Any) -> None:
        raise StoreUnavailable("The database does not answer.")

    monkeypatch.setattr(CallerSessions, "_read", unavailable)
    assert 503 == status(client)
    assert 200 == site.client.get(PATH, headers=bearer("the-operator")).status_code


# --- walls ---


def test_a_wall_lasts_and_survives_a_restart(
    site: Site, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    """90 days, unused or not; its cookie outlives the browser."""
    client = site.client
    answer = sign_in(client, token="the-viewer", wall=True)
    assert (201, True) == (answer.status_code, answer.json["wall"])
    assert clock.now + 90 * DAY_MS == answer.json["expiresTime"]
    assert f"Max-Age={90 * 86_400}" in cookie(answer)[1]
    clock.now += 8 * DAY_MS
    with site_of(database_url, tmp_path / "later", clock) as restarted:
        wall = as_same_browser(client, restarted)
        assert (200, 200) == (status(wall, "/api/v1/agents"), status(wall, "/"))
        clock.now += 82 * DAY_MS - 1
        assert 200 == status(wall)
        clock.now += 1
        assert 401 == status(wall)


@pytest.mark.parametrize("token", ["the-operator", "the-auditor"])
def test_only_a_viewer_is_on_the_wall(site: Site, token: str) -> None:
    """403 for a token that may more: a wall is unattended."""
    answer = sign_in(site.client, token=token, wall=True)
    assert (403, []) == (answer.status_code, rows(site))


def test_a_wall_ends_where_its_token_may_more(
    site: Site, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    """A viewer that becomes an operator gives the wall no rights."""
    wall = signed_in(site, "the-viewer", wall=True)
    later = [TOKENS[2] | {"role": "operator"}]
    with site_of(database_url, tmp_path / "later", clock, later) as restarted:
        assert 401 == status(as_same_browser(wall, restarted))


def test_a_wall_only_looks(site: Site) -> None:
    """403 for every change, from an own page too; and it reads what a viewer reads."""
    wall = signed_in(site, "the-viewer", wall=True)
    for (method, path), content in CHANGES.items():
        url = address_of(method, path)
        answer = wall.open(url, method=method, json=content, headers=OWN_PAGE)
        assert 403 == answer.status_code, path
    for route in ROUTES:
        if route.method == "get" and route.role in (Role.AUDITOR, Role.OPERATOR):
            url = route.path.replace("<id>", "1").replace("<position>", "1")
            if "<" not in url and not route.query.model_fields.keys() & {"from_"}:
                assert status(wall, url) in (400, 403), url
    assert 200 == status(wall)
    # The token itself ends it.
    answer = site.client.delete(f"{PATH}?everywhere=true", headers=bearer("the-viewer"))
    assert (200, {"ended": 1}) == (answer.status_code, answer.json)
    assert 401 == status(wall)
