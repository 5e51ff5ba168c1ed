"""Content-Encoding: the body of a request as it was before its sender compressed it.

Rule: not a byte is expanded beyond the limit of a body, however small the compressed one is.
"""

from __future__ import annotations

import zlib

from projector.infrastructure.errors import ProjectorError

SUPPORTED_ENCODINGS = "gzip, deflate"
# What zlib hands back is copied, so that small pieces keep a body of many gzip members cheap.
PIECE_BYTES = 4_096
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS  # as zlib numbers them


class UnsupportedEncoding(ProjectorError):  # noqa: N818 - named for what callers handle
    """The body is compressed in a way that is not read; nothing was stored."""


class BodyTooLarge(ProjectorError):  # noqa: N818 - named for what callers handle
    """The body is longer than the limit once it is decoded; nothing was stored."""


class BrokenEncoding(ProjectorError):  # noqa: N818 - named for what callers handle
    """The body is not what its Content-Encoding says."""


def decode_content(body: bytes, encoding: str, limit: int) -> bytes:
    """The decoded body, of at most ``limit`` bytes; ``encoding`` is the header's value.

    UnsupportedEncoding, BodyTooLarge, or BrokenEncoding where the compressed body is cut, is
    damaged or is followed by anything else.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, _GZIP, limit)
    if coding == "deflate":
        return _inflate(body, _ZLIB if _has_zlib_header(body) else _RAW, limit)
    raise UnsupportedEncoding(
        f"A body is taken as it is or in one encoding of {SUPPORTED_ENCODINGS}, not {encoding!r}."
    )


def _has_zlib_header(body: bytes) -> bool:
    """Whether a body of `deflate` is wrapped as the standard says; some senders leave that out."""
    header = int.from_bytes(body[:2], "big")
    return header >> 8 & 0x0F == zlib.DEFLATED and header % 31 == 0


def _inflate(body: bytes, wbits: int, limit: int) -> bytes:
    decoded = bytearray()
    stream = zlib.decompressobj(wbits)
    position = 0
    while position < len(body):
        if stream.eof:
            if wbits != _GZIP:
                raise BrokenEncoding("Something follows the compressed body.")
            stream = zlib.decompressobj(wbits)  # gzip may have several members
        piece = body[position : position + PIECE_BYTES]
        try:
            decoded += stream.decompress(piece, limit + 1 - len(decoded))
        except zlib.error as error:
            raise BrokenEncoding(f"The compressed body is damaged ({error}).") from None
        if len(decoded) > limit:
            raise BodyTooLarge(f"The decoded body is longer than {limit} bytes.")
        position += len(piece) - len(stream.unused_data)
    if not stream.eof:
        raise BrokenEncoding("The compressed body is cut.")
    return bytes(decoded)
