"""A request's body: what is JSON, and how it is cut into elements that keep their own bytes."""

import codecs
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.webex.json_body import Delivery, is_too_deep, read_delivery, read_element
from tests.conftest import slow

ODD_ELEMENTS = (
    b'{"a":1}',
    b'{ "a" :\t1 ,\r\n"b":[ ] }',
    rb'{"a":"\u0000\ud800\/\u00e9"}',
    '{"a":"é😀"}'.encode(),
    b'{"a":"\xed\xa0\x80"}',  # a lone surrogate, raw
    b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}',  # a pair of them, raw, which is no character of UTF-8
    b'{"a":1,"a":1.0,"a":1e0}',
    b'{"a":-0.0,"b":1E400,"c":12345678901234567890}',
    b'"text, with ] and , and \\" in it"',
    b"null",
    b"-1.5e+3",
    b'[[1 , 2],{"]":"["}]',
)
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def own_bytes(body):
    return [own for own, _ in read_delivery(body).elements]


def nested(depth, opening="[", closing="]"):
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize("element", ODD_ELEMENTS)
def test_an_element_of_an_array_keeps_its_own_bytes(element):
    """An element of an array has its unchanged bytes, without the space around it."""
    assert [element, element] == own_bytes(b" [\n\t" + element + b" \r\n, " + element + b" ] \n")


@pytest.mark.parametrize("element", [one for one in ODD_ELEMENTS if not one.startswith(b"[")])
def test_a_body_that_is_no_array_is_one_element_with_all_its_bytes(element):
    """A single value has all bytes of the body, also the whitespace around it."""
    body = b" \r\n" + element + b"\t\n"
    assert [body] == own_bytes(body)


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"[\n\t\r ]\n"])
def test_an_empty_array_has_no_elements(body):
    """An empty array is JSON."""
    delivery = read_delivery(body)
    assert Delivery() == delivery


