"""Signatures: which secrets are tried, what is refused, and that nothing of it is kept."""

import hashlib
import hmac
import json

import psycopg
import pytest

from projector.infrastructure.settings import SettingsError
from tests.examples import login

SECRETS = {"sub-1": ["one-new", "one-old"], "sub-2": ["two"], "*": ["any"], "empty": []}
NO_STAR = {name: value for name, value in SECRETS.items() if name != "*"}


def sign(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def naming(*subscriptions):
    """A body whose elements come from these subscriptions; alone when it is one."""
    elements = [
        login(0, f"a{number}") | {"id": f"e{number}", "source": name and f"/com/cisco/wxcc/{name}"}
        for number, name in enumerate(subscriptions)
    ]
    return json.dumps(elements[0] if len(elements) == 1 else elements).encode()


def send(site, body, signature=None, name="X-WebexCC-Signature"):
    return site.post(body, headers={} if signature is None else {name: signature})


def secured(make_site, secrets=None, **more):
    return make_site(
        PROJECTOR_WEBHOOK_SECRETS=json.dumps(SECRETS if secrets is None else secrets), **more
    )


def kept(site):
    """How many rows a delivery has left anywhere."""
    with psycopg.connect(site.url) as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM projector.{table}").fetchone()[0]
            for table in ("events", "quarantine", "conflicts", "duplicates")
        )


ADMITTED = [
    (["sub-1"], "one-new"),
    (["sub-1"], "one-old"),
    (["sub-2"], "two"),
    (["sub-1"], "any"),
    (["unknown"], "any"),
    (["empty"], "any"),
    (["sub-1", "sub-2"], "one-new"),
    (["sub-1", "sub-2"], "one-old"),
    (["sub-1", "sub-2"], "two"),
    (["sub-1", "unknown"], "one-new"),
    (["unknown", "sub-2"], "two"),
    (["sub-1", None], "one-new"),
    ([None], "one-old"),
    ([None], "two"),
    ([None, None], "two"),
]
REFUSED = [
    (["sub-1"], "two"),
    (["sub-2"], "one-new"),
    (["unknown"], "two"),
    (["empty"], "one-new"),
    (["sub-1"], "wrong"),
    (["sub-1"], ""),
    (["sub-1", "sub-1"], "two"),
    ([None], "wrong"),
    (["sub-1", None], "two"),
]


def test_a_secret_of_a_named_subscription_admits(make_site):
    """Several secrets each (rotation), `*` for any, all of an array; one fit admits the body."""
    site = secured(make_site)
    for names, secret in ADMITTED:
        body = naming(*names)
        assert 202 == send(site, body, sign(secret, body)).status_code, (names, secret)


def test_any_other_secret_is_refused(make_site):
    """401 as a problem document; nothing is stored, and the status counts it."""
    site = secured(make_site)
    for number, (names, secret) in enumerate(REFUSED, 1):
        body = naming(*names)
        answer = send(site, body, sign(secret, body))
        assert (401, "application/problem+json") == (answer.status_code, answer.content_type)
        assert number == sum(site.get("/api/v1/status").json["refused"].values())
    assert 0 == kept(site)


