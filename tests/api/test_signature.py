"""Signatures: which secrets are tried, what is refused, and that nothing of it is kept."""

import gzip
import hashlib
import hmac
import json
import zlib

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
    (["sub-1", "sub-1"], "one-new"),
    (["sub-1", "sub-2"], "any"),
    (["sub-1", "unknown", None], "any"),
    (["empty", "sub-2"], "any"),
    ([None], "any"),
    ([None, None], "any"),
    (["sub-1/"], "one-new"),
    (["%73ub-1?x#y"], "one-new"),
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
    # What one subscription's secret must not sign: another's elements, and those of nobody.
    (["sub-1", "sub-2"], "one-new"),
    (["sub-1", "sub-2"], "one-old"),
    (["sub-1", "sub-2"], "two"),
    (["sub-1", "unknown"], "one-new"),
    (["unknown", "sub-2"], "two"),
    (["sub-1", "empty"], "one-new"),
    (["sub-1", None], "one-new"),
    ([None], "one-old"),
    ([None], "two"),
    ([None, None], "two"),
    (["/"], "one-new"),
    (["sub-2/"], "one-new"),
    (["sub-2?x"], "one-new"),
    (["%73ub-2"], "one-new"),
    (["SUB-1"], "one-new"),
]


def test_a_secret_of_every_named_subscription_admits(make_site):
    """Several secrets each (rotation), and `*` for any; however an address is spelt."""
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
    "empty array": b"[]",
    "NaN": b'{"source":"/x/sub-1","x":NaN}',
    "too deep": b'{"source":"/x/sub-1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
NAMELESS = {
    "scalar": b"5",
    "no source": b"{}",
    "odd source": b'{"source":5}',
    "no tail": b'{"source":"/"}',
}


def test_where_no_subscription_can_be_read_all_secrets_are_tried(make_site):
    """Any configured secret admits such a body, which becomes no event; and only these do."""
    site = secured(make_site, NO_STAR)
    for name, body in UNREADABLE.items():
        for secret in ("one-new", "one-old", "two"):
            assert 202 == send(site, body, sign(secret, body)).status_code, (name, secret)
        assert 401 == send(site, body, sign("wrong", body)).status_code, name
        assert 401 == send(site, body).status_code, name


@pytest.mark.parametrize("unsigned", ["0", "1"])
def test_what_names_no_subscription_needs_the_secret_of_any(make_site, unsigned):
    """No other secret is for it, and without one for any, none is."""
    site = secured(make_site, PROJECTOR_ALLOW_UNSIGNED=unsigned)
    without = secured(make_site, NO_STAR, PROJECTOR_ALLOW_UNSIGNED=unsigned)
    for name, body in NAMELESS.items():
        assert 202 == send(site, body, sign("any", body)).status_code, name
        for secret in ("one-new", "two", "wrong"):
            assert 401 == send(site, body, sign(secret, body)).status_code, (name, secret)
            assert 401 == send(without, body, sign(secret, body)).status_code, (name, secret)
        assert 401 == send(site, body).status_code, name
    assert 0 == kept(without)


BOUND = {
    "sub-1": {"secrets": ["one"], "orgIds": ["acme"]},
    "sub-2": {"secrets": ["two"], "orgIds": ["umbra", "other"]},
    "sub-3": ["three"],
    "*": {"secrets": ["any"], "orgIds": ["acme", "umbra"]},
}


def of_organisations(subscription, *organisations):
    """A body with an element of a subscription for each organisation."""
    elements = [
        login(0, f"a{number}")
        | {"id": f"e{number}", "source": f"/x/{subscription}", "comciscoorgid": organisation}
        for number, organisation in enumerate(organisations)
    ]
    return json.dumps(elements).encode()


