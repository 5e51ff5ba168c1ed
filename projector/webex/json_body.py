"""A request's body: JSON read once, and cut into elements that keep their own bytes.

The rule of this file: what is stored is what came, byte for byte, also of an element of an array.
The standard library's reader decides what is JSON, since faster ones refuse lone surrogates, which
are legal in values (semantics 7).
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

EXACT_FLOATS = 2**53
NESTING = 300  # semantics promise 256; the reader itself would give up near 1,000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request's body, cut into its elements; each keeps its own bytes."""

    elements: tuple[tuple[bytes, Any], ...]
    is_json: bool = True


def read_delivery(body: bytes) -> Delivery:
    """Cut a request's body into elements. Never raises: ``is_json`` tells."""
    try:
        elements = tuple(_cut(body))
    except (ValueError, RecursionError):
        return Delivery((), is_json=False)
    return Delivery(elements)


def _not_json(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> float | int:
    """A float, or the integer that it equals: 1 and 1.0 are one JSON value."""
    value = float(text)
    if not value.is_integer():
        return value
    # Beyond 2**53 a float has lost digits that its text still has.
    return int(value) if abs(value) < EXACT_FLOATS else int(Decimal(text))


_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_float=_number)
_SPACE = re.compile(r"[ \t\n\r]*")


def _text(body: bytes) -> tuple[str, str]:
    """The text of a body and its encoding; JSON may also come as UTF-16 or UTF-32."""
    encoding: str = json.detect_encoding(body)
    if encoding in _MARKED:  # what is cut out of the middle must get no mark of its own
        mark, encoding = next(pair for pair in _MARKED[encoding] if body.startswith(pair[0]))
        return body[len(mark) :].decode(encoding, "surrogatepass"), encoding
    return body.decode(encoding, "surrogatepass"), encoding


_MARKED = {
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"),),
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}


def read_element(body: bytes) -> Any:
    """The JSON value of an element's own bytes; ValueError where it is none."""
    return _DECODER.decode(_text(body)[0])


def read_stored(body: bytes) -> Any:
    """The JSON value of bytes that were read once and stored, numbers aside.

    A faster reader tries first; what it refuses, lone surrogates for one, goes the slow way.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return read_element(body)


def read_shown(body: bytes) -> Any:
    """The JSON value as it can be shown: lone surrogates replaced; null where it is none."""
    try:
        return _shown(json.loads(_text(body)[0]))
    except (ValueError, RecursionError):
        return None


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_shown(key): _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else value


def _cut(body: bytes) -> Iterator[tuple[bytes, Any]]:
    text, encoding = _text(body)
    start = _skip(text, 0)
    if text[start : start + 1] != "[":
        yield body, _DECODER.decode(text)
        return
    # An array's elements are read one by one, since each keeps its own bytes.
    at = _skip(text, start + 1)
    if text[at : at + 1] != "]":
        while True:
            element, end = _DECODER.raw_decode(text, at)
            yield text[at:end].encode(encoding, "surrogatepass"), element
            at = _skip(text, end)
            if text[at : at + 1] != ",":
                break
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or _skip(text, at + 1) != len(text):
        raise ValueError("the array does not end where the body does")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def is_too_deep(body: bytes, value: Any) -> bool:
    """Whether an element nests deeper than we promise to read again."""
    if body.count(b"[") + body.count(b"{") <= NESTING:
        return False
    level = [value]
    for _ in range(NESTING):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
