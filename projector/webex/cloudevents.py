"""CloudEvents over HTTP in binary mode: attributes in headers, and the body is the event's data.

Rule: such a delivery becomes the element that it would have been in structured mode, and is judged
like any other. Its data keeps its bytes. Nothing else of the HTTP binding needs a reader of its
own: structured and batched mode are a JSON object and an array.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from projector.webex.json_body import Delivery, encoding_of, read_element

UNSOUND_ATTRIBUTE = "unsound-attribute"

_PREFIX = "Ce-"
# Whoever sends all of these means binary mode, unless the content type names another one.
_REQUIRED = frozenset({"Ce-Id", "Ce-Source", "Ce-Specversion", "Ce-Type"})
_OTHER_MODES = "application/cloudevents"
_NAME = re.compile("[a-z0-9]+")
_NOT_IN_HEADERS = frozenset({"data", "datacontenttype"})
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_PERCENT = re.compile(b"%([0-9A-Fa-f]{2})")


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether the headers are those of binary mode. Their names are in title case."""
    if not headers.keys() >= _REQUIRED:
        return False
    return not headers.get("Content-Type", "").strip().lower().startswith(_OTHER_MODES)


def read_binary(body: bytes, headers: Mapping[str, str]) -> Delivery:
    """The one element that headers and body state.

    Its bytes are a JSON object in the encoding of the body: the attributes by name, then ``data``
    with the bytes of the body, without byte order mark. An empty body is no data.
    """
    try:
        attributes = dict(sorted(_attributes(headers)))
        element = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
        alone = element.encode()
    except ValueError:
        return Delivery(unreadable=(body,), defect=UNSOUND_ATTRIBUTE)
    if not body:
        return Delivery(((alone, attributes),))
    try:
        data = read_element(body)
    except (ValueError, RecursionError):
        return Delivery(unreadable=(body,))
    mark, encoding = encoding_of(body)
    begin, end = f'{element[:-1]},"data":'.encode(encoding), "}".encode(encoding)
    return Delivery(((begin + body[mark:] + end, attributes | {"data": data}),))


def _attributes(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for header, value in headers.items():
        if header == "Content-Type":
            yield "datacontenttype", value
        elif header.startswith(_PREFIX):
            name = header.removeprefix(_PREFIX).lower()
            if _NAME.fullmatch(name) and name not in _NOT_IN_HEADERS:
                yield name, _decoded(value)


def _decoded(value: str) -> str:
    """The value of an attribute; ValueError where its bytes are no UTF-8."""
    unquoted = _QUOTED.sub(lambda match: _ESCAPED.sub(r"\1", match[1]), value.strip())
    # WSGI gives the bytes of a header as Latin-1.
    return _PERCENT.sub(
        lambda match: bytes.fromhex(match[1].decode()), unquoted.encode("latin-1")
    ).decode()
