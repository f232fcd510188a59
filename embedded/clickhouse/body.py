"""A request's body, decompressed as it arrives; a client that leaves in the middle is never taken for an end."""

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from embedded.clickhouse.decoding import Decoder
from embedded.clickhouse.registry import Running

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_SHOWN_BYTES: Final = 4096


class ClientGone(Exception):
    """The client closed its connection; there is nobody to answer."""


class Body:
    """Pieces of the plain body, in order."""

    def __init__(self, receive: Receive, decoder: Decoder, running: Running) -> None:
        self._receive = receive
        self._decoder = decoder
        self._running = running
        self._pieces: deque[bytes] = deque()
        self._ended = False

    async def piece(self) -> bytes:
        """
        Return the next piece, b"" at the end.

        Raises:
            ClientGone: the connection closed before the body was whole.
            ClickHouseError: the compressed body is broken, or the query was killed meanwhile.
        """
        while not self._pieces and not self._ended:
            message = await self._running.receive(self._receive)
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._pieces.extend(self._decoder.feed(message.get("body", b"")))
            if not message.get("more_body", False):
                self._ended = True
                self._pieces.extend(self._decoder.finish())
        return self._pieces.popleft() if self._pieces else b""

    async def first(self, most_bytes: int) -> tuple[bytes, bool]:
        """Return the beginning of the body, and whether that is all of it."""
        parts: list[bytes] = []
        size_bytes = 0
        while size_bytes < most_bytes:
            piece = await self.piece()
            if not piece:
                return b"".join(parts), True
            parts.append(piece)
            size_bytes += len(piece)
            if not self._running.text:  # the list of running queries shows it before it is whole
                self._running.text = piece[:_SHOWN_BYTES].decode("utf-8", "replace")
        return b"".join(parts), False
