"""Content-Encoding: what is decoded, what is refused, and that nothing expands beyond the limit."""

import gzip
import time
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.webex.content_encoding import (
    PIECE_BYTES,
    BodyTooLarge,
    BrokenEncoding,
    UnsupportedEncoding,
    decode_content,
)
from tests.compression import COMPRESSED

LIMIT = 1_048_576
BODY = b'{"id":"e1","type":"agent:login"}'
each_encoding = pytest.mark.parametrize(
    ("encoding", "compress"), COMPRESSED.values(), ids=COMPRESSED
)


@each_encoding
@given(body=st.binary(max_size=300) | st.binary(max_size=40).map(lambda one: one * PIECE_BYTES))
def test_what_was_compressed_is_as_it_was(encoding, compress, body):
    """Each encoding, with bodies of none, of some and of many pieces."""
    assert body == decode_content(compress(body), encoding, LIMIT)


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("wbits", range(9, 16))
def test_deflate_is_read_whatever_its_window_and_level(level, wbits):
    """The two bytes in which these show tell the wrapped from the raw."""
    for bits in (wbits, -wbits):
        compressor = zlib.compressobj(level, wbits=bits)
        compressed = compressor.compress(BODY) + compressor.flush()
        assert BODY == decode_content(compressed, "deflate", LIMIT)


@pytest.mark.parametrize("name", ["GZIP", " gzip ", "Gzip\t"])
def test_the_name_has_no_case(name):
    """And the space around it does not count."""
    assert BODY == decode_content(gzip.compress(BODY), name, LIMIT)


@pytest.mark.parametrize("name", ["", " ", "identity", "Identity"])
def test_identity_is_no_encoding(name):
    """The body is as it came, also a compressed one."""
    compressed = gzip.compress(BODY)
    assert compressed is decode_content(compressed, name, LIMIT)


@pytest.mark.parametrize(
    "name", ["br", "zstd", "compress", "gzip, gzip", "gzip,identity", "gzip;q=1", ",", "é", "*"]
)
def test_any_other_encoding_is_unsupported(name):
    """A list of several is too; the message names what was given."""
    with pytest.raises(UnsupportedEncoding) as refusal:
        decode_content(gzip.compress(BODY), name, LIMIT)
    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize("members", [2, 3, 5_000])
def test_a_gzip_body_may_have_several_members(members):
    """Empty ones among them; they follow one another as their contents do."""
    parts = [b"" if number % 3 == 1 else b"%d," % number for number in range(members)]
    assert b"".join(parts) == decode_content(b"".join(map(gzip.compress, parts)), "gzip", LIMIT)


@each_encoding
def test_what_follows_the_compressed_body_breaks_it(encoding, compress):
    """One byte is enough, zeros are no exception, and a second stream of deflate is one."""
    compressed = compress(BODY)
    for garbage in (b"\0", b"x", b"\0" * 512, b"{}", compressed[:-1]):
        with pytest.raises(BrokenEncoding):
            decode_content(compressed + garbage, encoding, LIMIT)
    if encoding == "deflate":
        with pytest.raises(BrokenEncoding):
            decode_content(compressed * 2, encoding, LIMIT)


@each_encoding
def test_a_cut_body_is_broken(encoding, compress):
    """Wherever it is cut, and after the first member too."""
    compressed = compress(BODY)
    for length in range(len(compressed)):
        with pytest.raises(BrokenEncoding):
            decode_content(compressed[:length], encoding, LIMIT)


@each_encoding
@given(body=st.binary(max_size=100))
def test_what_was_never_compressed_is_broken_or_decoded(encoding, compress, body):
    """Any bytes are answered with a body within the limit or with one of the two errors."""
    with suppress(BrokenEncoding, BodyTooLarge):
        assert len(decode_content(body, encoding, 50)) <= 50


def test_a_wrong_checksum_is_broken():
    """Of gzip and of deflate that is wrapped."""
    for encoding, compressed in (("gzip", gzip.compress(BODY)), ("deflate", zlib.compress(BODY))):
        for place in (-1, -4):
            spoilt = bytearray(compressed)
            spoilt[place] ^= 1
            with pytest.raises(BrokenEncoding):
                decode_content(bytes(spoilt), encoding, LIMIT)


@each_encoding
@pytest.mark.parametrize("limit", [1, PIECE_BYTES, 100_000])
def test_the_limit_is_of_the_decoded_body(encoding, compress, limit):
    """It may be reached, and not passed by one byte."""
    assert b"x" * limit == decode_content(compress(b"x" * limit), encoding, limit)
    with pytest.raises(BodyTooLarge):
        decode_content(compress(b"x" * (limit + 1)), encoding, limit)


def test_several_members_share_one_limit():
    """Each of them may be small."""
    members = gzip.compress(b"x" * 600) * 2
    with pytest.raises(BodyTooLarge):
        decode_content(members, "gzip", 1_199)
    assert b"x" * 1_200 == decode_content(members, "gzip", 1_200)


@each_encoding
def test_a_bomb_is_not_expanded(encoding, compress):
    """64 MiB in a few KiB: refused with little more than the limit in memory."""
    bomb = compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decode_content(bomb, encoding, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * LIMIT


def test_many_empty_members_take_time_by_their_count():
    """A body of nothing but members must not cost the square of its length."""
    member = gzip.compress(b"")
    seconds = []
    for count in (5_000, 50_000):
        started = time.process_time()
        assert b"" == decode_content(member * count, "gzip", LIMIT)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 40 * seconds[0]
