"""Compressed replies: the method a client accepts, applied to a body as it streams."""

import sys
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import lz4.frame  # type: ignore[import-untyped]  # brings no types
import pyarrow as pa  # type: ignore[import-untyped]  # nor does this

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FASTEST_FIRST: Final = ("lz4", "zstd", "gzip", "deflate", "br")


class Encoder(Protocol):
    """Compresses a body piece by piece into one stream."""

    def feed(self, data: bytes) -> bytes:
        """Return compressed bytes, ready to be sent: a slow stream must not wait for a full buffer."""

    def finish(self) -> bytes:
        """Return the end of the stream."""


def accepted(accept_encoding: str) -> str:
    """Return the fastest method the header allows, "" if there is none."""
    offers = {}
    for offer in accept_encoding.lower().split(","):
        name, _, weight = offer.strip().partition(";")
        offers[name.strip()] = weight.replace(" ", "")
    allowed = [name for name in FASTEST_FIRST if offers.get(name, "q=0") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")]
    return allowed[0] if allowed else ""


def encoder_for(method: str) -> Encoder:
    """Return a fresh encoder of one of the accepted methods; "" passes bytes through."""
    return _ENCODERS[method]()


class _Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._zlib = zlib.compressobj(level=3, wbits=window_bits)

    def feed(self, data: bytes) -> bytes:
        return self._zlib.compress(data) + self._zlib.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._zlib.flush()


class _Lz4:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor(auto_flush=True)
        self._head: bytes = self._frame.begin()

    def feed(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._frame.compress(data))

    def finish(self) -> bytes:
        return self._head + bytes(self._frame.flush())


class _Zstd:
    def __init__(self) -> None:
        self._frame = zstd.ZstdCompressor(level=1)

    def feed(self, data: bytes) -> bytes:
        return self._frame.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._frame.flush()


class _Brotli:
    """Compress through Arrow, which brings the method with it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._stream: Any = pa.CompressedOutputStream(_Collector(self._parts), "brotli")

    def feed(self, data: bytes) -> bytes:
        self._stream.write(data)
        self._stream.flush()
        return self._taken()

    def finish(self) -> bytes:
        self._stream.close()
        return self._taken()

    def _taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class _Collector:
    """A file that keeps what is written to it in a list."""

    closed = False

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


_ENCODERS: Final[dict[str, Callable[[], Encoder]]] = {
    "": _Plain,
    "lz4": _Lz4,
    "zstd": _Zstd,
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
}
