"""
`python -m benchmarks.source`: a venue that sends trades on command, in a process of its own.

It speaks Binance's combined stream and answers the depth call, on one port. Commands come on standard input, one a
line; answers go to standard output as JSON, one a line:

    burst N     encode N trades beforehand, then send them as fast as they are taken
    pace N R    send N trades at R a second, each stamped when it is sent
"""

import asyncio
import json
import sys
import time
from array import array
from typing import Any

import uvloop
from picows import (
    WSListener,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from benchmarks.trades import frame, message

DEPTH = b'{"lastUpdateId":1,"bids":[["60000.00","1.00"]],"asks":[["60001.00","1.00"]]}'
CHUNK_FRAMES = 400  # about 64 KiB: what a kernel takes at once
NS_PER_MS = 1_000_000


class Listener(WSListener):
    """The connection that trades are sent to."""

    def __init__(self) -> None:
        self.transport: WSTransport | None = None
        self.connected = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the way to the client."""
        self.transport = transport
        self.connected.set()

    def pause_writing(self) -> None:
        """Wait until the client has read some."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self.writable.set()

    async def write(self, data: bytes) -> None:
        """Write frames, as soon as there is room."""
        await self.writable.wait()
        if self.transport is None:
            raise ConnectionError("nobody has connected yet")
        self.transport.underlying_transport.write(data)


class Source:
    """Sends trades; they are numbered on from where the last command ended."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._sent = 0

    async def burst(self, count: int) -> dict[str, Any]:
        """Send trades as fast as they are taken."""
        first_ms, numbers = time.time_ns() // NS_PER_MS, range(self._sent, self._sent + count)
        frames = [frame(message(number, first_ms + (number - self._sent) // 100)) for number in numbers]
        chunks = [b"".join(frames[at : at + CHUNK_FRAMES]) for at in range(0, count, CHUNK_FRAMES)]
        self._sent += count
        _say({"encoded": count, "bytes": sum(map(len, chunks))})
        await _command()
        first_ns = time.time_ns()
        for chunk in chunks:
            await self._listener.write(chunk)
        return {"first_ns": first_ns, "last_ns": time.time_ns()}

    async def pace(self, count: int, per_s: int) -> dict[str, Any]:
        """Send trades evenly; return when each was sent, in ns."""
        start_s, sent_ns = time.monotonic(), array("q")
        while len(sent_ns) < count:
            due = min(count, int((time.monotonic() - start_s) * per_s))
            for _ in range(due - len(sent_ns)):
                now = time.time_ns()
                await self._listener.write(frame(message(self._sent, now // NS_PER_MS)))
                self._sent += 1
                sent_ns.append(now)
            await asyncio.sleep(0.002)
        return {"sent_ns": sent_ns.tolist()}


async def main() -> None:
    """Serve until standard input ends."""
    listener = Listener()

    def route(request: WSUpgradeRequest) -> Listener | WSUpgradeResponseWithListener:
        if request.path.startswith(b"/api/v3/depth"):
            reply = WSUpgradeResponse.create_ok_response(DEPTH)
            return WSUpgradeResponseWithListener(reply, None)
        return listener

    server = await ws_create_server(route, "127.0.0.1", 0)
    source = Source(listener)
    _say({"port": server.sockets[0].getsockname()[1]})
    await listener.connected.wait()
    _say({"connected": True})
    while words := (await _command()).split():
        name, *numbers = words
        _say(await (source.burst if name == "burst" else source.pace)(*map(int, numbers)))


async def _command() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def _say(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