@pytest.mark.parametrize("mark", [False, True], ids=["unmarked", "marked"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_array_in_any_unicode_encoding_is_cut_into_readable_elements(encoding, mark):
    """Each element keeps its bytes in the body's encoding, and is read again from them alone."""
    elements = ['{"a": "é😀", "b": [1 ,2]}', '{"c":"\\ud800"}']
    start = MARKS[encoding] if mark else b""
    body = start + f"[{elements[0]} , {elements[1]}]".encode(encoding)
    assert [text.encode(encoding) for text in elements] == own_bytes(body)
    assert [json.loads(text) for text in elements] == [read_element(own) for own in own_bytes(body)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_marked_body_that_is_no_array_keeps_its_mark(encoding):
    """The byte order mark of a single event is among the bytes received."""
    body = MARKS[encoding] + '{"a":"é"}'.encode(encoding)
    assert [(body, {"a": "é"})] == list(read_delivery(body).elements)
    assert {"a": "é"} == read_element(body)


NOT_JSON = {
    "empty": b"",
    "space": b" \n",
    "nul": b"\0",
    "nuls": b"\0\0\0\0\0",
    "text": b"hello",
    "half": b'{"a":',
    "two-values": b"{} {}",
    "garbage-after-array": b"[{}] x",
    "open-array": b"[{}",
    "trailing-comma": b"[{},]",
    "no-comma": b"[{} {}]",
    "leading-comma": b"[,{}]",
    "lone-comma": b"[,]",
    "lone-bracket": b"]",
    "nan": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "minus-infinity": b'{"a":-Infinity}',
    "bare-nan": b"NaN",
    "integer-of-4301-digits": b'{"a":' + b"1" * 4301 + b"}",
    "invalid-utf-8": b'{"a":"\xff"}',
    "cut-utf-8": b'{"a":"\xc3',
    "odd-utf-16": b'\xff\xfe{\0"\0a\0"',
    "only-a-mark": codecs.BOM_UTF8,
    "only-a-utf-16-mark": codecs.BOM_UTF16_LE,
    "raw-control-character": b'{"a":"\n"}',
    "single-quotes": b"{'a':1}",
    "objects-nested-100000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "open-nesting": b"[" * 100_000,
    "open-objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_the_standard_library_does_not_read_is_no_json(body):
    """The whole body is unreadable, and nothing is raised."""
    assert Delivery(unreadable=(body,)) == read_delivery(body)


# What spoils one element of an array: its bytes are told, and it is not read.
UNREADABLE = {
    "5000 digits": b'{"id":"e2","x":%s}' % (b"9" * 5_000),
    "negative 5000 digits": b"-" + b"9" * 5_000,
    "5000 digits in depth": b'{"a":[[{"b":%s}]]}' % (b"9" * 5_000),
    "NaN": b"NaN",
    "NaN inside": b'{"x":NaN}',
    "Infinity": b'{"x":[Infinity]}',
    "minus Infinity": b"-Infinity",
    "nested arrays": nested(5_000),
    "nested objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "nested mixture": b'[{"a":' * 2_500 + rb'"]}\"]}"' + b"}]" * 2_500,
    "line feed in a string": b'{"x":"a\nb"}',
    "NUL in a string": b'{"x":"\0"}',
    "a string of NUL": b'"\0"',
    "unknown escape": rb'{"x":"\q"}',
    "cut escape": rb'{"x":"\u12"}',
    "no UTF-8": b'{"x":"\xff"}',
    "a quote that is no UTF-8": b'"\xc3"',
    "overlong UTF-8": b'{"x":"\xc0\xa0"}',
    "marks in a string": b'{"x":"]},[{\x01\\"]}"}',
}
SOUND = b'{"id":"e1", "x":["\xc3\xa9",1.0]}'


@pytest.mark.parametrize("element", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_element_spoils_no_other_one(element):
    """Wherever it stands among others; both kinds keep their own bytes."""
    value = read_element(SOUND)
    assert Delivery((), (element,)) == read_delivery(b"[" + element + b"]")
    for body in (b"[%s,%s]", b" [\n%s ,\t%s\r\n] "):
        for pair in ((SOUND, element), (element, SOUND)):
            assert Delivery(((SOUND, value),), (element,)) == read_delivery(body % pair)
    marked = codecs.BOM_UTF8 + b"[%s,%s,%s]" % (element, SOUND, element)
    assert Delivery(((SOUND, value),), (element, element)) == read_delivery(marked)


@pytest.mark.parametrize("element", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_unreadable_in_an_array_is_unreadable_alone(element):
    """The reader decides, not the place."""
    with pytest.raises((ValueError, RecursionError)):
        read_element(element)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_unreadable_element_keeps_the_bytes_of_any_encoding(encoding):
    """Sound and unreadable ones are cut in the encoding of the body."""
    sound, unreadable = '{"a":"é😀"}', '{"b":NaN}'
    body = f"[{unreadable} , {sound}]".encode(encoding)
    expected = Delivery(((sound.encode(encoding), {"a": "é😀"}),), (unreadable.encode(encoding),))
    assert expected == read_delivery(body)


NOT_CUT = {
    "a trailing comma": b"[1,NaN,]",
    "a leading comma": b"[,NaN]",
    "no comma": b"[NaN {}]",
    "no end": b"[NaN,1",
    "an end too many": b"[NaN]]",
    "another end": b"[NaN}",
    "a text behind": b"[NaN] x",
    "words": b"[undefined, 1]",
    "a key of no text": b"[{1:NaN},1]",
    "no colon": b'[{"a" NaN},1]',
    "a string without an end": b'[NaN,"a]',
    "nesting without an end": b"[1," + b"[" * 5_000,
    "nesting in a string without an end": b"[" * 5_000 + b'"' + b"]" * 5_000,
    "an escape outside a string": rb"[NaN,\n1]",
    "no UTF-16": '[NaN,"a"]'.encode("utf-16-le") + b"x",
    "no array": b"NaN",
}


@pytest.mark.parametrize("body", NOT_CUT.values(), ids=NOT_CUT)
def test_what_is_no_array_stays_whole(body):
    """An element is cut off only where the array around it is one by its grammar."""
    assert Delivery(unreadable=(body,)) == read_delivery(body)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
space = st.text(" \t\r\n", max_size=3).map(str.encode)


@given(
    parts=st.lists(
        json_values.map(lambda value: (json.dumps(value).encode(), True))
        | st.sampled_from([(element, False) for element in UNREADABLE.values()]),
        max_size=6,
    ),
    around=space,
)
def test_any_mixture_is_cut_into_its_elements(parts, around):
    """Each element is found once, in its order, with its own bytes."""
    joined = b",".join(around + own + around for own, _ in parts)
    delivery = read_delivery(around + b"[" + joined + b"]" + around)
    assert [own for own, sound in parts if sound] == [own for own, _ in delivery.elements]
    assert [own for own, sound in parts if not sound] == [*delivery.unreadable]
    assert [read_element(own) for own, sound in parts if sound] == [
        value for _, value in delivery.elements
    ]


@pytest.mark.parametrize("element", [b"NaN", *slow(b'"\n"', rb'"\q"', b'"\xff"')])
def test_many_unreadable_elements_take_time_by_their_count(element):
    """A body of nothing but defects must not cost the square of its length."""

    def seconds(size):
        count = size // len(element)
        body = b"[" + (element + b",") * count + b"1]"
        started = time.process_time()
        assert count == len(read_delivery(body).unreadable)
        return time.process_time() - started

    assert seconds(500_000) < 50 * max(seconds(50_000) for _ in range(3))


@pytest.mark.parametrize("body", [b'{"a":' + b"1" * 4300 + b"}", b"[" + b"1" * 4300 + b"]"])
def test_an_integer_of_4300_digits_is_json(body):
    """Only integers over 4,300 digits are refused."""
    assert () == read_delivery(body).unreadable


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("1", "1e0"), ("100", "1E2"), ("0", "-0.0"), ("10", "100e-1")],
)
def test_numbers_of_one_value_are_one_value(one, other):
    """1 and 1.0 are equal as JSON values, and read as the same."""
    first, second = read_element(one.encode()), read_element(other.encode())
    assert (first, type(first)) == (second, type(second))


def test_of_equal_keys_the_last_wins():
    """Of equal keys in one object the last wins."""
    assert {"a": 3} == read_element(b'{"a":1,"a":2,"a":3}')


@pytest.mark.parametrize("depth", [1, 2, 100, 255, 256])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nesting_to_256_is_never_too_deep(depth, brackets):
    """Nesting to 256 is always accepted."""
    if brackets == "[]":
        body = nested(depth)
    else:
        body = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
    assert not is_too_deep(body, json.loads(body))


def test_many_brackets_are_not_depth():
    """Neither many shallow arrays nor brackets within strings are too deep."""
    for body in (b"[" + b"[]," * 5_000 + b"[]]", json.dumps(["[" * 5_000]).encode()):
        assert not is_too_deep(body, json.loads(body))


@pytest.mark.parametrize("depth", [500, 900])
def test_what_is_far_deeper_than_promised_is_too_deep(depth):
    """The reader might not read it a second time."""
    body = nested(depth)
    assert is_too_deep(body, json.loads(body))


def test_a_nesting_of_256_inside_an_array_is_cut():
    """The array around an element does not count against it."""
    element = nested(256)
    assert [element, b"{}"] == own_bytes(b"[" + element + b",{}]")


@pytest.mark.parametrize(
    "number", ["1e99999999999999999999", "0e99999999999999999999", "1e-99999999999999999999"]
)
def test_any_exponent_is_read(number):
    """As the standard library reads it: as infinity or zero, and never as an error."""
    delivery = read_delivery(f'{{"x":{number}}}'.encode())
    assert () == delivery.unreadable
    assert [{"x": float(number)}] == [element for _, element in delivery.elements]
