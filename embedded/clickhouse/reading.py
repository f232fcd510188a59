"""A read on its way to the client: small results whole, large ones as they come, none of them kept in memory."""

import asyncio
import tempfile
import time
from contextlib import suppress
from typing import IO, Any, Final, Protocol

from embedded.clickhouse.body import ClientGone
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.errors import ClickHouseError
from embedded.clickhouse.handle import Outcome
from embedded.clickhouse.registry import Running
from embedded.clickhouse.reply import Reply, summary

# As on a server: an error within the first megabyte still gets its own status. A slow query is begun sooner, so that
# its first rows do not wait for its last.
HELD_BYTES: Final = 1 << 20
_HELD_S: Final = 0.1
_IN_MEMORY_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20


class Stream(Protocol):
    """A result in pieces."""

    @property
    def result_rows(self) -> int:
        """Return the rows given so far."""

    @property
    def read_rows(self) -> int:
        """Return the rows the engine has read."""

    @property
    def read_bytes(self) -> int:
        """Return the bytes the engine has read."""

    def next(self) -> bytes:
        """Return the next piece, b"" at the end."""

    def close(self) -> None:
        """Stop the read."""


class Reading:
    """One result being sent."""

    def __init__(self, desk: Desk, running: Running, reply: Reply, gone: asyncio.Future[Any]) -> None:
        self._desk = desk
        self._running = running
        self._reply = reply
        self._gone = gone
        self._held_until_s = 0.0

    async def send(self, stream: Stream, *, wait_for_end: bool) -> None:
        """
        Send the result.

        Args:
            stream: where it comes from.
            wait_for_end: nothing is sent before the last row is known, so that an error has its own status.

        Raises:
            ClickHouseError: the query failed.
            ClientGone: nobody reads; the query has been stopped.
        """
        pending = self._desk.start(stream.next)
        try:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as held:
                while True:
                    if not await self._ready(pending, self._patience_s(held, wait_for_end=wait_for_end)):
                        await self._begin(held)
                        continue
                    piece = pending.result()
                    if not piece:
                        break
                    pending = self._desk.start(stream.next)
                    await self._take(piece, held, wait_for_end=wait_for_end)
                await self._finish(stream, held)
        finally:
            await self._close(stream, pending)

    def _patience_s(self, held: IO[bytes], *, wait_for_end: bool) -> float | None:
        """Return how long the pieces that are held may still wait for the next one; None for as long as it takes."""
        if wait_for_end or self._reply.begun or not held.tell():
            return None
        self._held_until_s = self._held_until_s or time.monotonic() + _HELD_S
        return max(0.0, self._held_until_s - time.monotonic())

    async def _ready(self, pending: asyncio.Future[bytes], patience_s: float | None) -> bool:
        """Return whether the next piece is there, within our patience; raise if the client is not."""
        await asyncio.wait({pending, self._gone}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            raise ClientGone
        return pending.done()

    async def _take(self, piece: bytes, held: IO[bytes], *, wait_for_end: bool) -> None:
        if self._reply.begun:
            await self._reply.piece(piece)
            return
        held.write(piece)
        if held.tell() >= HELD_BYTES and not wait_for_end:
            await self._begin(held)

    async def _begin(self, held: IO[bytes]) -> None:
        await self._reply.begin()
        held.seek(0)
        while piece := held.read(_PIECE_BYTES):
            await self._reply.piece(piece)

    async def _finish(self, stream: Stream, held: IO[bytes]) -> None:
        self._running.refuse_if_killed()
        outcome = self._running.outcome = Outcome(
            read_rows=stream.read_rows,
            read_bytes=stream.read_bytes,
            result_rows=stream.result_rows,
            elapsed_ns=self._running.elapsed_ns,
        )
        if not self._reply.begun and held.tell() <= (HELD_BYTES if self._reply.is_compressed else _IN_MEMORY_BYTES):
            held.seek(0)
            self._reply.whole(held.read(), outcome)
            return
        if not self._reply.begun:
            self._reply.headers["X-ClickHouse-Summary"] = summary(outcome)
            await self._begin(held)
        self._reply.end()

    async def _close(self, stream: Stream, pending: asyncio.Future[bytes]) -> None:
        await self._desk.stop(self._running, pending)
        pending.exception()  # it is told already, or told to nobody
        with suppress(ClickHouseError):
            await self._desk.start(stream.close)