UNREADABLE = {
    "no JSON": b"nonsense",
    "empty": b"",
    "scalar": b"5",
    "empty array": b"[]",
    "no source": b"{}",
    "odd source": b'{"source":5}',
    "empty tail": b'{"source":"/x/"}',
    "NaN": b'{"source":"/x/sub-1","x":NaN}',
    "too deep": b'{"source":"/x/sub-1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


def test_where_no_subscription_can_be_read_all_secrets_are_tried(make_site):
    """Any configured secret admits such a body, and only these do."""
    site = secured(make_site, NO_STAR)
    for name, body in UNREADABLE.items():
        for secret in ("one-new", "one-old", "two"):
            assert 202 == send(site, body, sign(secret, body)).status_code, (name, secret)
        assert 401 == send(site, body, sign("wrong", body)).status_code, name
        assert 401 == send(site, body).status_code, name


def test_a_wrong_header_is_refused(make_site):
    """Absent, empty, cut, padded, of other bytes, or a signature of other bytes."""
    site = secured(make_site)
    body = naming("sub-1")
    right = sign("one-new", body)
    for wrong in (
        None,
        "",
        " ",
        right[:-1],
        right[:32],
        right + "0",
        f"sha256={right}",
        "0" * 64,
        sign("one-new", body + b" "),
        hashlib.sha256(body).hexdigest(),
        "é" * 64,
        "\u00ff",
        "x" * 10_000,
        f"{right},{right}",
    ):
        answer = send(site, body, wrong)
        assert (401, "application/problem+json") == (answer.status_code, answer.content_type), wrong
    assert 0 == kept(site)
    assert 202 == send(site, body, right).status_code


def test_hexadecimal_has_no_case(make_site):
    """A signature is hex: its letters may be capitals, and so may the header's name."""
    site = secured(make_site)
    body = naming("sub-1")
    assert 202 == send(site, body, sign("one-new", body).upper()).status_code
    assert 202 == send(site, body, sign("one-new", body), "x-webexcc-signature").status_code


def test_the_signature_is_of_the_raw_body(make_site):
    """Another spelling of the same JSON needs a signature of its own."""
    site = secured(make_site)
    body = naming("sub-1")
    spaced = b" " + body
    assert 401 == send(site, spaced, sign("one-new", body)).status_code
    assert 202 == send(site, spaced, sign("one-new", spaced)).status_code


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 202),
        ({"HOST": "localhost"}, 202),
        ({"HOST": "127.9.9.9"}, 202),
        ({"HOST": "::1"}, 202),
        ({"HOST": "0.0.0.0"}, 401),
        ({"HOST": "10.0.0.1"}, 401),
        ({"HOST": "::"}, 401),
        ({"HOST": "example.org"}, 401),
        ({"HOST": "0.0.0.0", "PROJECTOR_ALLOW_UNSIGNED": "1"}, 202),
        ({"PROJECTOR_ALLOW_UNSIGNED": "0"}, 401),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"sub-2":["two"]}'}, 401),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"sub-2":["two"]}', "PROJECTOR_ALLOW_UNSIGNED": "1"}, 202),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"sub-1":["one"]}', "PROJECTOR_ALLOW_UNSIGNED": "1"}, 401),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"*":["any"]}', "PROJECTOR_ALLOW_UNSIGNED": "1"}, 401),
    ],
)
def test_unsigned_bodies_are_taken_only_where_allowed(
    database_url, make_site, environment, expected
):
    """By default only without any secret and on loopback; never past a subscription's secret."""
    tokens = json.dumps([{"token": "t", "role": "operator"}])
    site = make_site(database_url, PROJECTOR_TOKENS=tokens, **environment)
    assert expected == send(site, naming("sub-1")).status_code
    assert (expected == 202) == (kept(site) == 1)
    counted = sum(site.get("/api/v1/status").json["refused"].values())
    assert (expected == 401) == (counted == 1)


def test_one_signed_subscription_does_not_admit_by_naming_an_unsigned_one(make_site):
    """An array that also names a subscription without secrets still needs a fit."""
    site = secured(make_site, {"sub-1": ["one"]}, PROJECTOR_ALLOW_UNSIGNED="1")
    assert 401 == send(site, naming("sub-1", "unknown")).status_code
    assert 401 == send(site, b"nonsense").status_code
    assert 0 == kept(site)
    assert 202 == send(site, naming("unknown")).status_code


def test_unusable_bodies_are_judged_like_any_other(make_site):
    """Unauthentic bodies are refused and only counted, whatever they hold."""
    site = secured(make_site)
    for body in (b"nonsense", b"[{}]", b"[" * 100_000, b'{"source":"/x/sub-1"}', b'{"id":"\xff"}'):
        assert 401 == send(site, body, "0" * 64).status_code
    assert 0 == kept(site)
    body = b'{"source":"/x/sub-1"}'
    assert 1 == send(site, body, sign("one-old", body)).json["quarantined"]


def test_a_refused_sender_is_not_heard(make_site):
    """The silence of a subscription ends with an authentic delivery only."""
    site = secured(make_site)
    body = naming("sub-1")
    send(site, body, "0" * 64)
    heard = {
        one["id"]: one["lastHeardTime"] for one in site.get("/api/v1/status").json["subscriptions"]
    }
    assert {"sub-1": None, "sub-2": None, "empty": None} == heard
    send(site, body, sign("one-new", body))
    heard = {
        one["id"]: one["lastHeardTime"] for one in site.get("/api/v1/status").json["subscriptions"]
    }
    assert heard["sub-1"] is not None
    assert heard["sub-2"] is None


def test_an_empty_secret_is_no_secret(make_site):
    """A signature keyed by nothing can be made by anyone: it admits nobody, or is no setting."""
    try:
        site = secured(make_site, {"sub-1": [""]})
    except SettingsError:
        return
    body = naming("sub-1")
    assert 401 == send(site, body, sign("", body)).status_code
