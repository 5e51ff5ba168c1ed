"""The body of a request: read as JSON once, and cut into elements that keep their own bytes.

Rule: each element is stored byte for byte as it came, also where the body is an array. The standard
library's reader decides what is JSON. Faster readers refuse lone surrogates, which are legal in
values (docs/decisions/0004).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

EXACT_FLOATS = 2**53  # a float below it has all digits of the integer that it equals
DEEPEST_NESTING = 300  # semantics promise 256; the reader itself would give up near 1,000


@dataclass(frozen=True, slots=True)
class Delivery:
    """The elements of a request's body: the bytes and the JSON value of each."""

    elements: tuple[tuple[bytes, Any], ...]
    is_json: bool = True


def read_delivery(body: bytes) -> Delivery:
    """Cut the body of a request into its elements; ``is_json`` is false where it is no JSON."""
    try:
        elements = tuple(_cut(body))
    except (ValueError, RecursionError):
        return Delivery((), is_json=False)
    return Delivery(elements)


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


def _text(body: bytes) -> tuple[str, str]:
    """The text of a body, without a byte order mark, and its encoding: UTF-8, UTF-16 or UTF-32."""
    encoding: str = json.detect_encoding(body)
    if encoding in _BYTE_ORDER_MARKS:  # an encoding that names no order would add a mark again
        mark, encoding = next(
            pair for pair in _BYTE_ORDER_MARKS[encoding] if body.startswith(pair[0])
        )
        return body[len(mark) :].decode(encoding, "surrogatepass"), encoding
    return body.decode(encoding, "surrogatepass"), encoding


_BYTE_ORDER_MARKS = {
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"),),
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}


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
    """The JSON value with lone surrogates replaced; None where the bytes are no JSON."""
    try:
        return _without_surrogates(json.loads(_text(body)[0]))
    except (ValueError, RecursionError):
        return None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list) else value


def _cut(body: bytes) -> Iterator[tuple[bytes, Any]]:
    text, encoding = _text(body)
    start = _skip(text, 0)
    if text[start : start + 1] != "[":
        yield body, _DECODER.decode(text)
        return
    # The elements of an array are read one by one, since each keeps its own bytes.
    index = _skip(text, start + 1)
    if text[index : index + 1] != "]":
        while True:
            element, end = _DECODER.raw_decode(text, index)
            yield text[index:end].encode(encoding, "surrogatepass"), element
            index = _skip(text, end)
            if text[index : index + 1] != ",":
                break
            index = _skip(text, index + 1)
    if text[index : index + 1] != "]" or _skip(text, index + 1) != len(text):
        raise ValueError("the array does not end where the body does")


def _skip(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    return match.end() if match else index


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
