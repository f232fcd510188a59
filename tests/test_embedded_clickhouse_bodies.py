"""Compressed bodies, both ways: any method, frames one behind another, cut anywhere."""

import bz2
import gzip
import lzma
import zlib
from contextlib import suppress
from itertools import pairwise

import lz4.frame
import pyarrow as pa
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded.clickhouse.decoding import PIECE_BYTES, decoder_for
from embedded.clickhouse.encoding import FASTEST_FIRST, accepted, encoder_for
from embedded.clickhouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, ClickHouseError

COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "br": lambda data: pa.compress(data, "brotli", asbytes=True),
}
BLOCKS = st.lists(st.binary(max_size=300), min_size=1, max_size=6)


def decoded(encoding: str, body: bytes, cuts: list[int]) -> bytes:
    decoder = decoder_for(encoding)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = []
    for start, end in pairwise(edges):
        pieces += decoder.feed(body[start:end])
    return b"".join([*pieces, *decoder.finish()])


@pytest.mark.parametrize("encoding", COMPRESS)
@settings(deadline=None)  # a busy machine is no bug
@given(blocks=BLOCKS, cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_frames_cut_anywhere_decode_to_all_their_blocks(encoding, blocks, cuts):
    body = b"".join(COMPRESS[encoding](block) for block in blocks)

    assert b"".join(blocks) == decoded(encoding, body, cuts)


@pytest.mark.parametrize("encoding", COMPRESS)
@settings(deadline=None)  # a busy machine is no bug
@given(block=st.binary(min_size=1, max_size=300), lost=st.integers(1, 8))
def test_a_cut_body_is_an_error_and_not_its_beginning(encoding, block, lost):
    body = COMPRESS[encoding](block)

    with pytest.raises(ClickHouseError) as caught:
        decoded(encoding, body[: max(1, len(body) - lost)], [])
    assert CANNOT_DECOMPRESS == caught.value.code


@pytest.mark.parametrize("encoding", COMPRESS)
@settings(deadline=None)  # a busy machine is no bug
@given(garbage=st.binary(min_size=1, max_size=200))
def test_garbage_is_refused_or_decoded_but_never_a_crash(encoding, garbage):
    with suppress(ClickHouseError):
        decoded(encoding, garbage, [3])


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd", "br"])
def test_a_bomb_is_decoded_a_piece_at_a_time(encoding):
    body = COMPRESS[encoding](bytes(20 * PIECE_BYTES))
    decoder = decoder_for(encoding)

    sizes = [len(piece) for piece in [*decoder.feed(body), *decoder.finish()]]

    assert (20 * PIECE_BYTES, PIECE_BYTES) == (sum(sizes), max(sizes))


def test_an_empty_body_is_empty_under_any_method():
    assert {b""} == {decoded(encoding, b"", []) for encoding in ["", "identity", *COMPRESS]}


def test_an_unknown_method_is_refused_by_name():
    with pytest.raises(ClickHouseError, match="snappy") as caught:
        decoder_for("snappy")
    assert NOT_IMPLEMENTED == caught.value.code


@pytest.mark.parametrize("method", ["", *FASTEST_FIRST])
@settings(deadline=None)  # a busy machine is no bug
@given(blocks=BLOCKS)
def test_a_reply_decodes_to_what_was_fed(method, blocks):
    encoder = encoder_for(method)

    body = b"".join([*(encoder.feed(block) for block in blocks), encoder.finish()])

    assert b"".join(blocks) == decoded(method, body, [7])


@pytest.mark.parametrize("method", ["lz4", "zstd", "gzip"])
def test_each_piece_of_a_reply_can_be_read_before_the_next_is_made(method):
    encoder, decoder = encoder_for(method), decoder_for(method)

    seen = b"".join(decoder.feed(encoder.feed(b"first rows")))

    assert b"first rows" == seen


@pytest.mark.parametrize(
    ("header", "method"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("lz4,zstd,gzip", "lz4"),
        ("gzip;q=0, br", "br"),
        ("identity, snappy", ""),
    ],
)
def test_the_fastest_accepted_method_is_taken(header, method):
    assert method == accepted(header)
