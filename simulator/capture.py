"""Read a recorded session (format capture/1), and refuse one that is not whole."""

import base64
import binascii
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

FORMAT = "capture/1"
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class CaptureRefused(Exception):
    """A recording cannot be replayed. What next: name another file; nothing was started."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


class Connection(msgspec.Struct, frozen=True):
    """One connection of the recorder: its kind ("ws" or "http") and, for sockets, its address."""

    kind: str
    url: str = ""


class Header(msgspec.Struct, frozen=True):
    """The first line of a recording; `frames` is not told by a recorder that may be killed at any moment."""

    format: str
    venue: str
    started_ns: int
    connections: dict[str, Connection]
    frames: int | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One recorded line; `url` is filled in from the header for sockets."""

    received_ns: int
    connection: str
    direction: str
    payload: str | None = None
    payload_base64: str | None = None
    method: str = ""
    url: str = ""
    status: int = 0

    def body(self) -> bytes:
        """Return the bytes as they were on the wire."""
        if self.payload is not None:
            return self.payload.encode()
        return base64.b64decode(self.payload_base64 or "")


@dataclass(frozen=True)
class Capture:
    """One recorded session, read whole and checked."""

    path: Path
    header: Header
    events: list[Event]

    def address(self, event: Event) -> str:
        """Return where an event was exchanged: its own url, else that of its connection."""
        return event.url or self.header.connections[event.connection].url

    def is_socket(self, event: Event) -> bool:
        """Return whether an event is a WebSocket frame."""
        return self.header.connections[event.connection].kind == "ws"

    def line(self, index: int) -> int:
        """Return the line of the file on which event number `index` stands."""
        return index + 2


def read_capture(path: Path) -> Capture:
    """
    Return the recorded session in a file.

    Raises:
        CaptureRefused: the file is missing, cut off, not capture/1, or holds another number of
            frames than its header promises.
    """
    lines = _lines(path)
    header = _header(path, next(lines, b""))
    events = list(_events(path, lines, header))
    if header.frames is not None and len(events) != header.frames:
        reason = f"expected {header.frames} frames as the header says, found {len(events)}"
        raise CaptureRefused(path, len(events) + 1, reason)
    return Capture(path, header, events)


def read_header(path: Path) -> Header:
    """Return the header alone, which is quick; raise CaptureRefused when there is none of a recording."""
    return _header(path, next(_lines(path), b""))


def _lines(path: Path) -> Iterator[bytes]:
    read = 0
    try:
        with path.open("rb") as file, _unpacked(file) as unpacked:
            for line in unpacked:
                read += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise CaptureRefused(path, read + 1, f"the file is cut off or damaged ({error})") from error
    except OSError as error:
        raise CaptureRefused(path, 0, error.strerror or str(error)) from error


def _unpacked(file: io.BufferedReader) -> io.BufferedIOBase:
    start = file.peek(4)[:4]
    if start.startswith(GZIP_MAGIC):
        return gzip.GzipFile(fileobj=file)
    if start == ZSTD_MAGIC:
        # The recorder closes a zstd frame every few seconds; they are one file all the same.
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return io.BufferedReader(reader)
    return file


def _header(path: Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CaptureRefused(path, 1, f"expected a {FORMAT} header, found {line[:60]!r} ({error})") from error
    if header.format != FORMAT:
        raise CaptureRefused(path, 1, f"expected format {FORMAT}, found {header.format!r}")
    return header


def _events(path: Path, lines: Iterator[bytes], header: Header) -> Iterator[Event]:
    """Yield what was recorded; a recorder that tells no number may have been killed within its last line."""
    for number, line in enumerate(lines, start=2):
        try:
            event = _event(path, number, line, header)
        except CaptureRefused:
            if header.frames is None and not line.endswith(b"\n"):
                return
            raise
        yield event


_decode_event = msgspec.json.Decoder(Event).decode


def _event(path: Path, number: int, line: bytes, header: Header) -> Event:
    try:
        event = _decode_event(line)
        base64.b64decode(event.payload_base64 or "", validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
        raise CaptureRefused(path, number, f"expected a recorded event, found {line[:60]!r} ({error})") from error
    if event.connection not in header.connections:
        raise CaptureRefused(path, number, f"connection {event.connection!r} is not in the header")
    if event.payload is None and event.payload_base64 is None:
        raise CaptureRefused(path, number, "expected payload or payload_base64, found neither")
    return event
