"""
What a venue said and was asked, byte for byte, in files that the simulator replays (format capture/1).

Lines are gathered for a second and written as one zstd frame with one call, so that a process killed at any moment
leaves whole frames behind. A file belongs to one connection to the venue; a socket dialled later begins another.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard

from common.clock import now_ns
from ingesters.feed import Dial, Fetch, Frame, Send, Step

FILE_BYTES = 64 * 2**20  # packed: then another file is begun
LEVEL = 3
HIDDEN = "***"

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, gc=False, omit_defaults=True):
    """One line of a recording; a text payload stands as it is, any other in base64."""

    received_ns: int
    connection: str
    direction: str
    payload: str | None = None
    payload_base64: str | None = None
    method: str = ""
    url: str = ""
    status: int = 0


class Shelf(NamedTuple):
    """Where the recordings of a program lie, how much they may take, and which words must never stand in them."""

    folder: Path
    venue: str
    most_bytes: int
    secrets: Sequence[str]


class Tape:
    """The recording of one connection; nothing is kept while it is off."""

    def __init__(self, shelf: Shelf, clock_ns: Callable[[], int] = now_ns) -> None:
        self.is_on = False
        self._shelf = shelf
        self._clock_ns = clock_ns
        self._urls: dict[str, str] = {}
        self._lines: list[Line] = []
        self._file: Path | None = None
        self._file_bytes = 0

    def switch(self, *, is_on: bool) -> None:
        """Begin, or end; what was heard before is not on the tape."""
        self.is_on = is_on

    def dialled(self, dial: Dial) -> None:
        """Hear that a socket was opened; known beforehand or not, a file names all of its sockets in its first line."""
        self.flush()
        self._file = None
        self._urls[dial.wire] = self._clean(dial.url)

    def heard(self, frames: Sequence[Frame], asked: Mapping[str, Fetch]) -> None:
        """Take what the venue said, on sockets and in answer to questions."""
        for frame in frames:
            if frame.wire in self._urls and frame.reply_to is None:
                self._lines.append(_line(frame.received_ns, frame.wire, "in", frame.payload))
            elif (fetch := asked.get(frame.reply_to or "")) is not None and not fetch.is_private:
                method = "GET" if fetch.body is None else "POST"
                url = self._clean(fetch.url)
                line = _line(frame.received_ns, "http", "in", frame.payload)
                self._lines.append(msgspec.structs.replace(line, method=method, url=url, status=frame.status))

    def sent(self, send: Send) -> None:
        """Take what we said on a socket, without the secrets in it."""
        if self.is_on:
            payload = send.payload
            for secret in self._shelf.secrets:
                payload = payload.replace(secret.encode(), HIDDEN.encode())
            self._lines.append(_line(self._clock_ns(), send.wire, "out", payload))

    def asked(self, fetch: Step) -> None:
        """Take the body of a question, if this is one that has a body."""
        if self.is_on and isinstance(fetch, Fetch) and fetch.body is not None and not fetch.is_private:
            line = _line(self._clock_ns(), "http", "out", self._clean(fetch.body.decode()).encode())
            self._lines.append(msgspec.structs.replace(line, method="POST", url=self._clean(fetch.url)))

    def flush(self) -> None:
        """Write what was gathered, as one frame; raise OSError when the disk does not take it."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        texts = [_encode(line) for line in sorted(lines, key=lambda line: line.received_ns)]
        if self._file is None or self._file_bytes > FILE_BYTES:
            texts.insert(0, _encode(self._header(lines[0].received_ns)))
            self._begin(lines[0].received_ns)
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(b"\n".join(texts) + b"\n")
        assert self._file is not None  # noqa: S101  begun above
        with self._file.open("ab", buffering=0) as file:
            file.write(packed)
        self._file_bytes += len(packed)

    def _begin(self, started_ns: int) -> None:
        self._shelf.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_room()
        self._file = self._shelf.folder / f"{self._shelf.venue}-{started_ns}.jsonl.zst"
        self._file.touch(mode=0o600)
        self._file_bytes = 0

    def _make_room(self) -> None:
        """Remove the oldest files until another one fits."""
        files = sorted(self._shelf.folder.glob(f"{self._shelf.venue}-*.jsonl.zst"))
        sizes = [file.stat().st_size for file in files]
        while files and sum(sizes) + FILE_BYTES > self._shelf.most_bytes:
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)

    def _header(self, started_ns: int) -> dict[str, object]:
        sockets = {wire: {"kind": "ws", "url": url} for wire, url in self._urls.items()}
        return {
            "format": "capture/1",
            "venue": self._shelf.venue,
            "title": "recorded by tickfleet",
            "started_ns": started_ns,
            "connections": {**sockets, "http": {"kind": "http"}},
        }

    def _clean(self, text: str) -> str:
        for secret in self._shelf.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _line(received_ns: int, connection: str, direction: str, payload: bytes) -> Line:
    try:
        return Line(received_ns, connection, direction, payload=payload.decode())
    except UnicodeDecodeError:
        return Line(received_ns, connection, direction, payload_base64=base64.b64encode(payload).decode())
