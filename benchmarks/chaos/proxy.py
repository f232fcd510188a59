"""A wire between the fleet and a server that can be cut, stalled and refused."""

import asyncio
import contextlib

CHUNK_BYTES = 1 << 16


class Proxy:
    """
    Passes bytes on between a port of its own and a server's.

    `swallow` replies are still to be lost, each with its connection; with `half_closes` our side of a connection is
    closed when a question comes, which the server gets all the same; every reply comes `delay_s` late; with `answer`
    that is what every question gets, and the server hears nothing.
    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.server_port = server_port
        self._flows = asyncio.Event()
        self.refuses = self.half_closes = False
        self.swallow = 0
        self.delay_s = 0.0
        self.answer = b""
        self.flow()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        self.flow()
        self.cut()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection without a word."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Pass nothing on until `flow`."""
        self._flows.clear()

    def flow(self) -> None:
        """Pass everything on again, and take new connections."""
        self._flows.set()
        self.refuses = self.half_closes = False
        self.swallow = 0
        self.delay_s = 0.0
        self.answer = b""

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._ask(reader, far_writer, writer), self._reply(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _ask(
        self, reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                if self.answer:
                    writer.write(self.answer)
                    continue
                if self.half_closes and writer.can_write_eof():
                    writer.write_eof()
                far_writer.write(data)
                await far_writer.drain()
        far_writer.transport.abort()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the latter: written to behind its end
            while data := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_s)
                await self._flows.wait()
                if self.swallow:
                    self.swallow -= 1
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