@pytest.mark.parametrize(
    ("subscription", "organisations", "secret", "expected"),
    [
        ("sub-1", ["acme"], "one", 202),
        ("sub-1", ["umbra"], "one", 401),
        ("sub-1", ["acme", "umbra"], "one", 401),
        ("sub-1", ["acme"], "any", 202),
        ("sub-1", ["umbra"], "any", 401),  # what a subscription is bound to holds for all secrets
        ("sub-2", ["umbra", "other"], "two", 202),
        ("sub-2", ["other"], "any", 401),
        ("sub-2/", ["acme"], "two", 401),
        ("sub-3", ["anybody"], "three", 202),
        ("sub-3", ["anybody"], "any", 401),
        ("unknown", ["acme", "umbra"], "any", 202),
        ("unknown", ["acme", "other"], "any", 401),
        ("sub-1", ["Acme"], "one", 401),
        ("sub-1", [""], "one", 202),  # of no organisation: quarantine
    ],
)
def test_a_subscription_may_be_bound_to_organisations(
    make_site, subscription, organisations, secret, expected
):
    """What does not fit is refused as a whole."""
    site = secured(make_site, BOUND)
    body = of_organisations(subscription, *organisations)
    assert expected == send(site, body, sign(secret, body)).status_code
    assert (expected == 202) == (kept(site) > 0)


def test_the_organisation_of_the_settings_is_bound_too(make_site):
    """An element that names none is of the default one."""
    site = secured(make_site, BOUND, PROJECTOR_DEFAULT_ORG_ID="umbra")
    for subscription, secret, expected in (("sub-1", "one", 401), ("sub-2", "two", 202)):
        body = of_organisations(subscription, "")
        assert expected == send(site, body, sign(secret, body)).status_code


def test_an_unsigned_subscription_may_be_bound_too(make_site):
    site = secured(make_site, {"sub-1": {"orgIds": ["acme"]}, "*": {"orgIds": ["acme", "umbra"]}})
    for subscription, organisation, expected in (
        ("sub-1", "acme", 202),
        ("sub-1", "umbra", 401),
        ("unknown", "umbra", 202),
        ("unknown", "other", 401),
    ):
        answer = send(site, of_organisations(subscription, organisation))
        assert expected == answer.status_code, (subscription, organisation)


def test_what_nobody_has_signed_is_not_parsed(make_site, monkeypatch):
    """Nor read, where it has no signature at all."""
    site = secured(make_site)
    parsed = []
    monkeypatch.setattr("projector.event_log.intake.read_delivery", parsed.append)
    body = naming("sub-1")
    assert 401 == send(site, body, sign("wrong", body)).status_code
    assert 401 == send(site, body, "0" * 64).status_code
    assert 401 == send(site, body).status_code
    assert [] == parsed
    monkeypatch.setattr("werkzeug.wrappers.Request.get_data", lambda *_, **__: 1 / 0)
    for signature in (None, "", "00", "x" * 64):
        assert 401 == send(site, body, signature).status_code, signature


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


def test_an_unreadable_element_needs_a_signature_beside_any_other(make_site):
    """It may name a subscription that has a secret, as a body that cannot be read may."""
    site = secured(make_site, {"sub-1": ["one"]}, PROJECTOR_ALLOW_UNSIGNED="1")
    body = b'[%s,{"source":"/x/sub-1","x":NaN}]' % naming("unknown")
    assert 401 == send(site, body).status_code
    assert 401 == send(site, body, sign("wrong", body)).status_code
    assert 0 == kept(site)
    answer = send(site, body, sign("one", body))
    assert (1, 1) == (answer.json["appended"], answer.json["quarantined"])


# --- compressed bodies ---


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_signature_is_of_the_body_as_received_or_as_decoded(make_site, encoding, compress):
    """A proxy may have compressed it after it was signed; no other bytes may be signed."""
    site = secured(make_site)
    body = naming("sub-1")
    sent = compress(body)
    for signed, expected in ((sent, 202), (body, 202), (b"", 401), (body[:-1], 401), (None, 401)):
        headers = {"Content-Encoding": encoding}
        if signed is not None:
            headers["X-WebexCC-Signature"] = sign("one-new", signed)
        answer = site.post(sent, headers=headers)
        assert expected == answer.status_code, signed
    for secret, expected in (("one-old", 202), ("two", 401), ("wrong", 401)):
        headers = {"Content-Encoding": encoding, "X-WebexCC-Signature": sign(secret, body)}
        assert expected == site.post(sent, headers=headers).status_code, secret


def test_a_broken_body_needs_a_signature_of_what_was_received(make_site):
    """Then it is quarantined; without one nothing is stored."""
    site = secured(make_site, NO_STAR)
    broken = gzip.compress(naming("sub-1"))[:-1]
    for secret, expected in (("wrong", 401), ("two", 202)):
        headers = {"Content-Encoding": "gzip", "X-WebexCC-Signature": sign(secret, broken)}
        assert expected == site.post(broken, headers=headers).status_code
    assert 401 == site.post(broken, headers={"Content-Encoding": "gzip"}).status_code
    assert 1 == kept(site)


