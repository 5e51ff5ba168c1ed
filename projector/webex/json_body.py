"""The body of a request: read as JSON once, and cut into elements that keep their own bytes.

Rule: each element is stored byte for byte as it came, also where the body is an array. The standard
library's reader decides what is JSON. Faster readers refuse lone surrogates, which are legal in
values (docs/decisions/0004).

An element that it does not read spoils no other one: such an array is cut a second time, by its
grammar alone.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

EXACT_FLOATS = 2**53  # a float below it has all digits of the integer that it equals
NOT_JSON = "not-json"
DEEPEST_NESTING = 300  # semantics promise 256; the reader itself would give up near 1,000


@dataclass(frozen=True, slots=True)
class Delivery:
    """The elements of a request's body: the bytes and the JSON value of each.

    ``unreadable`` are the bytes of the elements that are not read, or the whole body where it
    cannot be cut; ``defect`` says why.
    """

    elements: tuple[tuple[bytes, Any], ...] = ()
    unreadable: tuple[bytes, ...] = ()
    defect: str = NOT_JSON


def read_delivery(body: bytes) -> Delivery:
    """Cut the body of a request into its elements."""
    try:
        return Delivery(_cut(body))
    except (ValueError, RecursionError):
        return _cut_apart(body)


def _not_json(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> float | int:
    """A float, or the integer that it equals, since 1 and 1.0 are one JSON value."""
    value = float(text)
    if not value.is_integer():
        return value
    # A larger float has lost digits that its text still has.
    return int(value) if abs(value) < EXACT_FLOATS else int(Decimal(text))


_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_float=_number)
_SPACE = re.compile(r"[ \t\n\r]*")


def encoding_of(body: bytes) -> tuple[int, str]:
    """The length of a body's byte order mark, and its encoding: UTF-8, UTF-16 or UTF-32."""
    encoding: str = json.detect_encoding(body)
    for mark, unmarked in _BYTE_ORDER_MARKS.get(encoding, ()):
        if body.startswith(mark):  # an encoding that names no order would add a mark again
            return len(mark), unmarked
    return 0, encoding


_BYTE_ORDER_MARKS = {
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"),),
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}


def _text(body: bytes) -> tuple[str, str]:
    """The text of a body, without a byte order mark, and its encoding."""
    mark, encoding = encoding_of(body)
    return (body[mark:] if mark else body).decode(encoding, "surrogatepass"), encoding


def read_element(body: bytes) -> Any:
    """The JSON value of an element's bytes; ValueError where they are no JSON."""
    return _DECODER.decode(_text(body)[0])


def read_stored(body: bytes) -> Any:
    """The JSON value of stored bytes; large integers and integral floats may differ.

    A faster reader tries first. What it refuses, such as lone surrogates, ``read_element`` reads.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return read_element(body)


def read_for_display(body: bytes) -> Any:
    """The JSON value with lone surrogates replaced; None where the bytes are no JSON.

    A number that no float can hold becomes None.
    """
    try:
        return _displayable(json.loads(_text(body)[0]))
    except (ValueError, RecursionError):
        return None


def _displayable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_displayable(key): _displayable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_displayable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cut(body: bytes) -> tuple[tuple[bytes, Any], ...]:
    text, encoding = _text(body)
    if not _is_array(text):
        return ((body, _DECODER.decode(text)),)
    # The elements of an array are read one by one, since each keeps its own bytes.
    return tuple(
        (text[begin:end].encode(encoding, "surrogatepass"), element)
        for begin, end, element in _elements(text, _DECODER.raw_decode)
    )


def _elements(
    text: str, read: Callable[[str, int], tuple[Any, int]]
) -> Iterator[tuple[int, int, Any]]:
    """Where each element of an array begins and ends, and its value.

    ``read`` gives the value at an index and where it ends. ValueError where the text is no array.
    """
    index = _skip(text, _skip(text, 0) + 1)
    if text[index : index + 1] != "]":
        while True:
            element, end = read(text, index)
            yield index, end, element
            index = _skip(text, end)
            if text[index : index + 1] != ",":
                break
            index = _skip(text, index + 1)
    if text[index : index + 1] != "]" or _skip(text, index + 1) != len(text):
        raise ValueError("the array does not end where the body does")


def _is_array(text: str) -> bool:
    index = _skip(text, 0)
    return text[index : index + 1] == "["


def _skip(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    return match.end() if match else index


# --- An array with an element that is not read -------------------------------------------------


def _cut_apart(body: bytes) -> Delivery:
    """The elements of an array that are read, and the bytes of the others."""
    mark, encoding = encoding_of(body)
    # The marks of JSON are ASCII. So a byte that is no UTF-8 may be any character until its element
    # is read by itself.
    charset = "latin-1" if encoding == "utf-8" else encoding
    try:
        text = body[mark:].decode(charset, "surrogatepass")
        if not _is_array(text):
            return Delivery(unreadable=(body,))
        spans = _elements(_ESCAPE.sub("..", text), _end_of_value)
        parts = [text[begin:end].encode(charset, "surrogatepass") for begin, end, _ in spans]
    except ValueError:
        return Delivery(unreadable=(body,))
    elements, unreadable = [], []
    for part in parts:
        try:
            elements.append((part, _DECODER.decode(part.decode(encoding, "surrogatepass"))))
        except (ValueError, RecursionError):
            unreadable.append(part)
    return Delivery(tuple(elements), tuple(unreadable))


def _end_of_value(text: str, begin: int) -> tuple[None, int]:
    """Where the value at an index of a text without escapes ends; ValueError where none is there.

    A number of any length, nesting of any depth, NaN and Infinity are values here, and a string may
    hold any character.
    """
    try:
        return None, _ANY_VALUE.raw_decode(text, begin)[1]
    except RecursionError:
        return None, _end_of_nesting(text, begin)


_ESCAPE = re.compile(r"\\.", re.DOTALL)
_ANY_VALUE = json.JSONDecoder(strict=False, parse_int=len, parse_float=len, parse_constant=len)


def _end_of_nesting(text: str, begin: int) -> int:
    depth = 0
    for match in _BRACKETS.finditer(text, begin):
        run = match[0]
        if run[0] in "[{":
            depth += len(run)
        elif run[0] in "]}":
            if len(run) >= depth:
                return match.start() + depth
            depth -= len(run)
    raise ValueError("a bracket is not closed")


_BRACKETS = re.compile(r'[\[{]+|[\]}]+|"[^"]*(?:"|\Z)')


def is_too_deep(body: bytes, value: Any) -> bool:
    """Whether an element nests deeper than can be read again for certain."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST_NESTING:
        return False
    level = [value]
    for _ in range(DEEPEST_NESTING):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
