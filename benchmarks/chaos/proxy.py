"""A wire between the fleet and a server that can be cut, stalled and refused."""

import asyncio
import contextlib

CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes bytes on between a port of its own and a server's."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.refuses = False
        self._server_port = server_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        self.cut()
        if self._server:
            self._server.close()

    def cut(self) -> None:
        """Break every connection without a word."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Pass nothing on until `flow`."""
        self._flows.clear()

    def flow(self) -> None:
        """Pass on again, and take new connections."""
        self._flows.set()
        self.refuses = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