def test_an_encoding_header_gives_a_signed_body_no_other_meaning(make_site):
    """It is not signed: whoever adds it to a delivery that was seen gains a row in quarantine."""
    site = secured(make_site)
    for body in (naming("sub-1"), b" " + naming("sub-1"), naming("sub-1", "sub-1")):
        for encoding in ("gzip", "deflate"):
            headers = {
                "Content-Encoding": encoding,
                "X-WebexCC-Signature": sign("one-new", body),
            }
            answer = site.post(body, headers=headers)
            assert (202, 1) == (answer.status_code, answer.json["quarantined"])


# --- binary mode ---


def in_headers(subscription):
    """The headers of binary mode for a login whose source names a subscription."""
    return {
        "ce-id": "e1",
        "ce-type": "agent:login",
        "ce-source": f"/com/cisco/wxcc/{subscription}",
        "ce-specversion": "1.0",
        "ce-comciscoorgid": "acme",
    }


DATA = b'{"agentId":"a1","createdTime":1767225600000}'


def test_no_signature_admits_binary_mode_where_there_are_secrets(make_site):
    """It covers the data alone, so the id, type and organisation could be anybody's."""
    site = secured(make_site)
    for name in ("sub-1", "sub-2", "unknown", "empty"):
        for secret in ("one-new", "one-old", "two", "any", "wrong"):
            headers = in_headers(name) | {"X-WebexCC-Signature": sign(secret, DATA)}
            answer = site.post(DATA, headers=headers)
            assert (401, "application/problem+json") == (answer.status_code, answer.content_type)
            assert "structured mode" in answer.json["detail"]
    assert 0 == kept(site)


def test_a_delivery_that_was_seen_cannot_be_sent_again_in_binary_mode(make_site):
    """Neither with its body as the data, nor compressed, nor where nothing of it can be read."""
    site = secured(make_site)
    seen = naming("sub-1")
    for body, more in (
        (seen, {}),
        (gzip.compress(seen), {"Content-Encoding": "gzip"}),
        (b"broken", {"Content-Encoding": "gzip"}),
        (b"nonsense", {}),
        (seen, {"ce-subject": "%FF"}),
    ):
        for signed in (seen, body):
            headers = in_headers("sub-1") | {"X-WebexCC-Signature": sign("one-new", signed)} | more
            assert 401 == site.post(body, headers=headers).status_code
    assert 0 == kept(site)
    assert 202 == send(site, seen, sign("one-new", seen)).status_code


@pytest.mark.parametrize(
    ("environment", "subscription", "expected"),
    [
        ({}, "sub-1", 202),
        ({"HOST": "0.0.0.0"}, "sub-1", 401),
        ({"HOST": "0.0.0.0", "PROJECTOR_ALLOW_UNSIGNED": "1"}, "sub-1", 202),
        ({"PROJECTOR_ALLOW_UNSIGNED": "0"}, "sub-1", 401),
        ({"PROJECTOR_WEBHOOK_SECRETS": '{"sub-2":["two"]}'}, "sub-1", 401),
        (
            {"PROJECTOR_WEBHOOK_SECRETS": '{"sub-2":["two"]}', "PROJECTOR_ALLOW_UNSIGNED": "1"},
            "sub-1",
            202,
        ),
        (
            {"PROJECTOR_WEBHOOK_SECRETS": '{"sub-1":["one"]}', "PROJECTOR_ALLOW_UNSIGNED": "1"},
            "sub-1",
            401,
        ),
    ],
)
def test_binary_mode_is_taken_where_unsigned_bodies_are(
    make_site, environment, subscription, expected
):
    """Of a subscription without a secret; a signature makes no difference."""
    tokens = json.dumps([{"token": "t", "role": "operator"}])
    site = make_site(PROJECTOR_TOKENS=tokens, **environment)
    headers = in_headers(subscription)
    assert expected == site.post(DATA, headers=headers).status_code
    signed = headers | {"X-WebexCC-Signature": sign("one", DATA)}
    assert expected == site.post(DATA, headers=signed).status_code
    assert (2 if expected == 202 else 0) == kept(site), "an event, and a duplicate of it"
