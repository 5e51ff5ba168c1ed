"""Bodies as senders may compress them: the name of each encoding, and how it is made."""

import gzip
import zlib
from collections.abc import Callable


def raw_deflate(content: bytes) -> bytes:
    """Without the frame that the standard wants around it; some senders leave it out."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


COMPRESSED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "GZIP": (" GZIP ", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
}
