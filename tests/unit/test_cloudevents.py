"""Binary mode of CloudEvents: headers and data become the element of structured mode."""

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.webex.cloudevents import is_binary, read_binary
from projector.webex.json_body import Delivery, read_element

REQUIRED = {
    "Ce-Id": "e1",
    "Ce-Source": "/com/cisco/wxcc/sub-1",
    "Ce-Specversion": "1.0",
    "Ce-Type": "agent:login",
}
ATTRIBUTES = {header.removeprefix("Ce-").lower(): value for header, value in REQUIRED.items()}


def only(delivery):
    """The bytes and the value of the one element."""
    assert () == delivery.unreadable
    ((own, value),) = delivery.elements
    return own, value


def value_of(given, name="subject"):
    """An attribute whose header has this value."""
    return only(read_binary(b"{}", REQUIRED | {f"Ce-{name.title()}": given}))[1][name]


def test_all_required_attributes_mean_binary_mode():
    """With any content type but those of the other modes, and with none."""
    assert is_binary(REQUIRED)
    for kind in ("application/json", "text/plain", "application/cloud", "", "x"):
        assert is_binary(REQUIRED | {"Content-Type": kind})
    for kind in (
        "application/cloudevents+json",
        "application/cloudevents-batch+json; charset=utf-8",
        " Application/CloudEvents+JSON",
        "application/cloudevents",
    ):
        assert not is_binary(REQUIRED | {"Content-Type": kind})


@pytest.mark.parametrize("missing", REQUIRED)
def test_without_one_of_them_the_body_is_read_alone(missing):
    """A stray header makes no delivery binary."""
    assert not is_binary({name: REQUIRED[name] for name in REQUIRED if name != missing})
    assert is_binary(REQUIRED | {missing: ""})


def test_the_element_is_headers_and_data():
    """Attributes by name, then the data with its own bytes."""
    headers = REQUIRED | {
        "Content-Type": "application/json; charset=utf-8",
        "Ce-Comciscoorgid": "acme",
        "Ce-Comciscotimestamp": "1767225600000",
        "Host": "example.org",
    }
    data = b' {"agentId":"ann", "x":[1.0,"\xc3\xa9"]}\n'
    own, value = only(read_binary(data, headers))
    assert (
        b'{"comciscoorgid":"acme","comciscotimestamp":"1767225600000",'
        b'"datacontenttype":"application/json; charset=utf-8","id":"e1",'
        b'"source":"/com/cisco/wxcc/sub-1","specversion":"1.0","type":"agent:login","data":'
        + data
        + b"}"
    ) == own
    assert value == read_element(own)
    assert {"agentId": "ann", "x": [1, "é"]} == value["data"]


def test_the_order_of_headers_makes_no_difference():
    """The same delivery is the same bytes."""
    backwards = dict(reversed(REQUIRED.items()))
    assert read_binary(b"{}", REQUIRED) == read_binary(b"{}", backwards)


def test_an_empty_body_is_no_data():
    """It is not JSON, but an event may have none."""
    own, value = only(read_binary(b"", REQUIRED))
    assert ATTRIBUTES == value == json.loads(own)


@pytest.mark.parametrize(
    "data",
    [b" ", b"text", b"{", b'{"x":NaN}', b'"\xff"', b'1,"id":"e2"', b"{}}", b"[" * 5_000],
    ids=repr,
)
def test_data_that_is_no_json_is_unreadable(data):
    """The body as it came; it cannot add an attribute."""
    assert Delivery(unreadable=(data,)) == read_binary(data, REQUIRED)


@pytest.mark.parametrize("mark", [False, True], ids=["unmarked", "marked"])
@pytest.mark.parametrize(
    ("encoding", "order_mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
def test_the_element_has_the_encoding_of_its_data(encoding, order_mark, mark):
    """So the bytes of the data stay as they are; the mark at their beginning is left out."""
    data = '{"agentId":"é😀"}'.encode(encoding)
    headers = REQUIRED | {"Ce-Subject": "%C3%A9"}
    own, value = only(read_binary((order_mark if mark else b"") + data, headers))
    assert data in own
    assert ATTRIBUTES | {"subject": "é", "data": {"agentId": "é😀"}} == value == read_element(own)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41", "A"),
        ("%2541", "%41"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
        ('"Euro %E2%82%AC"', "Euro €"),
        (r'"a\"b\\c"', r'a"b\c'),
        (r'"a\%41"', "aA"),
        ('"', '"'),
        (r"a\b", r"a\b"),
        ("\xe2\x82\xac", "€"),
        ("a, b", "a, b"),
        ("%00", "\0"),
        ("", ""),
    ],
)
def test_values_are_unquoted_and_decoded_once(given, expected):
    """As the binding says; bytes of UTF-8 that nobody has encoded pass too."""
    assert expected == value_of(given)


@pytest.mark.parametrize("given", ["%C0%A0", "%FF", "%ED%A0%80", "\xff", "€", '"%E2%82"'])
def test_a_value_that_is_no_utf_8_is_refused(given):
    """The whole delivery is unreadable, and the reason tells it from a body that is no JSON."""
    delivery = read_binary(b"{}", REQUIRED | {"Ce-Subject": given})
    assert Delivery(unreadable=(b"{}",), defect="unsound-attribute") == delivery


@pytest.mark.parametrize(
    "header", ["Ce-Data", "Ce-Datacontenttype", "Ce-A-B", "Ce-A_B", "Ce-", "Ce-É"]
)
def test_what_names_no_attribute_is_left_out(header):
    """The data and its type have places of their own, and a name has letters and digits only."""
    assert ATTRIBUTES | {"data": {}} == only(read_binary(b"{}", REQUIRED | {header: "x"}))[1]


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_through_a_header(text):
    """Encoded as the binding says."""
    encoded = "".join(
        chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'"%' else f"%{byte:02X}"
        for byte in text.encode()
    )
    assert text == value_of(encoded)
