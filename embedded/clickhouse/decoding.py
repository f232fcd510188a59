"""Compressed request bodies: frames one behind another, cut anywhere, never more than a piece at a time in memory."""

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import lz4.frame  # type: ignore[import-untyped]  # brings no types
import pyarrow as pa  # type: ignore[import-untyped]  # nor does this

from embedded.clickhouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, ClickHouseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES: Final = 1 << 20


class Decoder(Protocol):
    """Turns body bytes, as they come, into plain bytes."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the bytes so far decode to, in pieces."""

    def finish(self) -> Iterator[bytes]:
        """Yield the rest; raise if the body ended inside a frame."""


def decoder_for(encoding: str) -> Decoder:
    """
    Return the decoder of a Content-Encoding.

    Raises:
        ClickHouseError: an encoding we do not know.
    """
    if encoding in ("", "identity"):
        return Plain()
    if encoding == "br":
        return Brotli()
    if encoding in _FRAMES:
        return Frames(encoding, _FRAMES[encoding])
    raise ClickHouseError(NOT_IMPLEMENTED, f"Unknown compression method: {encoding}")


class Plain:
    """No compression."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        if data:
            yield data

    def finish(self) -> Iterator[bytes]:
        """Yield nothing: every byte was given already."""
        yield from ()


class Frames:
    """Any method with an end mark; clickhouse-connect sends one frame for every block."""

    def __init__(self, encoding: str, begin: Callable[[], Any]) -> None:
        self._encoding = encoding
        self._begin = begin
        self._frame: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield plain pieces, beginning a new frame wherever one ended."""
        try:
            yield from self._frames(data)
        except _BROKEN as error:
            raise ClickHouseError(CANNOT_DECOMPRESS, f"{self._encoding} body is broken: {error}") from error

    def finish(self) -> Iterator[bytes]:
        """Raise if a frame is still open: the body was cut."""
        if self._frame is not None:
            message = f"{self._encoding} body is broken: expected more data, found its end"
            raise ClickHouseError(CANNOT_DECOMPRESS, message)
        yield from ()

    def _frames(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame is None:
                self._frame = self._begin()
            yield from self._pieces(data)
            if not self._frame.eof:
                return
            data = self._frame.unused_data or b""
            self._frame = None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        piece = self._frame.decompress(data, PIECE_BYTES)
        while True:
            if piece:
                yield bytes(piece)
            if self._frame.eof or self._frame.needs_input:
                return
            piece = self._frame.decompress(b"", PIECE_BYTES)


class Brotli:
    """Brotli marks no frames that a reader can see from outside, so the whole body is collected first."""

    def __init__(self) -> None:
        self._body = io.BytesIO()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield nothing yet."""
        self._body.write(data)
        yield from ()

    def finish(self) -> Iterator[bytes]:
        """Yield the plain pieces of all streams in the body."""
        self._body.seek(0)
        if not self._body.getbuffer().nbytes:
            return
        try:
            source = pa.CompressedInputStream(self._body, "brotli")
            while piece := source.read(PIECE_BYTES):
                yield piece
        except (OSError, pa.ArrowException) as error:
            raise ClickHouseError(CANNOT_DECOMPRESS, f"br body is broken: {error}") from error


class _Zlib:
    """A zlib object that speaks like the other decompressors."""

    def __init__(self, window_bits: int) -> None:
        self._zlib = zlib.decompressobj(window_bits)

    def decompress(self, data: bytes, most_bytes: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, most_bytes)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


def _gzip() -> _Zlib:
    return _Zlib(zlib.MAX_WBITS | 32)  # a gzip or a zlib header, whichever stands there


_BROKEN: Final = (zlib.error, zstd.ZstdError, lzma.LZMAError, OSError, RuntimeError, EOFError, ValueError)
_FRAMES: Final[dict[str, Callable[[], Any]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _gzip,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}
